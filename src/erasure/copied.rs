//! What a restored copy was before anything in it was changed. It is noted down first: a run that was cut off has parted
//! guests and destroyed keys, and the one that goes on needs to know who was one with whom, and whom the log means.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    base::{Category, GuestId},
    guest::GuestError,
};

use super::{
    Eraser, ErasureError,
    since::{Held, Since, Stray},
};

/// Guests looked at at a time.
const PAGE: u32 = 500;
/// What it is sealed as.
const SEALED_AS: &str = "quarantine";

/// What a copy was.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Copied {
    /// Whom the log means by a name.
    pub(super) names: BTreeMap<String, GuestId>,
    /// The merged, and into whom.
    pub(super) survivors: BTreeMap<GuestId, GuestId>,
    /// The merged whose names nobody can tell any more: their keys are destroyed.
    pub(super) nameless: BTreeSet<GuestId>,
    /// How many holds lie on whom.
    pub(super) holds: BTreeMap<GuestId, usize>,
    /// With whom records lie that were erased with another.
    pub(super) strays: BTreeMap<Uuid, BTreeSet<GuestId>>,
    /// Guests who are not in it, and of whom there are keys: made after it, and there when it was restored.
    pub(super) later: BTreeSet<GuestId>,
    /// With whom the records lay of guests who are made anew for them: noted before that, as their records go again.
    #[serde(default)]
    pub(super) given: BTreeMap<GuestId, BTreeSet<GuestId>>,
    /// The erasures of these, by their place among all.
    #[serde(default)]
    pub(super) anew: BTreeMap<GuestId, Vec<usize>>,
}

impl Copied {
    /// The same with what an earlier run noted: what that one has changed since is as it was.
    fn noted_before(mut self, noted: Self) -> Self {
        self.names.extend(noted.names);
        self.later.extend(noted.later);
        for (record, guests) in noted.strays {
            self.strays.insert(record, guests);
        }
        Self {
            survivors: noted.survivors,
            nameless: noted.nameless,
            holds: noted.holds,
            given: noted.given,
            anew: noted.anew,
            ..self
        }
    }
}

impl Eraser {
    /// Looks at the copy, or reads what an earlier run noted of it, and notes it.
    pub(super) async fn know(&self, since: &mut Since) -> Result<(), ErasureError> {
        if since.is_empty() {
            return Ok(());
        }
        let meant = since.protections.names();
        let mut copied = self.survey(since, &meant).await?;
        let vault = &self.vault;
        let damaged = || GuestError::Damaged;
        let noted = vault.store.read().await?.copied().await?;
        if let Some(noted) = noted {
            let plain = vault.keys.open_own(SEALED_AS, Uuid::nil(), &noted);
            let plain = plain.map_err(|_| damaged())?;
            copied = copied.noted_before(serde_json::from_slice(&plain).map_err(|_| damaged())?);
        }
        self.note(&copied).await?;
        since.settle(copied);
        Ok(())
    }

    async fn note(&self, copied: &Copied) -> Result<(), ErasureError> {
        let vault = &self.vault;
        let plain = serde_json::to_vec(copied).map_err(|_| GuestError::Damaged)?;
        let sealed = vault.keys.seal_own(SEALED_AS, Uuid::nil(), &plain)?.into_bytes();
        let mut tx = vault.store.begin().await?;
        tx.note_copied(&sealed).await?;
        Ok(tx.commit().await?)
    }

    /// Notes whose stray records are to be, before they are given to them.
    ///
    /// # Errors
    /// What the database says.
    pub async fn give(&self, since: &mut Since, strays: &[Stray]) -> Result<(), ErasureError> {
        if strays.is_empty() {
            return Ok(());
        }
        for stray in strays {
            since.given(stray);
        }
        self.note(&since.copied).await
    }

    async fn survey(&self, since: &Since, meant: &BTreeSet<String>) -> Result<Copied, ErasureError> {
        let vault = &self.vault;
        let mut copied = Copied::default();
        let mut there = BTreeSet::new();
        let mut after = Uuid::nil();
        loop {
            let (guests, records) = self.page_with_records(&mut after).await?;
            if guests.is_empty() {
                break;
            }
            let ids: Vec<GuestId> = guests.iter().map(|held| held.guest).collect();
            let named = self.name(&mut copied, since, (&ids, meant)).await?;
            for Held { guest, survivor } in guests {
                there.insert(guest);
                if let Some(survivor) = survivor {
                    copied.survivors.insert(guest, survivor);
                    if !named.contains(&guest) {
                        copied.nameless.insert(guest);
                    }
                }
                let own = since.of(self, guest);
                for (_, record) in records.iter().filter(|(of, _)| *of == guest.0) {
                    if since.stray(&own, &self.record_name(*record)).is_some() {
                        copied.strays.entry(*record).or_default().insert(guest);
                    }
                }
            }
        }
        let holds = vault.store.read().await?.standing_holds().await?;
        let count = |number: i64| usize::try_from(number).unwrap_or(0);
        copied.holds = holds
            .into_iter()
            .map(|(guest, holds)| (GuestId(guest), count(holds)))
            .collect();
        let mut after = None;
        loop {
            let mut guests = vault.keys.guests_with_keys(after, PAGE).await?;
            let Some(last) = guests.last() else { break };
            after = Some(*last);
            guests.retain(|guest| !there.contains(guest));
            self.name(&mut copied, since, (&guests, meant)).await?;
            // Of the erased too there may be keys: such as were made anew, until they are swept.
            let named: BTreeSet<GuestId> = copied.names.values().copied().collect();
            guests.retain(|guest| {
                let own = since.of(self, *guest);
                (named.contains(guest) || !own.is_empty()) && !own.iter().any(|erased| erased.whole)
            });
            copied.later.extend(guests);
        }
        Ok(copied)
    }

    /// Notes whom of these the log means; who has names at all.
    async fn name(
        &self,
        copied: &mut Copied,
        since: &Since,
        (guests, meant): (&[GuestId], &BTreeSet<String>),
    ) -> Result<BTreeSet<GuestId>, ErasureError> {
        let keyring = &self.vault.keys;
        let keys = keyring.many_guest_keys(guests, &[Category::Audit]).await?;
        for (guest, keys) in &keys {
            for year in since.protections.years() {
                let name = keyring.pseudonym(keys, *year).map(|name| HEXLOWER.encode(&name));
                if let Some(name) = name.filter(|name| meant.contains(name)) {
                    copied.names.insert(name, *guest);
                }
            }
        }
        let named = keys.into_iter().filter(|(_, keys)| keys.has(Category::Audit));
        Ok(named.map(|(guest, _)| guest).collect())
    }
}
