//! `rules.csv`: who may do what. Compact notation for people; expanded here to what casbin compares.

use std::{collections::HashMap, sync::Arc};

use super::{
    PolicyError, PurposeRule, Right, RuleFile, RuleId,
    roles::Roles,
    words::{Line, Words, did_you_mean},
};
use crate::base::{Action, Catalogue, Category, Class, PropertyTree, StayState, View};

/// In a rule that writes or searches there is nothing to show.
pub(super) const NO_VIEW: &str = "-";

const SHAPE: &str = "is none of `allow|deny, <roles>, <properties>, <purposes>, <fields>, <actions>, <stays>, <views>`, \
                     `right, <roles>, <rights>`, `set, $<name>, <words>`";

/// The rules that hold whatever a folder says.
const FIXED: &str = include_str!("fixed.csv");

/// What a rule does when it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Allow,
    /// Wins over every allow.
    Deny,
}

impl Effect {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

/// One rule about guests' fields.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) id: RuleId,
    pub(super) effect: Effect,
    pub(super) roles: Words,
    pub(super) properties: Words,
    pub(super) purposes: Words,
    pub(super) fields: Words,
    pub(super) actions: Words,
    pub(super) stays: Words,
    pub(super) views: Words,
    /// The line as it is written.
    pub(super) text: String,
}

/// One rule about anything else.
#[derive(Debug, Clone)]
pub(super) struct RightRule {
    pub(super) roles: Words,
    pub(super) rights: Words,
}

/// All rules of a policy.
#[derive(Debug, Clone, Default)]
pub(super) struct Rules {
    pub(super) fields: Vec<Rule>,
    pub(super) rights: Vec<RightRule>,
}

/// The words a rule may use.
pub(super) struct Vocabulary<'a> {
    pub(super) roles: &'a Roles,
    pub(super) tree: &'a PropertyTree,
    pub(super) purposes: &'a [Arc<PurposeRule>],
    pub(super) catalogue: &'a Catalogue,
}

impl Rules {
    /// Reads the file and adds what always holds: the fixed rules and each purpose's ceiling.
    ///
    /// # Errors
    /// With the line, when a line has another shape or uses an unknown word.
    pub(super) fn parse(text: &str, words: &Vocabulary<'_>) -> Result<Self, PolicyError> {
        let mut rules = Self::default();
        rules.add_file(RuleFile::Rules, "rules.csv", text, words)?;
        if !rules.fields.iter().any(|rule| rule.effect == Effect::Allow) {
            return Err(PolicyError::File {
                file: "rules.csv".into(),
                problem:
                    "allows nothing; an empty policy is refused, because nobody could work. Add `allow` lines"
                        .into(),
            });
        }
        rules.add_file(RuleFile::Fixed, "fixed.csv", FIXED, words)?;
        for purpose in words.purposes {
            rules.fields.extend(ceiling(purpose, words.catalogue));
        }
        Ok(rules)
    }

    fn add_file(
        &mut self,
        file: RuleFile,
        name: &'static str,
        text: &str,
        words: &Vocabulary<'_>,
    ) -> Result<(), PolicyError> {
        let mut reader = Reader {
            name,
            words,
            sets: HashMap::new(),
        };
        for line in Line::all(file, text, 9) {
            match line.columns.as_slice() {
                ["set", set, of] => reader.add_set(&line, set, of)?,
                ["right", roles, rights] => self.rights.push(reader.right(&line, roles, rights)?),
                ["allow", rest @ ..] if rest.len() == 7 => {
                    self.fields.push(reader.rule(&line, Effect::Allow, rest)?);
                }
                ["deny", rest @ ..] if rest.len() == 7 => {
                    self.fields.push(reader.rule(&line, Effect::Deny, rest)?);
                }
                _ => return Err(line.wrong(name, SHAPE)),
            }
        }
        Ok(())
    }
}

/// What lies outside a purpose's categories is shown to nobody for that purpose.
fn ceiling(purpose: &PurposeRule, catalogue: &Catalogue) -> Option<Rule> {
    let outside: Vec<String> = catalogue
        .iter()
        .filter(|(_, field)| !purpose.categories.contains(&field.category))
        .map(|(_, field)| field.path.to_string())
        .collect();
    (!outside.is_empty()).then(|| Rule {
        id: purpose.rule,
        effect: Effect::Deny,
        roles: Words::Any,
        properties: Words::Any,
        purposes: Words::Of(vec![purpose.code.to_string()]),
        fields: Words::Of(outside),
        // A booking that arrives with a document in it is stored whole; who may look at it, and for what, is decided
        // at reading.
        actions: Words::Of(["read", "search", "export"].map(str::to_owned).to_vec()),
        stays: Words::Any,
        views: Words::Any,
        text: format!("purpose `{}` shows no other category", purpose.code),
    })
}

/// The fixed rules also name roles and classes that a hotel may have left out.
fn lenient(line: &Line<'_>) -> bool {
    line.at.file == RuleFile::Fixed
}

struct Reader<'a> {
    name: &'static str,
    words: &'a Vocabulary<'a>,
    sets: HashMap<String, String>,
}

impl Reader<'_> {
    fn add_set(&mut self, line: &Line<'_>, set: &str, of: &str) -> Result<(), PolicyError> {
        if !set.starts_with('$') || of.is_empty() {
            return Err(line.wrong(self.name, "a set is written `set, $<name>, <word>|<word>…`"));
        }
        let of = self.unfold(line, of)?.join("|");
        if self.sets.insert(set.to_owned(), of).is_some() {
            return Err(line.wrong(self.name, format!("set `{set}` is given twice; remove one")));
        }
        Ok(())
    }

    fn right(&self, line: &Line<'_>, roles: &str, rights: &str) -> Result<RightRule, PolicyError> {
        Ok(RightRule {
            roles: self.column(line, "role", roles, self.role_words())?,
            rights: self.column(line, "right", rights, Right::ALL.map(Right::as_str))?,
        })
    }

    fn rule(&self, line: &Line<'_>, effect: Effect, columns: &[&str]) -> Result<Rule, PolicyError> {
        let [roles, properties, purposes, fields, actions, stays, views] = columns else {
            return Err(line.wrong(self.name, SHAPE));
        };
        let rule = Rule {
            id: line.at,
            effect,
            roles: self.column(line, "role", roles, self.role_words())?,
            properties: self.column(
                line,
                "property",
                properties,
                self.words.tree.iter().map(|n| n.code.as_str()),
            )?,
            purposes: self.purposes(line, purposes)?,
            fields: self.fields(line, fields)?,
            actions: self.column(line, "action", actions, Action::ALL.map(Action::as_str))?,
            stays: self.column(line, "stay", stays, StayState::ALL.map(StayState::as_str))?,
            views: self.column(line, "view", views, view_words())?,
            text: line.columns.join(", "),
        };
        self.check_views(line, &rule)?;
        Ok(rule)
    }

    /// A read or an export shows something, a write or a search does not: one rule cannot be about both.
    fn check_views(&self, line: &Line<'_>, rule: &Rule) -> Result<(), PolicyError> {
        if rule.effect == Effect::Deny && rule.views == Words::Any {
            return Ok(());
        }
        let shows = |action: &Action| matches!(action, Action::Read | Action::Export);
        let of: Vec<Action> = Action::ALL
            .into_iter()
            .filter(|a| rule.actions.has(a.as_str()))
            .collect();
        let hidden = rule.views == Words::Of(vec![NO_VIEW.to_owned()]);
        let shown = matches!(&rule.views, Words::Of(views) if !views.iter().any(|view| view == NO_VIEW));
        if (shown && of.iter().all(shows)) || (hidden && !of.iter().any(shows)) {
            return Ok(());
        }
        Err(line.wrong(
            self.name,
            "read and export need views (plain, reveal, masked, token, flag); write and search need `-`; \
             write two lines",
        ))
    }

    fn role_words(&self) -> impl Iterator<Item = &str> {
        self.words.roles.all().map(|role| role.as_str())
    }

    /// `third_party:*` means every third party that is configured.
    fn purposes(&self, line: &Line<'_>, text: &str) -> Result<Words, PolicyError> {
        let known = || self.words.purposes.iter().map(|purpose| purpose.code.as_str());
        if text == "third_party:*" {
            let all = known()
                .filter(|code| code.starts_with("third_party:"))
                .map(str::to_owned);
            return Ok(Words::Of(all.collect()));
        }
        self.column(line, "purpose", text, known())
    }

    /// Paths, parts of paths (`name` for every `name.…`), `@category`, classes; `!` takes away.
    fn fields(&self, line: &Line<'_>, text: &str) -> Result<Words, PolicyError> {
        if text == "*" {
            return Ok(Words::Any);
        }
        let mut chosen = Vec::new();
        for word in self.unfold(line, text)? {
            let found = |word: &str| {
                let found = self.paths(word);
                if found.is_empty() && !lenient(line) {
                    return Err(line.wrong(self.name, self.unknown_field(word)));
                }
                Ok(found)
            };
            match word.strip_prefix('!') {
                Some(less) => {
                    let less = found(less)?;
                    chosen.retain(|path| !less.contains(path));
                }
                None => chosen.extend(found(&word)?),
            }
        }
        chosen.sort();
        chosen.dedup();
        if chosen.is_empty() && !lenient(line) {
            return Err(line.wrong(
                self.name,
                format!("`{text}` leaves no field; write what is meant before the `!`"),
            ));
        }
        Ok(Words::Of(chosen))
    }

    fn paths(&self, word: &str) -> Vec<String> {
        let catalogue = self.words.catalogue;
        let of = |keep: &dyn Fn(&crate::base::Field) -> bool| {
            let kept = catalogue.iter().filter(|(_, field)| keep(field));
            kept.map(|(_, field)| field.path.to_string()).collect::<Vec<_>>()
        };
        if word == "*" {
            return of(&|_| true);
        }
        if let Some(name) = word.strip_prefix('@') {
            return of(&|field| field.category.as_str() == name);
        }
        if let Some(class) = CLASSES.iter().find(|(name, _)| *name == word) {
            return of(&|field| field.class == class.1);
        }
        let selected = catalogue.select(word);
        selected
            .into_iter()
            .filter_map(|at| catalogue.get(at))
            .map(|field| field.path.to_string())
            .collect()
    }

    fn unknown_field(&self, word: &str) -> String {
        if let Some(name) = word.strip_prefix('@') {
            let known = Category::ALL.map(Category::as_str);
            if known.contains(&name) {
                return format!("no field of fields.toml is in `{word}`; remove it here");
            }
            return format!(
                "there is no category `{name}`{}",
                did_you_mean(name, known.into_iter())
            );
        }
        let known = self.words.catalogue.iter().map(|(_, field)| field.path.as_str());
        format!(
            "there is no field `{word}` in fields.toml{}",
            did_you_mean(word, known)
        )
    }

    fn column<'k>(
        &self,
        line: &Line<'_>,
        what: &str,
        text: &str,
        known: impl IntoIterator<Item = &'k str>,
    ) -> Result<Words, PolicyError> {
        if text == "*" {
            return Ok(Words::Any);
        }
        let known: Vec<&str> = known.into_iter().collect();
        let words = self.unfold(line, text)?;
        for word in &words {
            if !lenient(line) && !known.contains(&word.as_str()) {
                let hint = did_you_mean(word, known.iter().copied());
                return Err(line.wrong(self.name, format!("there is no {what} `{word}`{hint}")));
            }
        }
        Ok(Words::Of(words))
    }

    fn unfold(&self, line: &Line<'_>, text: &str) -> Result<Vec<String>, PolicyError> {
        let mut words: Vec<String> = Vec::new();
        for word in text.split('|').map(str::trim) {
            if word.is_empty() {
                return Err(line.wrong(self.name, "has an empty column or word; write `*` for everything"));
            }
            if !word.starts_with('$') {
                words.push(word.to_owned());
                continue;
            }
            let set = self.sets.get(word).ok_or_else(|| {
                let hint = did_you_mean(word, self.sets.keys().map(String::as_str));
                line.wrong(self.name, format!("there is no set `{word}` above{hint}"))
            })?;
            words.extend(set.split('|').map(str::to_owned));
        }
        Ok(words)
    }
}

const CLASSES: [(&str, Class); 5] = [
    ("C0", Class::C0),
    ("C1", Class::C1),
    ("C2", Class::C2),
    ("C3", Class::C3),
    ("C4", Class::C4),
];

/// The views from most to least open: the order in which casbin is asked.
pub(super) const VIEWS: [View; 5] = [View::Plain, View::Reveal, View::Masked, View::Token, View::Flag];

fn view_words() -> impl Iterator<Item = &'static str> {
    VIEWS.into_iter().map(View::as_str).chain([NO_VIEW])
}
