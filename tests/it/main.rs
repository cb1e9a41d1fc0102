//! The one integration binary. `support` holds the tools, each other file one concern.

#![cfg(test)]

#[path = "../support/mod.rs"]
mod support;

mod access;
mod dependencies;
mod docs;
mod guests;
mod house;
mod keys;
mod lookups;
mod migrations;
mod pooler;
mod statements;
mod tools;
mod vectors;
