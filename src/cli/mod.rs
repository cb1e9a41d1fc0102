//! Floor 8: the command line, one file per command.

pub mod demo;
pub mod import;
pub mod logging;
pub mod principal;
pub mod server;
