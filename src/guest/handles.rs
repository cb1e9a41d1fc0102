//! What consumers call values by that they need not see.

use data_encoding::BASE32_NOPAD;

use super::Vault;
use crate::{
    base::{Errand, GuestId},
    crypto::sha256,
    keys::MacPurpose,
};

/// What a consumer calls a guest's values by when it needs no more than a stable handle: the same each time for the
/// same consumer, and different for each, so that two consumers cannot join what they have.
pub(super) struct Handles([u8; 32]);

impl Handles {
    pub(super) fn new(vault: &Vault, errand: &Errand, guest: GuestId) -> Self {
        let mac = vault.keys.mac(MacPurpose::Token);
        Self(mac.mac_of(&[
            b"handle",
            errand.caller.principal.0.as_bytes(),
            guest.0.as_bytes(),
        ]))
    }

    pub(super) fn of(&self, field: &str) -> String {
        let hash = sha256(&[self.0.as_slice(), field.as_bytes()].concat());
        let short = hash
            .first_chunk::<16>()
            .map(|h| BASE32_NOPAD.encode(h))
            .unwrap_or_default();
        format!("tok_{}", short.to_ascii_lowercase())
    }
}
