//! Many records at once, in one transaction: what an import needs to be fast.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    base::{Category, Errand, GuestId, ImportId, SourceSystem},
    keys::GuestKeys,
};

use super::{
    GuestError, Outcome, RecordAnswer, RecordInput, Rejected, Vault,
    prepare::{Prepared, check_source},
    put::{self, Place},
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
    /// Stores records as [`Vault::put_record`] does, many in one transaction. Records that share an identifier go one
    /// after the other, so that each sees what the one before left.
    ///
    /// # Errors
    /// What store, keys or log fail with: then part of the batch may be in, and the same batch again completes it.
    pub async fn put_many(
        &self,
        records: Vec<Incoming>,
        import: Option<ImportId>,
    ) -> Result<Vec<Result<RecordAnswer, GuestError>>, GuestError> {
        let mut answers = Vec::with_capacity(records.len());
        let mut waiting: Vec<(Errand, Prepared)> = Vec::new();
        let mut taken: BTreeSet<[u8; 16]> = BTreeSet::new();
        for (errand, source, id, input) in records {
            let prepared = match self.prepare_incoming(&errand, &source, &id, input) {
                Ok(prepared) => Prepared { import, ..prepared },
                Err(error) => {
                    self.flush(&mut waiting, &mut answers).await?;
                    taken.clear();
                    answers.push(Err(error));
                    continue;
                }
            };
            let own: BTreeSet<[u8; 16]> = prepared
                .tokens()
                .map(|t| t.bytes)
                .chain([prepared.source_token])
                .collect();
            if !own.is_disjoint(&taken) {
                self.flush(&mut waiting, &mut answers).await?;
                taken.clear();
            }
            taken.extend(own);
            waiting.push((errand, prepared));
        }
        self.flush(&mut waiting, &mut answers).await?;
        Ok(answers)
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
        let prepared = self.prepare_incoming(errand, source, id, input)?;
        let (guest, outcome) = match self.place(&prepared).await? {
            Place::Known(guest, _) | Place::Linked(guest, _) => (Some(guest), Outcome::Linked),
            Place::New => (None, Outcome::Created),
        };
        let fields = prepared.values.iter().map(|value| value.field.clone()).collect();
        Ok(Preview {
            guest,
            outcome,
            fields,
            rejected: prepared.rejected,
        })
    }

    fn prepare_incoming(
        &self,
        errand: &Errand,
        source: &SourceSystem,
        id: &str,
        input: RecordInput,
    ) -> Result<Prepared, GuestError> {
        check_source(source, id).map_err(|rejected| GuestError::Rejected(vec![rejected]))?;
        self.prepare(errand, &self.policies.current(), (source, id), input)
    }

    /// Stores what waits: together when that works, one by one when another writer came between.
    async fn flush(
        &self,
        waiting: &mut Vec<(Errand, Prepared)>,
        answers: &mut Vec<Result<RecordAnswer, GuestError>>,
    ) -> Result<(), GuestError> {
        if waiting.is_empty() {
            return Ok(());
        }
        let batch = std::mem::take(waiting);
        match self.put_together(&batch).await {
            Ok(all) => answers.extend(all.into_iter().map(Ok)),
            // Another writer came between, or one record's guest is gone: the others are not to suffer for it.
            Err(error)
                if error.is_transient()
                    || matches!(
                        error,
                        GuestError::Gone | GuestError::Moved(_) | GuestError::NotFound
                    ) =>
            {
                for (errand, prepared) in &batch {
                    answers.push(self.put_prepared(errand, prepared).await);
                }
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn put_together(&self, batch: &[(Errand, Prepared)]) -> Result<Vec<RecordAnswer>, GuestError> {
        let mut places = Vec::with_capacity(batch.len());
        for (_, prepared) in batch {
            let place = self.place(prepared).await?;
            let guest = match &place {
                Place::Known(guest, _) | Place::Linked(guest, _) => *guest,
                Place::New => GuestId::random(),
            };
            places.push((place, guest));
        }
        let keys = self.keys_for(batch, &places).await?;
        let outcome = self.apply_all(batch, &places, &keys).await;
        if outcome.as_ref().is_err_and(GuestError::is_undone) {
            for (_, guest) in places.iter().filter(|(place, _)| matches!(place, Place::New)) {
                self.keys.destroy(*guest, None).await?;
            }
        }
        outcome
    }

    async fn keys_for(
        &self,
        batch: &[(Errand, Prepared)],
        places: &[(Place, GuestId)],
    ) -> Result<BTreeMap<GuestId, GuestKeys>, GuestError> {
        let mut wanted: BTreeMap<GuestId, BTreeSet<Category>> = BTreeMap::new();
        for ((_, prepared), (_, guest)) in batch.iter().zip(places) {
            wanted.entry(*guest).or_default().extend(prepared.categories());
        }
        let wanted: Vec<(GuestId, Vec<Category>)> = wanted
            .into_iter()
            .map(|(guest, all)| (guest, all.into_iter().collect()))
            .collect();
        Ok(self.keys.ensure_many(&wanted).await?.into_iter().collect())
    }

    async fn apply_all(
        &self,
        batch: &[(Errand, Prepared)],
        places: &[(Place, GuestId)],
        keys: &BTreeMap<GuestId, GuestKeys>,
    ) -> Result<Vec<RecordAnswer>, GuestError> {
        // Two records of one batch may belong to one guest: the second builds on the first's version.
        let mut versions: BTreeMap<GuestId, i64> = BTreeMap::new();
        for (place, guest) in places {
            let version = if matches!(place, Place::New) {
                0
            } else {
                self.active_version(*guest).await?
            };
            versions.insert(*guest, version);
        }
        let mut change = self.log.begin(&self.store).await?;
        let mut answers = Vec::with_capacity(batch.len());
        for ((errand, prepared), (place, guest)) in batch.iter().zip(places) {
            let (Some(keys), Some(version)) = (keys.get(guest), versions.get_mut(guest)) else {
                return Err(GuestError::NotFound);
            };
            let done = self
                .apply(&mut change, errand, prepared, place, (*guest, *version), keys)
                .await?;
            *version = done.version;
            answers.push(put::answer(place, done));
        }
        change.commit().await?;
        Ok(answers)
    }
}
