//! What a candidate policy would have shown differently, over what the log says was asked.
//!
//! An entry says who asked for what and how each field was shown; it does not say where the guest's stay stood. So each
//! entry is held against every state of a stay: those in which the policy in force gives just what was shown could have
//! been the case. What the candidate gives in all of them is certain, what it gives in some is possible.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ConsentAnswer, Facts, PolicyError, Snapshot, load::Files};
use crate::{
    audit::{leaf::Leaf, sql::Row},
    base::{Action, ConsentId, EntryId, FieldPath, FieldSet, PropertyCode, Purpose, Role, StayState, View},
};

/// Entries looked at at most, the newest first.
pub(super) const MOST: u64 = 1_000_000;

/// The candidate, and how far back to look.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplayRequest {
    /// The candidate's files by name (`rules.csv`, `roles.csv`, `purposes.toml` …); those left out are as they are in
    /// force.
    pub files: BTreeMap<String, String>,
    /// The last so many days, 1 to 366.
    #[schema(minimum = 1, maximum = 366)]
    pub days: u16,
}

/// A field that the candidate would have shown otherwise.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ReplayChange {
    /// To this role.
    pub role: Role,
    /// At this property.
    pub property: PropertyCode,
    /// For this purpose.
    pub purpose: Purpose,
    /// When this was done.
    #[schema(max_length = 40)]
    pub action: String,
    /// The field.
    #[schema(value_type = String)]
    pub field: FieldPath,
    /// How it was shown.
    pub was: View,
    /// How it would have been.
    pub would_be: View,
    /// Whether it is so whatever the guest's stay was then; otherwise it depends on that, and on whether the guest has
    /// the field.
    pub certain: bool,
    /// In so many entries.
    pub entries: u64,
    /// One of them.
    pub example: EntryId,
}

/// Calls that the candidate would have let in, or refused, as a whole.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ReplayTurn {
    /// Of this role.
    pub role: Role,
    /// At this property.
    pub property: PropertyCode,
    /// For this purpose.
    pub purpose: Purpose,
    /// To do this.
    #[schema(max_length = 40)]
    pub action: String,
    /// Whether the candidate lets it in; the policy then did the opposite.
    pub allowed: bool,
    /// In so many entries.
    pub entries: u64,
    /// One of them.
    pub example: EntryId,
}

/// What would have been different.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ReplayAnswer {
    /// The candidate's version.
    #[schema(max_length = 16)]
    pub candidate: String,
    /// The version in force.
    #[schema(max_length = 16)]
    pub in_force: String,
    /// The first of the candidate's own cases that fails; such a policy would not be loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2000)]
    pub failing_case: Option<String>,
    /// Entries looked at.
    pub entries: u64,
    /// Whether older ones were left out: a million is looked at.
    pub truncated: bool,
    /// Reads, reveals and searches among them that could be held against the candidate.
    pub replayed: u64,
    /// Those of them that an earlier policy decided and the one in force does not explain.
    pub unexplained: u64,
    /// What would have been refused or let in.
    #[schema(max_items = 100_000)]
    pub turns: Vec<ReplayTurn>,
    /// What would have been shown otherwise.
    #[schema(max_items = 100_000)]
    pub changes: Vec<ReplayChange>,
}

/// Entries that any policy decides alike.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Asked {
    role: Role,
    property: PropertyCode,
    purpose: Purpose,
    act: String,
    denied: bool,
    fields: BTreeMap<FieldPath, View>,
}

impl Asked {
    fn of(leaf: Leaf) -> Option<Self> {
        let looked = matches!(
            leaf.act.as_str(),
            "read" | "reveal" | "read_records" | "search" | "export"
        );
        let denied = leaf.decision == "denied";
        // Other refusals (no such guest, no consent, a budget) are none of the policy's.
        let by_policy = leaf.outcome.as_deref() == Some("policy") && leaf.act != "search";
        if !looked || (denied && !by_policy) || (!denied && leaf.fields.is_empty()) {
            return None;
        }
        Some(Self {
            role: leaf.role.parse().ok()?,
            property: leaf.property?.parse().ok()?,
            purpose: leaf.purpose?.parse().ok()?,
            act: leaf.act,
            denied,
            fields: leaf.fields,
        })
    }
}

/// Counts what was asked; a million entries come down to a few hundred different questions.
#[derive(Default)]
pub(super) struct Tally {
    asked: BTreeMap<Asked, (u64, EntryId)>,
    pub(super) entries: u64,
}

impl Tally {
    pub(super) fn take(&mut self, row: &Row) {
        self.entries += 1;
        let Some(asked) = Leaf::read(&row.leaf).and_then(Asked::of) else {
            return;
        };
        let (count, _) = self.asked.entry(asked).or_insert((0, EntryId(row.entry_id)));
        *count += 1;
    }
}

/// Every state a stay could have been in, for the caller's own guests and others.
fn states() -> impl Iterator<Item = Facts> {
    let of = |stay| {
        [false, true].map(|portfolio| Facts {
            stay,
            portfolio,
            consent: ConsentAnswer::Given(ConsentId(uuid::Uuid::nil())),
        })
    };
    StayState::ALL.into_iter().flat_map(of)
}

fn shown(view: View, act: &str) -> View {
    match view {
        View::Reveal if act == "reveal" => View::Plain,
        View::Reveal => View::Masked,
        other => other,
    }
}

/// How the policy shows every field of the catalogue, in one state of a stay; `None` when it refuses the call.
fn views(policy: &Snapshot, asked: &Asked, facts: &Facts) -> Option<BTreeMap<FieldPath, View>> {
    let all: FieldSet = policy.catalogue().iter().map(|(at, _)| at).collect();
    let action = if asked.act == "export" {
        Action::Export
    } else {
        Action::Read
    };
    let grant = policy.decide(&asked.role, &asked.property, &asked.purpose, action, &all)?;
    let grant = grant.narrow(facts);
    let each = policy.catalogue().iter();
    Some(
        each.map(|(at, field)| (field.path.clone(), shown(grant.view(at), &asked.act)))
            .collect(),
    )
}

/// The states in which the policy in force gives what was shown.
fn explaining(policy: &Snapshot, asked: &Asked) -> Vec<(Facts, BTreeMap<FieldPath, View>)> {
    let fits = |views: &BTreeMap<FieldPath, View>| {
        let same = |(path, view): (&FieldPath, &View)| views.get(path).unwrap_or(&View::None) == view;
        asked.fields.iter().all(same)
    };
    states()
        .filter_map(|facts| Some((facts, views(policy, asked, &facts)?)))
        .filter(|(_, views)| fits(views))
        .collect()
}

/// The differences of one question: field, how it was, how it would be, and whether that is so in every state.
fn differences(
    candidate: &Snapshot,
    asked: &Asked,
    states: &[(Facts, BTreeMap<FieldPath, View>)],
) -> Vec<(FieldPath, View, View, bool)> {
    let mut seen: BTreeMap<(FieldPath, View, View), usize> = BTreeMap::new();
    for (facts, before) in states {
        let after = views(candidate, asked, facts).unwrap_or_default();
        for (path, was) in before {
            let would_be = after.get(path).copied().unwrap_or(View::None);
            if would_be != *was {
                *seen.entry((path.clone(), *was, would_be)).or_default() += 1;
            }
        }
    }
    let certain = |path: &FieldPath, count| count == states.len() && asked.fields.contains_key(path);
    let each = seen.into_iter();
    each.map(|((path, was, would_be), count)| {
        let certain = certain(&path, count);
        (path, was, would_be, certain)
    })
    .collect()
}

/// What makes one line of the changes: all of [`ReplayChange`] but its count and example.
type Key = (Role, PropertyCode, Purpose, String, FieldPath, View, View, bool);

/// Holds what was asked against the candidate.
pub(super) fn replay(in_force: &Snapshot, candidate: &Snapshot, tally: Tally) -> ReplayAnswer {
    let mut answer = ReplayAnswer {
        candidate: candidate.version().to_owned(),
        in_force: in_force.version().to_owned(),
        failing_case: None,
        entries: tally.entries,
        truncated: tally.entries >= MOST,
        replayed: 0,
        unexplained: 0,
        turns: Vec::new(),
        changes: Vec::new(),
    };
    let mut changes: BTreeMap<Key, (u64, EntryId)> = BTreeMap::new();
    for (asked, (entries, example)) in tally.asked {
        answer.replayed += entries;
        let allowed = candidate.may(&asked.role, &asked.property, &asked.purpose, Action::Read);
        if allowed == asked.denied {
            answer.turns.push(ReplayTurn {
                role: asked.role.clone(),
                property: asked.property.clone(),
                purpose: asked.purpose.clone(),
                action: asked.act.clone(),
                allowed,
                entries,
                example,
            });
        }
        if asked.denied {
            continue;
        }
        let states = explaining(in_force, &asked);
        if states.is_empty() {
            answer.unexplained += entries;
            continue;
        }
        for (field, was, would_be, certain) in differences(candidate, &asked, &states) {
            let key = (
                asked.role.clone(),
                asked.property.clone(),
                asked.purpose.clone(),
                asked.act.clone(),
                field,
                was,
                would_be,
                certain,
            );
            changes.entry(key).or_insert((0, example)).0 += entries;
        }
    }
    let each = changes.into_iter();
    answer.changes = each
        .map(
            |((role, property, purpose, action, field, was, would_be, certain), (entries, example))| {
                ReplayChange {
                    role,
                    property,
                    purpose,
                    action,
                    field,
                    was,
                    would_be,
                    certain,
                    entries,
                    example,
                }
            },
        )
        .collect();
    answer
}

impl Files {
    /// These, with some of another text.
    ///
    /// # Errors
    /// [`PolicyError::File`] for a name that is no file of a policy.
    pub(super) fn with(&self, others: &BTreeMap<String, String>) -> Result<Self, PolicyError> {
        let mut all = self.clone();
        for (name, text) in others {
            let place = match name.as_str() {
                "model.conf" => &mut all.model,
                "roles.csv" => &mut all.roles,
                "rules.csv" => &mut all.rules,
                "purposes.toml" => &mut all.purposes,
                "fields.toml" => &mut all.fields,
                "cases.toml" => &mut all.cases,
                _ => {
                    return Err(PolicyError::File {
                        file: "files".into(),
                        problem: "a name in it is no file of a policy".into(),
                    });
                }
            };
            place.clone_from(text);
        }
        Ok(all)
    }
}
