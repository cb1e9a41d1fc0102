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

/// By when a value must be gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Term {
    /// As long as the guest.
    Life,
    /// As long as the consent.
    Consent,
    /// Until the date that the value carries.
    Until,
    /// As the document that it comes from.
    Document,
    /// Not at all.
    None,
    /// So long after a day.
    After(Begin, Length),
}

/// The day that a term counts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// The last departure (`LS`, `CO`); of a guest without stays the last word about it.
    LastStay,
    /// The end of the last membership (`ME`).
    MembershipEnd,
    /// The day on which it was recorded (`AT`); a case is closed when the last word about it is in (`CL`).
    Recorded,
}

/// How long a term is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// In days.
    Days(u32),
    /// In months.
    Months(u32),
}

impl Term {
    /// A term as the catalogue spells it, such as `LS+24m`; `None` when it is none.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        Some(match text {
            "life" => Self::Life,
            "consent" => Self::Consent,
            "until" => Self::Until,
            "document" => Self::Document,
            "none" => Self::None,
            text => {
                let (begin, length) = text.split_once('+')?;
                let begin = match begin {
                    "LS" | "CO" => Begin::LastStay,
                    "ME" => Begin::MembershipEnd,
                    "AT" | "CL" => Begin::Recorded,
                    _ => return None,
                };
                let (count, unit) = length.split_at_checked(length.len().checked_sub(1)?)?;
                let digits =
                    (1..=5).contains(&count.len()) && count.bytes().all(|byte| byte.is_ascii_digit());
                let count = count.parse().ok().filter(|_| digits)?;
                match unit {
                    "d" => Self::After(begin, Length::Days(count)),
                    "m" => Self::After(begin, Length::Months(count)),
                    _ => return None,
                }
            }
        })
    }

    /// By when it wants a value gone that was recorded on this day; `None` when that has no end yet, or is for who
    /// knows more: [`Term::Life`], [`Term::Until`], [`Term::Document`].
    #[must_use]
    pub fn ends(self, anchors: Anchors, recorded: NaiveDate) -> Option<NaiveDate> {
        let (begin, length) = match self {
            Self::Consent => return anchors.consent_withdrawn,
            Self::After(begin, length) => (begin, length),
            Self::Life | Self::Until | Self::Document | Self::None => return None,
        };
        let from = match begin {
            Begin::LastStay => anchors.last_stay.unwrap_or(recorded),
            Begin::MembershipEnd => anchors.membership_end?,
            Begin::Recorded => recorded,
        };
        match length {
            Length::Days(count) => from.checked_add_days(Days::new(count.into())),
            Length::Months(count) => from.checked_add_months(Months::new(count)),
        }
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
        let ends = |text| Term::read(text).unwrap().ends(anchors, day("2026-02-10"));
        assert_eq!(ends("LS+1m"), Some(day("2026-02-28")));
        assert_eq!(ends("CO+30d"), Some(day("2026-03-02")));
        assert_eq!(ends("AT+13m"), Some(day("2027-03-10")));
        assert_eq!(ends("ME+12m"), Some(day("2027-06-30")));
        for other in ["life", "consent", "document", "until", "none"] {
            assert_eq!(ends(other), None, "{other}");
        }
        for wrong in [
            "",
            "LS",
            "LS+",
            "LS+x",
            "+1m",
            "LS+1y",
            "LS+-1d",
            "LS+123456d",
            "XX+1d",
        ] {
            assert_eq!(Term::read(wrong), None, "{wrong}");
        }
        let nobody = |text| {
            Term::read(text)
                .unwrap()
                .ends(Anchors::default(), day("2026-02-10"))
        };
        assert_eq!(
            (nobody("LS+1m"), nobody("ME+1m")),
            (Some(day("2026-03-10")), None)
        );
    }
}
