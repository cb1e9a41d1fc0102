//! The one integration binary. `support` holds the tools, each other file one concern.

#![cfg(test)]

#[path = "../support/mod.rs"]
mod support;

mod dependencies;
mod docs;
mod house;
mod migrations;
mod pooler;
mod statements;
mod tools;
