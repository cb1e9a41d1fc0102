//! Many records at once, in one transaction: what an import needs to be fast.

use crate::base::{Errand, GuestId, ImportId, SourceSystem};

use super::{
    GuestError, Outcome, RecordAnswer, RecordInput, Rejected, Vault,
    prepare::{Prepared, check_source},
    put::Place,
    together::{Waiting, apart},
};

/// What would become of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    /// The guest it would join.
    pub guest: Option<GuestId>,
    /// How it would find it.
    pub outcome: Outcome,
    /// Fields that would be written.
    pub fields: Vec<String>,
    /// What would not be stored.
    pub rejected: Vec<Rejected>,
}

/// A record on its way in: for whom, from where, what.
pub type Incoming = (Errand, SourceSystem, String, RecordInput);

impl Vault {
    /// Stores records as [`Vault::put_record`] does, many in one transaction; an answer for each, in their order. After
    /// a failure of store, keys or log part of them may be in, and the same again completes them.
    pub async fn put_many(
        &self,
        records: Vec<Incoming>,
        import: Option<ImportId>,
    ) -> Vec<Result<RecordAnswer, GuestError>> {
        let mut answers: Vec<Option<Result<RecordAnswer, GuestError>>> = Vec::with_capacity(records.len());
        let mut rest: Vec<(usize, Waiting)> = Vec::with_capacity(records.len());
        for (at, (errand, source, id, input)) in records.into_iter().enumerate() {
            match self.prepare_incoming(&errand, &source, &id, input).await {
                Ok(prepared) => {
                    let prepared = Prepared { import, ..prepared };
                    answers.push(None);
                    rest.push((at, Waiting { errand, prepared }));
                }
                Err(error) => answers.push(Some(Err(error))),
            }
        }
        while !rest.is_empty() {
            let (now, later) = apart(rest, |(_, waiting)| waiting.marks());
            rest = later;
            let (places, batch): (Vec<usize>, Vec<Waiting>) = now.into_iter().unzip();
            for (at, answer) in places.into_iter().zip(self.put_each(&batch).await) {
                if let Some(place) = answers.get_mut(at) {
                    *place = Some(answer);
                }
            }
        }
        answers.into_iter().flatten().collect()
    }

    /// What would become of a record; stores nothing.
    ///
    /// # Errors
    /// As [`Vault::put_record`].
    pub async fn preview(
        &self,
        errand: &Errand,
        source: &SourceSystem,
        id: &str,
        input: RecordInput,
    ) -> Result<Preview, GuestError> {
        let prepared = self.prepare_incoming(errand, source, id, input).await?;
        let waiting = Waiting {
            errand: errand.clone(),
            prepared,
        };
        let place = self.place(&waiting).await?;
        let (guest, outcome) = match place {
            Place::Known(guest, _) | Place::Linked(guest, _) => (Some(guest), Outcome::Linked),
            Place::New(decided) if !decided.doubts.is_empty() => (None, Outcome::Review),
            Place::New(_) => (None, Outcome::Created),
        };
        let fields = waiting
            .prepared
            .values
            .iter()
            .map(|value| value.field.clone())
            .collect();
        Ok(Preview {
            guest,
            outcome,
            fields,
            rejected: waiting.prepared.rejected,
        })
    }

    async fn prepare_incoming(
        &self,
        errand: &Errand,
        source: &SourceSystem,
        id: &str,
        input: RecordInput,
    ) -> Result<Prepared, GuestError> {
        check_source(source, id).map_err(|rejected| GuestError::Rejected(vec![rejected]))?;
        self.keys.matching_keys().await?;
        let prepared = self.prepare(errand, &self.policies.current(), (source, id), input)?;
        self.with_notices(prepared).await
    }
}
