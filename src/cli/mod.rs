//! Floor 8: the command line, one file per command.

pub mod attest;
pub mod audit;
mod command;
pub mod demo;
pub mod doctor;
pub mod import;
pub mod keys;
mod log_keeper;
pub mod logging;
pub mod policy;
pub mod principal;
pub mod serve;
pub mod server;

pub use command::main;
