//! A guest as a retention run looks at it: what has had its time, and what will have in the week to come.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{NaiveDate, TimeDelta};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    base::{Category, GuestId, micros},
    guest::{GuestError, Lapsing},
    keys::GuestKeys,
    retention::{CategoryPlan, Facts, Rules, facts, plan, sql as retention, sql::HoldRow},
};

use super::{Eraser, Preview, counts::Counts, due::Due, preview::preview};

/// Days that a run looks ahead.
const AHEAD: usize = 7;
/// How far back changes are looked at at a start: runs come by once a day.
const SINCE: TimeDelta = TimeDelta::days(1);
/// Events of one look at most: whoever keeps the house must come back to its other work before its lease ends.
const EVENTS: i64 = 5_000;

/// What will have had its time on one day, as things stand when it is counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ComingDay {
    /// The day.
    pub day: NaiveDate,
    /// Of how many guests something more goes on it.
    pub guests: u64,
    /// What.
    pub would_erase: Counts,
}

/// The days after one, with nothing on them.
pub(super) fn week_after(as_of: NaiveDate) -> Vec<ComingDay> {
    let day = |day| ComingDay {
        day,
        guests: 0,
        would_erase: Counts::default(),
    };
    as_of.iter_days().skip(1).take(AHEAD).map(day).collect()
}

/// Whose outlook it is: a guest as it was looked at.
pub(super) struct Whose {
    guest: GuestId,
    version: i64,
    keys: GuestKeys,
}

/// What decides about a guest.
pub(super) struct Outlook {
    facts: Facts,
    holds: Vec<HoldRow>,
    marks: (bool, u64),
}

impl Eraser {
    /// Looks at a guest; `None` when it is gone.
    pub(super) async fn outlook(&self, guest: GuestId) -> Result<Option<(Whose, Outlook)>, GuestError> {
        let Some(house) = facts(&self.vault, guest).await? else {
            return Ok(None);
        };
        if house.survivor.is_some() || house.status == "erased" {
            return Ok(None);
        }
        let mut conn = self.vault.store.read().await?;
        let holds = retention::holds(&mut conn, guest).await?;
        let merged = u64::try_from(conn.absorbed(guest).await?.len()).unwrap_or(0);
        let outlook = Outlook {
            marks: (house.keys.has(Category::Audit), merged),
            facts: house.facts,
            holds,
        };
        let whose = Whose {
            guest,
            version: house.version,
            keys: house.keys,
        };
        Ok(Some((whose, outlook)))
    }
}

impl Outlook {
    /// What had its time by a day, with what an erasure would do of it on another.
    pub(super) fn due(&self, rules: &Rules, as_of: NaiveDate, on: NaiveDate) -> (Due, Preview) {
        self.due_by(&plan(&self.facts, rules), as_of, on)
    }

    fn due_by(&self, plans: &[CategoryPlan], as_of: NaiveDate, on: NaiveDate) -> (Due, Preview) {
        let told = preview(&self.facts, plans, &self.holds, self.marks, on);
        (Due::of(&self.facts, plans, &told, as_of), told)
    }

    /// What is over on a day and on each of those after it.
    pub(super) fn week(&self, rules: &Rules, as_of: NaiveDate) -> Vec<(NaiveDate, Due)> {
        let plans = plan(&self.facts, rules);
        let days = as_of.iter_days().take(1 + AHEAD);
        days.map(|day| (day, self.due_by(&plans, day, day).0)).collect()
    }
}

/// Adds what will have had its time on each of these days and had not the day before.
pub(super) fn add_to(days: &mut [ComingDay], week: &[(NaiveDate, Due)]) {
    for (coming, pair) in days.iter_mut().zip(week.windows(2)) {
        let [(_, before), (_, due)] = pair else { continue };
        let more = due.beyond(before);
        coming.guests = coming.guests.saturating_add((!more.is_empty()).into());
        coming.would_erase.add(&more);
    }
}

/// From which day on what is not shown any more.
fn lapsing(week: &[(NaiveDate, Due)]) -> Lapsing {
    let mut lapsing = Lapsing::default();
    for (day, due) in week {
        for category in due.categories() {
            lapsing.drawers.entry(category).or_insert(*day);
        }
        for field in &due.fields {
            lapsing.fields.entry(field.clone()).or_insert(*day);
        }
    }
    lapsing
}

impl Eraser {
    /// Lets reads know from which day on they leave what out, until the next look.
    pub(super) async fn remember(&self, whose: &Whose, week: &[(NaiveDate, Due)]) -> Result<(), GuestError> {
        let (guest, lapsing) = (whose.guest, lapsing(week));
        let known = self.vault.store.read().await?.lapsing(guest).await?;
        let sealed = match known {
            // Nothing did, and nothing does.
            None | Some((0, _)) if lapsing.is_empty() => return Ok(()),
            Some((1, Some(sealed))) if Lapsing::open(guest, &whose.keys, &sealed)? == lapsing => {
                return Ok(());
            }
            _ if lapsing.is_empty() => None,
            _ => Some(lapsing.seal(guest, &whose.keys)?),
        };
        let mut tx = self.vault.store.begin().await?;
        tx.set_lapsing(guest, whose.version, sealed.as_deref()).await?;
        Ok(tx.commit().await?)
    }

    async fn look_at(&self, guest: GuestId, today: NaiveDate) -> Result<(), GuestError> {
        if let Some((whose, outlook)) = self.outlook(guest).await? {
            self.remember(&whose, &outlook.week(&self.rules, today)).await?;
        }
        Ok(())
    }

    /// Looks again at guests that changed since they were looked at, and at those whose agreements did: what of them is
    /// over by that is not shown from now on, not only from the next run on. How many were looked at.
    ///
    /// # Errors
    /// What database and key store say; the rest is looked at the next time.
    pub async fn look_again(&self, seen: &AtomicI64) -> Result<usize, GuestError> {
        let mut conn = self.vault.store.read().await?;
        let newest = conn.newest_position().await?;
        let from = match seen.load(Ordering::Relaxed) {
            0 => conn
                .position_at(micros(self.vault.clock.now() - SINCE))
                .await?
                .map_or(newest, |first| first - 1),
            from => from,
        };
        let to = newest.min(from.saturating_add(EVENTS));
        let mut guests = conn.guests_to_look_at().await?;
        guests.extend(
            conn.guests_of_events((from, to), self.rules.ask_for_more())
                .await?,
        );
        drop(conn);
        guests.sort_unstable();
        guests.dedup();
        let today = self.vault.clock.now().date_naive();
        for guest in guests.iter().copied().map(GuestId) {
            // One that fails must not keep the others waiting; the next run comes by again.
            if let Err(error) = self.look_at(guest, today).await {
                tracing::error!(%error, "what is over of a guest could not be told to reads");
            }
        }
        seen.store(to, Ordering::Relaxed);
        Ok(guests.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retention::{Drawer, FieldTerm, StayFact};

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn guest(contact: &str) -> Outlook {
        let drawer = |category, house| Drawer {
            category,
            values: 2,
            house: Some(day(house)),
        };
        let stay = StayFact {
            property: "LIS01".to_owned(),
            country: "PT".to_owned(),
            province: None,
            acknowledged: None,
            arrival: day("2026-01-10"),
            departure: day("2026-01-12"),
            came: true,
            open: false,
        };
        Outlook {
            facts: Facts {
                stays: vec![stay],
                drawers: vec![
                    drawer(Category::Preference, "2028-01-12"),
                    drawer(Category::Contact, contact),
                ],
                fields: vec![FieldTerm {
                    field: "phones".parse().unwrap(),
                    category: Category::Contact,
                    house: Some(day(contact)),
                }],
                ..Facts::default()
            },
            holds: Vec::new(),
            marks: (true, 0),
        }
    }

    #[test]
    fn each_thing_is_counted_on_the_day_on_which_its_time_ends() {
        let today = day("2026-03-05");
        let mut days = week_after(today);
        assert_eq!(
            (days.len(), days[0].day, days[6].day),
            (7, day("2026-03-06"), day("2026-03-12"))
        );
        // Over already, on the first day, twice on the last, and after the week.
        for contact in [
            "2026-03-05",
            "2026-03-06",
            "2026-03-12",
            "2026-03-12",
            "2026-03-13",
        ] {
            add_to(&mut days, &guest(contact).week(Rules::shipped(), today));
        }
        let guests: Vec<u64> = days.iter().map(|day| day.guests).collect();
        assert_eq!(guests, [1, 0, 0, 0, 0, 0, 2]);
        let last = &days[6].would_erase.categories[&Category::Contact];
        assert_eq!((last.guests, last.values), (2, 4));
        assert_eq!(days[6].would_erase.whole, 0);
    }

    #[test]
    fn a_guest_whose_last_drawer_goes_is_counted_as_gone() {
        let mut days = week_after(day("2028-01-08"));
        add_to(
            &mut days,
            &guest("2026-03-01").week(Rules::shipped(), day("2028-01-08")),
        );
        let whole: Vec<u64> = days.iter().map(|day| day.would_erase.whole).collect();
        assert_eq!(whole, [0, 0, 0, 1, 0, 0, 0]);
    }
}
