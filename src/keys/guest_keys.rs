//! The data keys of one guest, opened.

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::{
    audit::Receipt,
    base::{Category, FieldIndex, GuestId, View},
    crypto::{Aad, DataKey, Sealed},
    policy::{Grant, Handover},
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
    pub(super) const NONE: Self = Self(0);

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
pub(super) struct Entry {
    /// The categories that were looked for: without a key here, there was none.
    looked: Categories,
    keys: Vec<(Category, Held)>,
}

impl Entry {
    pub(super) const fn new(looked: Categories) -> Self {
        Self {
            looked,
            keys: Vec::new(),
        }
    }

    pub(super) fn insert(&mut self, category: Category, held: Held) {
        self.keys.push((category, held));
    }

    pub(super) const fn looked(&self) -> Categories {
        self.looked
    }

    /// The categories with a key, damaged ones included.
    pub(super) fn categories(&self) -> Categories {
        Categories(
            self.keys
                .iter()
                .fold(0, |bits, (category, _)| bits | Categories::bit(*category)),
        )
    }

    pub(super) const fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn damaged(&self) -> impl Iterator<Item = Category> {
        self.keys
            .iter()
            .filter(|(_, held)| matches!(held, Held::Damaged))
            .map(|(category, _)| *category)
    }

    fn get(&self, category: Category) -> Option<&Held> {
        self.keys
            .iter()
            .find(|(c, _)| *c == category)
            .map(|(_, held)| held)
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

    /// Opens a value for an answer: only against the durable record of a grant that shows the field.
    ///
    /// A grant that is not on record opens nothing; it does not compile:
    ///
    /// ```compile_fail,E0308
    /// use guest_vault::{base::{Category, FieldIndex}, crypto::Aad, keys::{GuestKeys, OpenError, Plain}, policy::Grant};
    ///
    /// fn disclose(keys: &GuestKeys, grant: &Grant, sealed: &[u8], aad: &Aad<'_>) -> Result<Plain, OpenError> {
    ///     keys.open(grant, FieldIndex(0), Category::Contact, sealed, aad)
    /// }
    /// ```
    ///
    /// The same with the receipt does:
    ///
    /// ```
    /// use guest_vault::{audit::Receipt, base::{Category, FieldIndex}, crypto::Aad};
    /// use guest_vault::{keys::{GuestKeys, OpenError, Plain}, policy::Grant};
    ///
    /// fn disclose(keys: &GuestKeys, on_record: &Receipt<Grant>, sealed: &[u8], aad: &Aad<'_>) -> Result<Plain, OpenError> {
    ///     keys.open(on_record, FieldIndex(0), Category::Contact, sealed, aad)
    /// }
    /// ```
    ///
    /// # Errors
    /// [`OpenError::NotGranted`] when the record is another guest's or does not show the field; otherwise as
    /// [`GuestKeys::open_internal`].
    pub fn open(
        &self,
        receipt: &Receipt<Grant>,
        field: FieldIndex,
        category: Category,
        sealed: &[u8],
        aad: &Aad<'_>,
    ) -> Result<Plain, OpenError> {
        // A receipt for one guest opens nothing of another's, whatever the caller mixed up.
        if receipt.guest() != Some(self.guest) || receipt.grant().view(field) == View::None {
            return Err(OpenError::NotGranted);
        }
        self.open_internal(category, sealed, aad).map(Plain)
    }

    /// Opens a value for the guest itself, or its register's copy for the law: against the durable record of that.
    ///
    /// # Errors
    /// [`OpenError::NotGranted`] when the record is another guest's; otherwise as [`GuestKeys::open_internal`].
    pub fn open_handed(
        &self,
        receipt: &Receipt<Handover>,
        category: Category,
        sealed: &[u8],
        aad: &Aad<'_>,
    ) -> Result<Plain, OpenError> {
        if receipt.grant().guest() != self.guest {
            return Err(OpenError::NotGranted);
        }
        self.open_internal(category, sealed, aad).map(Plain)
    }

    /// See [`super::Keyring::pseudonym`].
    pub(super) fn pseudonym(&self, year: i32) -> Option<[u8; 16]> {
        let Some(Held::Open { key, .. }) = self.held(Category::Audit) else {
            return None;
        };
        let hash = key.derive_mac("pseudonym").mac(&year.to_be_bytes());
        hash.first_chunk().copied()
    }

    pub(super) fn handle_seed(&self) -> Option<[u8; 32]> {
        let Some(Held::Open { key, .. }) = self.held(Category::Audit) else {
            return None;
        };
        Some(key.derive_mac("handle").mac(&[]))
    }

    fn held(&self, category: Category) -> Option<&Held> {
        self.asked
            .has(category)
            .then(|| self.entry.get(category))
            .flatten()
    }
}

/// A value opened for an answer. It cannot be printed or copied, and is wiped when dropped.
///
/// ```compile_fail,E0277
/// fn show(value: guest_vault::keys::Plain) -> String {
///     format!("{value:?}")
/// }
/// ```
pub struct Plain(Zeroizing<Vec<u8>>);

impl Plain {
    /// The value, for the mask and the answer.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}
