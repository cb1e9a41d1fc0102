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
    base::{Action, Errand, FieldSet, GuestId, RecordId, micros},
    keys::GuestKeys,
    matching::{Frequencies, Person, Score, Weights, score::score},
    policy::Snapshot,
};

use super::{
    GuestError, LinkReason, Vault, cores,
    holders::{Crowds, Holders},
    likeness::{PARTS, Probe, categories, opened, person_of},
    put::{Decided, Place},
    sql::{NewReview, ValueRow},
    writing::Writing,
};

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
    /// Whether guests that a record shows to be one are merged without asking.
    pub merges: bool,
    weights: Mutex<Arc<Weights>>,
    crowds: Crowds,
    guests: AtomicI64,
    counted_at: AtomicI64,
}

impl Matcher {
    /// A matcher with the shipped weights.
    #[must_use]
    pub fn new(thresholds: Thresholds, merges: bool) -> Self {
        Self {
            thresholds,
            merges,
            weights: Mutex::new(Arc::new(Weights::default())),
            crowds: Crowds::default(),
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

/// What is known of those whom several may be.
#[derive(Default)]
struct Known {
    holders: Holders,
    people: Arc<BTreeMap<GuestId, Person>>,
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

/// Those of the candidates who are worth a look, best first.
fn scored(
    (weights, ask): (&Weights, f64),
    (person, frequencies): (&Person, &Frequencies),
    candidates: &[GuestId],
    people: &BTreeMap<GuestId, Person>,
) -> Vec<Resembling> {
    let known = candidates
        .iter()
        .filter_map(|guest| Some((guest, people.get(guest)?)));
    let mut found: Vec<Resembling> = known
        .map(|(guest, other)| Resembling {
            guest: *guest,
            score: score(weights, frequencies, person, other),
        })
        .filter(|one| !one.score.veto && one.score.bits >= ask)
        .collect();
    found.sort_by(|a, b| b.score.bits.total_cmp(&a.score.bits).then(a.guest.cmp(&b.guest)));
    found
}

/// Somebody as each of these records describes them.
fn by_record(policy: &Snapshot, keys: &GuestKeys, rows: &[ValueRow]) -> BTreeMap<Uuid, Person> {
    let mut records: BTreeMap<Uuid, Vec<(&str, Value)>> = BTreeMap::new();
    for (row, value) in opened(policy, keys, rows) {
        let values = records.entry(row.record_id).or_default();
        values.push((row.field.as_str(), value));
    }
    let person = |values: Vec<(&str, Value)>| person_of(&values.iter().map(|(field, value)| (*field, value)));
    let records = records.into_iter();
    records.map(|(record, values)| (record, person(values))).collect()
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
        let mut findings = self.resembling_each(&[probe]).await?;
        Ok(findings.pop().unwrap_or_default())
    }

    /// The same of several, who share their statements; a finding for each, in order.
    pub(crate) async fn resembling_each(&self, probes: &[&Probe]) -> Result<Vec<Finding>, GuestError> {
        let mut known = Known::default();
        let mut findings = self.resembling_in(&mut known, probes, false).await?;
        let unfound = findings.iter().zip(probes).enumerate();
        let unfound =
            unfound.filter(|(_, (finding, probe))| finding.found.is_empty() && probe.has_second_tier());
        let (at, again): (Vec<usize>, Vec<&Probe>) = unfound.map(|(at, (_, probe))| (at, *probe)).unzip();
        if again.is_empty() {
            return Ok(findings);
        }
        for (at, finding) in at
            .into_iter()
            .zip(self.resembling_in(&mut known, &again, true).await?)
        {
            if let Some(first) = findings.get_mut(at) {
                *first = finding;
            }
        }
        Ok(findings)
    }

    async fn resembling_in(
        &self,
        known: &mut Known,
        probes: &[&Probe],
        second: bool,
    ) -> Result<Vec<Finding>, GuestError> {
        let now = micros(self.clock.now());
        let keys = probes.iter().flat_map(|probe| probe.keys_asked(second));
        let mut conn = self.store.read().await?;
        let holders = &mut known.holders;
        holders.ask(&mut conn, &self.matcher.crowds, keys, now).await?;
        let candidates: Vec<Vec<GuestId>> = probes
            .iter()
            .map(|probe| holders.candidates(probe, second))
            .collect();
        let guests: BTreeSet<GuestId> = candidates.iter().flatten().copied().collect();
        let unknown = guests
            .into_iter()
            .filter(|guest| !known.people.contains_key(guest));
        let guests: Vec<GuestId> = unknown.collect();
        let rows = conn.likeness_of(&guests, &PARTS).await?;
        drop(conn);
        let people = self.people(&guests, rows).await?;
        Arc::make_mut(&mut known.people).extend(people);
        let count = self.guests_about().await?;
        let questions = probes.iter().zip(candidates).map(|(probe, candidates)| {
            let frequencies = holders.frequencies(probe, second, count);
            (probe.person.clone(), frequencies, candidates)
        });
        let (weights, ask, people) = (
            self.matcher.weights(),
            self.matcher.thresholds.ask,
            Arc::clone(&known.people),
        );
        let found = cores::each(questions.collect(), move |(person, frequencies, candidates)| {
            scored((&weights, ask), (&person, &frequencies), &candidates, &people)
        });
        let finding = |(probe, found): (&&Probe, Option<_>)| {
            Ok(Finding {
                found: found.ok_or(GuestError::Unanswered)?,
                crowded: holders.crowded(probe, second),
            })
        };
        let mut findings: Vec<Finding> = probes
            .iter()
            .zip(found.await)
            .map(finding)
            .collect::<Result<_, GuestError>>()?;
        // Who is retired, restricted or erased takes nothing in.
        let found: BTreeSet<GuestId> = findings
            .iter()
            .flat_map(|f| &f.found)
            .map(|one| one.guest)
            .collect();
        if !found.is_empty() {
            let ids: Vec<GuestId> = found.into_iter().collect();
            let heads = self.store.read().await?.guest_heads(&ids).await?;
            let active = |one: &Resembling| {
                heads
                    .get(&one.guest)
                    .is_some_and(|(_, status, _)| status == "active")
            };
            for finding in &mut findings {
                finding.found.retain(active);
            }
        }
        Ok(findings)
    }

    /// Which tokens of these too many hold, for each in order: those are not written.
    pub(super) async fn crowded_of(&self, probes: &[&Probe]) -> Result<Vec<BTreeSet<[u8; 16]>>, GuestError> {
        let mut holders = Holders::default();
        if !probes.is_empty() {
            let keys = probes.iter().flat_map(|probe| probe.keys_asked(true));
            let mut conn = self.store.read().await?;
            holders
                .count(&mut conn, &self.matcher.crowds, keys, micros(self.clock.now()))
                .await?;
        }
        Ok(probes.iter().map(|probe| holders.crowded(probe, true)).collect())
    }

    /// How two guests compare, each as all its records describe it, with how rare is what they share.
    pub(crate) async fn compared(&self, one: GuestId, other: GuestId) -> Result<Score, GuestError> {
        let guests = [one, other];
        let rows = self.store.read().await?.likeness_of(&guests, &PARTS).await?;
        let mut people = self.people(&guests, rows).await?;
        let mut person = |guest: &GuestId| people.remove(guest).unwrap_or_default();
        self.weighed((one, person(&one)), &person(&other)).await
    }

    /// How a guest compares with another, both as described here.
    pub(crate) async fn weighed(
        &self,
        (guest, person): (GuestId, Person),
        other: &Person,
    ) -> Result<Score, GuestError> {
        let probe = Probe::of_guest(&self.keys.matching_keys().await?, guest, person);
        let mut holders = Holders::default();
        let (keys, now) = (probe.keys_asked(true), micros(self.clock.now()));
        let mut conn = self.store.read().await?;
        holders.ask(&mut conn, &self.matcher.crowds, keys, now).await?;
        drop(conn);
        let frequencies = holders.frequencies(&probe, true, self.guests_about().await?);
        Ok(score(&self.matcher.weights(), &frequencies, &probe.person, other))
    }

    /// Guests as all their records describe them.
    pub(crate) async fn people(
        &self,
        guests: &[GuestId],
        rows: Vec<ValueRow>,
    ) -> Result<BTreeMap<GuestId, Person>, GuestError> {
        let whole = |records: BTreeMap<Uuid, Person>| {
            let mut person = Person::default();
            for record in records.values() {
                person.add(record);
            }
            person
        };
        self.described(guests, rows, whole).await
    }

    /// Guests as each of their records describes them.
    pub(crate) async fn people_by_record(
        &self,
        guests: &[GuestId],
        rows: Vec<ValueRow>,
    ) -> Result<BTreeMap<GuestId, BTreeMap<Uuid, Person>>, GuestError> {
        self.described(guests, rows, std::convert::identity).await
    }

    async fn described<R: Send + 'static>(
        &self,
        guests: &[GuestId],
        rows: Vec<ValueRow>,
        told: fn(BTreeMap<Uuid, Person>) -> R,
    ) -> Result<BTreeMap<GuestId, R>, GuestError> {
        if guests.is_empty() {
            return Ok(BTreeMap::new());
        }
        let policy = self.policies.current();
        let mut keys = self.keys.many_guest_keys(guests, &categories(&policy)).await?;
        let mut of: BTreeMap<GuestId, Vec<ValueRow>> = BTreeMap::new();
        for row in rows {
            of.entry(GuestId(row.guest_id)).or_default().push(row);
        }
        let sealed = of
            .into_iter()
            .filter_map(|(guest, rows)| Some((guest, keys.remove(&guest)?, rows)));
        let described = cores::each(sealed.collect(), move |(guest, keys, rows)| {
            (guest, told(by_record(&policy, &keys, &rows)))
        });
        let described: Option<_> = described.await.into_iter().collect();
        described.ok_or(GuestError::Unanswered)
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

    /// Where the record of somebody goes, of whom comparing found this.
    pub(super) fn decide(&self, errand: &Errand, finding: Finding) -> Place {
        let Finding { mut found, crowded } = finding;
        let link = self.matcher.thresholds.link;
        let certain = found.iter().take_while(|one| one.score.links(link)).count();
        let Some(best) = found.first() else {
            return Place::New(Decided {
                probability: 1.0,
                crowded,
                ..Decided::default()
            });
        };
        let decided = Decided {
            probability: best.score.probability(),
            reasons: self.told(errand, &best.score),
            doubts: Vec::new(),
            crowded,
        };
        if certain == 0 {
            return Place::New(Decided {
                doubts: found,
                ..decided
            });
        }
        // A second guest that is as surely the one: the two may be one themselves.
        let doubts: Vec<Resembling> = found.drain(1..certain).collect();
        let guest = found.first().map_or_else(GuestId::random, |best| best.guest);
        Place::Linked(guest, Decided { doubts, ..decided })
    }

    /// Asks a steward what the record leaves open; the first question.
    pub(super) async fn ask_steward(
        &self,
        writing: &mut Writing<'_, '_>,
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
            writing.change().await?.tx.insert_review(review).await?;
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
