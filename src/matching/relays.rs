//! Who lends addresses and numbers: they reach a guest for a while, or an office, and say nothing of who somebody is.

use std::sync::LazyLock;

use crate::base::table;

/// A line of the table.
struct Relay {
    kind: &'static str,
    pattern: &'static str,
    provider: &'static str,
    days: Option<u64>,
}

impl Relay {
    fn is_over(&self, domain: &str) -> bool {
        domain
            .strip_suffix(self.pattern)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }
}

static RELAYS: LazyLock<Vec<Relay>> = LazyLock::new(|| {
    let relay = |line: &'static str| {
        let mut cells = line.split(',');
        Some(Relay {
            kind: cells.next()?,
            pattern: cells.next()?,
            provider: cells.next()?,
            days: cells.next()?.parse().ok(),
        })
    };
    table(include_str!("data/relays.csv")).filter_map(relay).collect()
});

/// Who lent an address of this domain.
#[must_use]
pub fn of_domain(domain: &str) -> Option<&'static str> {
    let mut lent = RELAYS.iter().filter(|relay| relay.kind == "domain");
    lent.find(|relay| relay.is_over(domain))
        .map(|relay| relay.provider)
}

/// Who lent this phone number.
#[must_use]
pub fn of_phone(number: &str) -> Option<&'static str> {
    let mut lent = RELAYS.iter().filter(|relay| relay.kind == "phone");
    lent.find(|relay| number.starts_with(relay.pattern))
        .map(|relay| relay.provider)
}

/// Days after the departure for which what this one lends is shown; `None` for ever.
#[must_use]
pub fn days_after_departure(provider: &str) -> Option<u64> {
    let mut lent = RELAYS.iter().filter(|relay| relay.kind != "agency");
    let own = lent.find(|relay| relay.provider == provider);
    own.or_else(|| RELAYS.iter().find(|relay| relay.kind == "other"))?
        .days
}

/// Whether an address of this domain is lent, or an office's.
pub(super) fn is_nobodys(domain: &str) -> bool {
    let mut all = RELAYS
        .iter()
        .filter(|relay| matches!(relay.kind, "domain" | "agency"));
    all.any(|relay| relay.is_over(domain))
}
