//! Who holds which keyed tokens: what is asked once, while several are looked for.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
};

use crate::{
    base::GuestId,
    matching::{Frequencies, blocking::CAP},
    store::{Conn, StoreError},
};

use super::likeness::{Keyed, Probe};

/// Guests compared with one record at most.
const MOST: usize = 400;
/// For how long it is remembered that too many hold a token, in microseconds.
const CROWDED_FOR: i64 = 60_000_000;
/// Tokens that are remembered at most.
const MOST_CROWDED: usize = 100_000;

/// Tokens that too many hold. They are asked for again and again, each time for the longest of lists, to find nobody.
#[derive(Default)]
pub(super) struct Crowds(Mutex<HashMap<[u8; 16], i64>>);

impl Crowds {
    fn has(&self, token: &[u8; 16], now: i64) -> bool {
        let crowds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        crowds
            .get(token)
            .is_some_and(|seen| now.saturating_sub(*seen) < CROWDED_FOR)
    }

    fn note(&self, tokens: impl Iterator<Item = [u8; 16]>, now: i64) {
        let mut crowds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for token in tokens {
            if crowds.len() >= MOST_CROWDED {
                crowds.clear();
            }
            crowds.insert(token, now);
        }
    }
}

/// The holders of the tokens that were asked for.
#[derive(Default)]
pub(super) struct Holders(HashMap<[u8; 16], Held>);

/// Who holds a token.
#[derive(Default)]
struct Held {
    /// Nobody when they are too many.
    guests: Vec<GuestId>,
    /// How many they are; beyond the cap that there are more of them is all that is known.
    count: usize,
}

impl Held {
    fn crowded() -> Self {
        Self {
            guests: Vec::new(),
            count: most_counted(),
        }
    }

    fn is_crowded(&self) -> bool {
        self.count >= most_counted()
    }
}

/// From how many holders on a token finds nobody.
fn most_counted() -> usize {
    usize::try_from(CAP).map_or(usize::MAX, |cap| cap.saturating_add(1))
}

impl Holders {
    /// Finds out who holds these keys, as far as it is not known yet.
    pub(super) async fn ask<'p>(
        &mut self,
        conn: &mut Conn,
        crowds: &Crowds,
        keys: impl Iterator<Item = &'p Keyed>,
        now: i64,
    ) -> Result<(), StoreError> {
        let mut tokens = BTreeSet::new();
        let mut others = HashMap::new();
        let mut asked = Vec::new();
        for keyed in keys {
            if self.0.contains_key(&keyed.token) {
                continue;
            }
            if crowds.has(&keyed.token, now) {
                self.0.insert(keyed.token, Held::crowded());
                continue;
            }
            self.0.insert(keyed.token, Held::default());
            asked.push(keyed.token);
            tokens.insert(keyed.token);
            tokens.extend(&keyed.others);
            others.extend(keyed.others.iter().map(|other| (*other, keyed.token)));
        }
        if tokens.is_empty() {
            return Ok(());
        }
        let tokens: Vec<[u8; 16]> = tokens.into_iter().collect();
        for (token, guest) in conn.identity_postings(&tokens, i64::from(CAP) + 1).await? {
            // What is held by another key's token is held by the token as it is written.
            let token = others.get(&token).copied().unwrap_or(token);
            self.0.entry(token).or_default().guests.push(guest);
        }
        for token in &asked {
            if let Some(held) = self.0.get_mut(token) {
                // A token that two statements asked for came twice, and so does who is held by two keys.
                held.guests.sort_unstable();
                held.guests.dedup();
                held.count = held.guests.len();
                if held.is_crowded() {
                    *held = Held::crowded();
                }
            }
        }
        crowds.note(asked.into_iter().filter(|token| self.is_crowded(token)), now);
        Ok(())
    }

    /// Finds out which of these keys too many hold, and nothing else.
    pub(super) async fn count<'p>(
        &mut self,
        conn: &mut Conn,
        crowds: &Crowds,
        keys: impl Iterator<Item = &'p Keyed>,
        now: i64,
    ) -> Result<(), StoreError> {
        let mut asked = BTreeSet::new();
        for keyed in keys {
            if crowds.has(&keyed.token, now) {
                self.0.insert(keyed.token, Held::crowded());
            } else {
                asked.insert(keyed.token);
            }
        }
        let asked: Vec<[u8; 16]> = asked.into_iter().collect();
        let crowded = conn.crowded_tokens(&asked, i64::from(CAP)).await?;
        crowds.note(crowded.iter().copied(), now);
        self.0
            .extend(crowded.into_iter().map(|token| (token, Held::crowded())));
        Ok(())
    }

    fn is_crowded(&self, token: &[u8; 16]) -> bool {
        self.0.get(token).is_some_and(Held::is_crowded)
    }

    /// Whom to compare: those that share most keys first, should there be too many.
    pub(super) fn candidates(&self, probe: &Probe, second: bool) -> Vec<GuestId> {
        let mut shared: BTreeMap<GuestId, usize> = BTreeMap::new();
        for held in probe.asked(second).filter_map(|token| self.0.get(&token)) {
            for guest in held.guests.iter().filter(|guest| probe.guest != Some(**guest)) {
                *shared.entry(*guest).or_default() += 1;
            }
        }
        let mut all: Vec<(GuestId, usize)> = shared.into_iter().collect();
        all.sort_by_key(|(guest, shared)| (std::cmp::Reverse(*shared), *guest));
        all.into_iter().take(MOST).map(|(guest, _)| guest).collect()
    }

    /// Tokens of this one that so many hold that they find nobody.
    pub(super) fn crowded(&self, probe: &Probe, second: bool) -> BTreeSet<[u8; 16]> {
        probe
            .asked(second)
            .filter(|token| self.is_crowded(token))
            .collect()
    }

    /// How many others hold each key that was asked for: the candidate itself is one of the holders, and so is the
    /// guest in question.
    pub(super) fn frequencies(&self, probe: &Probe, second: bool, guests: f64) -> Frequencies {
        let mut frequencies = Frequencies::new(guests);
        let both = 1 + usize::from(probe.guest.is_some());
        for keyed in &probe.keys {
            let known = second || !keyed.key.kind.is_second_tier();
            let held = self.0.get(&keyed.token).filter(|_| known);
            let others = held.map_or(0, |held| held.count).saturating_sub(both);
            frequencies.note(keyed.key.clone(), u32::try_from(others).unwrap_or(u32::MAX));
        }
        frequencies
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_is_remembered_for_a_while() {
        let crowds = Crowds::default();
        crowds.note([[1; 16]].into_iter(), 5);
        assert!(crowds.has(&[1; 16], 5 + CROWDED_FOR - 1));
        assert!(!crowds.has(&[1; 16], 5 + CROWDED_FOR));
        assert!(!crowds.has(&[2; 16], 5));
    }
}
