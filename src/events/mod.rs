//! Floor 3: what happened to guests, told to other systems: the feed and webhooks (`docs/events.md`).
//!
//! An event is written in the transaction of the change it tells of ([`Tx::announce`](crate::store::Tx::announce)),
//! so that there is one exactly when there is the other. It holds ids, names of fields and words of the
//! configuration: there is no member that a value, a name or free text would fit in.

pub mod cloud;
pub mod feed;
pub mod sql;

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use cloud::{CloudEvent, Numbered};

use crate::base::{ConsentId, FieldPath, GuestId, PrincipalId, PropertyCode, Purpose};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = EventKind)]
pub enum Kind {
    /// A guest was made.
    #[serde(rename = "guest.created")]
    GuestCreated,
    /// Fields of a guest changed.
    #[serde(rename = "guest.updated")]
    GuestUpdated,
    /// A guest was merged into another.
    #[serde(rename = "guest.merged")]
    GuestMerged,
    /// A merge was undone.
    #[serde(rename = "guest.unmerged")]
    GuestUnmerged,
    /// A guest was erased.
    #[serde(rename = "guest.erased")]
    GuestErased,
    /// The consent ledger of a guest grew.
    #[serde(rename = "consent.changed")]
    ConsentChanged,
    /// A guest's request was opened.
    #[serde(rename = "request.opened")]
    RequestOpened,
    /// A guest's request was closed.
    #[serde(rename = "request.closed")]
    RequestClosed,
    /// Fields of a guest should be made sure of again.
    #[serde(rename = "guest.reverify")]
    GuestReverify,
    /// A retention run waits for a second person.
    #[serde(rename = "retention.waiting")]
    RetentionWaiting,
    /// An export of many guests waits for a second person.
    #[serde(rename = "export.waiting")]
    ExportWaiting,
    /// Somebody broke the glass.
    #[serde(rename = "access.break_glass")]
    BreakGlass,
    /// Somebody used up an access budget.
    #[serde(rename = "access.budget_exceeded")]
    BudgetExceeded,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::GuestCreated,
        Self::GuestUpdated,
        Self::GuestMerged,
        Self::GuestUnmerged,
        Self::GuestErased,
        Self::ConsentChanged,
        Self::RequestOpened,
        Self::RequestClosed,
        Self::GuestReverify,
        Self::RetentionWaiting,
        Self::ExportWaiting,
        Self::BreakGlass,
        Self::BudgetExceeded,
    ];

    /// The word of the contract.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GuestCreated => "guest.created",
            Self::GuestUpdated => "guest.updated",
            Self::GuestMerged => "guest.merged",
            Self::GuestUnmerged => "guest.unmerged",
            Self::GuestErased => "guest.erased",
            Self::ConsentChanged => "consent.changed",
            Self::RequestOpened => "request.opened",
            Self::RequestClosed => "request.closed",
            Self::GuestReverify => "guest.reverify",
            Self::RetentionWaiting => "retention.waiting",
            Self::ExportWaiting => "export.waiting",
            Self::BreakGlass => "access.break_glass",
            Self::BudgetExceeded => "access.budget_exceeded",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// There is no such kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no kind of event; see docs/events.md")]
pub struct UnknownKind;

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or(UnknownKind)
    }
}

/// What an event says besides whom it is about. Every member is an id or a word of the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Details {
    /// `guest.created`, `guest.updated`: the fields that were written, never their values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldPath>,
    /// `guest.merged`, `guest.unmerged`: the other guest, which was absorbed or is there again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_guest_id: Option<GuestId>,
    /// `consent.changed`: about which purpose. What was said is asked for: an event that comes late must not outlive
    /// a withdrawal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    /// `consent.changed`: the line of the ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent_id: Option<ConsentId>,
    /// `guest.erased`: the erasure that a processor acknowledges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erasure_id: Option<Uuid>,
    /// `request.opened`, `request.closed`: the case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<Uuid>,
    /// `export.waiting`: the export.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export_id: Option<Uuid>,
    /// `retention.waiting`: the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<Uuid>,
    /// `access.…`: whose key or token it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<PrincipalId>,
}

/// An event on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// Its id; the same each time it is told.
    pub id: Uuid,
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    pub kind: Kind,
    /// About whom.
    pub guest: Option<GuestId>,
    /// At which property. Without one it is told to every listener of the group.
    pub property: Option<PropertyCode>,
    /// The rest.
    pub details: Details,
}

impl Announcement {
    fn new(at: DateTime<Utc>, kind: Kind, guest: Option<GuestId>, details: Details) -> Self {
        Self {
            id: Uuid::now_v7(),
            at,
            kind,
            guest,
            property: None,
            details,
        }
    }

    /// The same, told only to listeners whose scope holds this property.
    #[must_use]
    pub fn at_property(mut self, property: &PropertyCode) -> Self {
        self.property = Some(property.clone());
        self
    }

    /// A guest was made, with these fields.
    #[must_use]
    pub fn guest_created(at: DateTime<Utc>, guest: GuestId, fields: Vec<FieldPath>) -> Self {
        let details = Details {
            fields,
            ..Details::default()
        };
        Self::new(at, Kind::GuestCreated, Some(guest), details)
    }

    /// These fields of a guest changed.
    #[must_use]
    pub fn guest_updated(at: DateTime<Utc>, guest: GuestId, fields: Vec<FieldPath>) -> Self {
        let details = Details {
            fields,
            ..Details::default()
        };
        Self::new(at, Kind::GuestUpdated, Some(guest), details)
    }

    /// A guest took in another.
    #[must_use]
    pub fn guest_merged(at: DateTime<Utc>, survivor: GuestId, absorbed: GuestId) -> Self {
        let details = Details {
            other_guest_id: Some(absorbed),
            ..Details::default()
        };
        Self::new(at, Kind::GuestMerged, Some(survivor), details)
    }

    /// A merge was undone: the absorbed guest is there again.
    #[must_use]
    pub fn guest_unmerged(at: DateTime<Utc>, survivor: GuestId, restored: GuestId) -> Self {
        let details = Details {
            other_guest_id: Some(restored),
            ..Details::default()
        };
        Self::new(at, Kind::GuestUnmerged, Some(survivor), details)
    }

    /// A guest is gone.
    #[must_use]
    pub fn guest_erased(at: DateTime<Utc>, guest: GuestId, erasure: Option<Uuid>) -> Self {
        let details = Details {
            erasure_id: erasure,
            ..Details::default()
        };
        Self::new(at, Kind::GuestErased, Some(guest), details)
    }

    /// The consent ledger of a guest grew by a line about this purpose.
    #[must_use]
    pub fn consent_changed(at: DateTime<Utc>, guest: GuestId, purpose: &Purpose, line: ConsentId) -> Self {
        let details = Details {
            purpose: Some(purpose.clone()),
            consent_id: Some(line),
            ..Details::default()
        };
        Self::new(at, Kind::ConsentChanged, Some(guest), details)
    }

    /// A guest's request was opened. Not whose: who listens would learn whether an address that somebody named is on file.
    #[must_use]
    pub fn request_opened(at: DateTime<Utc>, request: Uuid) -> Self {
        Self::new(at, Kind::RequestOpened, None, Details::of_request(request))
    }

    /// A guest's request was closed; whose it was, when somebody was made sure of.
    #[must_use]
    pub fn request_closed(at: DateTime<Utc>, request: Uuid, guest: Option<GuestId>) -> Self {
        Self::new(at, Kind::RequestClosed, guest, Details::of_request(request))
    }

    /// These fields of a guest should be made sure of again.
    #[must_use]
    pub fn guest_reverify(at: DateTime<Utc>, guest: GuestId, fields: Vec<FieldPath>) -> Self {
        let details = Details {
            fields,
            ..Details::default()
        };
        Self::new(at, Kind::GuestReverify, Some(guest), details)
    }

    /// A retention run waits for a second person.
    #[must_use]
    pub fn retention_waiting(at: DateTime<Utc>, run: Uuid) -> Self {
        let details = Details {
            run_id: Some(run),
            ..Details::default()
        };
        Self::new(at, Kind::RetentionWaiting, None, details)
    }

    /// An export of many guests waits for a second person.
    #[must_use]
    pub fn export_waiting(at: DateTime<Utc>, export: Uuid) -> Self {
        let details = Details {
            export_id: Some(export),
            ..Details::default()
        };
        Self::new(at, Kind::ExportWaiting, None, details)
    }

    /// Somebody saw a guest by breaking the glass.
    #[must_use]
    pub fn break_glass(at: DateTime<Utc>, guest: GuestId, principal: PrincipalId) -> Self {
        Self::new(at, Kind::BreakGlass, Some(guest), Details::by(principal))
    }

    /// Somebody used up an access budget.
    #[must_use]
    pub fn budget_exceeded(at: DateTime<Utc>, principal: PrincipalId) -> Self {
        Self::new(at, Kind::BudgetExceeded, None, Details::by(principal))
    }
}

impl Details {
    fn of_request(request: Uuid) -> Self {
        Self {
            request_id: Some(request),
            ..Self::default()
        }
    }

    fn by(principal: PrincipalId) -> Self {
        Self {
            principal: Some(principal),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back() {
        for kind in Kind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        assert_eq!("guest.seen".parse::<Kind>(), Err(UnknownKind));
    }
}
