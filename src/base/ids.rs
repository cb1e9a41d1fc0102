//! Identifiers: UUIDv7, made by the application, one type per thing so that they cannot be mixed up.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new identifier (UUIDv7, RFC 9562 §5.7): sortable by time of making, not guessable.
            #[must_use]
            pub fn random() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                text.parse().map(Self)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }
    )*};
}

ids! {
    /// A guest: a cluster of source records about one person.
    GuestId;
    /// What one source system says about one person.
    RecordId;
    /// An entry of the audit log.
    EntryId;
    /// A credential's owner: a service, a post, a partner.
    PrincipalId;
    /// One line of the consent ledger.
    ConsentId;
    /// A version of a notice shown to guests.
    NoticeId;
    /// One import of records.
    ImportId;
    /// One request over HTTP, one run of a command.
    RequestId;
    /// One numbered line of audit entries; a gap in its numbers shows a lost entry.
    WriterId;
}
