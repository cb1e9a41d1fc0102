//! What a value of each kind must look like, and its normal form. Pure: no I/O, no clock, no keys.
//!
//! Nothing here may put a value into an error: a refusal names the place and a reason, never what stood there.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::{FieldIndex, SourceSystem};

mod card;
mod date;
mod document;
mod email;
mod item;
mod items;
mod mentioned;
mod merge;
mod mrz;
mod name;
mod papers;
mod phone;
mod place;
mod relay;
mod resident;
mod scalar;
mod tax;
mod text;

#[cfg(test)]
mod tests;

pub use card::is_in as holds_card_number;
pub use document::{read_document, validate};
pub use mentioned::holds_document_number;
pub use merge::merge_lists;
pub use name::name_fold;
pub use phone::warm_up;
pub use relay::drop_lent;
pub(crate) use text::is_placeholder;
pub use text::latin_digits;

/// What the rules need to know besides the value.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// ISO 3166-1 alpha-2 of the property: where a phone without a country code is.
    pub region: Option<&'a str>,
    /// Today at the property: no birthday lies after it.
    pub today: NaiveDate,
    /// Who says so.
    pub source: &'a SourceSystem,
    /// The last departure of the stays that are told with it.
    pub departure: Option<NaiveDate>,
}

/// A guest document, taken apart.
#[derive(Default)]
pub struct Document {
    /// Values to store, at most one per field, in catalogue order.
    pub values: Vec<Accepted>,
    /// Fields given as `null` or as an empty list: the source withdraws its value.
    pub cleared: Vec<FieldIndex>,
    /// What is not stored, and why.
    pub rejected: Vec<Rejection>,
}

/// A value in its normal form.
pub struct Accepted {
    /// Which field.
    pub field: FieldIndex,
    /// The JSON to store; given again, it normalises to itself.
    pub value: Value,
    /// What it can be found by, as the field's catalogue entry allows.
    pub tokens: Vec<TokenInput>,
    /// Why a part of what was given says nothing, though there is something: masked, or a placeholder. What is left is
    /// no better than a whole value that is there already.
    pub spoilt: Option<Reason>,
}

/// What a blind index is computed from: personal data, so without `Debug`, and never stored as it is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenInput {
    /// Which index.
    pub kind: TokenKind,
    /// The normal form; parts are separated by U+001F.
    pub value: String,
}

/// The indexes; tokens of different ones never agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TokenKind {
    /// A phone in E.164.
    Phone,
    /// The last eight digits of a phone.
    PhoneTail,
    /// An e-mail, lower-cased, its domain in ASCII.
    Email,
    /// A document: issuing country and number.
    Document,
    /// A residence permit's number.
    ResidencePermit,
    /// A membership: programme and number.
    Membership,
    /// An id in another system: system, type and value.
    ExternalId,
    /// A taxpayer's number.
    TaxId,
    /// A vehicle plate.
    Plate,
    /// A messaging id: service and id.
    MessagingId,
    /// Surname and given names by [`name_fold`]: only with another attribute, never alone a proof.
    NameFold,
}

impl TokenKind {
    /// The word that separates the indexes; part of every stored token, so never changed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::PhoneTail => "phone_tail",
            Self::Email => "email",
            Self::Document => "document",
            Self::ResidencePermit => "residence_permit",
            Self::Membership => "membership",
            Self::ExternalId => "external_id",
            Self::TaxId => "tax_id",
            Self::Plate => "plate",
            Self::MessagingId => "messaging_id",
            Self::NameFold => "name_fold",
        }
    }
}

/// A value that is not stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Rejection {
    /// Where it stood, such as `phones[1].number`; `?` for a word that might itself be data.
    pub field: String,
    /// Why.
    pub reason: Reason,
}

/// Why a value is not stored.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Not a field of the catalogue.
    UnknownField,
    /// A text where a list is expected, and the like.
    WrongType,
    /// Nothing in it; `null` withdraws a value.
    Empty,
    /// A member that the value cannot do without is missing.
    Missing,
    /// Longer than any real value.
    TooLong,
    /// More items than a guest can have.
    TooMany,
    /// Stands where a value should be: `unknown`, `noreply@…`, `1900-01-01`.
    Placeholder,
    /// A masked value: writing it would destroy the real one.
    Masked,
    /// The check digit says that it was mistyped.
    BadCheckDigit,
    /// No such day.
    ImpossibleDate,
    /// A birthday to come, or a signature of tomorrow.
    InFuture,
    /// No phone number there can be.
    InvalidPhone,
    /// No e-mail address there can be.
    InvalidEmail,
    /// No country of ISO 3166-1 or ICAO Doc 9303.
    InvalidCountry,
    /// No language tag of BCP 47.
    InvalidLanguage,
    /// Not one of the words that may stand here.
    InvalidCode,
    /// No document number of this type, or no machine-readable zone.
    InvalidDocument,
    /// Contradicts another value given with it.
    Inconsistent,
    /// A payment card's number or security code: this vault keeps none.
    CardNumber,
    /// A picture of a document or a face: this vault keeps none.
    ImageRefused,
    /// Not written this way: managed by its own calls, or switched off.
    NotAccepted,
    /// Not of the shape this field has.
    Invalid,
}

impl Reason {
    /// The word of the contract.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownField => "unknown_field",
            Self::WrongType => "wrong_type",
            Self::Empty => "empty",
            Self::Missing => "missing",
            Self::TooLong => "too_long",
            Self::TooMany => "too_many",
            Self::Placeholder => "placeholder",
            Self::Masked => "masked",
            Self::BadCheckDigit => "bad_check_digit",
            Self::ImpossibleDate => "impossible_date",
            Self::InFuture => "in_future",
            Self::InvalidPhone => "invalid_phone",
            Self::InvalidEmail => "invalid_email",
            Self::InvalidCountry => "invalid_country",
            Self::InvalidLanguage => "invalid_language",
            Self::InvalidCode => "invalid_code",
            Self::InvalidDocument => "invalid_document",
            Self::Inconsistent => "inconsistent",
            Self::CardNumber => "card_number",
            Self::ImageRefused => "image_refused",
            Self::NotAccepted => "not_accepted",
            Self::Invalid => "invalid",
        }
    }
}

/// A name component, an address line, a code.
const LONGEST_LINE: usize = 200;
/// A note.
const LONGEST_NOTE: usize = 4_000;
/// Items of one list.
const MOST_ITEMS: usize = 50;
