//! Where a test ends the program, as a failing power supply would. A release build has no such places.

/// Ends the process here when `FAULT_POINT` names this place.
#[cfg(debug_assertions)]
pub(crate) fn point(name: &str) {
    if std::env::var_os("FAULT_POINT").is_some_and(|wanted| wanted == name) {
        // Nothing is unwound, flushed or closed.
        std::process::abort();
    }
}

/// Nothing.
#[cfg(not(debug_assertions))]
pub(crate) const fn point(_name: &str) {}
