//! Occasions: whose birthday or anniversary is near. Only guests who agreed are told, and of a day its month and day.
//!
//! Found by keyed tokens of month and day, written with the value. A thief of the database alone learns from them which
//! guests share a day of the year, but not which day.

use std::collections::BTreeSet;

use chrono::{Datelike, Days, NaiveDate};
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    audit::{Act, Event},
    base::{Catalogue, Errand, GuestId, View},
    crypto::IndexKey,
    policy::{ConsentAnswer, Right},
};

use super::{
    GuestError, Vault, places,
    read::{Fetched, Looked},
    survivor,
};

/// The longest window, in days.
const LONGEST: u16 = 31;
const BIRTH_DATE: &str = "birth_date";
const ANNIVERSARIES: &str = "anniversaries";

/// What is near.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OccasionKind {
    /// A birthday.
    Birthday,
    /// One of the guest's anniversaries.
    Anniversary,
}

impl OccasionKind {
    const ALL: [Self; 2] = [Self::Birthday, Self::Anniversary];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Birthday => "birthday",
            Self::Anniversary => "anniversary",
        }
    }

    const fn field(self) -> &'static str {
        match self {
            Self::Birthday => BIRTH_DATE,
            Self::Anniversary => ANNIVERSARIES,
        }
    }
}

/// Whose occasions.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OccasionsInput {
    /// The first day of the window.
    pub from: NaiveDate,
    /// How many days it has, at most 31.
    #[schema(minimum = 1, maximum = 31)]
    pub days: u16,
    /// Which occasions; both, when absent.
    #[serde(default)]
    #[schema(max_items = 2)]
    pub kinds: Vec<OccasionKind>,
    /// How many at most; 50 when absent.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 200)]
    pub limit: Option<u16>,
    /// Where the last answer ended.
    #[serde(default)]
    #[schema(max_length = 512)]
    pub cursor: Option<String>,
}

/// One occasion.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Occasion {
    /// Whose.
    pub guest_id: GuestId,
    /// The guest's handle for this caller: the same each time, another for every caller. What reaches the guest is
    /// addressed by it; addresses are not told.
    #[schema(max_length = 40)]
    pub token: String,
    /// What.
    pub kind: OccasionKind,
    /// On which day of the year: `--05-17`.
    #[schema(max_length = 7)]
    pub day: String,
}

/// Where a list of occasions ended: the step (day and kind) and the guest.
pub type OccasionPlace = (u16, Uuid);

/// The tokens that a value is found by on its day of the year.
pub(super) fn tokens(index: &IndexKey, field: &str, value: &Value) -> Vec<[u8; 16]> {
    let token = |kind, date: &str| Some(token(index, kind, month_day(date)?));
    let all: BTreeSet<[u8; 16]> = match field {
        BIRTH_DATE => value
            .as_str()
            .and_then(|date| token(OccasionKind::Birthday, date))
            .into_iter()
            .collect(),
        ANNIVERSARIES => value
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|item| token(OccasionKind::Anniversary, item.get("date")?.as_str()?))
            .collect(),
        _ => BTreeSet::new(),
    };
    all.into_iter().collect()
}

/// `05-17` of `1987-05-17` or `--05-17`.
fn month_day(date: &str) -> Option<&str> {
    match date.len() {
        10 => date.get(5..),
        7 => date.strip_prefix("--"),
        _ => None,
    }
}

fn token(index: &IndexKey, kind: OccasionKind, month_day: &str) -> [u8; 16] {
    index.token(
        "occasion_day",
        format!("{}\u{1f}{month_day}", kind.as_str()).as_bytes(),
    )
}

/// The days of the year in a window, each once; who was born on 29 February is greeted on the 28th of other years.
fn days(from: NaiveDate, days: u16) -> Vec<String> {
    let mut all = Vec::new();
    for day in (0..u64::from(days)).filter_map(|ahead| from.checked_add_days(Days::new(ahead))) {
        all.push(day.format("%m-%d").to_string());
        if (day.month(), day.day()) == (2, 28) && !day.leap_year() {
            all.push("02-29".to_owned());
        }
    }
    all
}

impl Vault {
    /// Whose birthday or anniversary falls in a window, of guests who agreed to this purpose, in order of days; and
    /// where the next page begins.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`]; [`GuestError::BadQuestion`], also when the purpose needs no consent.
    pub async fn occasions(
        &self,
        errand: &Errand,
        asked: &OccasionsInput,
        after: Option<OccasionPlace>,
        most: usize,
    ) -> Result<(Vec<Occasion>, Option<OccasionPlace>), GuestError> {
        let policy = self.policies.current();
        let mut event = Event::of(errand, Act::FindOccasions, self.clock.now());
        event.policy_version = Some(policy.version().to_owned());
        for path in [BIRTH_DATE, ANNIVERSARIES] {
            if let Some((_, field)) = policy.catalogue().find(path) {
                event.fields.insert(field.path.clone(), View::Token);
            }
        }
        if !policy.allows(&errand.caller.role, Right::FindOccasions) {
            return self.refuse(event, GuestError::Forbidden).await;
        }
        let agreed = policy.purpose(&errand.purpose).is_some_and(|p| p.needs_consent);
        if let Err(error) = check(asked, agreed) {
            return self.refuse(event, error).await;
        }
        if let Err(exceeded) = self.budgets.search(&errand.caller) {
            return self.refuse(event, exceeded.into()).await;
        }
        let (found, next) = self.near(errand, asked, after.unwrap_or_default(), most).await?;
        if let Err(error) = self.charge(errand, found.iter().map(|(o, _)| o.guest_id)) {
            return self.refuse(event, error).await;
        }
        event.count = u64::try_from(found.len()).ok();
        // Each guest's day is told on a record of its own: the guest, and who asks after a breach, find it there.
        let (found, events): (Vec<_>, Vec<_>) = found.into_iter().unzip();
        let all = events.into_iter().chain([event]);
        try_join_all(all.map(|event| self.log.record(event, ()))).await?;
        Ok((found, next))
    }

    async fn near(
        &self,
        errand: &Errand,
        asked: &OccasionsInput,
        (first, mut guest): OccasionPlace,
        most: usize,
    ) -> Result<(Vec<(Occasion, Event)>, Option<OccasionPlace>), GuestError> {
        let policy = self.policies.current();
        let kinds = if asked.kinds.is_empty() {
            &OccasionKind::ALL
        } else {
            asked.kinds.as_slice()
        };
        let days = days(asked.from, asked.days);
        let steps = days
            .iter()
            .flat_map(|day| kinds.iter().map(move |kind| (day, *kind)));
        let mut found = Vec::new();
        for (step, (day, kind)) in (0_u16..).zip(steps).skip(first.into()) {
            let index = self.keys.index_key();
            let token = token(index, kind, day);
            loop {
                let rows = i64::try_from(most).unwrap_or(i64::MAX).saturating_add(1);
                let guests = self
                    .store
                    .read()
                    .await?
                    .occasion_guests(&token, guest, rows)
                    .await?;
                for one in &guests {
                    if found.len() == most {
                        return Ok((found, Some((step, guest))));
                    }
                    guest = *one;
                    let looked = self
                        .look(errand, GuestId(*one), &[], Act::Search, &policy)
                        .await?;
                    let Looked::Seen(fetched) = looked else { continue };
                    let agreed = matches!(fetched.facts.consent, ConsentAnswer::Given(_));
                    if !agreed || !falls_on(index, policy.catalogue(), &fetched, (kind, &token)) {
                        continue;
                    }
                    let mut event = fetched.event(errand, Act::FindOccasions);
                    if let Some((_, field)) = policy.catalogue().find(kind.field()) {
                        event.fields.insert(field.path.clone(), View::Token);
                    }
                    let occasion = Occasion {
                        guest_id: GuestId(*one),
                        token: fetched.handles.of("guest"),
                        kind,
                        day: format!("--{day}"),
                    };
                    found.push((occasion, event));
                }
                if i64::try_from(guests.len()).is_ok_and(|count| count < rows) {
                    break;
                }
            }
            guest = Uuid::nil();
        }
        Ok((found, None))
    }
}

/// Whether the day is one that this caller may know of, and one that the guest's sources amount to: an overruled date
/// stands in the index too.
fn falls_on(
    index: &IndexKey,
    catalogue: &Catalogue,
    fetched: &Fetched,
    (kind, day): (OccasionKind, &[u8; 16]),
) -> bool {
    let path = kind.field();
    let Some((at, field)) = catalogue.find(path) else {
        return false;
    };
    let ranked = survivor::ranked(&fetched.lines);
    let Some(values) = ranked.get(path).filter(|_| fetched.grant.view(at) != View::None) else {
        return false;
    };
    survivor::chosen(values, field.list).iter().any(|line| {
        let place = places::value(fetched.guest, line.id.unwrap_or_default(), path, line.version);
        let sealed = line.sealed.as_deref().unwrap_or_default();
        let plain = fetched.keys.open_internal(field.category, sealed, &place).ok();
        let value = plain.and_then(|plain| serde_json::from_slice(&plain).ok());
        value.is_some_and(|value| tokens(index, path, &value).contains(day))
    })
}

fn check(asked: &OccasionsInput, agreed: bool) -> Result<(), GuestError> {
    let bad = |field: &str, reason: &str| Err(GuestError::bad(field, reason));
    let kinds: BTreeSet<_> = asked.kinds.iter().collect();
    if !agreed {
        bad(
            "Vault-Purpose",
            "must be a purpose that guests agree to, such as occasion_greeting",
        )
    } else if !(1..=LONGEST).contains(&asked.days) {
        bad("days", "must be 1 to 31")
    } else if !(1900..=2200).contains(&asked.from.year()) {
        bad("from", "is no day to come")
    } else if kinds.len() != asked.kinds.len() {
        bad("kinds", "names one twice")
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_the_year_and_the_leap_day() {
        let from = |text: &str| text.parse().unwrap();
        assert_eq!(days(from("2026-12-31"), 2), ["12-31", "01-01"]);
        assert_eq!(days(from("2026-02-27"), 3), ["02-27", "02-28", "02-29", "03-01"]);
        assert_eq!(days(from("2028-02-27"), 3), ["02-27", "02-28", "02-29"]);
        for (date, known) in [
            ("1987-05-17", Some("05-17")),
            ("--05-17", Some("05-17")),
            ("1987-05", None),
            ("1987", None),
        ] {
            assert_eq!(month_day(date), known);
        }
    }
}
