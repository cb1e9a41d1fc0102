//! What the log tells from an entry on, held against a restored copy: what was erased, of whom, and with whom it lies in
//! the copy.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use uuid::Uuid;

use crate::{
    audit::{Act, tlog::Stored},
    base::{Category, GuestId},
    events::Announcement,
};

use super::{
    Eraser, ErasureError,
    copied::Copied,
    protections::{Protections, Said, Told},
};

/// Guests looked at at a time.
const PAGE: i64 = 500;

/// What the log tells after the backup.
#[derive(Default)]
pub struct Since {
    /// In order.
    erasures: Vec<Erased>,
    /// By the names of guests and of records.
    of: BTreeMap<String, Vec<usize>>,
    pub(super) protections: Protections,
    pub(super) copied: Copied,
    /// Guests who were parted from others in the copy.
    pub(super) parted: u64,
}

/// Records that lie with a guest, of whom they were not when they were erased.
pub struct Stray {
    /// With whom.
    pub guest: GuestId,
    /// Whose they are to be; a run that was cut off may have given them to it already.
    pub new: GuestId,
    /// Which.
    pub records: BTreeSet<Uuid>,
    erasures: Vec<usize>,
}

#[derive(Deserialize)]
struct Entry<T> {
    leaf: T,
}

#[derive(Deserialize)]
struct Leaf {
    act: String,
    #[serde(default)]
    erasure: Option<Erased>,
}

#[derive(Deserialize)]
pub(super) struct Erased {
    pub(super) case: Uuid,
    pub(super) categories: Vec<Category>,
    #[serde(default)]
    records: Option<Vec<String>>,
    tombstone: String,
    pub(super) whole: bool,
    /// Not an erasure: what one left was put out of sight.
    #[serde(skip)]
    pub(super) hidden: bool,
}

impl Erased {
    /// Whether it is of the register's copy alone, which each has its own of.
    fn is_of_register(&self) -> bool {
        !self.whole && self.categories == [Category::Statutory]
    }

    /// Whether it is one erasure: of a guest and of all that it had taken in.
    fn is_one_with(&self, other: &Self) -> bool {
        let of = |one: &Self| (one.case, one.whole, one.hidden);
        of(self) == of(other) && (self.whole || self.categories == other.categories)
    }
}

/// A guest of the copy.
pub(super) struct Held {
    pub(super) guest: GuestId,
    pub(super) survivor: Option<GuestId>,
}

impl Since {
    /// What was erased of a guest of the copy, in order.
    pub(super) fn of(&self, eraser: &Eraser, guest: GuestId) -> Vec<&Erased> {
        let found = self.copied.anew.get(&guest);
        let found = found.or_else(|| self.of.get(&eraser.tombstone(guest)));
        let found = found.into_iter().flatten();
        found.filter_map(|at| self.erasures.get(*at)).collect()
    }

    /// How many erasures there are.
    pub(super) fn erasures(&self) -> usize {
        self.erasures.iter().filter(|erased| !erased.hidden).count()
    }

    /// Erasures of guests whom nobody in the copy can be told to be, while there were such as got a record of another: those
    /// from before records were named.
    pub(super) fn undecided(&self, met: &BTreeSet<String>) -> usize {
        if !self.protections.tells_of_a_split() {
            return 0;
        }
        let unknown = |erased: &&Erased| {
            let is_old = erased.records.is_none() && !erased.hidden && !erased.is_of_register();
            is_old && !met.contains(&erased.tombstone)
        };
        self.erasures.iter().filter(unknown).count()
    }

    /// Whether the log tells nothing of what a restored copy has to be brought up to.
    pub(super) fn is_empty(&self) -> bool {
        self.erasures.is_empty() && self.protections.is_empty()
    }

    /// Holds it against what the copy was.
    pub(super) fn settle(&mut self, copied: Copied) {
        self.protections.settle(&copied);
        self.copied = copied;
    }

    /// What was said of each guest.
    pub(super) fn protected(&self) -> BTreeMap<GuestId, Vec<&Said>> {
        self.protections.of_each(&self.copied, &self.copied.given)
    }

    /// Whose stray records are to be.
    pub(super) fn given(&mut self, stray: &Stray) {
        self.parted += 1;
        let mut of = BTreeSet::from([stray.guest]);
        let before = stray
            .records
            .iter()
            .filter_map(|record| self.copied.strays.get(record));
        of.extend(before.flatten());
        of.remove(&stray.new);
        self.copied.given.entry(stray.new).or_default().extend(of);
        self.copied.anew.insert(stray.new, stray.erasures.clone());
    }

    /// The guests who have other ids than they had, each with one of those that their records lay with.
    pub(super) fn renamed(&self) -> impl Iterator<Item = (GuestId, GuestId)> {
        let renamed = self
            .copied
            .given
            .iter()
            .filter(|(new, _)| !self.copied.later.contains(new));
        renamed.filter_map(|(new, of)| Some((*new, *of.first()?)))
    }

    /// Notes that merges were undone.
    pub const fn undone(&mut self, merges: u64) {
        self.parted += merges;
    }

    fn note(&mut self, erased: Erased) {
        let at = self.erasures.len();
        let records = erased
            .records
            .iter()
            .flatten()
            .filter(|_| !erased.is_of_register());
        for name in records.chain([&erased.tombstone]) {
            self.of.entry(name.clone()).or_default().push(at);
        }
        self.erasures.push(erased);
    }

    /// The erasures that name a record, when one of them is not of this guest.
    pub(super) fn stray(&self, own: &[&Erased], name: &str) -> Option<&Vec<usize>> {
        let all = self.of.get(name)?;
        let mut others = all.iter().filter_map(|at| self.erasures.get(*at));
        others
            .any(|erased| !own.iter().any(|one| one.is_one_with(erased)))
            .then_some(all)
    }
}

impl Eraser {
    /// What the log tells from entry `from` to its end.
    ///
    /// # Errors
    /// What database, key store and log say.
    pub async fn since(&self, from: u64) -> Result<Since, ErasureError> {
        let log = Stored::new(self.vault.store.clone());
        let size = log.checkpoint().await?.map_or(0, |(size, _)| size);
        let mut since = Since::default();
        for at in from..size {
            let bytes = log.entry(at).await?;
            if let Ok(Entry { leaf }) = serde_json::from_slice::<Entry<Told>>(&bytes) {
                since.protections.note(leaf);
            }
            let Ok(Entry { leaf }) = serde_json::from_slice::<Entry<Leaf>>(&bytes) else {
                continue;
            };
            let hidden = leaf.act == Act::Restrict.as_str();
            if (hidden || leaf.act == Act::Erase.as_str())
                && let Some(erased) = leaf.erasure
            {
                since.note(Erased { hidden, ..erased });
            }
        }
        self.know(&mut since).await?;
        Ok(since)
    }

    /// The merged guests of the copy who were parted after it: of whom something was erased and of whom it was merged into
    /// was not, or the other way round.
    ///
    /// # Errors
    /// What the database says.
    pub async fn parted(&self, since: &Since) -> Result<Vec<GuestId>, ErasureError> {
        let mut parted = Vec::new();
        let mut after = Uuid::nil();
        while !since.erasures.is_empty() {
            let (guests, records) = self.page_with_records(&mut after).await?;
            if guests.is_empty() {
                break;
            }
            for (held, survivor) in guests.iter().filter_map(|held| Some((held, held.survivor?))) {
                let (own, others) = (since.of(self, held.guest), since.of(self, survivor));
                let alone = |some: &[&Erased], others: &[&Erased]| {
                    some.iter().any(|erased| {
                        !erased.is_of_register() && !others.iter().any(|other| other.is_one_with(erased))
                    })
                };
                let strays = records.iter().filter(|(guest, _)| *guest == held.guest.0);
                let mut strays = strays.map(|(_, record)| self.record_name(*record));
                if alone(&own, &others)
                    || alone(&others, &own)
                    || strays.any(|name| since.stray(&own, &name).is_some())
                {
                    parted.push(held.guest);
                }
            }
        }
        Ok(parted)
    }

    /// The records that got a guest of their own after the copy was made, and were erased with that one.
    ///
    /// # Errors
    /// What the database says.
    pub async fn strays(&self, since: &Since) -> Result<Vec<Stray>, ErasureError> {
        let mut strays = Vec::new();
        let mut after = Uuid::nil();
        while !since.erasures.is_empty() {
            let (guests, records) = self.page_with_records(&mut after).await?;
            if guests.is_empty() {
                break;
            }
            let awake = guests.iter().filter(|held| held.survivor.is_none());
            for held in awake {
                let own = since.of(self, held.guest);
                let mut found: BTreeMap<&Vec<usize>, BTreeSet<Uuid>> = BTreeMap::new();
                for (_, record) in records.iter().filter(|(guest, _)| *guest == held.guest.0) {
                    if let Some(erasures) = since.stray(&own, &self.record_name(*record)) {
                        found.entry(erasures).or_default().insert(*record);
                    }
                }
                strays.extend(found.into_iter().map(|(erasures, records)| Stray {
                    guest: held.guest,
                    new: self.whose(since, erasures, &records),
                    records,
                    erasures: erasures.clone(),
                }));
            }
        }
        Ok(strays)
    }

    /// Whose records are that were erased so: the guest who had them, when keys know it; else one with an id that each run
    /// finds again.
    fn whose(&self, since: &Since, erasures: &[usize], records: &BTreeSet<Uuid>) -> GuestId {
        let erasures: Vec<&Erased> = erasures.iter().filter_map(|at| since.erasures.get(*at)).collect();
        let mut later = since.copied.later.iter();
        let had = later.rfind(|guest| {
            let name = self.tombstone(**guest);
            erasures.iter().any(|erased| erased.tombstone == name)
        });
        if let Some(guest) = had {
            return *guest;
        }
        let records = records.iter().map(Uuid::as_bytes);
        let cases = erasures.iter().map(|erased| erased.case.as_bytes());
        let mut parts: Vec<&[u8]> = vec![b"guest of records"];
        parts.extend(records.clone().chain(cases).map(|id| id.as_slice()));
        // As old as its first record.
        let made = records.flatten().take(6).copied();
        let mut id = [0; 16];
        for (to, from) in id.iter_mut().zip(made.chain(self.hashed::<10>(&parts))) {
            *to = from;
        }
        let id = uuid::Builder::from_bytes(id);
        GuestId(id.with_version(uuid::Version::SortRand).into_uuid())
    }

    /// What is told of guests who have other ids than they had, as far as they are there.
    ///
    /// # Errors
    /// What the database says.
    pub async fn renamed(&self, since: &Since) -> Result<Vec<Announcement>, ErasureError> {
        let mut told = Vec::new();
        let now = self.vault.clock.now();
        for (new, of) in since.renamed() {
            let head = self.vault.store.read().await?.guest_head(new).await?;
            if head.is_some_and(|(_, status, _)| status != "erased") {
                told.push(Announcement::guest_unmerged(now, of, new));
            }
        }
        Ok(told)
    }

    /// Some guests of the copy, in the order of their ids, after one of them.
    pub(super) async fn copied(&self, after: &mut Uuid) -> Result<Vec<Held>, ErasureError> {
        let rows = self
            .vault
            .store
            .read()
            .await?
            .guests_of_copy(*after, PAGE)
            .await?;
        if let Some((last, _)) = rows.last() {
            *after = *last;
        }
        let held = |(guest, survivor): (Uuid, Option<Uuid>)| Held {
            guest: GuestId(guest),
            survivor: survivor.map(GuestId),
        };
        Ok(rows.into_iter().map(held).collect())
    }

    pub(super) async fn page_with_records(
        &self,
        after: &mut Uuid,
    ) -> Result<(Vec<Held>, Vec<(Uuid, Uuid)>), ErasureError> {
        let before = *after;
        let guests = self.copied(after).await?;
        let mut conn = self.vault.store.read().await?;
        let records = conn.records_between(before, *after).await?;
        Ok((guests, records))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn erased(case: u128, records: Option<&str>, category: &str, whole: bool) -> Erased {
        let mut told = json!({"case": Uuid::from_u128(case), "categories": [category], "tombstone": format!("t{case}"),
                              "whole": whole});
        if let Some(records) = records {
            told["records"] = records.split(' ').collect();
        }
        serde_json::from_value(told).unwrap()
    }

    #[test]
    fn entries_that_name_no_records_leave_open_whose_they_were_after_a_split() {
        let mut since = Since::default();
        for case in [1, 2] {
            since.note(erased(case, None, "contact", false));
        }
        since.note(erased(3, Some("r1"), "contact", true));
        since.note(erased(4, None, "statutory", false));
        let met = BTreeSet::from(["t1".to_owned()]);
        assert_eq!(since.undecided(&met), 0);
        since.protections = Protections::of_a_split();
        assert_eq!(since.undecided(&met), 1);
    }

    #[test]
    fn a_record_is_stray_where_an_erasure_names_it_that_was_not_of_its_guest() {
        let mut since = Since::default();
        since.note(erased(1, Some("r1 r2"), "stay", false));
        since.note(erased(2, Some("r2"), "contact", true));
        let own = [&since.erasures[0]];
        assert_eq!(since.stray(&own, "r1"), None);
        assert_eq!(since.stray(&own, "r2"), Some(&vec![0, 1]));
        assert_eq!(since.stray(&own, "r3"), None);
    }
}
