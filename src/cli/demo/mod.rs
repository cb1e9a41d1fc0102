//! `guest-vault demo`: a throw-away vault full of invented guests.

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
