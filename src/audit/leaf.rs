//! A leaf read back: what the log commits to, as reports, exports and checks need it.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, de::IgnoredAny};
use uuid::Uuid;

use crate::base::{FieldPath, PrincipalId, View};

use super::sql::Columns;

/// What a leaf says. Members that this program does not know are let pass: a newer vault may have written it.
#[derive(Debug, Clone, Deserialize)]
pub struct Leaf {
    /// What was done.
    pub act: String,
    /// On whose orders: a staff id.
    pub actor: Option<String>,
    /// When, in microseconds.
    pub at: i64,
    /// The legal basis or `consent:<id>`.
    pub basis: Option<String>,
    /// How many it was about, where it was not one guest.
    pub count: Option<u64>,
    /// How the caller proved itself.
    pub credential: String,
    /// How it ended.
    pub decision: String,
    /// The commitment to the detail.
    pub detail: Option<String>,
    /// The fields, and how each was shown.
    #[serde(default)]
    pub fields: BTreeMap<FieldPath, View>,
    /// Why it ended so.
    pub outcome: Option<String>,
    /// Which policy.
    pub policy: Option<String>,
    /// The principal.
    pub principal: PrincipalId,
    /// For which property.
    pub property: Option<String>,
    /// Why.
    pub purpose: Option<String>,
    /// Which request.
    pub request: String,
    /// In which role.
    pub role: String,
    /// The rules that decided.
    #[serde(default)]
    pub rules: Vec<String>,
    /// The guest's name in the log in that year.
    pub subject: Option<String>,
}

impl Leaf {
    /// Reads a leaf; `None` when it is none.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// Whether values of a guest went out.
    #[must_use]
    pub fn discloses(&self) -> bool {
        discloses(&self.act, &self.decision) && self.subject.is_some() && self.names_enough()
    }

    /// A decision about a note is an act like the look at it; only the look names the field.
    fn names_enough(&self) -> bool {
        self.act != REVIEW || self.shown().next().is_some()
    }

    /// The fields that were shown, and how.
    pub fn shown(&self) -> impl Iterator<Item = (&FieldPath, View)> {
        let shown = self.fields.iter().map(|(path, view)| (path, *view));
        shown.filter(|(_, view)| *view != View::None)
    }
}

/// Looks at notes of the staff, and decisions about them.
const REVIEW: &str = "review_observations";

/// Whether an act that ended so shows values of the guest that it names.
#[must_use]
pub fn discloses(act: &str, decision: &str) -> bool {
    const SHOWING: [&str; 9] = [
        "read",
        "reveal",
        "export",
        "read_records",
        "search",
        "read_consents",
        "hand_over",
        "read_register",
        REVIEW,
    ];
    decision == "permitted" && SHOWING.contains(&act)
}

/// What of a leaf tells which fields were shown: read for each entry of the log as it grows, and therefore not copied.
#[derive(Deserialize)]
pub(super) struct Shows<'l> {
    #[serde(borrow)]
    act: Cow<'l, str>,
    /// When, in microseconds.
    pub(super) at: i64,
    #[serde(borrow)]
    decision: Cow<'l, str>,
    #[serde(borrow, default)]
    fields: BTreeMap<Cow<'l, str>, View>,
    subject: Option<IgnoredAny>,
}

impl<'l> Shows<'l> {
    /// Reads a leaf; `None` when it is none, or when no value of a guest went out.
    pub(super) fn read(bytes: &'l [u8]) -> Option<Self> {
        let read: Self = serde_json::from_slice(bytes).ok()?;
        (discloses(&read.act, &read.decision) && read.subject.is_some()).then_some(read)
    }

    /// The fields that were shown.
    pub(super) fn fields(&self) -> impl Iterator<Item = &str> {
        let shown = self.fields.iter().filter(|(_, view)| **view != View::None);
        shown.map(|(path, _)| path.as_ref())
    }
}

/// What of a leaf stands beside it in columns: read a million times by the patrol, and therefore not copied.
#[derive(Deserialize)]
struct Searched<'l> {
    #[serde(borrow)]
    act: Cow<'l, str>,
    #[serde(borrow)]
    actor: Option<Cow<'l, str>>,
    at: i64,
    #[serde(borrow)]
    decision: Cow<'l, str>,
    detail: Option<IgnoredAny>,
    principal: Uuid,
    #[serde(borrow)]
    property: Option<Cow<'l, str>>,
    #[serde(borrow)]
    purpose: Option<Cow<'l, str>>,
}

/// The column that does not say what the leaf says. The leaf is what was signed; the columns beside it are only for
/// searching, and whoever edits them hides an entry from a search.
///
/// The guest's id is in no leaf: it may be gone (after an erasure), and whether it is the right one only the guest's
/// key tells.
#[must_use]
pub fn altered(row: &Columns, bytes: &[u8]) -> Option<&'static str> {
    let Ok(leaf) = serde_json::from_slice::<Searched<'_>>(bytes) else {
        return Some("leaf");
    };
    let columns = [
        (row.at == leaf.at, "at"),
        (row.principal == leaf.principal, "principal"),
        (row.actor.as_deref() == leaf.actor.as_deref(), "actor"),
        (row.property.as_deref() == leaf.property.as_deref(), "property"),
        (row.purpose.as_deref() == leaf.purpose.as_deref(), "purpose"),
        (row.action == leaf.act, "action"),
        (row.decision == leaf.decision, "decision"),
        (leaf.detail.is_some() || !row.has_detail, "detail"),
    ];
    columns.into_iter().find(|(same, _)| !same).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::{Act, Event},
        base::{Caller, Credential, RequestId, WriterId, from_micros, micros},
    };

    fn event() -> Event {
        let by = Caller {
            principal: PrincipalId(Uuid::from_u128(5)),
            credential: Credential::ApiKey,
            role: "front_desk".parse().unwrap(),
            scope: Vec::new(),
            actor: Some("u17".to_owned()),
        };
        let request = RequestId(Uuid::from_u128(6));
        let mut event = Event::by(&by, Act::Read, request, from_micros(1_700_000_000_000_000));
        event.property = Some("LIS01".parse().unwrap());
        event.purpose = Some("stay_service".parse().unwrap());
        event
    }

    #[test]
    fn what_hands_over_shows_and_a_decision_about_a_note_does_not() {
        let leaf = |act: &str, fields: serde_json::Value| {
            let mut whole: serde_json::Value =
                serde_json::from_slice(&event().leaf(WriterId(Uuid::from_u128(1)), 1)).unwrap();
            whole["act"] = act.into();
            whole["fields"] = fields;
            whole["subject"] = "0a".repeat(16).into();
            Leaf::read(whole.to_string().as_bytes()).unwrap()
        };
        let (none, one) = (serde_json::json!({}), serde_json::json!({"notes": "plain"}));
        for act in ["hand_over", "read_register", "read"] {
            assert!(leaf(act, none.clone()).discloses(), "{act}");
        }
        assert!(leaf("review_observations", one).discloses());
        assert!(!leaf("review_observations", none).discloses());
    }

    type Change = fn(&mut Columns);

    #[test]
    fn each_column_is_held_against_the_leaf() {
        let event = event();
        let bytes = event.leaf(WriterId(Uuid::from_u128(1)), 1);
        let right = Columns {
            at: micros(event.at),
            principal: event.who.principal.0,
            actor: event.who.actor.clone(),
            property: event.property.as_ref().map(ToString::to_string),
            purpose: event.purpose.as_ref().map(ToString::to_string),
            action: event.act.as_str().to_owned(),
            decision: event.decision.as_str().to_owned(),
            has_detail: false,
        };
        assert_eq!(altered(&right, &bytes), None);
        let wrong: [(&str, Change); 8] = [
            ("at", |c| c.at += 1),
            ("principal", |c| c.principal = Uuid::from_u128(9)),
            ("actor", |c| c.actor = None),
            ("property", |c| c.property = Some("XXX".to_owned())),
            ("purpose", |c| c.purpose = None),
            ("action", |c| c.action = "search".to_owned()),
            ("decision", |c| c.decision = "denied".to_owned()),
            ("detail", |c| c.has_detail = true),
        ];
        for (name, change) in wrong {
            let mut row = right.clone();
            change(&mut row);
            assert_eq!(altered(&row, &bytes), Some(name));
        }
        assert_eq!(altered(&right, b"{}"), Some("leaf"));
    }
}
