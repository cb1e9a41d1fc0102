//! `guest-vault demo`: a throw-away vault full of invented guests.

pub mod invented;
