//! The house's own terms, as the catalogue names them: by when a value must be gone.

use chrono::{Days, Months, NaiveDate};

/// The days that terms count from besides the day on which a value was recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Anchors {
    /// The last departure.
    pub last_stay: Option<NaiveDate>,
    /// The end of the last membership; nothing while one goes on.
    pub membership_end: Option<NaiveDate>,
    /// The last withdrawal; nothing while a consent stands.
    pub consent_withdrawn: Option<NaiveDate>,
}

/// By when a term such as `LS+24m` wants a value gone that was recorded on this day; `None` when it has no end yet:
/// `life`, `until` (its own date) and `document` are for who knows more.
#[must_use]
pub fn term_ends(term: &str, anchors: Anchors, recorded: NaiveDate) -> Option<NaiveDate> {
    if term == "consent" {
        return anchors.consent_withdrawn;
    }
    let (from, rest) = term.split_once('+')?;
    let begin = match from {
        // A guest without stays is measured from the last word about it.
        "LS" | "CO" => anchors.last_stay.unwrap_or(recorded),
        "ME" => anchors.membership_end?,
        // A case is closed when the last word about it is in.
        "AT" | "CL" => recorded,
        _ => return None,
    };
    let (count, unit) = rest.split_at_checked(rest.len().checked_sub(1)?)?;
    match unit {
        "m" => begin.checked_add_months(Months::new(count.parse().ok()?)),
        "d" => begin.checked_add_days(Days::new(count.parse().ok()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_count_from_what_they_name() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let anchors = Anchors {
            last_stay: Some(day("2026-01-31")),
            membership_end: Some(day("2026-06-30")),
            consent_withdrawn: None,
        };
        let ends = |text| term_ends(text, anchors, day("2026-02-10"));
        assert_eq!(ends("LS+1m"), Some(day("2026-02-28")));
        assert_eq!(ends("CO+30d"), Some(day("2026-03-02")));
        assert_eq!(ends("AT+13m"), Some(day("2027-03-10")));
        assert_eq!(ends("ME+12m"), Some(day("2027-06-30")));
        for other in ["life", "consent", "document", "until", "LS+", "LS+x", "+1m"] {
            assert_eq!(ends(other), None, "{other}");
        }
        let nobody = |text| term_ends(text, Anchors::default(), day("2026-02-10"));
        assert_eq!(
            (nobody("LS+1m"), nobody("ME+1m")),
            (Some(day("2026-03-10")), None)
        );
    }
}
