//! The deletable part of an audit entry: sealed beside the leaf, which holds only a salted commitment.

use chrono::{DateTime, Utc};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    audit::Detail,
    base::{Category, GuestId, micros},
    crypto::{Aad, random, sha256},
    keys::GuestKeys,
};

const SALT: usize = 16;

fn place(guest: GuestId, at: DateTime<Utc>) -> Aad<'static> {
    // The time of the event stands for its version: a detail moved to another entry does not open.
    Aad {
        guest,
        record: Uuid::nil(),
        path: "audit.detail",
        version: micros(at).unsigned_abs(),
    }
}

/// Seals a reason. `None` when the guest has no audit key (any more).
pub(super) fn seal(keys: &GuestKeys, guest: GuestId, at: DateTime<Utc>, reason: &str) -> Option<Detail> {
    let mut plain = Zeroizing::new(random::<SALT>().to_vec());
    plain.extend_from_slice(reason.as_bytes());
    let commitment = sha256(&plain);
    let sealed = keys.seal(Category::Audit, &place(guest, at), &plain).ok()?;
    Some(Detail {
        sealed: sealed.into_bytes(),
        commitment,
    })
}

/// Opens a sealed reason. `None` when it is not one, or the guest's key is gone.
pub(super) fn open(keys: &GuestKeys, guest: GuestId, at: DateTime<Utc>, sealed: &[u8]) -> Option<String> {
    let plain = keys
        .open_internal(Category::Audit, sealed, &place(guest, at))
        .ok()?;
    String::from_utf8(plain.get(SALT..)?.to_vec()).ok()
}
