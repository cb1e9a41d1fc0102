//! The one integration binary. `support` holds the tools, each other file one concern.

#![cfg(test)]

#[path = "../support/mod.rs"]
mod support;

mod access;
mod contract;
mod dependencies;
mod docs;
mod guests;
mod house;
mod keys;
mod migrations;
mod pooler;
mod serve;
mod statements;
mod tlog;
mod tools;
mod vectors;
