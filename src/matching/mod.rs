//! Floor 1: who may be whom. Pure: no I/O, no clock, no keys.
//!
//! What a record says becomes normal forms ([`Person`]); they give the strings that candidates are found by
//! ([`blocking`]), and two of them a score in bits ([`score`]). Normal forms live in memory only and are wiped: what
//! is stored are the values as they were said, sealed, and keyed hashes of the strings.

mod arabic;
mod births;
pub mod blocking;
mod contacts;
mod han;
mod kana;
pub mod learn;
mod names;
mod nicknames;
mod papers;
mod person;
mod places;
pub mod relays;
mod same_name;
pub mod score;
mod text;
pub mod weights;

pub use person::{Paper, Person, Place, Said};
pub use score::{Frequencies, Part, Score};
pub use weights::{Bits, Cell, Weights};

#[cfg(test)]
mod tests;
