//! Many records at once, in one transaction: what an import needs to be fast.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, future, stream};

use crate::base::{Errand, GuestId, ImportId, SourceSystem};

use super::{
    GuestError, Outcome, RecordAnswer, RecordInput, Rejected, Vault, cores,
    prepare::{Prepared, check_source},
    put::Place,
    together::{AT_ONCE, Waiting, apart},
};

/// Records of one transaction at most: tokens lie anywhere, and the more are written together, the more share a page.
const PART: usize = 1000;

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

/// Records that were checked and wait to be stored.
pub struct Checked(Vec<Result<Waiting, GuestError>>);

impl Vault {
    /// Checks records before anything is stored, on all processors. With `later` a record that its source has not sent
    /// before will make a guest, whoever it resembles.
    pub async fn check_many(&self, records: Vec<Incoming>, import: Option<ImportId>, later: bool) -> Checked {
        let waiting = |(errand, prepared)| {
            let prepared = Prepared {
                import,
                later,
                ..prepared
            };
            Waiting::new(errand, prepared)
        };
        let prepared = self.prepare_many(records).await.into_iter();
        Checked(prepared.map(|one| one.map(waiting)).collect())
    }

    /// Stores records as [`Vault::put_record`] does, many in one transaction; an answer for each, in their order. After
    /// a failure of store, keys or log part of them may be in, and the same again completes them.
    pub async fn put_many(&self, checked: Checked) -> Vec<Result<RecordAnswer, GuestError>> {
        let mut answers: Vec<Option<Result<RecordAnswer, GuestError>>> = Vec::with_capacity(checked.0.len());
        let mut rest: Vec<(usize, Waiting)> = Vec::with_capacity(checked.0.len());
        for (at, one) in checked.0.into_iter().enumerate() {
            match one {
                Ok(waiting) => {
                    answers.push(None);
                    rest.push((at, waiting));
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
        if let Err(error) = self.keys.matching_keys().await {
            let others = records.iter().skip(1).map(|_| Err(GuestError::Unanswered));
            return std::iter::once(Err(error.into())).chain(others).collect();
        }
        let vault = self.clone();
        let all = cores::each(records, move |one| vault.prepare_one(one)).await;
        let noticed = all.into_iter().map(|one| async {
            let (errand, prepared) = one.unwrap_or(Err(GuestError::Unanswered))?;
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
