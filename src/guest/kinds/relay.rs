//! Addresses lent by a booking channel: they reach the guest for a while, but say nothing of who it is.

use std::sync::LazyLock;

use super::text;

struct Relay {
    kind: &'static str,
    pattern: &'static str,
    provider: &'static str,
}

static RELAYS: LazyLock<Vec<Relay>> = LazyLock::new(|| {
    text::table(include_str!("data/relays.csv"))
        .filter_map(|line| {
            let mut cells = line.split(',');
            Some(Relay {
                kind: cells.next()?,
                pattern: cells.next()?,
                provider: cells.next()?,
            })
        })
        .collect()
});

/// Who lent an address of this domain.
pub(super) fn of_domain(domain: &str) -> Option<&'static str> {
    let below = |pattern: &str| {
        domain
            .strip_suffix(pattern)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    RELAYS
        .iter()
        .find(|r| r.kind == "domain" && below(r.pattern))
        .map(|r| r.provider)
}

/// Who lent this phone number.
pub(super) fn of_phone(number: &str) -> Option<&'static str> {
    RELAYS
        .iter()
        .find(|r| r.kind == "phone" && number.starts_with(r.pattern))
        .map(|r| r.provider)
}
