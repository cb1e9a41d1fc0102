//! The `guest-vault` binary: arguments to a command.

fn main() {}
