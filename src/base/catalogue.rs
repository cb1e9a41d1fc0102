//! The catalogue of guest fields: what may be stored at all, and what each field is.
//!
//! Loaded from `policies/fields.toml`; unknown paths are refused everywhere. A hotel adds its own fields
//! by adding entries (path `ext.…`) with category, class, kind and retention.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{FieldPath, Term};

/// The drawer a field lies in: one data key per guest and category, so that one drawer can be destroyed alone.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Names and handles.
    Identity,
    /// Birth, gender, nationality, language.
    Demographic,
    /// Phones, mail, addresses.
    Contact,
    /// Government documents (the CRM's copy).
    Document,
    /// Invoices, payment preferences, spend.
    Finance,
    /// Stays and vehicles.
    Stay,
    /// Organisation, occupation, account manager.
    Affiliation,
    /// Relatives, companions, occasions.
    Family,
    /// Likes and habits.
    Preference,
    /// Diet, allergies, access needs, belief.
    HealthBelief,
    /// Notes in words.
    FreeText,
    /// Membership, status, value.
    Membership,
    /// Blacklist and the like.
    Restriction,
    /// Complaints, surveys, contacts.
    Feedback,
    /// Campaigns and segments.
    Marketing,
    /// Evidence behind consents.
    Consent,
    /// Pseudonyms and details of the audit log.
    Audit,
    /// The statutory register's own copy of documents.
    Statutory,
}

impl Category {
    /// All categories.
    pub const ALL: [Self; 18] = [
        Self::Identity,
        Self::Demographic,
        Self::Contact,
        Self::Document,
        Self::Finance,
        Self::Stay,
        Self::Affiliation,
        Self::Family,
        Self::Preference,
        Self::HealthBelief,
        Self::FreeText,
        Self::Membership,
        Self::Restriction,
        Self::Feedback,
        Self::Marketing,
        Self::Consent,
        Self::Audit,
        Self::Statutory,
    ];

    /// The number in sealed values and key records. Never reused, never changed.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Identity => 1,
            Self::Demographic => 2,
            Self::Contact => 3,
            Self::Document => 4,
            Self::Finance => 5,
            Self::Stay => 6,
            Self::Affiliation => 7,
            Self::Family => 8,
            Self::Preference => 9,
            Self::HealthBelief => 10,
            Self::FreeText => 11,
            Self::Membership => 12,
            Self::Restriction => 13,
            Self::Feedback => 14,
            Self::Marketing => 15,
            Self::Consent => 16,
            Self::Audit => 17,
            Self::Statutory => 18,
        }
    }

    /// The category of a stored [`Category::code`].
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.code() == code)
    }

    /// The word used in policies and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Demographic => "demographic",
            Self::Contact => "contact",
            Self::Document => "document",
            Self::Finance => "finance",
            Self::Stay => "stay",
            Self::Affiliation => "affiliation",
            Self::Family => "family",
            Self::Preference => "preference",
            Self::HealthBelief => "health_belief",
            Self::FreeText => "free_text",
            Self::Membership => "membership",
            Self::Restriction => "restriction",
            Self::Feedback => "feedback",
            Self::Marketing => "marketing",
            Self::Consent => "consent",
            Self::Audit => "audit",
            Self::Statutory => "statutory",
        }
    }
}

/// How sensitive a field is: C0 technical, C1 low, C2 personal, C3 high, C4 special.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
pub enum Class {
    /// Technical.
    C0,
    /// Low.
    C1,
    /// Personal: contact and identity.
    C2,
    /// High: documents, tax, whereabouts, third parties, free text.
    C3,
    /// Special: health, belief, biometrics, minors, blacklist.
    C4,
}

/// What the values of a field look like: decides validation, normal form and mask (`guest::kinds`, `policy::mask`).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A name component, NFC, at most 200 characters.
    Name,
    /// A name in its own script: `{script, value, phonetic?}`.
    NativeName,
    /// A short code such as `MR` or `GOLD`.
    Code,
    /// ISO/IEC 5218 gender.
    Gender,
    /// ISO 8601 date, possibly partial.
    PartialDate,
    /// ISO 3166-1 country.
    Country,
    /// BCP 47 language tag.
    Language,
    /// One line of text.
    Text,
    /// Text of several lines, screened for card numbers.
    Note,
    /// `true` or `false`.
    Flag,
    /// Phones: `{number, kind?, ext?, primary?, verified_at?, relay?}`.
    Phone,
    /// E-mails: `{address, primary?, verified_at?, relay?}`.
    Email,
    /// Postal addresses.
    Address,
    /// Messaging ids: `{service, id}`.
    MessagingId,
    /// Identifiers in other systems: `{system, type?, value}`.
    ExternalId,
    /// Government documents.
    Document,
    /// Attestations of identity, without numbers.
    Verification,
    /// Residence permits.
    ResidencePermit,
    /// Invoice particulars.
    TaxInvoice,
    /// Vehicle plates.
    Plate,
    /// Memberships: `{program, number, tier?, state?, joined_at?, expires_at?}`.
    Membership,
    /// An organisation: `{name, org_id?}`.
    Organisation,
    /// Relationships: `{kind, guest_id?…}`.
    Relationship,
    /// Occasions and anniversaries: `{kind, date}`.
    Occasion,
    /// A restriction: `{kind, reason_code?, text?, until, approver}`.
    Restriction,
    /// A token of a payment provider; never a card number.
    PaymentToken,
    /// An object of the members the catalogue entry lists.
    Object,
    /// A list of codes.
    Codes,
    /// A reference to a stored document image or photo: refused unless the entry says `accept = true`.
    ImageRef,
    /// A machine-readable zone: parsed into the document's fields, never stored.
    Mrz,
    /// Managed by its own calls, never written through `guest` (stays).
    Managed,
}

/// How a field can be found without being opened.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum IndexKind {
    /// Keyed hash of the whole normal form.
    Exact,
    /// Keyed hash of its tail (the last digits of a phone).
    Tail,
    /// Part of keyed blocking keys of identity resolution.
    Blocking,
}

/// One field of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Its path, such as `name.surname` or `phones`.
    pub path: FieldPath,
    /// Its drawer.
    pub category: Category,
    /// Its sensitivity.
    pub class: Class,
    /// The shape of its values.
    pub kind: Kind,
    /// Whether its value is a list of that shape.
    #[serde(default)]
    pub list: bool,
    /// How it can be found.
    #[serde(default)]
    pub index: Vec<IndexKind>,
    /// For [`Kind::Object`]: the members that may be given, each text, a flag, a number or a list of texts.
    #[serde(default)]
    pub members: Vec<String>,
    /// The retention rule's name, such as `LS+24m`.
    pub retention: String,
    /// For [`Kind::ImageRef`]: whether this hotel stores it at all.
    #[serde(default)]
    pub accept: bool,
}

/// A field's position in the loaded catalogue: what compiled tables and masks are indexed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldIndex(pub u16);

/// Why a catalogue cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// The file is not TOML of the expected shape.
    #[error("fields.toml cannot be read: {0}")]
    Shape(String),
    /// An entry contradicts another or itself.
    #[error("fields.toml, field {path}: {problem}")]
    Entry {
        /// Which.
        path: String,
        /// What is wrong and what to do.
        problem: &'static str,
    },
}

/// All fields, in file order.
#[derive(Debug, Clone)]
pub struct Catalogue {
    fields: Vec<Field>,
    /// Of each field, read once: every look at a guest asks for them.
    terms: Vec<Term>,
    by_path: HashMap<FieldPath, FieldIndex>,
}

/// The most fields a catalogue may hold; a [`FieldSet`] is a few machine words.
pub(super) const MAX_FIELDS: usize = 256;

impl Catalogue {
    /// A catalogue of these fields.
    ///
    /// # Errors
    /// When there are too many, or one is given twice.
    pub fn new(fields: Vec<Field>) -> Result<Self, CatalogueError> {
        let mut by_path = HashMap::new();
        for (at, field) in fields.iter().enumerate() {
            let entry = |problem| CatalogueError::Entry {
                path: field.path.to_string(),
                problem,
            };
            if at >= MAX_FIELDS {
                return Err(entry("more than 256 fields; remove some"));
            }
            let index = FieldIndex(u16::try_from(at).unwrap_or(u16::MAX));
            if by_path.insert(field.path.clone(), index).is_some() {
                return Err(entry("given twice; remove one"));
            }
        }
        let terms = terms(&fields)?;
        Ok(Self {
            fields,
            terms,
            by_path,
        })
    }

    /// Every field with its position.
    pub fn iter(&self) -> impl Iterator<Item = (FieldIndex, &Field)> {
        self.fields
            .iter()
            .enumerate()
            .map(|(at, f)| (FieldIndex(u16::try_from(at).unwrap_or(u16::MAX)), f))
    }

    /// How many fields there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The field at a position.
    #[must_use]
    pub fn get(&self, at: FieldIndex) -> Option<&Field> {
        self.fields.get(usize::from(at.0))
    }

    /// By when the values of the field at a position must be gone; never [`Term::Document`], but the document's.
    #[must_use]
    pub fn term(&self, at: FieldIndex) -> Term {
        self.terms.get(usize::from(at.0)).copied().unwrap_or(Term::None)
    }

    /// The field of a path.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<(FieldIndex, &Field)> {
        let at = *self.by_path.get(path)?;
        Some((at, self.get(at)?))
    }

    /// The fields a caller's words mean: a path itself, or a prefix (`name` means every `name.…`).
    #[must_use]
    pub fn select(&self, word: &str) -> Vec<FieldIndex> {
        if let Some((at, _)) = self.find(word) {
            return vec![at];
        }
        let prefix = format!("{word}.");
        self.iter()
            .filter(|(_, f)| f.path.as_str().starts_with(&prefix))
            .map(|(at, _)| at)
            .collect()
    }
}

/// The document that other values are read from.
const DOCUMENT: &str = "id_documents";

fn terms(fields: &[Field]) -> Result<Vec<Term>, CatalogueError> {
    let document = fields.iter().find(|field| field.path.as_str() == DOCUMENT);
    let document = document
        .and_then(|field| Term::read(&field.retention))
        .unwrap_or(Term::Life);
    let term = |field: &Field| match Term::read(&field.retention) {
        Some(Term::Document) => Ok(document),
        Some(term) => Ok(term),
        None => Err(CatalogueError::Entry {
            path: field.path.to_string(),
            problem: "its retention is no term; see the head of policies/fields.toml",
        }),
    };
    fields.iter().map(term).collect()
}

/// A set of fields of one catalogue, as bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct FieldSet([u64; MAX_FIELDS / 64]);

impl FieldSet {
    /// The empty set.
    #[must_use]
    pub const fn new() -> Self {
        Self([0; MAX_FIELDS / 64])
    }

    /// Adds a field; positions past [`MAX_FIELDS`] do not exist and are ignored.
    pub fn insert(&mut self, at: FieldIndex) {
        if let Some(word) = self.0.get_mut(usize::from(at.0 / 64)) {
            *word |= 1 << (at.0 % 64);
        }
    }

    /// Whether a field is in it.
    #[must_use]
    pub fn contains(&self, at: FieldIndex) -> bool {
        self.0
            .get(usize::from(at.0 / 64))
            .is_some_and(|word| word & (1 << (at.0 % 64)) != 0)
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// The fields in either.
    #[must_use]
    pub fn union(mut self, other: &Self) -> Self {
        self.0
            .iter_mut()
            .zip(other.0)
            .for_each(|(word, more)| *word |= more);
        self
    }

    /// The fields in both.
    #[must_use]
    pub fn intersection(mut self, other: &Self) -> Self {
        self.0
            .iter_mut()
            .zip(other.0)
            .for_each(|(word, other)| *word &= other);
        self
    }

    /// The fields in it, in catalogue order.
    pub fn iter(&self) -> impl Iterator<Item = FieldIndex> + '_ {
        (0..u16::try_from(MAX_FIELDS).unwrap_or(u16::MAX))
            .map(FieldIndex)
            .filter(|at| self.contains(*at))
    }
}

impl FromIterator<FieldIndex> for FieldSet {
    fn from_iter<I: IntoIterator<Item = FieldIndex>>(fields: I) -> Self {
        let mut set = Self::new();
        for at in fields {
            set.insert(at);
        }
        set
    }
}
