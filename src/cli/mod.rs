//! Floor 8: the command line, one file per command.

pub mod attest;
pub mod audit;
pub mod backup;
mod command;
pub mod copies;
pub mod demo;
pub mod doctor;
mod existing;
pub mod identity;
pub mod import;
pub mod keys;
mod log_keeper;
pub mod logging;
pub mod policy;
pub mod principal;
pub mod restore;
pub mod rotate;
mod scratch;
pub mod serve;
pub mod server;

pub use command::main;
