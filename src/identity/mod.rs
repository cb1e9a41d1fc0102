//! Floor 6: which guest is this? Asking without writing ([`resolve`]), taking two guests for one and parting them again
//! ([`merge`], [`undo`]), and the questions that stewards answer ([`review`]).
//!
//! Comparing and deciding about a record that comes in lie in `guest` (`resembling`), because they are part of storing
//! it; the pure rules lie in `matching`.

mod again;
mod apart;
pub mod api;
pub mod bridges;
pub mod constraint;
mod crossing;
pub mod dedupe;
pub mod learn;
pub mod merge;
pub mod pseudonyms;
pub mod rekey;
pub mod resolve;
pub mod review;
mod shared;
mod split;
pub mod sql;
pub mod undo;

/// Records of one guest that are compared with those of another for a word of a steward.
const MOST_PAIRS: usize = 400;
