//! The data keys of one guest, opened.

use std::sync::Arc;

use secrecy::ExposeSecret;
use zeroize::Zeroizing;

use crate::{
    base::{Category, GuestId},
    crypto::{Aad, DataKey, Sealed},
};

use super::{KeysError, OpenError};

/// One category's key as the key store has it.
pub(super) enum Held {
    /// It opens.
    Open {
        /// Its version, as in the header of what it sealed.
        version: u16,
        /// The key.
        key: DataKey,
    },
    /// It is there, but does not open: nothing is sealed or opened, and it is not replaced.
    Damaged,
}

/// Several categories as bits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Categories(u32);

impl Categories {
    pub(super) fn of(categories: &[Category]) -> Self {
        Self(
            categories
                .iter()
                .fold(0, |bits, category| bits | Self::bit(*category)),
        )
    }

    fn bit(category: Category) -> u32 {
        1_u32.checked_shl(category.code().into()).unwrap_or(0)
    }

    pub(super) fn has(self, category: Category) -> bool {
        self.0 & Self::bit(category) != 0
    }

    pub(super) const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn iter(self) -> impl Iterator<Item = Category> {
        Category::ALL
            .into_iter()
            .filter(move |category| self.has(*category))
    }
}

/// What is known of one guest's keys; shared between the cache and those who use it.
#[derive(Default)]
pub(super) struct Entry(Vec<(Category, Held)>);

impl Entry {
    pub(super) fn insert(&mut self, category: Category, held: Held) {
        self.0.push((category, held));
    }

    pub(super) fn categories(&self) -> Categories {
        Categories(
            self.0
                .iter()
                .fold(0, |bits, (category, _)| bits | Categories::bit(*category)),
        )
    }

    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn damaged(&self) -> impl Iterator<Item = Category> {
        self.0
            .iter()
            .filter(|(_, held)| matches!(held, Held::Damaged))
            .map(|(category, _)| *category)
    }

    fn get(&self, category: Category) -> Option<&Held> {
        self.0.iter().find(|(c, _)| *c == category).map(|(_, held)| held)
    }
}

/// The data keys of one guest for the categories that were asked for. Cheap to clone; wiped with the last clone.
#[derive(Clone)]
pub struct GuestKeys {
    guest: GuestId,
    entry: Arc<Entry>,
    asked: Categories,
}

impl GuestKeys {
    pub(super) const fn new(guest: GuestId, entry: Arc<Entry>, asked: Categories) -> Self {
        Self { guest, entry, asked }
    }

    /// Whose keys these are.
    #[must_use]
    pub const fn guest(&self) -> GuestId {
        self.guest
    }

    /// Whether there is a key for the category.
    #[must_use]
    pub fn has(&self, category: Category) -> bool {
        self.held(category).is_some()
    }

    /// The categories that were asked for and are there.
    pub(super) fn categories(&self) -> Categories {
        self.entry.categories().intersection(self.asked)
    }

    /// Seals a value to its place under the key of its category.
    ///
    /// # Errors
    /// When there is no such key here or it is damaged, when the place is another guest's, or when the value is too
    /// long.
    pub fn seal(&self, category: Category, aad: &Aad<'_>, plain: &[u8]) -> Result<Sealed, KeysError> {
        if aad.guest != self.guest {
            return Err(KeysError::OtherGuest);
        }
        let guest = self.guest;
        match self.held(category) {
            Some(Held::Open { version, key }) => Ok(key.seal(category.code(), *version, aad, plain)?),
            Some(Held::Damaged) => Err(KeysError::DamagedDataKey { guest, category }),
            None => Err(KeysError::NoDataKey { guest, category }),
        }
    }

    /// Opens a value for the vault's own use: stay dates, consent evidence, comparing, merging. Never for an answer.
    ///
    /// # Errors
    /// When there is no key, or the bytes were not sealed by it to this place.
    pub fn open_internal(
        &self,
        category: Category,
        sealed: &[u8],
        aad: &Aad<'_>,
    ) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        match self.held(category) {
            Some(Held::Open { version, key }) => {
                if Sealed::key_of(sealed)? != (category.code(), *version) {
                    return Err(OpenError::OtherKey(category));
                }
                Ok(key.open_bytes(sealed, aad)?)
            }
            Some(Held::Damaged) => Err(OpenError::DamagedKey(category)),
            None => Err(OpenError::NoKey(category)),
        }
    }

    /// The guest's handle in the audit log for a calendar year: not linkable to the guest, or to another year, once
    /// the key of [`Category::Audit`] is destroyed. `None` without that key.
    #[must_use]
    pub fn pseudonym(&self, year: i32) -> Option<[u8; 16]> {
        let Some(Held::Open { key, .. }) = self.held(Category::Audit) else {
            return None;
        };
        let hash = key.derive_mac("pseudonym").mac(&year.to_be_bytes());
        hash.first_chunk().copied()
    }

    fn held(&self, category: Category) -> Option<&Held> {
        self.asked
            .has(category)
            .then(|| self.entry.get(category))
            .flatten()
    }
}

/// A value opened for an answer. It cannot be printed or copied; a lint makes each look at it say why.
pub struct Plain(Zeroizing<Vec<u8>>);

impl Plain {
    pub(super) const fn new(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }
}

impl ExposeSecret<[u8]> for Plain {
    fn expose_secret(&self) -> &[u8] {
        &self.0
    }
}
