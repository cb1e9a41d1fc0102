//! The words of this folder: records, stays, what comes in and what goes out.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    base::{EntryId, GuestId, PropertyCode, RecordId, SourceSystem, StayStatus, View, Withheld},
    consent,
};

use super::Heard;

/// How a source came to know what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Provenance {
    /// Fixed by staff: outranks every source.
    Corrected,
    /// Checked against a document or by a code sent to it.
    Verified,
    /// Said by the guest.
    #[default]
    Declared,
    /// Asked by a manager.
    Interviewed,
    /// Taken from a system's own records.
    System,
    /// Noticed by staff.
    Observed,
    /// Computed.
    Inferred,
}

impl Provenance {
    const ALL: [Self; 7] = [
        Self::Corrected,
        Self::Verified,
        Self::Declared,
        Self::Interviewed,
        Self::System,
        Self::Observed,
        Self::Inferred,
    ];

    /// The word of the contract.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Corrected => "corrected",
            Self::Verified => "verified",
            Self::Declared => "declared",
            Self::Interviewed => "interviewed",
            Self::System => "system",
            Self::Observed => "observed",
            Self::Inferred => "inferred",
        }
    }

    /// The provenance of a stored word; unknown words are the least trusted.
    #[must_use]
    pub fn from_word(word: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|p| p.as_str() == word)
            .unwrap_or(Self::Inferred)
    }

    /// How much a value weighs against another source's: the guest's own word above what was noticed or computed.
    #[must_use]
    pub const fn trust(self) -> i64 {
        match self {
            Self::Corrected => 90,
            Self::Verified => 80,
            Self::Declared => 60,
            Self::Interviewed => 50,
            Self::System => 40,
            Self::Observed => 30,
            Self::Inferred => 10,
        }
    }
}

/// What a source system says about one person.
#[derive(Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordInput {
    /// When the source saw it so; now, when absent. Older words never overwrite newer ones of the same source.
    #[serde(default)]
    pub observed_at: Option<DateTime<Utc>>,
    /// How the source came to know.
    #[serde(default)]
    pub provenance: Provenance,
    /// The guest document; absent members stay as they are, `null` takes this source's value back.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub guest: Map<String, Value>,
    /// Whether this is only a part of what the source knows, as a reservation repeats a profile: it does not replace the
    /// lists (phones, addresses …) that the source told whole.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub excerpt: bool,
    /// What the guest agreed to there.
    #[serde(default)]
    #[schema(value_type = Vec<consent::Statement>)]
    pub consents: Heard<consent::Statement>,
    /// Its stays.
    #[serde(default)]
    #[schema(value_type = Vec<StayInput>)]
    pub stays: Heard<StayInput>,
}

/// A stay as a source says it.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StayInput {
    /// The source's reservation number.
    #[serde(default)]
    #[schema(max_length = 100)]
    pub reservation: String,
    /// Where; the errand's property, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub property: Option<PropertyCode>,
    /// The day of arrival.
    pub arrival: NaiveDate,
    /// The day of departure.
    pub departure: NaiveDate,
    /// How it stands.
    pub status: StayStatus,
    /// By which channel it was booked: a code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 40)]
    pub channel: Option<String>,
    /// The guest's part in it.
    #[serde(default)]
    pub role: StayRole,
    /// Why the guest travels: a code such as `business`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 40)]
    pub purpose: Option<String>,
    /// Who comes along: `{"adults":2,"children":1}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub party: Option<Party>,
    /// The day on which the authority acknowledged the report of the departure: some laws count from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_on: Option<NaiveDate>,
}

/// A guest's part in a stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StayRole {
    /// The one who stays.
    #[default]
    Primary,
    /// Comes along.
    Accompanying,
    /// Booked for others.
    Booker,
}

/// Who comes along.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Party {
    /// Adults.
    #[schema(maximum = 99)]
    pub adults: u8,
    /// Children.
    #[serde(default)]
    #[schema(maximum = 99)]
    pub children: u8,
    /// Pets.
    #[serde(default)]
    #[schema(maximum = 99)]
    pub pets: u8,
}

/// A stay as it is shown.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct Stay {
    /// Where.
    pub property: PropertyCode,
    /// The rest, as the source said it.
    #[serde(flatten)]
    pub input: StayInput,
    /// When its source saw it so, in microseconds; for the stay window.
    #[serde(skip)]
    pub seen_at: i64,
}

/// A record's head, ready to be stored.
pub struct RecordHead {
    /// Its id.
    pub record: RecordId,
    /// Whose words.
    pub source: SourceSystem,
    /// The source's id, sealed.
    pub source_id: Vec<u8>,
    /// How the source came to know.
    pub provenance: Provenance,
    /// For which property.
    pub property: PropertyCode,
    /// When observed.
    pub observed_at: DateTime<Utc>,
    /// When received.
    pub received_at: DateTime<Utc>,
    /// Keyed code of the content: the same words again change nothing.
    pub content_mac: Vec<u8>,
}

/// How a record found its guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A guest was made.
    Created,
    /// It belongs to a guest that was there.
    Linked,
    /// A guest was made, and a steward is asked whether it is another one.
    Review,
}

impl Outcome {
    /// The word of the contract.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Linked => "linked",
            Self::Review => "review",
        }
    }
}

/// Why a record was linked: an attribute and how it agreed.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct LinkReason {
    /// Which attribute.
    pub field: String,
    /// How it agreed: `exact`. The field `prior` is what is known before anything is compared; `withheld` sums up what
    /// this caller may not be told.
    pub level: &'static str,
    /// Its weight in bits; all of them together are the score.
    pub weight: f64,
}

/// How a record found its guest, and why.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Resolution {
    /// How.
    pub outcome: Outcome,
    /// How sure: of the guest it was linked to, or that a steward is asked about; 1.0 for a known source id, and for a
    /// guest that resembles nobody.
    pub probability: f64,
    /// Why.
    pub reasons: Vec<LinkReason>,
    /// The question for a steward.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uuid)]
    pub review_id: Option<Uuid>,
}

/// A value that was not stored, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Rejected {
    /// Where in the record.
    pub field: String,
    /// A word for why.
    pub reason: String,
}

/// What became of a record.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RecordAnswer {
    /// Whose it is.
    pub guest_id: GuestId,
    /// Its id.
    pub record_id: RecordId,
    /// The guest's version now.
    pub version: i64,
    /// How it found its guest.
    pub resolution: Resolution,
    /// What was not stored.
    pub rejected: Vec<Rejected>,
}

/// One field of an answer.
#[derive(Clone, Serialize, ToSchema)]
pub struct FieldAnswer {
    /// How it is shown.
    #[schema(value_type = String)]
    pub view: &'static str,
    /// The value, as the view allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Value, required = false)]
    pub value: Option<Value>,
    /// Whether `POST …/reveal` would show it plain.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub revealable: bool,
    /// Why it is withheld.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Withheld>,
}

impl FieldAnswer {
    /// A withheld field.
    #[must_use]
    pub fn withheld(reason: Withheld) -> Self {
        Self {
            view: View::None.as_str(),
            value: None,
            revealable: false,
            reason: Some(reason),
        }
    }
}

/// Where the record of a disclosure is.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct AuditAnswer {
    /// The entry.
    pub entry_id: EntryId,
}

/// A guest as the caller may see it.
#[derive(Clone, Serialize, ToSchema)]
pub struct GuestAnswer {
    /// Who.
    pub guest_id: GuestId,
    /// Its version; also the `ETag`.
    pub version: i64,
    /// `active`.
    pub status: String,
    /// The fields asked for.
    pub fields: BTreeMap<String, FieldAnswer>,
    /// The record of this look.
    pub audit: AuditAnswer,
}
