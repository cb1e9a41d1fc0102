//! Which guests a record may belong to, and what follows: link, ask a steward, or a new guest.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
};

use serde_json::Value;
use uuid::Uuid;

use crate::{
    audit::Change,
    base::{Action, Errand, FieldSet, GuestId, RecordId, micros},
    matching::{Frequencies, Person, Score, Weights, blocking::CAP, score::score},
    policy::Snapshot,
};

use super::{
    GuestError, LinkReason, Vault,
    likeness::{PARTS, Probe, categories, opened, person_of},
    put::{Decided, Place},
    sql::NewReview,
};

/// Guests compared with one record at most.
const MOST: usize = 400;
/// Others that a steward is asked about for one record.
const MOST_DOUBTS: usize = 3;
/// For how long a count of all guests is good enough.
const COUNT_GOOD_FOR: i64 = 60_000_000;

/// From how many bits on what is done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// From here on a record is linked without asking.
    pub link: f64,
    /// From here on a steward is asked.
    pub ask: f64,
}

/// What decides who is whom: thresholds, weights, and the number of guests.
pub struct Matcher {
    /// From how many bits on what is done.
    pub thresholds: Thresholds,
    weights: Mutex<Arc<Weights>>,
    guests: AtomicI64,
    counted_at: AtomicI64,
}

impl Matcher {
    /// A matcher with the shipped weights.
    #[must_use]
    pub fn new(thresholds: Thresholds) -> Self {
        Self {
            thresholds,
            weights: Mutex::new(Arc::new(Weights::default())),
            guests: AtomicI64::new(0),
            counted_at: AtomicI64::new(i64::MIN),
        }
    }

    /// The weights in force.
    #[must_use]
    pub fn weights(&self) -> Arc<Weights> {
        match self.weights.lock() {
            Ok(weights) => Arc::clone(&weights),
            Err(poisoned) => Arc::clone(&poisoned.into_inner()),
        }
    }

    /// Puts other weights in force.
    pub fn set_weights(&self, weights: Weights) {
        let weights = Arc::new(weights);
        match self.weights.lock() {
            Ok(mut held) => *held = weights,
            Err(poisoned) => *poisoned.into_inner() = weights,
        }
    }
}

/// A guest that may be the one.
pub(crate) struct Resembling {
    pub(crate) guest: GuestId,
    pub(crate) score: Score,
}

/// What comparing found.
#[derive(Default)]
pub(crate) struct Finding {
    /// Those worth a look, best first.
    pub(crate) found: Vec<Resembling>,
    /// Tokens that so many hold that they find nobody.
    pub(crate) crowded: BTreeSet<[u8; 16]>,
}

/// How a score is told: what each comparison adds.
pub(crate) fn reasons(score: &Score, visible: impl Fn(&str) -> bool) -> Vec<LinkReason> {
    let mut told = Vec::new();
    let mut withheld = 0.0;
    for share in score.shares() {
        match share.cell {
            Some(cell) if !visible(cell.field()) => withheld += share.weight,
            Some(cell) => told.push(LinkReason {
                field: cell.field().to_owned(),
                level: cell.level(),
                weight: share.weight,
            }),
            None => told.push(LinkReason {
                field: "prior".to_owned(),
                level: "prior",
                weight: share.weight,
            }),
        }
    }
    if withheld != 0.0 {
        told.push(LinkReason {
            field: "withheld".to_owned(),
            level: "withheld",
            weight: withheld,
        });
    }
    told
}

/// Bits as they are stored: thousandths.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "clamped to what fits"
)]
pub(crate) fn thousandths(bits: f64) -> i64 {
    (bits.clamp(-1000.0, 1000.0) * 1000.0).round() as i64
}

impl Vault {
    /// Roughly how many guests there are.
    pub(crate) async fn guests_about(&self) -> Result<f64, GuestError> {
        let (matcher, now) = (&self.matcher, micros(self.clock.now()));
        let at = matcher.counted_at.load(Ordering::Relaxed);
        if at == i64::MIN || now.saturating_sub(at) > COUNT_GOOD_FOR {
            matcher.counted_at.store(now, Ordering::Relaxed);
            let guests = self.store.read().await?.guests_count().await?;
            matcher.guests.store(guests, Ordering::Relaxed);
        }
        let guests = matcher.guests.load(Ordering::Relaxed);
        Ok(f64::from(u32::try_from(guests).unwrap_or(u32::MAX)))
    }

    /// Who resembles somebody, best first; nobody below the steward's threshold.
    pub(crate) async fn resembling(&self, probe: &Probe) -> Result<Finding, GuestError> {
        let first = self.resembling_in(probe, false).await?;
        let second = probe.keys.iter().any(|keyed| keyed.key.kind.is_second_tier());
        if first.found.is_empty() && second {
            return self.resembling_in(probe, true).await;
        }
        Ok(first)
    }

    async fn resembling_in(&self, probe: &Probe, second: bool) -> Result<Finding, GuestError> {
        let asked = probe
            .keys
            .iter()
            .filter(|keyed| second || !keyed.key.kind.is_second_tier());
        let tokens: Vec<[u8; 16]> = asked.map(|keyed| keyed.token).collect();
        if tokens.is_empty() {
            return Ok(Finding::default());
        }
        let mut conn = self.store.read().await?;
        let mut holders: BTreeMap<[u8; 16], BTreeSet<GuestId>> = BTreeMap::new();
        for (token, guest) in conn.identity_postings(&tokens, i64::from(CAP) + 1).await? {
            holders.entry(token).or_default().insert(guest);
        }
        let cap = usize::try_from(CAP).unwrap_or(usize::MAX);
        let crowded = |list: &BTreeSet<GuestId>| list.len() > cap;
        let mut guests: BTreeMap<GuestId, usize> = BTreeMap::new();
        for guest in holders.values().filter(|list| !crowded(list)).flatten() {
            *guests.entry(*guest).or_default() += 1;
        }
        // Those that share most keys first, should there be too many.
        let mut guests: Vec<(GuestId, usize)> = guests.into_iter().collect();
        guests.sort_by_key(|(guest, shared)| (std::cmp::Reverse(*shared), *guest));
        let guests: Vec<GuestId> = guests.into_iter().take(MOST).map(|(guest, _)| guest).collect();
        let rows = if guests.is_empty() {
            Vec::new()
        } else {
            conn.likeness_of(&guests, &PARTS).await?
        };
        drop(conn);
        let mut frequencies = Frequencies::new(self.guests_about().await?);
        for keyed in &probe.keys {
            // The candidate itself is one of the holders.
            let others = holders
                .get(&keyed.token)
                .map_or(0, |list| list.len().saturating_sub(1));
            frequencies.note(keyed.key.clone(), u32::try_from(others).unwrap_or(u32::MAX));
        }
        let people = self.people(&guests, rows).await?;
        let weights = self.matcher.weights();
        let mut found: Vec<Resembling> = people
            .iter()
            .map(|(guest, person)| Resembling {
                guest: *guest,
                score: score(&weights, &frequencies, &probe.person, person),
            })
            .filter(|one| !one.score.veto && one.score.bits >= self.matcher.thresholds.ask)
            .collect();
        // Who is retired, restricted or erased takes nothing in.
        let ids: Vec<GuestId> = found.iter().map(|one| one.guest).collect();
        if !ids.is_empty() {
            let heads = self.store.read().await?.guest_heads(&ids).await?;
            found.retain(|one| {
                heads
                    .get(&one.guest)
                    .is_some_and(|(_, status, _)| status == "active")
            });
        }
        found.sort_by(|a, b| b.score.bits.total_cmp(&a.score.bits).then(a.guest.cmp(&b.guest)));
        let crowded = holders
            .iter()
            .filter(|(_, list)| crowded(list))
            .map(|(token, _)| *token);
        Ok(Finding {
            found,
            crowded: crowded.collect(),
        })
    }

    /// Guests as all their records describe them.
    pub(crate) async fn people(
        &self,
        guests: &[GuestId],
        rows: Vec<super::sql::ValueRow>,
    ) -> Result<BTreeMap<GuestId, Person>, GuestError> {
        if guests.is_empty() {
            return Ok(BTreeMap::new());
        }
        let policy = self.policies.current();
        let keys = self.keys.many_guest_keys(guests, &categories(&policy)).await?;
        let mut of: BTreeMap<Uuid, Vec<super::sql::ValueRow>> = BTreeMap::new();
        for row in rows {
            of.entry(row.guest_id).or_default().push(row);
        }
        let mut people = BTreeMap::new();
        for (guest, rows) in of {
            let Some(keys) = keys.get(&GuestId(guest)) else {
                continue;
            };
            let mut records: BTreeMap<Uuid, Vec<(&str, Value)>> = BTreeMap::new();
            for (row, value) in opened(&policy, keys, &rows) {
                records
                    .entry(row.record_id)
                    .or_default()
                    .push((row.field.as_str(), value));
            }
            let mut person = Person::default();
            for values in records.values() {
                person.add(&person_of(&values.iter().map(|(field, value)| (*field, value))));
            }
            people.insert(GuestId(guest), person);
        }
        Ok(people)
    }

    /// The fields of which this caller may be told how they compared.
    pub(crate) fn comparable(errand: &Errand, policy: &Snapshot) -> FieldSet {
        let all: FieldSet = policy.catalogue().iter().map(|(at, _)| at).collect();
        let mut seen = Vec::new();
        for action in [Action::Read, Action::Search, Action::Write] {
            let role = &errand.caller.role;
            if let Some(grant) = policy.decide(role, &errand.property, &errand.purpose, action, &all) {
                seen.extend(grant.columns().iter());
            }
        }
        seen.into_iter().collect()
    }

    /// How a score is told to this caller.
    pub(crate) fn told(&self, errand: &Errand, score: &Score) -> Vec<LinkReason> {
        let policy = self.policies.current();
        let seen = Self::comparable(errand, &policy);
        reasons(score, |field| {
            // A comparison of names concerns every part of the name.
            let mut meant = policy.catalogue().select(field).into_iter();
            meant.any(|at| seen.contains(at))
        })
    }

    /// Where the record of somebody goes.
    pub(super) async fn decide(&self, errand: &Errand, probe: &Probe) -> Result<Place, GuestError> {
        let Finding {
            mut found, crowded, ..
        } = self.resembling(probe).await?;
        let link = self.matcher.thresholds.link;
        let certain = found.iter().take_while(|one| one.score.bits >= link).count();
        let Some(best) = found.first() else {
            return Ok(Place::New(Decided {
                probability: 1.0,
                crowded,
                ..Decided::default()
            }));
        };
        let decided = Decided {
            probability: best.score.probability(),
            reasons: self.told(errand, &best.score),
            doubts: Vec::new(),
            crowded,
        };
        if certain == 0 {
            return Ok(Place::New(Decided {
                doubts: found,
                ..decided
            }));
        }
        // A second guest that is as surely the one: the two may be one themselves.
        let doubts: Vec<Resembling> = found.drain(1..certain).collect();
        let guest = found.first().map_or_else(GuestId::random, |best| best.guest);
        Ok(Place::Linked(guest, Decided { doubts, ..decided }))
    }

    /// Asks a steward what the record leaves open; the first question.
    pub(super) async fn ask_steward(
        &self,
        change: &mut Change,
        errand: &Errand,
        at: (GuestId, RecordId),
        place: &Place,
    ) -> Result<Option<Uuid>, GuestError> {
        let (kind, decided) = match place {
            Place::Known(..) => return Ok(None),
            Place::Linked(_, decided) => ("duplicate", decided),
            Place::New(decided) => ("record", decided),
        };
        let reviews = self.doubts(errand, at, kind, &decided.doubts);
        for review in &reviews {
            change.tx.insert_review(review).await?;
        }
        Ok(reviews.first().map(|review| review.review))
    }

    /// The questions for a steward that a new record raises.
    fn doubts(
        &self,
        errand: &Errand,
        (guest, record): (GuestId, RecordId),
        kind: &'static str,
        found: &[Resembling],
    ) -> Vec<NewReview> {
        let weights = self.matcher.weights();
        let now = micros(self.clock.now());
        let review = |one: &Resembling| {
            let bits = thousandths(one.score.bits);
            let reasons: Vec<(String, &str, i64)> = reasons(&one.score, |_| true)
                .into_iter()
                .map(|reason| (reason.field, reason.level, thousandths(reason.weight)))
                .collect();
            NewReview {
                review: Uuid::now_v7(),
                kind,
                guest,
                record,
                other: one.guest,
                bits,
                reasons: serde_json::to_string(&reasons).unwrap_or_default(),
                weights: weights.version.clone(),
                property: errand.property.to_string(),
                // The surest first: they are the quickest to answer and the likeliest to matter.
                priority: bits,
                now,
            }
        };
        found.iter().take(MOST_DOUBTS).map(review).collect()
    }
}
