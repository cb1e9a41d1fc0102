//! Handing out an export: once, page by page, by one answer at a time. An answer that breaks off is gone on with by
//! another; the earlier one then gets no more.

use std::{collections::VecDeque, sync::Arc};

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    audit::Act,
    base::{Errand, FieldIndex, FieldPath, GuestId, PrincipalId, micros},
    policy::Snapshot,
};

use super::{
    ExportState, GuestAnswer, GuestError, Vault,
    export::{granted, paths},
    read::{Fetched, drawers, shows_something},
    sql::export::ExportRow,
};

/// Guests looked at before the next bytes go out.
const PAGE: i64 = 200;
/// So many guests may be handed out once more at least: what was on its way when a connection broke did not arrive, and
/// the buffers between here and there take some megabytes.
const ON_THE_WAY: usize = 5_000;

/// The last line of an export: there is no other after it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExportEnd {
    /// That this is all.
    pub complete: bool,
    /// Guests in this answer.
    pub guests: u64,
}

/// A line of an export.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum ExportLine {
    /// A guest.
    Guest(Box<GuestAnswer>),
    /// The end.
    End(ExportEnd),
}

/// An export under way: page by page.
pub struct Export {
    vault: Vault,
    errand: Errand,
    id: Uuid,
    /// Which answer this is; the database knows the one that may hand out.
    fetch: Uuid,
    paths: Vec<FieldPath>,
    after: Uuid,
    /// Up to whom guests were counted, by whichever answer.
    reached: Uuid,
    sent: Sent,
    guests: u64,
    ended: bool,
}

/// The pages that may still be on their way.
struct Sent {
    /// What lies before is taken for arrived.
    place: Uuid,
    /// Each page's last guest, and how many it has.
    pages: VecDeque<(Uuid, usize)>,
    guests: usize,
}

impl Sent {
    const fn after(place: Uuid) -> Self {
        Self {
            place,
            pages: VecDeque::new(),
            guests: 0,
        }
    }

    /// Notes a page that goes out.
    fn add(&mut self, last: Uuid, guests: usize) {
        self.pages.push_back((last, guests));
        self.guests += guests;
        while let Some((end, of)) = self.pages.front().copied()
            && self.guests - of >= ON_THE_WAY
        {
            self.pages.pop_front();
            self.guests -= of;
            self.place = end;
        }
    }
}

impl Vault {
    /// Begins to hand out an approved export to who ordered it, or goes on after the last guest that arrived, where an
    /// earlier answer broke off.
    ///
    /// # Errors
    /// [`GuestError::NotFound`], also for anybody else; [`GuestError::Blocked`] when it is not approved, is done or is
    /// over, was begun before, or went on further than `after`; [`GuestError::BadQuestion`] for another property or
    /// purpose than the export's.
    pub async fn fetch_export(
        &self,
        errand: &Errand,
        id: Uuid,
        after: Option<GuestId>,
    ) -> Result<Export, GuestError> {
        let policy = self.policies.current();
        let event = self.export_event(errand, &policy, "begun");
        let row = self.store.read().await?.guest_export(id).await?;
        let own = |row: &ExportRow| {
            (PrincipalId(row.author), row.author_actor.as_deref()) == errand.caller.person()
        };
        let Some(row) = row.filter(own) else {
            return self.refuse(event, GuestError::NotFound).await;
        };
        let shut = match self.answer_of(&row)?.state {
            ExportState::Approved => None,
            ExportState::Waiting => Some("The export waits for a second person."),
            ExportState::Rejected => Some("A second person has refused the export."),
            ExportState::Done => Some("The export was handed out already; order another."),
            ExportState::Expired => Some("The time of the export is over; order another."),
        };
        if let Some(why) = shut {
            return self.blocked(event, why).await;
        }
        for (same, header) in [
            (row.property == errand.property.as_str(), "Vault-Property"),
            (row.purpose == errand.purpose.as_str(), "Vault-Purpose"),
        ] {
            if !same {
                let error = GuestError::bad(header, "is not what the export was ordered for");
                return self.refuse(event, error).await;
            }
        }
        let paths = paths(&row)?;
        let (fetch, place) = (Uuid::now_v7(), after.map(|guest| guest.0));
        let mut change = self.log.begin(&self.store).await?;
        let now = micros(self.clock.now());
        if !change.tx.claim_export((id, fetch), place, now).await? {
            drop(change);
            return self.blocked(event, BEGUN).await;
        }
        let reached = change.tx.export_reached(id).await?.unwrap_or(Uuid::nil());
        change.record(event);
        change.commit().await?;
        let after = place.unwrap_or(Uuid::nil());
        Ok(Export {
            vault: self.clone(),
            errand: errand.clone(),
            id,
            fetch,
            paths,
            after,
            reached,
            sent: Sent::after(after),
            guests: 0,
            ended: false,
        })
    }
}

const BEGUN: &str =
    "The export was begun; go on with `after` and the last guest that arrived (the nil UUID when none did).";
const TAKEN_OVER: &str = "Another answer goes on with the export, or its time is over.";

impl Export {
    /// The next guests, and at last the end; `None` after it. What stops in between was cut short, and all of it that
    /// went out is on record.
    ///
    /// # Errors
    /// [`GuestError::Blocked`] when another answer has gone on with the export, or it is open no longer;
    /// [`GuestError::Forbidden`] when the policy has changed meanwhile; what database, keys and log say.
    pub async fn page(&mut self) -> Result<Option<Vec<ExportLine>>, GuestError> {
        while !self.ended {
            let policy = self.vault.policies.current();
            let guests: Vec<GuestId> = self
                .vault
                .store
                .read()
                .await?
                .guests_after(self.after, PAGE)
                .await?
                .into_iter()
                .map(GuestId)
                .collect();
            let Some(last) = guests.last() else {
                self.end(&policy).await?;
                let (complete, guests) = (true, self.guests);
                return Ok(Some(vec![ExportLine::End(ExportEnd { complete, guests })]));
            };
            let shown = self.shown(&policy, &guests).await?;
            self.after = last.0;
            if !shown.is_empty() {
                self.guests += u64::try_from(shown.len()).unwrap_or(0);
                let lines = shown.into_iter().map(|guest| ExportLine::Guest(Box::new(guest)));
                return Ok(Some(lines.collect()));
            }
        }
        Ok(None)
    }

    /// Those of the guests that may be shown, each recorded.
    async fn shown(
        &mut self,
        policy: &Arc<Snapshot>,
        guests: &[GuestId],
    ) -> Result<Vec<GuestAnswer>, GuestError> {
        let (vault, errand) = (self.vault.clone(), self.errand.clone());
        let catalogue = policy.catalogue();
        let wanted: Vec<FieldIndex> = self
            .paths
            .iter()
            .filter_map(|path| catalogue.find(path.as_str()))
            .map(|(at, _)| at)
            .collect();
        let grant = granted(&errand, policy, &wanted.iter().copied().collect());
        let Some(columns) = grant.map(|grant| grant.columns()).filter(|c| !c.is_empty()) else {
            let event = vault.export_event(&errand, policy, "begun");
            return vault.refuse(event, GuestError::Forbidden).await;
        };
        let categories = drawers(catalogue, &columns);
        let looked = vault
            .look_at_each(&errand, guests, (&wanted, &categories), Act::Export, policy)
            .await?;
        let mut seen = Vec::with_capacity(looked.len());
        for fetched in looked {
            if self.is_meant(policy, &fetched).await? {
                seen.push(fetched);
            }
        }
        if let Some(last) = guests.last().filter(|_| !seen.is_empty()) {
            self.count(last.0, &seen).await?;
        }
        let shown = seen
            .iter()
            .map(|fetched| vault.disclose(&errand, policy, fetched, (Act::Export, false)));
        futures_util::future::try_join_all(shown).await
    }

    /// Counts the guests of a page before they leave, each once: in one statement with the question whether this answer
    /// may still hand out.
    async fn count(&mut self, last: Uuid, seen: &[Fetched]) -> Result<(), GuestError> {
        let anew = seen
            .iter()
            .filter(|fetched| fetched.guest.0 > self.reached)
            .count();
        self.sent.add(last, seen.len());
        self.reached = self.reached.max(last);
        let now = micros(self.vault.clock.now());
        let mut tx = self.vault.store.begin().await?;
        let anew = i64::try_from(anew).unwrap_or(i64::MAX);
        let places = (self.sent.place, self.reached);
        if !tx
            .count_exported((self.id, self.fetch), anew, places, now)
            .await?
        {
            return Err(GuestError::Blocked(TAKEN_OVER.to_owned()));
        }
        tx.commit().await?;
        Ok(())
    }

    /// Whether there is something to show, and the guest is one of the property: by a stay there, or by a consent that
    /// holds there. A root of the tree has all of its guests, also who never stayed.
    async fn is_meant(&self, policy: &Snapshot, fetched: &Fetched) -> Result<bool, GuestError> {
        if !shows_something(policy.catalogue(), fetched, Act::Export) {
            return Ok(false);
        }
        if fetched.grant.consent_id().is_some() || !fetched.stays.is_empty() {
            return Ok(true);
        }
        let (tree, here) = (&self.vault.properties, &self.errand.property);
        if !tree.roots().any(|root| root.code == *here) {
            return Ok(false);
        }
        let reach = tree.reach(std::slice::from_ref(here));
        Ok(reach.is_whole()
            || self
                .vault
                .store
                .read()
                .await?
                .is_of_houses(fetched.guest, &reach)
                .await?)
    }

    async fn end(&mut self, policy: &Snapshot) -> Result<(), GuestError> {
        let mut event = self.vault.export_event(&self.errand, policy, "done");
        event.count = Some(self.guests);
        let mut change = self.vault.log.begin(&self.vault.store).await?;
        let now = micros(self.vault.clock.now());
        if !change.tx.end_export((self.id, self.fetch), now).await? {
            return Err(GuestError::Blocked(TAKEN_OVER.to_owned()));
        }
        change.record(event);
        change.commit().await?;
        self.ended = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_be_on_its_way_is_handed_out_again() {
        let mut sent = Sent::after(Uuid::nil());
        for page in 1..=25_u128 {
            sent.add(Uuid::from_u128(page), 200);
            assert_eq!(sent.place, Uuid::nil());
        }
        sent.add(Uuid::from_u128(26), 200);
        assert_eq!(sent.place, Uuid::from_u128(1));
        sent.add(Uuid::from_u128(27), 5_000);
        assert_eq!(sent.place, Uuid::from_u128(26));
    }
}
