//! The `guest-vault` binary: arguments to a command.

/// A read makes and drops a few hundred small values on several threads; the system's allocator takes a tenth of it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    guest_vault::cli::main()
}
