//! Where a guest's sealed things are bound to; moved elsewhere they do not open.

use uuid::Uuid;

use crate::{base::GuestId, crypto::Aad};

use super::{consents, observation, prepare::seal_version, put, stay};

/// A value of a record.
pub(crate) fn value(guest: GuestId, record: Uuid, field: &str, version: i64) -> Aad<'_> {
    Aad {
        guest,
        record,
        path: field,
        version: seal_version(version),
    }
}

/// The source's own id.
pub(crate) fn source_id(guest: GuestId, record: Uuid) -> Aad<'static> {
    put::source_id_place(guest, record)
}

/// The path of a stay at a property.
pub(crate) fn stay_path(property: &str) -> String {
    stay::path(property)
}

/// A stay; the path is [`stay_path`]'s.
pub(crate) fn stay(guest: GuestId, token: Uuid, path: &str, version: i64) -> Aad<'_> {
    stay::place(guest, token, path, version)
}

/// The evidence of a consent.
pub(crate) fn evidence(guest: GuestId, consent: Uuid) -> Aad<'static> {
    consents::evidence_place(guest, consent)
}

/// Who spoke, and for whom.
pub(crate) fn details(guest: GuestId, consent: Uuid) -> Aad<'static> {
    consents::details_place(guest, consent)
}

/// What somebody noticed.
pub(crate) fn observation(guest: GuestId, id: Uuid) -> Aad<'static> {
    observation::place(guest, id)
}
