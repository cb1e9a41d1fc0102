//! How values are read: the environment knows only text, secrets are wrapped at once.

use std::{fmt::Display, str::FromStr};

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, de::Error as _};

#[derive(Deserialize)]
#[serde(untagged)]
enum Either<T> {
    Typed(T),
    Text(String),
}

/// A number or a flag, as such or as text.
pub(super) fn lenient<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + FromStr,
    T::Err: Display,
{
    match Either::deserialize(from)? {
        Either::Typed(value) => Ok(value),
        Either::Text(text) => text.trim().parse().map_err(D::Error::custom),
    }
}

/// The same, where it may be left out.
pub(super) fn lenient_option<'de, D, T>(from: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + FromStr,
    T::Err: Display,
{
    lenient(from).map(Some)
}

/// A list, as such or as text with commas.
pub(super) fn list<'de, D, T>(from: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr,
    T::Err: Display,
{
    let texts = match Either::<Vec<String>>::deserialize(from)? {
        Either::Typed(texts) => texts,
        Either::Text(text) => text
            .split(',')
            .map(|t| t.trim().to_owned())
            .filter(|t| !t.is_empty())
            .collect(),
    };
    texts
        .iter()
        .map(|text| text.parse().map_err(D::Error::custom))
        .collect()
}

/// A text that nothing prints.
pub(super) fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SecretString>, D::Error> {
    String::deserialize(from).map(|text| Some(text.into()))
}

#[expect(
    clippy::disallowed_methods,
    reason = "handed to the database driver, which wants plain text"
)]
pub(super) fn plain(secret: Option<&SecretString>) -> Option<String> {
    secret.map(|s| s.expose_secret().to_owned())
}
