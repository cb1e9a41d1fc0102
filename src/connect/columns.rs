//! Where the columns of a table go, and which of them make one address, document or membership together.

use std::collections::BTreeMap;

/// Lists of objects whose members are columns of their own, with the member that a column without one is, and the member
/// that the word in brackets is.
const LISTS: [(&str, &str, &str); 3] = [
    ("postal_addresses", "lines", "kind"),
    ("id_documents", "number", "type"),
    ("memberships", "number", "program"),
];

/// What a stay needs.
pub(super) const STAY: [&str; 3] = ["reservation", "arrival", "departure"];

/// Where a column goes: a path; or a member of an object, in a list with a fixed word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) head: String,
    pub(super) word: Option<String>,
    pub(super) member: Option<String>,
    /// Which item of the list it is part of.
    pub(super) item: usize,
}

impl Column {
    /// `phones[mobile]`, `postal_addresses.city`, `id_documents[passport].expires_on`, `name.surname`.
    pub(super) fn of(name: &str, target: &str) -> Option<Self> {
        let (place, word, rest) = match target.split_once('[') {
            Some((place, rest)) => {
                let (word, rest) = rest.split_once(']')?;
                (place, Some(word.to_owned()), rest)
            }
            None => (target, None, ""),
        };
        let fits =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '.' | '-' | ':');
        if place.is_empty() || !place.chars().chain(rest.chars()).all(fits) {
            return None;
        }
        let objects = || LISTS.iter().map(|list| list.0).chain(["stays", "consents"]);
        let (head, member) = match place.split_once('.') {
            Some((head, member)) if objects().any(|object| object == head) => (head, Some(member)),
            _ => (place, None),
        };
        let member = match (member, rest.strip_prefix('.')) {
            (None, Some(below)) if of_list(head).is_some() && !below.is_empty() => Some(below),
            (member, None) if rest.is_empty() => member,
            _ => return None,
        };
        let member = member.or_else(|| of_list(head).map(|(own, _)| own));
        Some(Self {
            name: name.to_owned(),
            head: head.to_owned(),
            word,
            member: member.map(ToOwned::to_owned),
            item: 0,
        })
    }

    /// Whether it is this member of a stay.
    pub(super) fn is_of_stay(&self, members: &[&str]) -> bool {
        self.head == "stays" && self.member.as_deref().is_some_and(|own| members.contains(&own))
    }
}

/// The member that a column without one is, and the one that its word is, when this is such a list.
pub(super) fn of_list(head: &str) -> Option<(&'static str, &'static str)> {
    let list = LISTS.iter().find(|list| list.0 == head)?;
    Some((list.1, list.2))
}

/// Whether a place takes a word in brackets.
pub(super) fn takes_word(head: &str) -> bool {
    of_list(head).is_some() || matches!(head, "phones" | "emails" | "external_ids")
}

/// The columns in this order.
pub(super) fn arrange(targets: &BTreeMap<String, String>, order: &[String]) -> Vec<Column> {
    let columns = targets
        .iter()
        .filter_map(|(name, target)| Column::of(name, target));
    let mut columns: Vec<Column> = columns.collect();
    let place = |column: &Column| order.iter().position(|name| *name == column.name);
    columns.sort_by_key(|column| place(column).unwrap_or(usize::MAX));
    for (head, _, _) in LISTS {
        gather(columns.iter_mut().filter(|column| column.head == head).collect());
    }
    columns
}

/// An item in the making.
struct Item {
    word: Option<String>,
    members: Vec<String>,
}

/// Tells which columns are parts of one item: those with the same word, until a member comes again. Where a member may
/// belong to several, it stays alone: the vault refuses it by name, and `[word]` tells it.
fn gather(mut columns: Vec<&mut Column>) {
    let mut items: Vec<Item> = Vec::new();
    let mut again: Vec<Option<String>> = Vec::new();
    for (at, column) in columns.iter().enumerate() {
        let same = |other: &&mut Column| other.word == column.word && other.member == column.member;
        let before = columns.get(..at).unwrap_or_default();
        if column.member.as_deref() != Some("lines") && before.iter().any(same) {
            again.push(column.word.clone());
        }
    }
    let mut last: Option<(usize, bool)> = None;
    for column in &mut columns {
        let member = column.member.clone().unwrap_or_default();
        let is_line = member == "lines";
        // The lines of one address stand together, where there are several addresses.
        let goes_on = |at: usize| is_line && (!again.contains(&column.word) || last == Some((at, true)));
        let open = items.iter().enumerate().filter(|(at, item)| {
            item.word == column.word && (!item.members.contains(&member) || goes_on(*at))
        });
        let open: Vec<usize> = open.map(|(at, _)| at).collect();
        column.item = if let [only] = open.as_slice() {
            *only
        } else {
            items.push(Item {
                word: column.word.clone(),
                members: Vec::new(),
            });
            items.len() - 1
        };
        if let Some(item) = items.get_mut(column.item) {
            item.members.push(member);
        }
        last = Some((column.item, is_line));
    }
    // `id_documents[passport]` and `id_documents.expires_on`: there is but one document that the day can be of.
    let of_word = |has: bool| -> Vec<usize> {
        let found = items
            .iter()
            .enumerate()
            .filter(|(_, item)| item.word.is_some() == has);
        found.map(|(at, _)| at).collect()
    };
    if let ([with], [without]) = (of_word(true).as_slice(), of_word(false).as_slice())
        && let (Some(one), Some(other)) = (items.get(*with), items.get(*without))
        && !other.members.iter().any(|member| {
            matches!(member.as_str(), "number" | "lines" | "city") || one.members.contains(member)
        })
    {
        for column in columns.iter_mut().filter(|column| column.item == *without) {
            column.item = *with;
        }
    }
}
