//! Searching the record of looks: for officers and auditors all of it, for others their own.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    audit::{
        Act, Event,
        search::{self, Filter, Place},
        sql::Row,
        tlog::Stored,
    },
    base::{Caller, Category, EntryId, GuestId, RequestId, from_micros, micros},
    keys::GuestKeys,
    policy::Right,
};

use super::{GuestError, Vault, detail};

/// One entry of the log.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Entry {
    /// Its id.
    pub entry_id: EntryId,
    /// When.
    pub at: DateTime<Utc>,
    /// The guest, until it is erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guest_id: Option<GuestId>,
    /// Whose act it was.
    pub principal: Option<String>,
    /// In which role.
    pub role: Option<String>,
    /// On whose orders: a staff id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// For which property.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub property: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// What was done.
    pub action: Option<String>,
    /// How it ended.
    pub decision: Option<String>,
    /// The leaf: what the log commits to, the words above among them.
    #[schema(value_type = Object)]
    pub leaf: BTreeMap<String, Value>,
    /// The reason given, until it is deleted; only where one entry is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Its index in the provable log, once it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_index: Option<u64>,
    /// What in the database is not as the leaf says, or `leaf` when that is not the one that the log holds: somebody
    /// changed it by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 20)]
    pub altered: Option<&'static str>,
}

impl Entry {
    /// Its place in the order of entries.
    pub(super) fn place(&self) -> Place {
        Place {
            at: micros(self.at),
            entry: self.entry_id,
        }
    }
}

impl Vault {
    /// Entries that match, newest first.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`].
    pub async fn search_log(
        &self,
        caller: &Caller,
        request: RequestId,
        mut filter: Filter,
        before: Option<Place>,
        most: usize,
    ) -> Result<Vec<Entry>, GuestError> {
        let mut event = self.log_event(caller, request);
        event.subject = filter.guest_id.map(|guest| self.subject(guest, None));
        if !self.sees_all(caller) {
            if !self
                .policies
                .current()
                .allows(&caller.role, Right::ReadOwnActions)
            {
                return self.refuse(event, GuestError::Forbidden).await;
            }
            if filter.principal.is_some_and(|p| p != caller.principal) {
                return self.refuse(event, GuestError::Forbidden).await;
            }
            filter.principal = Some(caller.principal);
        }
        let rows = search::entries(&self.store, &filter, before, most).await?;
        event.count = u64::try_from(rows.len()).ok();
        self.log.record(event, ()).await?;
        let altered = self.altered(&rows).await?;
        let entries = rows.iter().zip(altered);
        Ok(entries.map(|(row, altered)| entry(row, altered, None)).collect())
    }

    /// One entry with its reason.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`]; [`GuestError::NotFound`] when there is none, or it is another's.
    pub async fn read_entry(
        &self,
        caller: &Caller,
        request: RequestId,
        id: EntryId,
    ) -> Result<Entry, GuestError> {
        let mut event = self.log_event(caller, request);
        let all = self.sees_all(caller);
        if !all
            && !self
                .policies
                .current()
                .allows(&caller.role, Right::ReadOwnActions)
        {
            return self.refuse(event, GuestError::Forbidden).await;
        }
        let row = search::entry(&self.store, id)
            .await?
            .filter(|row| all || is_own(row, caller));
        let Some(row) = row else {
            return self.refuse(event, GuestError::NotFound).await;
        };
        let guest = row.guest_id.map(GuestId);
        let keys = match guest {
            Some(guest) => Some(self.keys.guest_keys(guest, &[Category::Audit]).await?),
            None => None,
        };
        event.subject = guest.map(|guest| self.subject(guest, keys.as_ref()));
        event.count = Some(1);
        self.log.record(event, ()).await?;
        let altered = self.altered(std::slice::from_ref(&row)).await?;
        let mut told = entry(&row, altered.into_iter().flatten().next(), keys.as_ref());
        // The log is one for all houses. What staff of another wrote about why is not.
        let reach = self.reach(caller);
        told.reason = told
            .reason
            .filter(|_| reach.holds(told.property.as_deref().unwrap_or_default()));
        Ok(told)
    }

    async fn altered(&self, rows: &[Row]) -> Result<Vec<Option<&'static str>>, GuestError> {
        Ok(Stored::new(self.store.clone()).altered(rows).await?)
    }

    fn sees_all(&self, caller: &Caller) -> bool {
        self.policies.current().allows(&caller.role, Right::ReadAudit)
    }

    fn log_event(&self, caller: &Caller, request: RequestId) -> Event {
        let mut event = Event::by(caller, Act::ReadAudit, request, self.clock.now());
        event.policy_version = Some(self.policies.current().version().to_owned());
        event
    }
}

fn is_own(row: &Row, caller: &Caller) -> bool {
    let leaf: BTreeMap<String, Value> = serde_json::from_slice(&row.leaf).unwrap_or_default();
    leaf.get("principal").and_then(Value::as_str) == Some(caller.principal.to_string().as_str())
}

fn entry(row: &Row, altered: Option<&'static str>, keys: Option<&GuestKeys>) -> Entry {
    let at = from_micros(row.columns.at);
    let guest_id = row.guest_id.map(GuestId);
    let reason = match (keys, guest_id, &row.detail) {
        (Some(keys), Some(guest), Some(sealed)) => detail::open(keys, guest, at, sealed),
        _ => None,
    };
    // A leaf that does not parse is shown as empty; `audit verify` says that it is damaged.
    let leaf: BTreeMap<String, Value> = serde_json::from_slice(&row.leaf).unwrap_or_default();
    let word = |name: &str| leaf.get(name).and_then(Value::as_str).map(str::to_owned);
    Entry {
        entry_id: EntryId(row.entry_id),
        at,
        guest_id,
        principal: word("principal"),
        role: word("role"),
        actor: word("actor"),
        property: word("property"),
        purpose: word("purpose"),
        action: word("act"),
        decision: word("decision"),
        leaf,
        reason,
        log_index: row.log_index.and_then(|index| u64::try_from(index).ok()),
        altered,
    }
}
