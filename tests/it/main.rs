//! The one integration binary. `support` holds the tools, each other file one concern.

#![cfg(test)]

#[path = "../support/mod.rs"]
mod support;

mod access;
mod canaries;
mod connectors;
mod contract;
mod deciding;
mod dependencies;
mod docs;
mod erasure;
mod events;
mod guests;
mod hostile;
mod house;
mod keys;
mod kill;
mod lookups;
mod lost;
mod matrix;
mod merging;
mod migrations;
mod mirror;
mod order;
mod pooler;
mod reports;
mod resolution;
mod rights;
mod serve;
mod statements;
mod tamper;
mod tlog;
mod tools;
mod vectors;
mod verify;
mod walk;
mod witness;
