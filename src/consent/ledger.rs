//! What the ledger says now. Pure.

use chrono::{DateTime, Utc};

use crate::base::ConsentId;

use super::State;

/// Where a guest stands on a purpose and recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Never asked.
    Unknown,
    /// Agreed, by this line.
    Given(ConsentId),
    /// Agreed once, but the time is over.
    Expired(ConsentId),
    /// Said no, by this line.
    Refused(ConsentId),
    /// Took it back, by this line.
    Withdrawn(ConsentId),
}

impl Standing {
    /// The line that lets data be used, if one does.
    #[must_use]
    pub const fn given(self) -> Option<ConsentId> {
        match self {
            Self::Given(id) => Some(id),
            _ => None,
        }
    }

    /// The word of the contract.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Given(_) => "given",
            Self::Expired(_) => "expired",
            Self::Refused(_) => "refused",
            Self::Withdrawn(_) => "withdrawn",
        }
    }
}

/// The standing that lines of one purpose and recipient amount to: the newest holds; of two said at the same moment
/// the stricter holds.
#[must_use]
pub fn standing(
    lines: impl IntoIterator<Item = (ConsentId, State, DateTime<Utc>, Option<DateTime<Utc>>)>,
    now: DateTime<Utc>,
) -> Standing {
    let strictness = |state: State| match state {
        State::Given => 0,
        State::Refused => 1,
        State::Withdrawn => 2,
    };
    let newest = lines
        .into_iter()
        .max_by_key(|(id, state, at, _)| (*at, strictness(*state), *id));
    match newest {
        None => Standing::Unknown,
        Some((id, State::Refused, ..)) => Standing::Refused(id),
        Some((id, State::Withdrawn, ..)) => Standing::Withdrawn(id),
        Some((id, State::Given, _, Some(until))) if until <= now => Standing::Expired(id),
        Some((id, State::Given, ..)) => Standing::Given(id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::Duration;

    #[test]
    fn the_newest_line_holds_and_the_stricter_wins_a_tie() {
        let now = Utc::now();
        let id = ConsentId::random;
        let (a, b, c) = (id(), id(), id());
        assert_eq!(standing([], now), Standing::Unknown);
        let given = (a, State::Given, now - Duration::days(2), None);
        assert_eq!(standing([given], now), Standing::Given(a));
        let withdrawn = (b, State::Withdrawn, now - Duration::days(1), None);
        assert_eq!(standing([withdrawn, given], now), Standing::Withdrawn(b));
        let again = (c, State::Given, now, None);
        assert_eq!(standing([again, withdrawn, given], now), Standing::Given(c));
        let tie = (a, State::Refused, now, None);
        assert_eq!(standing([tie, again], now), Standing::Refused(a));
    }

    #[test]
    fn a_consent_ends_at_its_hour() {
        let now = Utc::now();
        let id = ConsentId::random();
        let line = |until| (id, State::Given, now - Duration::days(9), Some(until));
        assert_eq!(standing([line(now)], now), Standing::Expired(id));
        assert_eq!(
            standing([line(now + Duration::microseconds(1))], now),
            Standing::Given(id)
        );
    }
}
