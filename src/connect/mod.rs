//! Floor 7: what hotel systems speak, turned into records, and the way they take into the vault. Connectors know
//! formats, not the vault; [`intake`] knows the vault, and no format.
//!
//! A connector maps one element of a payload (a profile, a reservation, a row) to what it says of people. It is pure,
//! and what it did not take is told by its place, never dropped in silence: see [`payload::Payload`].

pub mod alpinebits;
pub mod apaleo;
pub mod api;
pub mod cards;
mod channels;
pub mod cloudbeds;
mod columns;
pub mod csv;
pub mod guess;
pub mod hotels;
pub mod house;
pub mod intake;
pub mod json;
pub mod mended;
mod metered;
pub mod mews;
pub mod ndjson;
pub mod ohip;
pub mod payload;
mod places;
pub mod records;
mod rows;
mod seat;
mod stream;
pub mod told;
mod values;
mod whole_name;
pub mod xml;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod strange;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_csv;
#[cfg(test)]
mod tests_ohip;
#[cfg(test)]
mod tests_opera;
#[cfg(test)]
mod tests_ota;
#[cfg(test)]
mod tests_pages;
#[cfg(test)]
mod tests_refused;
#[cfg(test)]
mod tests_tables;
