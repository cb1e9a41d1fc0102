//! Many records at once, in one transaction: what an import needs to be fast.

use std::{
    collections::BTreeMap,
    ops::{Range, RangeInclusive},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, future, stream};

use crate::{
    base::{Errand, GuestId, ImportId, SourceSystem},
    store::Store,
};

use super::{
    GuestError, Outcome, RecordAnswer, RecordInput, Rejected, Vault, cores,
    prepare::{Prepared, check_source},
    put::Place,
    together::{AT_ONCE, Waiting, apart},
};

/// Records of one transaction: tokens lie anywhere, and the more are written together, the more share a page.
const PARTS: RangeInclusive<usize> = 100..=1000;
/// How long transactions that go at once may take: others wait for them, and give up after five seconds.
const LONG: Duration = Duration::from_millis(1200);

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

/// How records of an import are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manner {
    /// The import that takes them back.
    pub import: Option<ImportId>,
    /// Whether a record that its source has not sent before makes a guest, whoever it resembles.
    pub later: bool,
    /// Whether a new guest is also made of what has had its time already.
    pub lapsed: bool,
}

/// Records that were checked and wait to be stored.
pub struct Checked(Vec<Result<Waiting, GuestError>>);

/// How many records go into one transaction: as many as are written in a time for which others can wait. Cheap to
/// clone.
#[derive(Clone)]
pub(super) struct Stride(Arc<AtomicUsize>);

impl Default for Stride {
    fn default() -> Self {
        Self(Arc::new(AtomicUsize::new(*PARTS.start())))
    }
}

impl Stride {
    fn size(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// So many records took so long: the next are fewer or more.
    fn took(&self, records: usize, time: Duration) {
        let size = self.size();
        let next = if time > LONG {
            size / 2
        } else if time < LONG / 3 && records >= size {
            size * 2
        } else {
            size
        };
        self.0
            .store(next.clamp(*PARTS.start(), *PARTS.end()), Ordering::Relaxed);
    }
}

impl Vault {
    /// Checks records before anything is stored, on all processors.
    pub async fn check_many(&self, records: Vec<Incoming>, manner: Manner) -> Checked {
        let waiting = |(errand, prepared)| {
            let prepared = Prepared {
                import: manner.import,
                later: manner.later,
                lapsed: manner.lapsed,
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
            let batch = Arc::new(batch);
            let parts = stream::unfold(0, |from: usize| {
                let stride = self.stride.size();
                // The first is shorter: until it is put together, nobody writes.
                let upto = batch
                    .len()
                    .min(from + if from == 0 { stride / 4 } else { stride });
                future::ready((from < upto).then_some((from..upto, upto)))
            });
            // One is written while the next is put together, and no processor waits in between.
            let told: Vec<_> = parts
                .map(|part| self.put_part(Arc::clone(&batch), part))
                .buffered(AT_ONCE)
                .collect()
                .await;
            for (answer, at) in told.into_iter().flatten().zip(places) {
                if let Some(place) = answers.get_mut(at) {
                    *place = Some(answer);
                }
            }
        }
        answers.into_iter().flatten().collect()
    }

    async fn put_part(
        &self,
        batch: Arc<Vec<Waiting>>,
        part: Range<usize>,
    ) -> Vec<Result<RecordAnswer, GuestError>> {
        let (begun, count, vault) = (Instant::now(), part.len(), self.clone());
        let putting = async move { vault.put_each(batch.get(part).unwrap_or_default()).await };
        // On PostgreSQL each thread has queues of its own (`PerThread`), and the work is done by other processes anyway.
        let answers = match self.store {
            Store::Sqlite { .. } => cores::aside(putting).await,
            Store::Postgres(_) => Some(putting.await),
        };
        self.stride.took(count, begun.elapsed());
        answers.unwrap_or_else(|| (0..count).map(|_| Err(GuestError::Unanswered)).collect())
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
        if let Place::Known(guest, record) = place {
            let mut conn = self.store.read().await?;
            if let Some((_, told_at)) = conn.record_head(guest, record).await? {
                self.house_of_record(&mut conn, errand, (guest, told_at)).await?;
            }
        }
        let (guest, outcome) = match place {
            Place::Known(guest, _) | Place::Linked(guest, _) => (Some(guest), Outcome::Linked),
            Place::New(decided) if !decided.doubts.is_empty() => (None, Outcome::Review),
            Place::New(_) => (None, Outcome::Created),
        };
        let in_time = guest
            .is_none()
            .then(|| self.in_its_time(&waiting.prepared))
            .flatten();
        let prepared = in_time.unwrap_or(waiting.prepared);
        let fields = prepared.values.iter().map(|value| value.field.clone()).collect();
        Ok(Preview {
            guest,
            outcome,
            fields,
            rejected: prepared.rejected,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_is_as_large_as_others_can_wait_for() {
        let stride = Stride::default();
        for _ in 0..9 {
            stride.took(stride.size(), LONG / 10);
        }
        assert_eq!(stride.size(), *PARTS.end());
        stride.took(stride.size(), LONG / 2);
        assert_eq!(stride.size(), *PARTS.end());
        stride.took(stride.size(), LONG * 2);
        assert_eq!(stride.size(), *PARTS.end() / 2);
        for _ in 0..9 {
            stride.took(stride.size(), LONG * 2);
        }
        assert_eq!(stride.size(), *PARTS.start());
        // The rest of a file says nothing about what a whole part would take.
        stride.took(1, LONG / 10);
        assert_eq!(stride.size(), *PARTS.start());
    }
}
