//! What an agreement is worth: for each level, bits for the same person against a stranger, and against somebody of
//! the same household.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The evidence of one level, in bits (log2 of a likelihood ratio).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bits {
    /// Same person against a stranger; for exact agreement the frequency of the value decides instead.
    pub stranger: f64,
    /// Same person against somebody of the same household.
    pub household: f64,
}

/// Declares the levels: comparison, level, and the two default weights.
macro_rules! cells {
    ($($(#[$doc:meta])* $cell:ident = $field:literal, $level:literal, $stranger:literal, $household:literal;)*) => {
        /// A comparison and its level. Within a comparison the better level comes first.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Cell { $($(#[$doc])* $cell),* }

        impl Cell {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$cell),*];

            /// What is compared.
            #[must_use]
            pub const fn field(self) -> &'static str {
                match self { $(Self::$cell => $field),* }
            }

            /// How it agrees.
            #[must_use]
            pub const fn level(self) -> &'static str {
                match self { $(Self::$cell => $level),* }
            }

            const fn shipped(self) -> Bits {
                match self { $(Self::$cell => Bits { stranger: $stranger, household: $household }),* }
            }
        }
    };
}

cells! {
    /// Same characters.
    NativeExact = "name", "exact_native", 13.0, 10.7;
    /// Other characters, the same sound.
    NativeHomophone = "name", "homophone", 6.7, 4.4;
    /// Same surname, one character of the given name the same.
    NativeFamilyAndOne = "name", "family_and_one_native", 0.8, -5.4;
    /// Same given name.
    NativeGiven = "name", "given_native", 0.0, 0.0;
    /// Same surname.
    NativeFamily = "name", "family_native", -5.6, -10.1;
    /// Neither.
    NativeNone = "name", "none_native", -8.7, -7.5;
    /// Same letters of a Chinese or Japanese name.
    EasternExact = "name", "exact_romanised", 16.2, 10.3;
    /// Given name the same, surname nearly.
    EasternFamilyNear = "name", "family_near_romanised", 7.6, 5.7;
    /// Surname the same, given name compatible.
    EasternGivenNear = "name", "given_near_romanised", 7.7, 3.9;
    /// Same given name.
    EasternGiven = "name", "given_romanised", 2.8, 1.0;
    /// Same surname.
    EasternFamily = "name", "family_romanised", 1.9, -2.4;
    /// Neither.
    EasternNone = "name", "none_romanised", -8.1, -7.8;
    /// Same words.
    WesternExact = "name", "exact", 13.3, 6.1;
    /// Given name the same, surname nearly.
    WesternFamilyNear = "name", "family_near", 13.1, 7.7;
    /// Surname the same, given name compatible.
    WesternGivenCompatible = "name", "given_compatible", 11.7, 7.0;
    /// Surname the same, a short given name nearly: a slip, or a brother.
    WesternGivenNear = "name", "given_near", 8.0, 4.0;
    /// Same given name.
    WesternGiven = "name", "given", 4.3, 1.9;
    /// Same surname.
    WesternFamily = "name", "family", 1.7, -6.0;
    /// Neither.
    WesternNone = "name", "none", -7.2, -6.8;
    /// Same consonants across Arabic and Latin letters.
    NameBones = "name", "consonants", 11.1, 5.4;
    /// Nearly the same consonants.
    NameBonesNear = "name", "consonants_near", 5.3, -1.9;
    /// Other consonants.
    NameBonesNone = "name", "consonants_none", -4.4, -3.1;
    /// Same day.
    BirthExact = "birth_date", "exact", 13.2, 6.3;
    /// Day and month exchanged.
    BirthSwapped = "birth_date", "day_and_month_swapped", 8.5, 3.8;
    /// One digit off.
    BirthEdit = "birth_date", "one_edit", 4.5, 5.4;
    /// Two of year, month and day.
    BirthTwoParts = "birth_date", "two_parts", -0.6, -1.0;
    /// Another day.
    BirthDiffers = "birth_date", "differs", -8.4, -8.4;
    /// Same address.
    EmailExact = "emails", "exact", 9.5, 1.2;
    /// One or two letters off.
    EmailNear = "emails", "near", 10.0, 3.3;
    /// Another address.
    EmailDiffers = "emails", "differs", -1.8, -0.2;
    /// Same number.
    PhoneExact = "phones", "exact", 12.8, -0.1;
    /// What a mask leaves is the same.
    PhoneMasked = "phones", "masked_equal", 11.1, 4.8;
    /// One digit off.
    PhoneEdit = "phones", "one_edit", 10.0, 3.7;
    /// Only one of the last two digits differs: families and offices get their numbers in a row. Set by hand; the
    /// generator of the labelled sets hands none out like that.
    PhoneNeighbour = "phones", "neighbour", 6.0, -2.0;
    /// Another number.
    PhoneDiffers = "phones", "differs", -2.5, 0.3;
    /// Same document.
    PaperExact = "id_documents", "exact", 16.1, 10.7;
    /// One place off.
    PaperEdit = "id_documents", "one_edit", 10.8, 5.4;
    /// Documents of different kinds.
    PaperOtherKind = "id_documents", "other_kind", -2.3, 0.0;
    /// Another document of the same kind.
    PaperDiffers = "id_documents", "differs", -3.5, -5.2;
    /// Two numbers that a person has for life.
    PaperLifelong = "id_documents", "two_lifelong", -8.8, -7.3;
    /// Same house.
    PlaceFull = "postal_addresses", "full", 12.3, 0.8;
    /// Same street or same numbers.
    PlaceMost = "postal_addresses", "most", 7.9, -0.6;
    /// Same postal code.
    PlacePostcode = "postal_addresses", "postal_code", 4.6, 1.7;
    /// Same city.
    PlaceCity = "postal_addresses", "city", 3.5, 0.6;
    /// Elsewhere.
    PlaceDiffers = "postal_addresses", "differs", -4.5, -1.4;
    /// Same country.
    CountryEqual = "nationality", "equal", 1.7, 0.0;
    /// Another country.
    CountryDiffers = "nationality", "differs", -3.6, -2.9;
    /// Same membership, or the same id in another system. Set by hand, as a document.
    NumberExact = "memberships", "exact", 16.1, 10.7;
}

impl Cell {
    /// Its name in stored tables: `phones.one_edit`.
    #[must_use]
    pub fn name(self) -> String {
        format!("{}.{}", self.field(), self.level())
    }

    /// The cell of a stored name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|cell| cell.name() == name)
    }
}

/// The chance that two records of one person agree exactly, for values whose frequency is known.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Exact {
    /// P(exact | same person).
    pub same: f64,
    /// The least P(exact | stranger): nothing is rarer than this.
    pub floor: f64,
}

/// Version of the shipped table.
pub const SHIPPED: &str = "shipped-2";

/// A table of weights; deterministic, versioned.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    /// Which table this is; stored with every decision.
    pub version: String,
    cells: BTreeMap<Cell, Bits>,
    /// log2 of same person against same household, before anything is compared.
    pub household_prior: f64,
    /// The size of the population is never taken to be smaller than this.
    pub least_guests: f64,
}

impl Default for Weights {
    fn default() -> Self {
        Self {
            version: SHIPPED.to_owned(),
            cells: Cell::ALL.iter().map(|cell| (*cell, cell.shipped())).collect(),
            household_prior: 1.3,
            least_guests: 50_000.0,
        }
    }
}

impl Weights {
    /// The weights of a level.
    #[must_use]
    pub fn of(&self, cell: Cell) -> Bits {
        self.cells.get(&cell).copied().unwrap_or(cell.shipped())
    }

    /// Sets the weights of a level.
    pub fn set(&mut self, cell: Cell, bits: Bits) {
        self.cells.insert(cell, bits);
    }

    /// The chances by which exact agreement of a frequent value is told from that of a rare one; `None` where the
    /// table's own weight holds.
    #[must_use]
    pub const fn exact(cell: Cell) -> Option<Exact> {
        let (same, floor) = match cell {
            Cell::PaperExact | Cell::NumberExact => (0.85, 1e-6),
            Cell::EmailExact => (0.7, 2e-6),
            Cell::PhoneExact => (0.8, 2e-6),
            Cell::NativeExact | Cell::EasternExact | Cell::WesternExact => (0.6, 4e-6),
            Cell::BirthExact => (0.9, 2e-5),
            _ => return None,
        };
        Some(Exact { same, floor })
    }
}
