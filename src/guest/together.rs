//! Records that are put at the same moment share their statements, their commit and its flush to the disk; each gets
//! its own answer, and none suffers for another.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use tokio::sync::{mpsc, oneshot};

use crate::{
    base::{Category, Errand, GuestId, RecordId},
    keys::GuestKeys,
    store::{PerThread, Store},
};

use super::{
    GuestError, RecordAnswer, Vault,
    likeness::Probe,
    prepare::Prepared,
    put::{self, Decided, Place},
    sql::Rows,
};

/// Records that may wait; more are told to come back.
const QUEUE: usize = 1024;
/// Records of one transaction at most: more would keep the first of them waiting.
const MOST: usize = 32;

/// A checked record on its way in.
pub(super) struct Waiting {
    pub(super) errand: Errand,
    pub(super) prepared: Prepared,
}

impl Waiting {
    /// What it may be found by, or finds others by. Two records that share one go one after the other, so that the
    /// second sees what the first left.
    pub(super) fn marks(&self) -> BTreeSet<[u8; 16]> {
        let tokens = self.prepared.tokens().map(|t| t.bytes);
        tokens
            .chain(self.prepared.probe.asked(false))
            .chain([self.prepared.source_token])
            .collect()
    }
}

struct Job {
    vault: Vault,
    waiting: Waiting,
    answer: oneshot::Sender<Result<RecordAnswer, GuestError>>,
}

/// Where records wait for a transaction. Cheap to clone.
#[derive(Clone)]
pub(super) struct Queue(Arc<PerThread<mpsc::Sender<Job>>>);

impl Queue {
    pub(super) fn of(store: &Store) -> Self {
        Self(Arc::new(PerThread::writers(store)))
    }
}

fn start() -> mpsc::Sender<Job> {
    let (queue, jobs) = mpsc::channel(QUEUE);
    tokio::spawn(serve(jobs));
    queue
}

async fn serve(mut jobs: mpsc::Receiver<Job>) {
    let mut batch = Vec::with_capacity(MOST);
    while jobs.recv_many(&mut batch, MOST).await > 0 {
        // A caller that went away before anything was done is not served.
        batch.retain(|job| !job.answer.is_closed());
        let mut rest = std::mem::take(&mut batch);
        while let Some(vault) = rest.first().map(|job| job.vault.clone()) {
            let (now, later) = apart(rest, |job| job.waiting.marks());
            rest = later;
            let (records, callers): (Vec<_>, Vec<_>) =
                now.into_iter().map(|job| (job.waiting, job.answer)).unzip();
            let answers = vault.put_each(&records).await;
            for (caller, answer) in callers.into_iter().zip(answers) {
                // Who went away meanwhile asks again, and is told the same.
                let _ = caller.send(answer);
            }
        }
    }
}

/// The first items that share no mark with each other, and the others; order is kept where it matters.
pub(super) fn apart<T>(items: Vec<T>, marks: impl Fn(&T) -> BTreeSet<[u8; 16]>) -> (Vec<T>, Vec<T>) {
    let mut taken = BTreeSet::new();
    items.into_iter().partition(|item| {
        let own = marks(item);
        let free = own.is_disjoint(&taken);
        // Also those of an item that has to wait: what comes after it must not overtake it.
        taken.extend(own);
        free
    })
}

impl Vault {
    /// Stores a checked record with those that wait at this moment.
    pub(super) async fn put_in_company(
        &self,
        errand: &Errand,
        prepared: Prepared,
    ) -> Result<RecordAnswer, GuestError> {
        let (answer, told) = oneshot::channel();
        let waiting = Waiting {
            errand: errand.clone(),
            prepared,
        };
        let job = Job {
            vault: self.clone(),
            waiting,
            answer,
        };
        let queue = self.puts.0.get(|queue| !queue.is_closed(), start);
        queue.try_send(job).map_err(|_| GuestError::Unanswered)?;
        told.await.map_err(|_| GuestError::Unanswered)?
    }

    /// Stores records that share no mark: together, or one by one when another writer came between. One answer each.
    pub(super) async fn put_each(&self, batch: &[Waiting]) -> Vec<Result<RecordAnswer, GuestError>> {
        let all: Vec<&Waiting> = batch.iter().collect();
        let error = match self.put_together(&all).await {
            Ok(answers) => return answers.into_iter().map(Ok).collect(),
            Err(error) => error,
        };
        let one_of_them = matches!(
            error,
            GuestError::Gone | GuestError::Restricted | GuestError::Moved(_) | GuestError::NotFound
        );
        if !one_of_them && !error.is_transient() {
            // What fails one, fails all.
            let others = batch.iter().skip(1).map(|_| Err(GuestError::Unanswered));
            return std::iter::once(Err(error)).chain(others).collect();
        }
        // Another writer came between, or one record's guest is gone: the others are not to suffer for it.
        let mut answers = Vec::with_capacity(batch.len());
        for waiting in batch {
            answers.push(self.put_prepared(waiting).await);
        }
        answers
    }

    /// Stores records in one transaction.
    pub(super) async fn put_together(&self, batch: &[&Waiting]) -> Result<Vec<RecordAnswer>, GuestError> {
        let places = self.places(batch).await?;
        let mut answers = BTreeMap::new();
        let mut changes = Vec::with_capacity(batch.len());
        for (at, (waiting, place)) in batch.iter().zip(places).enumerate() {
            let known = match &place {
                Place::Known(guest, record) => {
                    self.unchanged(&waiting.errand, &waiting.prepared, *guest, *record)
                        .await?
                }
                _ => None,
            };
            match known {
                Some(answer) => drop(answers.insert(at, answer)),
                None => changes.push((at, *waiting, Going::to(place))),
            }
        }
        if !changes.is_empty() {
            let keys = self.keys_for(&changes).await?;
            let outcome = self.apply_all(&changes, &keys).await;
            if outcome.as_ref().is_err_and(GuestError::is_undone) {
                // These guests were never made; their keys must not outlive the attempt.
                for (.., going) in changes.iter().filter(|(.., going)| going.is_new()) {
                    self.keys.destroy(going.guest, None).await?;
                }
            }
            answers.extend(outcome?);
        }
        Ok(answers.into_values().collect())
    }

    /// Where a record goes, as things stand.
    pub(super) async fn place(&self, waiting: &Waiting) -> Result<Place, GuestError> {
        let mut places = self.places(&[waiting]).await?;
        Ok(places.pop().unwrap_or(Place::New(Decided::default())))
    }

    async fn places(&self, batch: &[&Waiting]) -> Result<Vec<Place>, GuestError> {
        let sources: Vec<[u8; 16]> = batch.iter().map(|one| one.prepared.source_token).collect();
        let known: HashMap<[u8; 16], (GuestId, RecordId)> =
            self.store.read().await?.source_records(&sources).await?;
        let unknown = batch
            .iter()
            .filter(|one| !known.contains_key(&one.prepared.source_token));
        let probes: Vec<&Probe> = unknown.map(|one| &one.prepared.probe).collect();
        let mut findings = self.resembling_each(&probes).await?.into_iter();
        let place = |one: &&Waiting| match known.get(&one.prepared.source_token) {
            Some((guest, record)) => Place::Known(*guest, *record),
            None => self.decide(&one.errand, findings.next().unwrap_or_default()),
        };
        Ok(batch.iter().map(place).collect())
    }

    async fn keys_for(
        &self,
        changes: &[(usize, &Waiting, Going)],
    ) -> Result<HashMap<GuestId, GuestKeys>, GuestError> {
        let mut wanted: [BTreeMap<GuestId, BTreeSet<Category>>; 2] = Default::default();
        let [known, new] = &mut wanted;
        for (_, waiting, going) in changes {
            let of = if going.is_new() { &mut *new } else { &mut *known };
            of.entry(going.guest)
                .or_default()
                .extend(waiting.prepared.categories());
        }
        let [known, new] = wanted.map(|of| {
            of.into_iter()
                .map(|(guest, all)| (guest, all.into_iter().collect()))
                .collect::<Vec<(GuestId, Vec<Category>)>>()
        });
        let mut keys = self.keys.make_many(&new).await?;
        keys.extend(self.keys.ensure_many(&known).await?);
        Ok(keys)
    }

    async fn apply_all(
        &self,
        changes: &[(usize, &Waiting, Going)],
        keys: &HashMap<GuestId, GuestKeys>,
    ) -> Result<Vec<(usize, RecordAnswer)>, GuestError> {
        let known: BTreeSet<GuestId> = changes
            .iter()
            .filter(|(.., going)| !going.is_new())
            .map(|(.., going)| going.guest)
            .collect();
        let known: Vec<GuestId> = known.into_iter().collect();
        let heads = if known.is_empty() {
            HashMap::new()
        } else {
            self.store.read().await?.guest_heads(&known).await?
        };
        // Two records of one batch may belong to one guest: the second builds on the first's version.
        let mut versions: BTreeMap<GuestId, i64> = BTreeMap::new();
        for guest in known {
            versions.insert(guest, put::changeable(heads.get(&guest))?);
        }
        let mut change = self.log.begin(&self.store).await?;
        let mut rows = Rows::default();
        let mut answers = Vec::with_capacity(changes.len());
        for (at, Waiting { errand, prepared }, Going { place, guest }) in changes {
            let keys = keys.get(guest).ok_or(GuestError::NotFound)?;
            let version = versions.entry(*guest).or_default();
            let writing = (&mut change, &mut rows);
            let done = self
                .apply_later(writing, errand, prepared, place, (*guest, *version), keys)
                .await?;
            *version = done.version;
            answers.push((*at, put::answer(place, done)));
        }
        change.tx.write(rows).await?;
        change.commit().await?;
        Ok(answers)
    }
}

/// A record's place, and the guest of it, made up when there is none.
struct Going {
    place: Place,
    guest: GuestId,
}

impl Going {
    fn to(place: Place) -> Self {
        let guest = match &place {
            Place::Known(guest, _) | Place::Linked(guest, _) => *guest,
            Place::New(_) => GuestId::random(),
        };
        Self { place, guest }
    }

    const fn is_new(&self) -> bool {
        matches!(self.place, Place::New(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_shares_a_mark_waits_and_is_not_overtaken() {
        let mark = |n: u8| [n; 16];
        let items = vec![vec![1], vec![2, 3], vec![3, 4], vec![4], vec![5]];
        let marks = |item: &Vec<u8>| item.iter().map(|n| mark(*n)).collect();
        let (now, later) = apart(items, marks);
        assert_eq!(now, [vec![1], vec![2, 3], vec![5]]);
        assert_eq!(later, [vec![3, 4], vec![4]]);
        let (now, later) = apart(later, marks);
        assert_eq!((now, later), (vec![vec![3, 4]], vec![vec![4]]));
    }
}
