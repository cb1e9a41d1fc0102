//! What stewards' answers teach: how far each weight lies from the one in force.
//!
//! Answered questions are a chosen few, those whose score was in doubt, so they say nothing of how common a level is.
//! They do say whether a score means what it states: of pairs with a level in them and a stated chance of p, about p
//! should be the same person. Each level gets a shift in bits, found by logistic regression around the scores as they
//! were, held back to nought by a normal prior of one bit. A shift moves both columns alike, so it adds up with the
//! score.

use std::collections::{BTreeMap, BTreeSet};

use super::{Cell, score::probability};

/// A question that a steward has answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// The score without any shift, in bits.
    pub bits: f64,
    /// What agreed, and how.
    pub cells: BTreeSet<Cell>,
    /// Whether they are one.
    pub same: bool,
}

/// Bits by which levels lie off.
pub type Shifts = BTreeMap<Cell, f64>;

/// What was learnt.
#[derive(Debug, Clone, PartialEq)]
pub struct Learnt {
    /// The shifts.
    pub shifts: Shifts,
    /// The mean surprise (bits an answer) on the answers that were kept aside: before, and with the shifts.
    pub held_out: (f64, f64),
}

/// Rounds over all levels; each level's step is Newton's, so that few are needed.
const ROUNDS: usize = 60;
/// The prior's weight: a shift of one bit costs as much as it would at one standard deviation.
const PRIOR: f64 = 1.0;
/// No shift is larger, whatever the answers say.
const MOST: f64 = 4.0;

/// Learns from answers. Every fifth, by a draw from the seed, is kept aside to tell whether it helps; the shifts are
/// learnt from the others. The same answers and seed give the same shifts.
#[must_use]
pub fn learn(answers: &[Answered], seed: u64) -> Learnt {
    let mut state = seed;
    let mut aside = Vec::new();
    let mut used = Vec::new();
    for answer in answers {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        if (z ^ (z >> 31)).is_multiple_of(5) {
            aside.push(answer);
        } else {
            used.push(answer);
        }
    }
    let shifts = fitted(&used);
    let held_out = (surprise(&aside, &Shifts::new()), surprise(&aside, &shifts));
    Learnt { shifts, held_out }
}

/// The score of an answer under shifts.
#[must_use]
pub fn shifted(answer: &Answered, shifts: &Shifts) -> f64 {
    answer.bits + moved(&answer.cells, shifts)
}

/// By how much shifts move a score with these levels in it.
#[must_use]
pub fn moved(cells: &BTreeSet<Cell>, shifts: &Shifts) -> f64 {
    cells.iter().filter_map(|cell| shifts.get(cell)).sum()
}

fn fitted(answers: &[&Answered]) -> Shifts {
    let cells: BTreeSet<Cell> = answers
        .iter()
        .flat_map(|answer| answer.cells.iter().copied())
        .collect();
    let mut shifts: Shifts = cells.iter().map(|cell| (*cell, 0.0)).collect();
    for _ in 0..ROUNDS {
        for cell in &cells {
            let now = shifts.get(cell).copied().unwrap_or_default();
            // In bits: the derivative of log2(1 + 2^-x) is one less the chance, its second p(1-p)ln2.
            let (mut slope, mut bend) = (-PRIOR * now, PRIOR);
            for answer in answers.iter().filter(|answer| answer.cells.contains(cell)) {
                let chance = probability(shifted(answer, &shifts));
                slope += f64::from(u8::from(answer.same)) - chance;
                bend += chance * (1.0 - chance) * std::f64::consts::LN_2;
            }
            shifts.insert(*cell, (now + slope / bend).clamp(-MOST, MOST));
        }
    }
    shifts
}

fn surprise(answers: &[&Answered], shifts: &Shifts) -> f64 {
    let each = answers.iter().map(|answer| {
        let bits = shifted(answer, shifts);
        (-if answer.same { bits } else { -bits }).exp2().ln_1p() / std::f64::consts::LN_2
    });
    let count = u32::try_from(answers.len()).unwrap_or(u32::MAX).max(1);
    // A sum of nothing is -0.
    (each.sum::<f64>() + 0.0) / f64::from(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(bits: f64, cells: &[Cell], same: bool) -> Answered {
        Answered {
            bits,
            cells: cells.iter().copied().collect(),
            same,
        }
    }

    /// Phones that are shared more than the table thinks: of pairs stated at 4 bits half are two people.
    fn shared_phones() -> Vec<Answered> {
        let mut all = Vec::new();
        for n in 0..200 {
            all.push(answered(4.0, &[Cell::WesternExact, Cell::PhoneExact], n % 2 == 0));
            all.push(answered(
                4.0,
                &[Cell::WesternExact, Cell::EmailExact],
                n % 16 != 0,
            ));
        }
        all
    }

    #[test]
    fn a_level_that_promises_too_much_is_lowered_and_others_are_not() {
        let learnt = learn(&shared_phones(), 1);
        let of = |cell| learnt.shifts[&cell];
        assert!(of(Cell::PhoneExact) < -2.0, "{learnt:?}");
        assert!(of(Cell::EmailExact).abs() < 1.5, "{learnt:?}");
        assert!(learnt.held_out.1 < learnt.held_out.0, "{learnt:?}");
        let total = of(Cell::PhoneExact) + of(Cell::WesternExact);
        // Half of them are one: nought bits in all.
        assert!((4.0 + total).abs() < 0.4, "{total}");
    }

    #[test]
    fn the_same_answers_teach_the_same() {
        assert_eq!(learn(&shared_phones(), 7), learn(&shared_phones(), 7));
        assert!(learn(&[], 7).shifts.is_empty());
    }

    #[test]
    fn few_answers_move_little() {
        let few = [answered(4.0, &[Cell::PhoneExact], false)];
        let learnt = fitted(&few.iter().collect::<Vec<_>>());
        assert!(learnt[&Cell::PhoneExact] > -1.0, "{learnt:?}");
    }
}
