//! The one integration binary. `support` holds the tools, each other file one concern.

#![cfg(test)]

#[path = "../support/mod.rs"]
mod support;

mod access;
mod agents;
mod attestations;
mod backup;
mod bases;
mod canaries;
mod connectors;
mod consent;
mod consent_records;
mod console;
mod constraining;
mod contract;
mod crossing;
mod cut_off;
mod deciding;
mod dependencies;
mod docs;
mod duplicates;
mod erased_bytes;
mod erasure;
mod events;
mod guests;
mod hostile;
mod house;
mod imports;
mod keys;
mod kill;
mod lookups;
mod lost;
mod matrix;
mod merging;
mod migrations;
mod mirror;
mod noticing;
mod opening;
mod order;
mod pooler;
mod portal;
mod processors;
mod rekeying;
mod replay;
mod reports;
mod resolution;
mod resolving;
mod retention;
mod rights;
mod rotation;
mod serve;
mod siem;
mod statements;
mod stolen;
mod tamper;
mod tlog;
mod tools;
mod unrecorded;
mod vectors;
mod verify;
mod walk;
mod witness;
