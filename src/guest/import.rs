//! Many records at once, in one transaction: what an import needs to be fast.

use std::{collections::BTreeMap, num::NonZero};

use futures_util::{StreamExt as _, future, stream};

use crate::base::{Errand, GuestId, ImportId, SourceSystem};

use super::{
    GuestError, Outcome, RecordAnswer, RecordInput, Rejected, Vault,
    prepare::{Prepared, check_source},
    put::Place,
    together::{AT_ONCE, Waiting, apart},
};

/// Records of one transaction at most.
const PART: usize = 100;
/// Records that are worth another thread.
const LEAST: usize = 25;

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
    /// a failure of store, keys or log part of them may be in, and the same again completes them. With `later` a record
    /// that its source has not sent before makes a guest, whoever it resembles.
    pub async fn put_many(
        &self,
        records: Vec<Incoming>,
        import: Option<ImportId>,
        later: bool,
    ) -> Vec<Result<RecordAnswer, GuestError>> {
        let mut answers: Vec<Option<Result<RecordAnswer, GuestError>>> = Vec::with_capacity(records.len());
        let mut rest: Vec<(usize, Waiting)> = Vec::with_capacity(records.len());
        for (at, prepared) in self.prepare_many(records).await.into_iter().enumerate() {
            match prepared {
                Ok((errand, prepared)) => {
                    let prepared = Prepared {
                        import,
                        later,
                        ..prepared
                    };
                    answers.push(None);
                    rest.push((at, Waiting::new(errand, prepared)));
                }
                Err(error) => answers.push(Some(Err(error))),
            }
        }
        while !rest.is_empty() {
            let (now, later) = apart(rest, &BTreeMap::new(), |(_, waiting)| waiting.marks());
            rest = later;
            let (places, batch): (Vec<usize>, Vec<Waiting>) = now.into_iter().unzip();
            let parts = stream::iter(batch.chunks(PART)).map(|part| self.put_each(part));
            let told: Vec<Vec<_>> = parts.buffered(AT_ONCE).collect().await;
            for (at, answer) in places.into_iter().zip(told.into_iter().flatten()) {
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
        let waiting = Waiting::new(errand.clone(), prepared);
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

    /// Checks records on all processors; an answer for each, in their order.
    async fn prepare_many(&self, records: Vec<Incoming>) -> Vec<Result<(Errand, Prepared), GuestError>> {
        let mut all = Vec::with_capacity(records.len());
        if let Err(error) = self.keys.matching_keys().await {
            all.push(Err(error.into()));
            all.extend(records.iter().skip(1).map(|_| Err(GuestError::Unanswered)));
            return all;
        }
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
        let each = records.len().div_ceil(threads).max(LEAST);
        let (mut records, mut parts) = (records.into_iter().peekable(), Vec::new());
        while records.peek().is_some() {
            let (part, vault) = (records.by_ref().take(each).collect::<Vec<_>>(), self.clone());
            let count = part.len();
            let check = move || {
                part.into_iter()
                    .map(|one| vault.prepare_one(one))
                    .collect::<Vec<_>>()
            };
            parts.push((count, tokio::task::spawn_blocking(check)));
        }
        for (count, part) in parts {
            match part.await {
                Ok(prepared) => all.extend(prepared),
                Err(_) => all.extend((0..count).map(|_| Err(GuestError::Unanswered))),
            }
        }
        let noticed = all.into_iter().map(|one| async {
            let (errand, prepared) = one?;
            Ok((errand, self.with_notices(prepared).await?))
        });
        future::join_all(noticed).await
    }

    fn prepare_one(&self, (errand, source, id, input): Incoming) -> Result<(Errand, Prepared), GuestError> {
        check_source(&source, &id).map_err(|rejected| GuestError::Rejected(vec![rejected]))?;
        let prepared = self.prepare(&errand, &self.policies.current(), (&source, &id), input)?;
        Ok((errand, prepared))
    }

    async fn prepare_incoming(
        &self,
        errand: &Errand,
        source: &SourceSystem,
        id: &str,
        input: RecordInput,
    ) -> Result<Prepared, GuestError> {
        self.keys.matching_keys().await?;
        let (_, prepared) = self.prepare_one((errand.clone(), source.clone(), id.to_owned(), input))?;
        self.with_notices(prepared).await
    }
}
