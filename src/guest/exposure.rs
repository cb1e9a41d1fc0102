//! The question after a breach: whose data did this credential, this person, this property see?

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Datelike, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    audit::{
        Act, Event,
        leaf::Leaf,
        search::{self, Filter, Place},
        sql::Row,
        tlog::Stored,
    },
    base::{
        Caller, Category, EntryId, FieldPath, GuestId, PrincipalId, PropertyCode, Purpose, RequestId, View,
        from_micros,
    },
    policy::Right,
};

use super::{GuestError, Vault};

/// Rows fetched at once.
const PAGE: usize = 2000;
/// So many altered entries are named.
const MOST_ALTERED: usize = 100;

/// Whose doing, where and when; every part narrows.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExposureQuestion {
    /// On the orders of this staff id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    pub actor: Option<String>,
    /// By this credential: the principal that an API key or a token stands for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<PrincipalId>,
    /// For this property.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, max_length = 20)]
    pub property: Option<PropertyCode>,
    /// For this purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, max_length = 60)]
    pub purpose: Option<Purpose>,
    /// At or after.
    pub from: DateTime<Utc>,
    /// Before.
    pub to: DateTime<Utc>,
}

impl ExposureQuestion {
    fn filter(&self) -> Filter {
        Filter {
            actor: self.actor.clone(),
            principal: self.credential,
            property: self.property.clone(),
            purpose: self.purpose.clone(),
            ..self.window()
        }
    }

    fn window(&self) -> Filter {
        Filter {
            from: Some(self.from),
            to: Some(self.to),
            ..Filter::default()
        }
    }
}

/// What was seen of one guest.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct Exposed {
    /// The guest; absent when it has been erased since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guest_id: Option<GuestId>,
    /// The guest's names in the log, one a year.
    #[schema(max_items = 200)]
    pub subjects: BTreeSet<String>,
    /// How often something was shown.
    pub disclosures: u64,
    /// The first and the last time.
    pub first_at: DateTime<Utc>,
    /// The last time.
    pub last_at: DateTime<Utc>,
    /// The fields that were shown, and how often in which view.
    #[schema(value_type = BTreeMap<String, BTreeMap<String, u64>>)]
    pub fields: BTreeMap<FieldPath, BTreeMap<&'static str, u64>>,
    /// For which purposes, and how often.
    pub purposes: BTreeMap<String, u64>,
    /// The indexes of the first and the last of these entries in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_indexes: Option<(u64, u64)>,
}

/// Where in the log the answer can be recounted.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LeafRange {
    /// The log's name.
    #[schema(max_length = 200)]
    pub origin: String,
    /// The first and last index of all entries of the time asked about, whoever made them: who recounts the entries
    /// between them (`/v1/audit/log/tile/entries/…`) comes to the same answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub indexes: Option<(u64, u64)>,
    /// Entries of that time that are counted but have no index yet: ask again after a second.
    pub pending: u64,
    /// The receipts (C2SP `tlog-proof`) of the first and the last.
    #[schema(max_items = 2)]
    pub receipts: Vec<String>,
}

/// Where a log begins whose older entries were removed.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LogBegins {
    /// The index of the first entry that is there.
    pub index: u64,
    /// When it was made.
    pub at: DateTime<Utc>,
}

/// Who was exposed, to what.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Exposure {
    /// What was asked.
    pub asked: ExposureQuestion,
    /// How many guests.
    pub guests: u64,
    /// How often something was shown.
    pub disclosures: u64,
    /// Entries that matched, refusals and changes too.
    pub entries: u64,
    /// Attempts that were refused.
    pub denied: u64,
    /// How often each field was shown, in which view.
    #[schema(value_type = BTreeMap<String, BTreeMap<String, u64>>)]
    pub fields: BTreeMap<FieldPath, BTreeMap<&'static str, u64>>,
    /// Each guest.
    #[schema(max_items = 10_000_000)]
    pub exposed: Vec<Exposed>,
    /// Entries that are not as the log says, the first hundred: somebody changed the database by hand.
    #[schema(max_items = 100)]
    pub altered: Vec<EntryId>,
    /// Where it can be recounted.
    pub log: LeafRange,
    /// Where the log begins, when its retention (`[audit] retention_days`) has removed entries of the time asked about:
    /// what they told is not counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_begins_at: Option<LogBegins>,
}

/// Guests are told apart by their id; erased ones by their name in the log.
#[derive(PartialEq, Eq, Hash)]
enum Whom {
    Guest(GuestId),
    Name(String),
}

#[derive(Default)]
struct Count {
    exposed: HashMap<Whom, Exposed>,
    fields: BTreeMap<FieldPath, BTreeMap<&'static str, u64>>,
    entries: u64,
    denied: u64,
    disclosures: u64,
    altered: BTreeSet<EntryId>,
    /// The names of each guest, to be held against its key.
    claims: HashMap<GuestId, BTreeMap<String, (i32, EntryId)>>,
}

fn add(fields: &mut BTreeMap<FieldPath, BTreeMap<&'static str, u64>>, path: &FieldPath, view: View) {
    let views = fields.entry(path.clone()).or_default();
    *views.entry(view.as_str()).or_default() += 1;
}

impl Count {
    fn doubt(&mut self, entry: EntryId) {
        if self.altered.len() < MOST_ALTERED {
            self.altered.insert(entry);
        }
    }

    fn take(&mut self, row: &Row, altered: bool) {
        let entry = EntryId(row.entry_id);
        self.entries += 1;
        if altered {
            self.doubt(entry);
        }
        let Some(leaf) = Leaf::read(&row.leaf) else { return };
        if leaf.decision == "denied" {
            self.denied += 1;
        }
        let Some(name) = leaf.subject.clone().filter(|_| leaf.discloses()) else {
            return;
        };
        self.disclosures += 1;
        let at = from_micros(leaf.at);
        let whom = match row.guest_id.map(GuestId) {
            Some(guest) => {
                let names = self.claims.entry(guest).or_default();
                names.entry(name.clone()).or_insert((at.year(), entry));
                Whom::Guest(guest)
            }
            None => Whom::Name(name.clone()),
        };
        let exposed = self.exposed.entry(whom).or_insert_with(|| Exposed {
            guest_id: row.guest_id.map(GuestId),
            first_at: at,
            last_at: at,
            ..Exposed::default()
        });
        exposed.subjects.insert(name);
        exposed.disclosures += 1;
        exposed.first_at = exposed.first_at.min(at);
        exposed.last_at = exposed.last_at.max(at);
        if let Some(index) = row.log_index.and_then(|index| u64::try_from(index).ok()) {
            let (first, last) = exposed.log_indexes.unwrap_or((index, index));
            exposed.log_indexes = Some((first.min(index), last.max(index)));
        }
        if let Some(purpose) = &leaf.purpose {
            *exposed.purposes.entry(purpose.clone()).or_default() += 1;
        }
        for (path, view) in leaf.shown() {
            add(&mut exposed.fields, path, view);
            add(&mut self.fields, path, view);
        }
    }
}

impl Vault {
    /// Whose data was shown, and what of it: exactly, from the log.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`]; [`GuestError::BadQuestion`] when the time ends before it begins.
    pub async fn exposure(
        &self,
        caller: &Caller,
        request: RequestId,
        asked: ExposureQuestion,
    ) -> Result<Exposure, GuestError> {
        let policy = self.policies.current();
        let mut event = Event::by(caller, Act::Exposure, request, self.clock.now());
        event.policy_version = Some(policy.version().to_owned());
        if !policy.allows(&caller.role, Right::ReadAudit) {
            return self.refuse(event, GuestError::Forbidden).await;
        }
        if asked.to <= asked.from {
            let question = GuestError::bad("to", "must be after `from`");
            return self.refuse(event, question).await;
        }
        let mut count = self.counted(&asked.filter()).await?;
        self.check_claims(&mut count).await?;
        event.count = u64::try_from(count.exposed.len()).ok();
        let log = self.leaf_range(&asked.window()).await?;
        // Asked last: what was removed meanwhile was perhaps not counted.
        let log_begins_at = self.log_begins().await?.filter(|begins| begins.at > asked.from);
        self.log.record(event, ()).await?;
        let mut exposed: Vec<Exposed> = count.exposed.into_values().collect();
        exposed.sort_by_key(|one| (one.first_at, one.guest_id));
        Ok(Exposure {
            asked,
            guests: u64::try_from(exposed.len()).unwrap_or(u64::MAX),
            disclosures: count.disclosures,
            entries: count.entries,
            denied: count.denied,
            fields: count.fields,
            exposed,
            altered: count.altered.into_iter().collect(),
            log,
            log_begins_at,
        })
    }

    async fn log_begins(&self) -> Result<Option<LogBegins>, GuestError> {
        let index = Stored::new(self.store.clone()).minimum().await?;
        if index == 0 {
            return Ok(None);
        }
        let first =
            search::indexed(&self.store, &Filter::default(), (index, index.saturating_add(1))).await?;
        // Without an entry of that index nothing tells how much is left.
        let at = first
            .first()
            .map_or(self.clock.now(), |(_, row)| from_micros(row.columns.at));
        Ok(Some(LogBegins { index, at }))
    }

    async fn counted(&self, filter: &Filter) -> Result<Count, GuestError> {
        let log = Stored::new(self.store.clone());
        let (mut count, mut after) = (Count::default(), None);
        loop {
            let rows = search::entries_since(&self.store, filter, after, PAGE).await?;
            let altered = log.altered(&rows).await?;
            for (row, altered) in rows.iter().zip(altered) {
                count.take(row, altered.is_some());
            }
            if rows.len() < PAGE {
                return Ok(count);
            }
            after = rows.last().map(Place::of);
        }
    }

    /// Whether each guest is the one that the log names: the id stands beside the leaf, the name in it follows from
    /// the guest's key.
    async fn check_claims(&self, count: &mut Count) -> Result<(), GuestError> {
        let claims = std::mem::take(&mut count.claims);
        let guests: Vec<GuestId> = claims.keys().copied().collect();
        for some in guests.chunks(512) {
            let keys = self.keys.many_guest_keys(some, &[Category::Audit]).await?;
            for guest in some {
                let (Some(keys), Some(names)) = (keys.get(guest), claims.get(guest)) else {
                    continue;
                };
                for (name, (year, entry)) in names {
                    if !self.names(keys, *year, *year).contains_key(name) {
                        count.doubt(*entry);
                    }
                }
            }
        }
        Ok(())
    }

    async fn leaf_range(&self, window: &Filter) -> Result<LeafRange, GuestError> {
        let log = Stored::new(self.store.clone());
        let range = search::range(&self.store, window).await?;
        let mut receipts = Vec::new();
        if let Some((first, last)) = range.indexes {
            receipts.push(log.receipt(first).await?);
            receipts.push(log.receipt(last).await?);
        }
        Ok(LeafRange {
            origin: log.origin().await?.unwrap_or_default(),
            indexes: range.indexes,
            pending: range.pending,
            receipts,
        })
    }
}
