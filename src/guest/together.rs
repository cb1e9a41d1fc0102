//! Records that are put at the same moment share their statements, their commit and its flush to the disk; each gets
//! its own answer, and none suffers for another.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use futures_util::{StreamExt as _, future, stream::FuturesUnordered};
use tokio::sync::{mpsc, oneshot};

use crate::{
    audit::Change,
    base::{Category, Errand, GuestId, PropertyCode, RecordId},
    keys::{GuestKeys, Minted},
    store::{PerThread, Store},
};

use super::{
    GuestError, RecordAnswer, Vault,
    import_job::no_longer_open,
    likeness::Probe,
    prepare::Prepared,
    put::{self, Decided, Place, Told},
    sql::Rows,
    writing::{Later, Writing},
};

/// Records that may wait; more are told to come back.
const QUEUE: usize = 1024;
/// Records of one transaction at most: more would keep the first of them waiting.
const MOST: usize = 32;

/// Batches that are stored at once: while one is written, the guests of the next are looked for and its values sealed.
pub(super) const AT_ONCE: usize = 2;

/// What a record may be found by, or finds others by.
pub(super) type Marks = BTreeSet<[u8; 16]>;

/// A checked record on its way in.
pub(super) struct Waiting {
    pub(super) errand: Errand,
    pub(super) prepared: Prepared,
    /// Two records that share a mark go one after the other, so that the second sees what the first left.
    marks: Marks,
}

impl Waiting {
    pub(super) fn new(errand: Errand, prepared: Prepared) -> Self {
        let own = [prepared.source_token];
        let marks = if prepared.later {
            own.into()
        } else {
            let tokens = prepared.tokens().map(|t| t.bytes);
            tokens.chain(prepared.probe.asked(false)).chain(own).collect()
        };
        Self {
            errand,
            prepared,
            marks,
        }
    }

    pub(super) const fn marks(&self) -> &Marks {
        &self.marks
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
        Self(Arc::new(PerThread::of(store)))
    }
}

fn start() -> mpsc::Sender<Job> {
    let (queue, jobs) = mpsc::channel(QUEUE);
    tokio::spawn(serve(jobs));
    queue
}

async fn serve(mut jobs: mpsc::Receiver<Job>) {
    let (mut waiting, mut open) = (Vec::with_capacity(MOST), true);
    let mut going = FuturesUnordered::new();
    let mut taken: BTreeMap<u64, Marks> = BTreeMap::new();
    let mut number = 0;
    loop {
        let (now, later) = if going.len() < AT_ONCE {
            apart(waiting, &taken, |job: &Job| job.waiting.marks())
        } else {
            (Vec::new(), waiting)
        };
        waiting = later;
        if !now.is_empty() {
            number += 1;
            let marks = now.iter().flat_map(|job| job.waiting.marks()).copied();
            taken.insert(number, marks.collect());
            going.push(store(number, now));
            continue;
        }
        let room = MOST.saturating_sub(waiting.len());
        tokio::select! {
            Some(done) = going.next() => drop(taken.remove(&done)),
            count = jobs.recv_many(&mut waiting, room), if open && room > 0 => open = count > 0,
            else => return,
        }
    }
}

async fn store(number: u64, mut batch: Vec<Job>) -> u64 {
    // A caller that went away before anything was done is not served.
    batch.retain(|job| !job.answer.is_closed());
    if let Some(vault) = batch.first().map(|job| job.vault.clone()) {
        let (records, callers): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|job| (job.waiting, job.answer)).unzip();
        let answers = vault.put_each(&records).await;
        for (caller, answer) in callers.into_iter().zip(answers) {
            // Who went away meanwhile asks again, and is told the same.
            let _ = caller.send(answer);
        }
    }
    number
}

/// The first items that share no mark with each other nor with what is taken, and the others; order is kept where it
/// matters.
pub(super) fn apart<T>(
    items: Vec<T>,
    taken: &BTreeMap<u64, Marks>,
    marks: impl Fn(&T) -> &Marks,
) -> (Vec<T>, Vec<T>) {
    let mut before = Marks::new();
    items.into_iter().partition(|item| {
        let own = marks(item);
        let free = own.is_disjoint(&before) && taken.values().all(|taken| own.is_disjoint(taken));
        // Also those of an item that has to wait: what comes after it must not overtake it.
        before.extend(own);
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
        let waiting = Waiting::new(errand.clone(), prepared);
        let job = Job {
            vault: self.clone(),
            waiting,
            answer,
        };
        let queue = self.puts.0.get(|queue| !queue.is_closed(), start);
        queue.try_send(job).map_err(|_| GuestError::Unanswered)?;
        told.await.map_err(|_| GuestError::Unanswered)?
    }

    /// Stores records that share no mark: together, or in halves when one of them cannot be stored or another writer came
    /// between. One answer each.
    pub(super) async fn put_each(&self, batch: &[Waiting]) -> Vec<Result<RecordAnswer, GuestError>> {
        let all: Vec<&Waiting> = batch.iter().collect();
        let mut outcome = self.put_together(&all).await;
        if outcome.as_ref().is_err_and(GuestError::is_transient) && batch.len() > 1 {
            // Another writer was faster with one of the guests: now it is done.
            outcome = self.put_together(&all).await;
        }
        let error = match outcome {
            Ok(answers) => return answers.into_iter().map(Ok).collect(),
            Err(error) => error,
        };
        if !error.is_of_one() && !error.is_transient() {
            // What fails one, fails all.
            let others = batch.iter().skip(1).map(|_| Err(GuestError::Unanswered));
            return std::iter::once(Err(error)).chain(others).collect();
        }
        // Another writer came between, or one record's guest is gone: the others are not to suffer for it.
        if let [waiting] = batch {
            return vec![self.put_alone(waiting).await];
        }
        let (first, others) = batch.split_at(batch.len() / 2);
        let mut answers = Box::pin(self.put_each(first)).await;
        answers.extend(Box::pin(self.put_each(others)).await);
        answers
    }

    /// Stores records in one transaction.
    pub(super) async fn put_together(&self, batch: &[&Waiting]) -> Result<Vec<RecordAnswer>, GuestError> {
        let places = self.places(batch).await?;
        let mut answers = BTreeMap::new();
        let mut changes = Vec::with_capacity(batch.len());
        // At once, so that their records share commits.
        let told = batch.iter().zip(&places).map(|(waiting, place)| async move {
            match place {
                Place::Known(guest, record) => {
                    self.told_before(&waiting.errand, &waiting.prepared, *guest, *record)
                        .await
                }
                _ => Ok(Told::Anew(waiting.errand.property.clone())),
            }
        });
        let told = future::try_join_all(told).await?;
        let heard: Vec<_> = batch
            .iter()
            .zip(&told)
            .filter_map(|(waiting, told)| match told {
                Told::Same(answer) => Some((*waiting, answer)),
                Told::Anew(_) => None,
            })
            .collect();
        self.note_heard(&heard).await?;
        for (at, ((waiting, place), told)) in batch.iter().zip(places).zip(told).enumerate() {
            match told {
                Told::Same(answer) => drop(answers.insert(at, answer)),
                Told::Anew(house) => changes.push((at, *waiting, Going::to(place, house))),
            }
        }
        if !changes.is_empty() {
            let (keys, minted) = self.keys_for(&changes).await?;
            let outcome = self.apply_all(&changes, &keys, &minted).await;
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
        let (mut later, mut now): (Vec<&Probe>, Vec<&Probe>) = Default::default();
        for Waiting { prepared, .. } in unknown {
            let asked = if prepared.later { &mut later } else { &mut now };
            asked.push(&prepared.probe);
        }
        let mut crowded = self.crowded_of(&later).await?.into_iter();
        let mut findings = self.resembling_each(&now).await?.into_iter();
        let place = |one: &&Waiting| match known.get(&one.prepared.source_token) {
            Some((guest, record)) => Place::Known(*guest, *record),
            None if one.prepared.later => Place::New(Decided {
                probability: 1.0,
                crowded: crowded.next().unwrap_or_default(),
                ..Decided::default()
            }),
            None => self.decide(&one.errand, findings.next().unwrap_or_default()),
        };
        Ok(batch.iter().map(place).collect())
    }

    async fn keys_for(
        &self,
        changes: &[(usize, &Waiting, Going)],
    ) -> Result<(HashMap<GuestId, GuestKeys>, Minted), GuestError> {
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
        let mut keys = self.keys_of_each(&known).await?;
        let minted = self.keys.mint(&new)?;
        keys.extend(minted.keys());
        Ok((keys, minted))
    }

    async fn apply_all(
        &self,
        changes: &[(usize, &Waiting, Going)],
        keys: &HashMap<GuestId, GuestKeys>,
        minted: &Minted,
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
        // The keys are made durable while the rows are written; what they sealed is committed after both.
        let writing = self.write_all(changes, keys, versions);
        let (kept, written) = future::join(self.keys.keep_minted(minted), writing).await;
        kept?;
        let (change, answers) = written?;
        change.commit().await?;
        Ok(answers)
    }

    /// Writes everything into a change that is not committed yet. It is put together first, as far as nothing has to be
    /// read for it: others write meanwhile.
    async fn write_all(
        &self,
        changes: &[(usize, &Waiting, Going)],
        keys: &HashMap<GuestId, GuestKeys>,
        mut versions: BTreeMap<GuestId, i64>,
    ) -> Result<(Change, Vec<(usize, RecordAnswer)>), GuestError> {
        let mut later = Later::of(self);
        let mut rows = Rows::default();
        let mut answers = Vec::with_capacity(changes.len());
        for (at, Waiting { errand, prepared, .. }, Going { place, guest, house }) in changes {
            let keys = keys.get(guest).ok_or(GuestError::NotFound)?;
            let fresh = matches!(place, Place::New(_)) && !prepared.lapsed;
            let in_time = fresh.then(|| self.in_its_time(prepared)).flatten();
            let prepared = in_time.as_ref().unwrap_or(prepared);
            let version = versions.entry(*guest).or_default();
            let is_known = matches!(place, Place::Known(..));
            if !prepared.expected.holds(is_known.then_some(*version)) {
                return Err(GuestError::Stale);
            }
            let writing = (&mut Writing::Later(&mut later), &mut rows);
            let done = self
                .apply_later(
                    writing,
                    errand,
                    prepared,
                    (place, house),
                    (*guest, *version),
                    keys,
                )
                .await?;
            *version = done.version;
            answers.push((*at, put::answer(place, done)));
        }
        let mut change = later.begun().await?;
        change.tx.write(rows).await?;
        let imports: BTreeSet<_> = changes
            .iter()
            .filter_map(|(_, waiting, _)| waiting.prepared.import)
            .collect();
        // Last: it holds the import's one row until the commit, and batches that go at once would wait for each other.
        for import in imports {
            if !change.tx.keep_import_open(import).await? {
                return Err(no_longer_open());
            }
        }
        Ok((change, answers))
    }
}

/// A record's place, the guest of it, made up when there is none, and the house that it is of.
struct Going {
    place: Place,
    guest: GuestId,
    house: PropertyCode,
}

impl Going {
    fn to(place: Place, house: PropertyCode) -> Self {
        let guest = match &place {
            Place::Known(guest, _) | Place::Linked(guest, _) => *guest,
            Place::New(_) => GuestId::random(),
        };
        Self { place, guest, house }
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
        let item = |marks: &[u8]| -> Marks { marks.iter().map(|n| [*n; 16]).collect() };
        let items = [&[1][..], &[2, 3], &[3, 4], &[4], &[5]].map(item).to_vec();
        let mut going = BTreeMap::new();
        let (now, later) = apart(items, &going, |item| item);
        assert_eq!(now, [item(&[1]), item(&[2, 3]), item(&[5])]);
        assert_eq!(later, [item(&[3, 4]), item(&[4])]);
        // What the first batch still writes, the second may not ask for.
        going.insert(1, item(&[2, 3]));
        let (now, later) = apart(later, &going, |item| item);
        assert_eq!((now.len(), later.len()), (0, 2));
        going.clear();
        let (now, later) = apart(later, &going, |item| item);
        assert_eq!((now, later), (vec![item(&[3, 4])], vec![item(&[4])]));
    }
}
