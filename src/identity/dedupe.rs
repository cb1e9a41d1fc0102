//! Guests that are there and may be one: all pairs that share a token are scored, then taken the surest first. Two
//! clusters are joined by their surest pair unless a steward's word or two numbers for life keep any of their members
//! apart; a chain of likenesses alone joins nobody that is held apart.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use uuid::Uuid;

use crate::{
    audit::{Act, Event},
    base::{Errand, GuestId, RecordId, micros},
    guest::{
        GuestError, Vault,
        likeness::{PARTS, Probe},
        resembling::{reasons, thousandths},
        sql::NewReview,
    },
    matching::{Person, Score},
};

use super::merge::Grounds;

/// How often a pair is looked at again because somebody wrote to it meanwhile.
const TRIES: u32 = 6;

/// Two guests that may be one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// How sure, in bits, when it was found.
    pub bits: f64,
    /// The older guest.
    pub one: GuestId,
    /// The younger.
    pub other: GuestId,
}

/// What becomes of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// They are one.
    Merge,
    /// They are one already, by other pairs.
    Joined,
    /// A steward is asked.
    Review,
    /// A steward said of members of the two that they are different people.
    KeptApart,
    /// Members of the two have different numbers for life.
    TwoLifelongIds,
    /// One of them is retired, restricted or gone since, or the two are no longer alike.
    Left,
}

impl Verdict {
    /// The word of the report.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Merge => "merge",
            Self::Joined => "joined",
            Self::Review => "review",
            Self::KeptApart => "kept_apart",
            Self::TwoLifelongIds => "two_lifelong_ids",
            Self::Left => "left",
        }
    }
}

impl Vault {
    /// The active guests after one, in order, and their pairs with others; each pair comes up from both sides.
    ///
    /// # Errors
    /// When store or keys fail.
    pub async fn pairs_after(
        &self,
        after: Option<GuestId>,
        most: i64,
    ) -> Result<(Vec<GuestId>, Vec<Pair>), GuestError> {
        let after = after.map_or_else(Uuid::nil, |guest| guest.0);
        let guests = self.store.read().await?.active_guests(after, most).await?;
        let rows = self.store.read().await?.likeness_of(&guests, &PARTS).await?;
        let people = self.people(&guests, rows).await?;
        let with = self.keys.matching_keys().await?;
        let probes: Vec<Probe> = people
            .into_iter()
            .map(|(guest, person)| Probe::of_guest(&with, guest, person))
            .collect();
        let all: Vec<&Probe> = probes.iter().collect();
        let findings = self.resembling_each(&all).await?;
        let mut pairs = BTreeMap::new();
        for (probe, finding) in probes.iter().zip(findings) {
            for found in finding.found {
                let Some(guest) = probe.guest else { continue };
                let (one, other) = (guest.min(found.guest), guest.max(found.guest));
                let bits = found.score.bits;
                pairs.insert((one, other), Pair { bits, one, other });
            }
        }
        Ok((guests, pairs.into_values().collect()))
    }
}

/// Clusters of guests as they grow, pair by pair.
pub struct Clusters<'v> {
    vault: &'v Vault,
    errand: &'v Errand,
    dry_run: bool,
    root: HashMap<GuestId, GuestId>,
    /// Of a dry run; otherwise the one that goes on has everything of the others.
    members: HashMap<GuestId, Vec<GuestId>>,
}

impl<'v> Clusters<'v> {
    /// None yet. A dry run only tells.
    #[must_use]
    pub fn new(vault: &'v Vault, errand: &'v Errand, dry_run: bool) -> Self {
        Self {
            vault,
            errand,
            dry_run,
            root: HashMap::new(),
            members: HashMap::new(),
        }
    }

    /// Decides about the next pair; they come the surest first.
    ///
    /// # Errors
    /// When store, keys or log fail.
    pub async fn decide(&mut self, pair: &Pair) -> Result<Verdict, GuestError> {
        for _ in 0..TRIES {
            match self.decide_now(pair).await {
                Err(GuestError::Stale) => {}
                // A steward's word has come since.
                Err(GuestError::Blocked(_)) => return Ok(Verdict::KeptApart),
                Err(
                    GuestError::NotFound | GuestError::Moved(_) | GuestError::Gone | GuestError::Restricted,
                ) => break,
                outcome => return outcome,
            }
        }
        Ok(Verdict::Left)
    }

    async fn decide_now(&mut self, pair: &Pair) -> Result<Verdict, GuestError> {
        let (one, other) = (self.survivor(pair.one).await?, self.survivor(pair.other).await?);
        if one == other {
            return Ok(Verdict::Joined);
        }
        let (one, other) = (one.min(other), one.max(other));
        let ones = self.members.get(&one).cloned().unwrap_or_else(|| vec![one]);
        let others = self.members.get(&other).cloned().unwrap_or_else(|| vec![other]);
        // Before anything is read of them: what is written from here on is seen by the merge.
        let versions = (
            self.vault.active_version(one).await?,
            self.vault.active_version(other).await?,
        );
        let (person, another) = (self.person(&ones).await?, self.person(&others).await?);
        if person.is_certainly_not(&another) {
            return Ok(Verdict::TwoLifelongIds);
        }
        let records = (self.records(&ones).await?, self.records(&others).await?);
        if self
            .vault
            .store
            .read()
            .await?
            .are_apart(&records.0, &records.1)
            .await?
        {
            return Ok(Verdict::KeptApart);
        }
        let thresholds = self.vault.matcher.thresholds;
        // A pair may have been found long ago, and its records corrected since.
        let score = self.vault.weighed((one, person), &another).await?;
        if score.bits < thresholds.ask {
            return Ok(Verdict::Left);
        }
        if pair.bits < thresholds.link || !score.links(thresholds.link) {
            self.ask((one, other), &score).await?;
            return Ok(Verdict::Review);
        }
        if !self.dry_run {
            let grounds = Grounds {
                versions: Some(versions),
                ..Grounds::of(&score)
            };
            self.vault.merge_found(self.errand, (one, other), grounds).await?;
        }
        for guest in &others {
            self.root.insert(*guest, one);
        }
        if self.dry_run {
            self.members.remove(&other);
            self.members.insert(one, ones.into_iter().chain(others).collect());
        }
        Ok(Verdict::Merge)
    }

    /// Who goes on for a guest: here, or because it was merged before this run.
    async fn survivor(&mut self, guest: GuestId) -> Result<GuestId, GuestError> {
        let mut at = guest;
        let mut seen = BTreeSet::new();
        while seen.insert(at) {
            if let Some(root) = self.root.get(&at) {
                at = *root;
                continue;
            }
            at = self.vault.goes_on_as(at).await?;
        }
        if at != guest {
            self.root.insert(guest, at);
        }
        Ok(at)
    }

    /// What all the records of a cluster say.
    async fn person(&self, members: &[GuestId]) -> Result<Person, GuestError> {
        let rows = self
            .vault
            .store
            .read()
            .await?
            .likeness_of(members, &PARTS)
            .await?;
        let mut whole = Person::default();
        for person in self.vault.people(members, rows).await?.values() {
            whole.add(person);
        }
        Ok(whole)
    }

    async fn records(&self, members: &[GuestId]) -> Result<Vec<Uuid>, GuestError> {
        let mut conn = self.vault.store.read().await?;
        let mut all = BTreeSet::new();
        for guest in members {
            all.extend(conn.record_ids(*guest).await?);
        }
        Ok(all.into_iter().collect())
    }

    /// Asks a steward, unless one was asked already.
    async fn ask(&self, (one, other): (GuestId, GuestId), score: &Score) -> Result<(), GuestError> {
        let mut conn = self.vault.store.read().await?;
        if self.dry_run || conn.is_asked(one, other).await? {
            return Ok(());
        }
        let Some((record, property)) = conn.first_record(other).await? else {
            return Ok(());
        };
        drop(conn);
        let review = self.review((other, RecordId(record)), one, score, property);
        let mut change = self.vault.log.begin(&self.vault.store).await?;
        change.tx.insert_review(&review).await?;
        let mut event = Event::of(self.errand, Act::ReviewIdentity, self.vault.clock.now());
        event.outcome = Some("asked");
        change.record(event);
        Ok(change.commit().await?)
    }

    fn review(
        &self,
        (guest, record): (GuestId, RecordId),
        other: GuestId,
        score: &Score,
        property: String,
    ) -> NewReview {
        let bits = thousandths(score.bits);
        let reasons: Vec<(String, &str, i64)> = reasons(score, |_| true)
            .into_iter()
            .map(|reason| (reason.field, reason.level, thousandths(reason.weight)))
            .collect();
        NewReview {
            review: Uuid::now_v7(),
            kind: "duplicate",
            guest,
            record,
            other,
            bits,
            reasons: serde_json::to_string(&reasons).unwrap_or_default(),
            weights: self.vault.matcher.weights().version.clone(),
            property,
            priority: bits,
            now: micros(self.vault.clock.now()),
        }
    }
}
