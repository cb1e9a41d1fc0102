//! The `guest-vault` binary: arguments to a command.

fn main() -> std::process::ExitCode {
    guest_vault::cli::main()
}
