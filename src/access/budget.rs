//! Access budgets: how much one actor may look at in an hour, and all that a credential names together, so that a curious
//! hand or a stolen credential is bounded (promise P11).
//!
//! Counted in memory and per process: a restart forgets, several instances count apart.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, PoisonError},
};

use chrono::{DateTime, Duration, Utc};

use crate::{
    base::{Caller, Clock, GuestId, PrincipalId},
    config::BudgetsConfig,
};

/// Actors counted at the same time before those whose hour is over are swept out.
const SWEEP_AT: usize = 10_000;

/// The budget is used up; it is full again in so many seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the access budget is used up")]
pub struct Exceeded {
    /// Seconds until the hour is over.
    pub seconds: u32,
    /// Whether it is the first look of this hour that was refused: told to other systems once, not each time.
    pub first: bool,
}

/// Whose looks are counted together.
#[derive(PartialEq, Eq, Hash)]
enum Holder {
    /// One actor behind a credential; none where it names none.
    Actor(PrincipalId, Option<String>),
    /// A credential, whomever it names.
    Credential(PrincipalId),
}

/// Counts looks by principal and actor, and by principal.
pub struct Budgets {
    config: BudgetsConfig,
    clock: Clock,
    used: Mutex<HashMap<Holder, Used>>,
}

struct Used {
    since: DateTime<Utc>,
    guests: HashSet<GuestId>,
    reveals: u32,
    searches: u32,
    refused: bool,
}

impl Used {
    fn new(since: DateTime<Utc>) -> Self {
        Self {
            since,
            guests: HashSet::new(),
            reveals: 0,
            searches: 0,
            refused: false,
        }
    }

    fn is_over(&self, now: DateTime<Utc>) -> bool {
        // One that begins later than now was begun by a clock that was set back since.
        self.since > now || now - self.since >= Duration::hours(1)
    }
}

impl Budgets {
    /// Budgets as configured; zero is no limit.
    #[must_use]
    pub fn new(config: BudgetsConfig, clock: Clock) -> Self {
        Self {
            config,
            clock,
            used: Mutex::default(),
        }
    }

    /// Counts a look at a guest; the same guest again within the hour costs nothing.
    ///
    /// # Errors
    /// When it would be one guest too many.
    pub fn look(&self, caller: &Caller, guest: GuestId) -> Result<(), Exceeded> {
        let most = self.config.of(&caller.role).guests_per_hour;
        self.count(caller, most, |used, most| {
            if used.guests.contains(&guest) {
                return true;
            }
            let room = used.guests.len() < usize::try_from(most).unwrap_or(usize::MAX);
            // What is refused is not kept: a guest shown before stays free, and memory bounded.
            room && used.guests.insert(guest)
        })
    }

    /// Counts a reveal.
    ///
    /// # Errors
    /// When it would be one too many.
    pub fn reveal(&self, caller: &Caller) -> Result<(), Exceeded> {
        let most = self.config.of(&caller.role).reveals_per_hour;
        self.count(caller, most, |used, most| step(&mut used.reveals, most))
    }

    /// Counts a search.
    ///
    /// # Errors
    /// When it would be one too many.
    pub fn search(&self, caller: &Caller) -> Result<(), Exceeded> {
        let most = self.config.of(&caller.role).searches_per_hour;
        self.count(caller, most, |used, most| step(&mut used.searches, most))
    }

    /// Counts for the actor, then for the credential behind it: what an actor may not does not use up what others may.
    fn count(
        &self,
        caller: &Caller,
        most: u32,
        fits: impl Fn(&mut Used, u32) -> bool,
    ) -> Result<(), Exceeded> {
        let actor = Holder::Actor(caller.principal, caller.actor.clone());
        let credential = Holder::Credential(caller.principal);
        let together = most.saturating_mul(self.config.credential_factor);
        let mut all = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        // Asked once it is this one's turn, so that no other has begun an hour later than now.
        let now = self.clock.now();
        if all.len() >= SWEEP_AT {
            all.retain(|_, used| !used.is_over(now));
        }
        for (holder, most) in [(actor, most), (credential, together)] {
            if most == 0 {
                continue;
            }
            let used = all.entry(holder).or_insert_with(|| Used::new(now));
            if used.is_over(now) {
                *used = Used::new(now);
            }
            if !fits(used, most) {
                let left = Duration::hours(1) - (now - used.since);
                let first = !std::mem::replace(&mut used.refused, true);
                return Err(Exceeded {
                    seconds: u32::try_from(left.num_seconds()).unwrap_or(3600).max(1),
                    first,
                });
            }
        }
        Ok(())
    }
}

/// One more, where there is room for it.
const fn step(count: &mut u32, most: u32) -> bool {
    let room = *count < most;
    if room {
        *count += 1;
    }
    room
}

#[cfg(test)]
mod tests {
    use crate::{base::Credential, config::Budget};

    use super::*;

    fn caller(actor: &str) -> Caller {
        Caller {
            principal: PrincipalId(uuid::Uuid::nil()),
            credential: Credential::ApiKey,
            role: "front_desk".parse().unwrap(),
            scope: Vec::new(),
            actor: Some(actor.to_owned()),
        }
    }

    #[test]
    fn a_budget_is_used_up_per_actor_and_full_again_after_an_hour() {
        let clock = Clock::fixed("2026-03-05T10:00:00Z".parse().unwrap());
        let default = Budget {
            guests_per_hour: 2,
            reveals_per_hour: 3,
            searches_per_hour: 0,
        };
        let budgets = Budgets::new(
            BudgetsConfig {
                default,
                ..BudgetsConfig::default()
            },
            clock.clone(),
        );
        let (one, two) = (caller("s-1"), caller("s-2"));
        assert!((0..3).all(|_| budgets.reveal(&one).is_ok()));
        let refused = |first| Err(Exceeded { seconds: 3600, first });
        assert_eq!(budgets.reveal(&one), refused(true));
        assert_eq!(budgets.reveal(&one), refused(false), "told once an hour");
        assert!(budgets.reveal(&two).is_ok());
        assert!((0..100).all(|_| budgets.search(&one).is_ok()), "zero is no limit");
        let guest = GuestId::random();
        assert!(
            (0..9).all(|_| budgets.look(&one, guest).is_ok()),
            "the same guest again costs nothing"
        );
        assert!(budgets.look(&one, GuestId::random()).is_ok());
        assert!(budgets.look(&one, GuestId::random()).is_err());
        assert!(
            budgets.look(&one, guest).is_ok(),
            "nor when the budget is used up"
        );
        clock.set("2026-03-05T11:00:00Z".parse().unwrap());
        assert!(budgets.reveal(&one).is_ok());
    }

    #[test]
    fn a_clock_that_is_set_back_keeps_no_budget_used_up() {
        let clock = Clock::fixed("2026-04-14T10:00:00Z".parse().unwrap());
        let default = Budget {
            guests_per_hour: 0,
            reveals_per_hour: 1,
            searches_per_hour: 0,
        };
        let config = BudgetsConfig {
            default,
            ..BudgetsConfig::default()
        };
        let (budgets, one) = (Budgets::new(config, clock.clone()), caller("s-1"));
        assert!(budgets.reveal(&one).is_ok());
        clock.set("2026-03-05T10:00:00Z".parse().unwrap());
        assert!(budgets.reveal(&one).is_ok());
        let used_up = Exceeded {
            seconds: 3600,
            first: true,
        };
        assert_eq!(budgets.reveal(&one), Err(used_up));
    }

    #[test]
    fn who_invents_actors_comes_to_the_end_of_the_credential() {
        let clock = Clock::fixed("2026-03-05T10:00:00Z".parse().unwrap());
        let config = |credential_factor| BudgetsConfig {
            credential_factor,
            default: Budget {
                guests_per_hour: 2,
                reveals_per_hour: 1,
                searches_per_hour: 0,
            },
            ..BudgetsConfig::default()
        };
        let reached = |budgets: &Budgets| {
            let actors: Vec<_> = (0..50).map(|number| caller(&format!("s-{number}"))).collect();
            let looks = |actor| {
                (0..2)
                    .filter(|_| budgets.look(actor, GuestId::random()).is_ok())
                    .count()
            };
            let reveals = actors
                .iter()
                .filter(|actor| budgets.reveal(actor).is_ok())
                .count();
            (reveals, actors.iter().map(looks).sum::<usize>())
        };
        let budgets = Budgets::new(config(3), clock.clone());
        assert_eq!(reached(&budgets), (3, 6));
        clock.set("2026-03-05T11:00:00Z".parse().unwrap());
        assert_eq!(reached(&budgets), (3, 6), "full again");
        assert_eq!(
            reached(&Budgets::new(config(0), clock)),
            (50, 100),
            "zero is no limit"
        );
    }
}
