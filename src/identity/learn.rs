//! Weights that follow the stewards' answers: learnt in a dry run that lists which earlier decisions would flip, then put
//! in force under a version of their own, which every later decision notes.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use uuid::Uuid;

use crate::{
    access::OPERATOR,
    audit::{Act, Event},
    base::{Errand, micros},
    guest::{GuestError, Vault, resembling::thousandths},
    matching::{
        Cell, Weights,
        learn::{Answered, Learnt, Shifts, learn, moved, shifted},
    },
    store::StoreError,
};

use super::{review, sql::ReviewRow};

/// Questions of one step.
const STEP: i64 = 500;
/// Fewer answers than this teach nothing that could be put in force.
pub const FEWEST: usize = 50;
/// What the versions of learnt weights begin with.
const LEARNT: &str = "learnt-";

/// What is done with a pair of this score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Linked without asking.
    Link,
    /// A steward is asked.
    Ask,
    /// Nothing.
    Apart,
}

/// A decision that would be another with the learnt weights.
#[derive(Debug, Clone, Serialize)]
pub struct Flip {
    /// The question.
    pub review_id: Uuid,
    /// What was done.
    pub before: Decision,
    /// What would be done.
    pub after: Decision,
    /// In bits, with the weights of then and with the learnt ones.
    pub bits: (f64, f64),
    /// What the steward said: `same`, `different`, or `open`.
    pub answer: &'static str,
}

/// What the answers teach.
#[derive(Debug, Clone, Serialize)]
pub struct Lesson {
    /// The version that the weights have or would have.
    pub version: String,
    /// Answers that were learnt from.
    pub answers: usize,
    /// Bits by which levels lie off.
    pub shifts: BTreeMap<String, f64>,
    /// Mean surprise in bits on the answers kept aside, before and after.
    pub held_out: (f64, f64),
    /// Decisions that would be others.
    pub flips: Vec<Flip>,
    /// Whether the weights are in force now.
    pub applied: bool,
}

/// The levels of a question's stored reasons.
fn cells(row: &ReviewRow) -> BTreeSet<Cell> {
    let stored: Vec<(String, String, i64)> = serde_json::from_str(&row.reasons).unwrap_or_default();
    let named = stored
        .iter()
        .filter_map(|(field, level, _)| Cell::from_name(&format!("{field}.{level}")));
    named.collect()
}

fn stored(shifts: &Shifts) -> String {
    let all: BTreeMap<String, i64> = shifts
        .iter()
        .map(|(cell, shift)| (cell.name(), thousandths(*shift)))
        .collect();
    serde_json::to_string(&all).unwrap_or_default()
}

fn read(shifts: &str) -> Shifts {
    let all: BTreeMap<String, i64> = serde_json::from_str(shifts).unwrap_or_default();
    let cell = |(name, shift): (String, i64)| Some((Cell::from_name(&name)?, review::bits(shift)));
    all.into_iter().filter_map(cell).collect()
}

impl Vault {
    /// Puts the newest learnt weights in force here; without any, the shipped ones stay.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn load_weights(&self) -> Result<(), GuestError> {
        let newest = self.store.read().await?.learnt(None).await?;
        if let Some((version, shifts)) = newest {
            let version = format!("{LEARNT}{version}");
            if self.matcher.weights().version != version {
                self.matcher.set_weights(Weights::shifted(version, read(&shifts)));
            }
        }
        Ok(())
    }

    /// What the stewards' answers teach; with `apply` it is put in force. `reset` forgets what was learnt.
    ///
    /// # Errors
    /// [`GuestError::Blocked`] when there are too few answers to put anything in force, or the learnt weights would
    /// surprise more than those there are, or another run was faster; what store or log fail with.
    pub async fn learn(
        &self,
        errand: &Errand,
        seed: i64,
        (apply, reset): (bool, bool),
    ) -> Result<Lesson, GuestError> {
        let rows = self.reviews_of_all_times().await?;
        let mut then = BTreeMap::new();
        for version in rows
            .iter()
            .map(|row| row.weights.clone())
            .collect::<BTreeSet<_>>()
        {
            let shifts = self.shifts_of(&version).await?;
            then.insert(version, shifts);
        }
        let plain: Vec<Answered> = rows.iter().map(|row| plain(row, &then)).collect();
        let answered: Vec<Answered> = rows
            .iter()
            .zip(&plain)
            .filter(|(row, _)| answer(row) != "open")
            .map(|(_, one)| one.clone())
            .collect();
        let Learnt { shifts, held_out } = if reset {
            learn(&[], 0)
        } else {
            learn(&answered, u64::try_from(seed).unwrap_or_default())
        };
        let newest = self
            .store
            .read()
            .await?
            .learnt(None)
            .await?
            .map_or(0, |(version, _)| version);
        let flips = rows
            .iter()
            .zip(&plain)
            .filter_map(|(row, one)| self.flip(row, one, &shifts));
        let mut lesson = Lesson {
            version: format!("{LEARNT}{}", newest + 1),
            answers: answered.len(),
            shifts: shifts.iter().map(|(cell, shift)| (cell.name(), *shift)).collect(),
            held_out,
            flips: flips.collect(),
            applied: false,
        };
        if !apply {
            return Ok(lesson);
        }
        if !reset && answered.len() < FEWEST {
            return Err(GuestError::Blocked(format!(
                "{} answers are too few: {FEWEST} are needed",
                answered.len()
            )));
        }
        if !reset && held_out.1 > held_out.0 {
            return Err(GuestError::Blocked(
                "the weights there are do better on the answers kept aside".to_owned(),
            ));
        }
        let mut event = Event::of(errand, Act::ReviewIdentity, self.clock.now());
        event.outcome = Some("weights_applied");
        event.count = u64::try_from(answered.len()).ok();
        let mut change = self.log.begin(&self.store).await?;
        let answers = i64::try_from(answered.len()).unwrap_or(i64::MAX);
        let by = errand.caller.principal.0;
        let now = micros(self.clock.now());
        let weights = (newest + 1, stored(&shifts));
        let kept = change
            .tx
            .insert_weights((weights.0, &weights.1), (answers, seed), by, now);
        match kept.await {
            Err(StoreError::Conflict) => {
                let reason = "another `identity learn` was faster; run it again";
                return Err(GuestError::Blocked(reason.to_owned()));
            }
            kept => kept?,
        }
        change.record(event);
        change.commit().await?;
        self.load_weights().await?;
        lesson.applied = true;
        Ok(lesson)
    }

    fn flip(&self, row: &ReviewRow, plain: &Answered, shifts: &Shifts) -> Option<Flip> {
        let bits = (review::bits(row.bits), shifted(plain, shifts));
        let (before, after) = (self.decision(bits.0), self.decision(bits.1));
        (before != after).then(|| Flip {
            review_id: row.review_id,
            before,
            after,
            bits,
            answer: answer(row),
        })
    }

    fn decision(&self, bits: f64) -> Decision {
        let thresholds = self.matcher.thresholds;
        match () {
            () if bits >= thresholds.link => Decision::Link,
            () if bits >= thresholds.ask => Decision::Ask,
            () => Decision::Apart,
        }
    }

    async fn reviews_of_all_times(&self) -> Result<Vec<ReviewRow>, GuestError> {
        let mut all: Vec<ReviewRow> = Vec::new();
        loop {
            let after = all.last().map_or_else(Uuid::nil, |row| row.review_id);
            let some = self.store.read().await?.all_reviews(after, STEP).await?;
            if some.is_empty() {
                return Ok(all);
            }
            all.extend(some);
        }
    }

    /// The shifts that a version of the weights had; none of the shipped ones.
    async fn shifts_of(&self, version: &str) -> Result<Shifts, GuestError> {
        let Some(version) = version.strip_prefix(LEARNT).and_then(|n| n.parse::<i64>().ok()) else {
            return Ok(Shifts::new());
        };
        let found = self.store.read().await?.learnt(Some(version)).await?;
        Ok(found.map(|(_, shifts)| read(&shifts)).unwrap_or_default())
    }
}

/// A question's score without the shifts of then.
fn plain(row: &ReviewRow, then: &BTreeMap<String, Shifts>) -> Answered {
    let cells = cells(row);
    let shift = then.get(&row.weights).map_or(0.0, |shifts| moved(&cells, shifts));
    Answered {
        bits: review::bits(row.bits) - shift,
        cells,
        same: answer(row) == "same",
    }
}

/// What a steward said; the merge that `same` makes answers every question about the two. What the vault merged by itself
/// says nothing: its weights would only learn to be as sure as they are.
fn answer(row: &ReviewRow) -> &'static str {
    if row.decided_by == Some(OPERATOR.0) {
        return "open";
    }
    match row.state.as_str() {
        "same" | "answered" => "same",
        "different" => "different",
        _ => "open",
    }
}
