//! Guests that nobody is: invented, multilingual, repeatable by seed, around the day they are made.

mod channels;
mod consents;
mod cultures;
mod departments;
mod documents;
mod guests;
mod people;
mod properties;
mod random;
mod showcase;
mod stays;
mod telling;
#[cfg(test)]
mod tests;

pub use guests::records;
pub use properties::properties;
pub use showcase::{SHOWN, Shown};
pub use stays::HOTELS;
