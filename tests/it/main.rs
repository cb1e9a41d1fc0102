//! The one integration binary. `support` holds the tools, each other file one concern.

#![cfg(test)]

#[path = "../support/mod.rs"]
mod support;

mod access;
mod dependencies;
mod house;
mod migrations;
mod tools;
