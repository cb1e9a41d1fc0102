//! The register of disclosures: what third parties were shown, of whom, when, and on which consent.
//!
//! It is the audit log, read by recipient: nothing goes out without a durable entry there, so the register cannot miss
//! a disclosure, and it is kept as long as the log, never less than [`KEPT_YEARS`].

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    audit::{
        Act, Decision, Event,
        leaf::Leaf,
        search::{self, Filter, Place},
        sql::Row,
    },
    base::{Caller, EntryId, FieldPath, GuestId, Purpose, RequestId, View, from_micros},
    policy::Right,
};

use super::{GuestError, Vault};

/// How long records of what was handed over are kept at least (PIPL Art. 56; Network Data Security Management
/// Regulations Art. 12).
pub const KEPT_YEARS: u32 = 3;
/// Entries read at once.
const PAGE: usize = 1000;
/// The most lines of one export; narrower times give the rest.
const MOST_EXPORTED: usize = 100_000;

/// One disclosure.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Disclosure {
    /// The entry of the audit log.
    pub entry_id: EntryId,
    /// Its index in the log, once it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_index: Option<u64>,
    /// When.
    pub at: DateTime<Utc>,
    /// Who received it.
    #[schema(max_length = 60)]
    pub recipient: String,
    /// For which purpose.
    pub purpose: Purpose,
    /// Of whom; absent once the guest is erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guest_id: Option<GuestId>,
    /// The guest's name in the log that year: it stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 32)]
    pub subject: Option<String>,
    /// By which principal.
    #[schema(max_length = 36)]
    pub principal: String,
    /// For which property.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 20)]
    pub property: Option<String>,
    /// On which consent or other ground.
    #[schema(max_length = 60)]
    pub basis: String,
    /// Which fields, and how each was shown.
    #[schema(value_type = BTreeMap<String, View>)]
    pub fields: BTreeMap<FieldPath, View>,
}

/// What to look for.
pub struct Wanted {
    /// Who received it.
    pub recipient: String,
    /// Of this guest only.
    pub guest_id: Option<GuestId>,
    /// At or after.
    pub from: Option<DateTime<Utc>>,
    /// Before.
    pub to: Option<DateTime<Utc>>,
}

impl Vault {
    /// A page of the register, newest first, and where the next begins.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`]; [`GuestError::BadQuestion`] for a recipient that no purpose names.
    pub async fn disclosures(
        &self,
        caller: &Caller,
        request: RequestId,
        wanted: &Wanted,
        (after, most): (Option<Place>, usize),
    ) -> Result<Vec<(Place, Disclosure)>, GuestError> {
        let purpose = self.may_read_register(caller, request, wanted).await?;
        let found = self.register(&purpose, wanted, after, most).await?;
        let mut event = self.register_event(caller, request, &purpose);
        event.count = u64::try_from(found.len()).ok();
        self.log.record(event, ()).await?;
        Ok(found)
    }

    /// The whole register of a recipient as lines of JSON, newest first, at most 100,000.
    ///
    /// # Errors
    /// As [`Vault::disclosures`].
    pub async fn export_disclosures(
        &self,
        caller: &Caller,
        request: RequestId,
        wanted: &Wanted,
    ) -> Result<Vec<u8>, GuestError> {
        let all = self
            .disclosures(caller, request, wanted, (None, MOST_EXPORTED))
            .await?;
        let mut lines = Vec::new();
        for (_, disclosure) in all {
            lines.extend(serde_json::to_vec(&disclosure).unwrap_or_default());
            lines.push(b'\n');
        }
        Ok(lines)
    }

    async fn may_read_register(
        &self,
        caller: &Caller,
        request: RequestId,
        wanted: &Wanted,
    ) -> Result<Purpose, GuestError> {
        let policy = self.policies.current();
        let event = Event::by(caller, Act::ReadAudit, request, self.clock.now());
        if !policy.allows(&caller.role, Right::ReadAudit) {
            return self.refuse(event, GuestError::Forbidden).await;
        }
        let named = policy
            .purposes()
            .find(|rule| rule.recipient.as_deref() == Some(wanted.recipient.as_str()));
        if let Some(rule) = named {
            return Ok(rule.code.clone());
        }
        let unknown = GuestError::bad(
            "recipient",
            "no purpose names it; GET /v1/policy lists those that do",
        );
        self.refuse(event, unknown).await
    }

    async fn register(
        &self,
        purpose: &Purpose,
        wanted: &Wanted,
        mut after: Option<Place>,
        most: usize,
    ) -> Result<Vec<(Place, Disclosure)>, GuestError> {
        let filter = Filter {
            guest_id: wanted.guest_id,
            purpose: Some(purpose.clone()),
            decision: Some(Decision::Permitted),
            from: wanted.from,
            to: wanted.to,
            ..Filter::default()
        };
        let mut found = Vec::new();
        while found.len() < most {
            let rows = search::entries(&self.store, &filter, after, PAGE).await?;
            let whole = rows.len() == PAGE;
            for row in rows {
                let place = Place::of(&row);
                after = Some(place);
                let line = disclosure(purpose, &wanted.recipient, &row);
                found.extend(line.map(|line| (place, line)));
            }
            if !whole {
                break;
            }
        }
        found.truncate(most);
        Ok(found)
    }

    fn register_event(&self, caller: &Caller, request: RequestId, purpose: &Purpose) -> Event {
        let mut event = Event::by(caller, Act::ReadAudit, request, self.clock.now());
        event.policy_version = Some(self.policies.current().version().to_owned());
        event.basis = Some(format!("register:{purpose}"));
        event
    }
}

/// The entry as a line of the register; nothing when nothing was shown.
fn disclosure(purpose: &Purpose, recipient: &str, row: &Row) -> Option<Disclosure> {
    let leaf = Leaf::read(&row.leaf).filter(Leaf::discloses)?;
    let fields: BTreeMap<FieldPath, View> = leaf.shown().map(|(path, view)| (path.clone(), view)).collect();
    if fields.is_empty() {
        return None;
    }
    Some(Disclosure {
        entry_id: EntryId(row.entry_id),
        log_index: row.log_index.and_then(|index| u64::try_from(index).ok()),
        at: from_micros(row.columns.at),
        recipient: recipient.to_owned(),
        purpose: purpose.clone(),
        guest_id: row.guest_id.map(GuestId),
        subject: leaf.subject,
        principal: leaf.principal.to_string(),
        property: leaf.property,
        basis: leaf.basis.unwrap_or_default(),
        fields,
    })
}
