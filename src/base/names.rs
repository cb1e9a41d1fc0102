//! Short configured names: roles, purposes, properties, source systems, field paths.
//!
//! They come from configuration and headers, so each is checked once, here, and can then appear in logs,
//! metrics and the audit log: the alphabet leaves no room for a name, a number with a country code or an address.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize};

/// Why a text is not a configured name.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
#[error("{what} must be 1 to {longest} characters of {alphabet}")]
pub struct InvalidName {
    what: &'static str,
    longest: usize,
    alphabet: &'static str,
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident = $what:literal, $longest:literal, $alphabet:literal, $allowed:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, utoipa::ToSchema)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                let allowed: fn(char) -> bool = $allowed;
                if text.is_empty() || text.len() > $longest || !text.chars().all(allowed) {
                    return Err(InvalidName { what: $what, longest: $longest, alphabet: $alphabet });
                }
                Ok(Self(text.into()))
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

names! {
    /// A role code such as `front_desk`.
    Role = "a role", 40, "a-z, 0-9 and _", |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    /// A purpose such as `stay_service` or `third_party:spa_partner`.
    Purpose = "a purpose", 60, "a-z, 0-9, _ and :", |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == ':';
    /// A property, brand or group code such as `LIS01`.
    PropertyCode = "a property code", 20, "A-Z, 0-9, _ and -", |c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_' || c == '-';
    /// A system that says what it knows about guests, such as `pms` or `web`.
    SourceSystem = "a source system", 40, "a-z, 0-9, _, - and .", |c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-' | '.');
    /// A field of the catalogue such as `name.surname`.
    FieldPath = "a field", 80, "a-z, 0-9, _ and .", |c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '.');
}
