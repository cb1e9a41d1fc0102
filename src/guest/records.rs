//! The source records behind a guest, value by value with provenance, under the same policy.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    audit::{Act, Event, Receipt},
    base::{Catalogue, Category, Errand, Field, FieldIndex, FieldPath, GuestId, RecordId, View, from_micros},
    policy::Grant,
};

use super::{
    AuditAnswer, FieldAnswer, GuestError, Provenance, Stay, Vault,
    put::source_id_place,
    read::{Fetched, STAY_LINKS, effective, handle, open, present},
    sql::{Line, Part, RecordRow},
};

/// The field whose view decides whether a source's own id is shown.
const EXTERNAL_IDS: &str = "external_ids";

/// One source record.
#[derive(Clone, Serialize, ToSchema)]
pub struct RecordView {
    /// Its id.
    pub record_id: RecordId,
    /// Whose words.
    pub source_system: String,
    /// The source's own id, for those who may see identifiers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_id: Option<String>,
    /// How the source came to know.
    pub provenance: Provenance,
    /// For which property it was sent; of another house than that of the call only for those who may see stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub property: Option<String>,
    /// When observed.
    pub observed_at: DateTime<Utc>,
    /// When received.
    pub received_at: DateTime<Utc>,
    /// Its values, as the caller may see them.
    pub fields: BTreeMap<String, FieldAnswer>,
}

/// The records behind a guest.
#[derive(Clone, Serialize, ToSchema)]
pub struct RecordsAnswer {
    /// Who.
    pub guest_id: GuestId,
    /// What each source says.
    pub records: Vec<RecordView>,
    /// The record of this look.
    pub audit: AuditAnswer,
}

impl Vault {
    /// What each source says of a guest.
    ///
    /// # Errors
    /// As [`Vault::read_guest`].
    pub async fn read_records(&self, errand: &Errand, guest: GuestId) -> Result<RecordsAnswer, GuestError> {
        self.read_some_records(errand, guest, &[]).await
    }

    /// The same of these fields only; of all, when there are none.
    ///
    /// # Errors
    /// As [`Vault::read_guest`].
    pub async fn read_some_records(
        &self,
        errand: &Errand,
        guest: GuestId,
        wanted: &[FieldIndex],
    ) -> Result<RecordsAnswer, GuestError> {
        let policy = self.policies.current();
        let fetched = self
            .fetch(errand, guest, wanted, Act::ReadRecords, &policy)
            .await?;
        let mut rows = self.store.read().await?.records(guest).await?;
        let catalogue = policy.catalogue();
        rows.retain(|row| is_shown(catalogue, &fetched, row));
        let mut event = fetched.event(errand, Act::ReadRecords);
        event.fields = shown(catalogue, &fetched);
        event.count = u64::try_from(rows.len()).ok();
        let event = Self::with_reason(event, errand, Some(&fetched.keys));
        let refused = event.clone();
        let receipt = self.log.record(event, fetched.grant.clone()).await?;
        let records: Result<Vec<_>, _> = rows
            .into_iter()
            .map(|row| view(catalogue, &fetched, &receipt, row))
            .map(|shown| shown.map(|record| self.placed(errand, catalogue, &fetched, record)))
            .collect();
        match records {
            Ok(records) => {
                let audit = AuditAnswer {
                    entry_id: receipt.entry(),
                };
                Ok(RecordsAnswer {
                    guest_id: guest,
                    records,
                    audit,
                })
            }
            Err(error) => {
                self.refuse(
                    Event {
                        act: Act::DamageFound,
                        ..refused
                    },
                    error,
                )
                .await
            }
        }
    }
}

impl Vault {
    /// Without the house when it is another one's, and the caller may not know where the guest stays.
    fn placed(
        &self,
        errand: &Errand,
        catalogue: &Catalogue,
        fetched: &Fetched,
        mut record: RecordView,
    ) -> RecordView {
        let here = |place: &String| {
            let place = place.parse();
            place.is_ok_and(|place| self.properties.within(&place, &errand.property))
        };
        record.property = record
            .property
            .filter(|place| reads(catalogue, fetched, STAY_LINKS) || here(place));
        record
    }
}

/// Whether the caller is shown what a field says, not only a handle of it.
fn reads(catalogue: &Catalogue, fetched: &Fetched, path: &str) -> bool {
    let field = catalogue.find(path);
    field.is_some_and(|(at, _)| !matches!(fetched.grant.view(at), View::None | View::Token))
}

/// Whether the caller may see anything of this field.
fn sees(catalogue: &Catalogue, fetched: &Fetched, path: &str) -> bool {
    let field = catalogue.find(path);
    field.is_some_and(|(at, _)| fetched.grant.view(at) != View::None)
}

/// Whether the caller is told of a record: that a source knows the guest says where the guest was.
fn is_shown(catalogue: &Catalogue, fetched: &Fetched, row: &RecordRow) -> bool {
    let own = |line: &&Line| line.part() == Part::Field && line.id == Some(row.record_id);
    let mut values = fetched.lines.iter().filter(own);
    sees(catalogue, fetched, STAY_LINKS) || values.any(|line| sees(catalogue, fetched, &line.word))
}

fn shown(catalogue: &Catalogue, fetched: &Fetched) -> BTreeMap<FieldPath, View> {
    let paths = fetched
        .lines
        .iter()
        .filter(|l| l.part() == Part::Field)
        .map(|l| l.word.as_str());
    paths
        .chain([EXTERNAL_IDS])
        .filter_map(|path| {
            let (at, field) = catalogue.find(path)?;
            let view = effective(fetched.grant.view(at), Act::ReadRecords);
            (view != View::None).then(|| (field.path.clone(), view))
        })
        .collect()
}

fn view(
    catalogue: &Catalogue,
    fetched: &Fetched,
    receipt: &Receipt<Grant>,
    row: RecordRow,
) -> Result<RecordView, GuestError> {
    let mut fields = BTreeMap::new();
    let own = |l: &&Line| l.part() == Part::Field && l.id == Some(row.record_id);
    for line in fetched.lines.iter().filter(own) {
        let Some((at, field)) = catalogue.find(&line.word) else {
            continue;
        };
        let view = receipt.grant().view(at);
        let answer = match receipt.grant().withheld(at) {
            Some(reason) => FieldAnswer::withheld(reason),
            None if view == View::Token => handle(&fetched.handles, field),
            None => match open(catalogue, fetched, receipt, (at, field), line)? {
                Value::Null => continue,
                value => present(field, value, view, Act::ReadRecords),
            },
        };
        fields.insert(line.word.clone(), answer);
    }
    Ok(RecordView {
        record_id: RecordId(row.record_id),
        source_id: source_id(catalogue, fetched, receipt, &row)?,
        source_system: row.source_system,
        provenance: Provenance::from_word(&row.provenance),
        property: Some(row.property),
        observed_at: from_micros(row.observed_at),
        received_at: from_micros(row.received_at),
        fields,
    })
}

fn source_id(
    catalogue: &Catalogue,
    fetched: &Fetched,
    receipt: &Receipt<Grant>,
    row: &RecordRow,
) -> Result<Option<String>, GuestError> {
    let Some((at, _)) = catalogue.find(EXTERNAL_IDS) else {
        return Ok(None);
    };
    // Empty once it was erased.
    if receipt.grant().view(at) != View::Plain || row.source_id.is_empty() {
        return Ok(None);
    }
    let place = source_id_place(fetched.guest, row.record_id);
    let plain = fetched
        .keys
        .open(receipt, at, Category::Identity, &row.source_id, &place)?;
    Ok(String::from_utf8(plain.bytes().to_vec()).ok())
}

/// The stays of a guest as an answer; `None` when there is none. A flag is their number.
pub(super) fn stays_answer(field: &Field, stays: &[Stay], view: View, act: Act) -> Option<FieldAnswer> {
    if stays.is_empty() || view == View::None {
        return None;
    }
    let plain = |stay: &Stay| serde_json::to_value(stay).unwrap_or_default();
    let value = Value::Array(stays.iter().map(plain).collect());
    let mut answer = present(field, value, view, act);
    if view == View::Flag {
        answer.value = Some(Value::from(stays.len()));
    }
    Some(answer)
}
