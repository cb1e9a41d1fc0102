//! guest-vault: keeps the personal data of a hotel group's guests sealed and shows each caller
//! exactly what it may see, for a purpose, with a durable record of every look.
//!
//! The folders are the words of the domain; a folder imports only from the floors below its own
//! (see `docs/architecture.md`; `tests/it/house.rs` holds it).

pub mod access;
pub mod app;
pub mod audit;
pub mod base;
pub mod cli;
pub mod config;
pub mod connect;
pub mod consent;
pub mod console;
pub mod crypto;
pub mod erasure;
pub mod events;
pub mod guest;
pub mod identity;
pub mod jobs;
pub mod keys;
pub mod matching;
pub mod policy;
pub mod portal;
pub mod requests;
pub mod retention;
pub mod routes;
pub mod store;
pub mod web;
