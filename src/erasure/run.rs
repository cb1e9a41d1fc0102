//! The steps of an erasure, each of which can be repeated.

use std::time::Duration;

use chrono::NaiveDate;
use data_encoding::HEXLOWER;
use uuid::Uuid;

use crate::{
    audit::{
        Act, Change, Erasure, Event,
        tlog::{LogError, Step, Stored},
    },
    base::{Caller, Category, EntryId, FieldPath, GuestId, RequestId, View, micros},
    events::Announcement,
    guest::GuestError,
    keys::MacPurpose,
    retention::{RegisterEntry, plan, read, spelt, sql as retention},
};

use super::{
    Eraser, ErasureError, Preview, due::FOR_THE_REGISTER, fault::point, preview::preview, register,
    sql::ErasureRow,
};

/// How often the log is looked at for the intent's place, and how long between.
const LOOKS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(50);
/// The name of pairs in the index, which belong to no one field.
const PAIRS: &str = "compound";
/// Erasures taken up at once after a crash.
const SOME: i64 = 100;
/// Records of a guest that an entry names; it has to fit into the log.
const MOST_RECORDS: usize = 3_000;
/// How often an erasure looks anew when something came in between.
const TRIES: u32 = 6;
/// Erasures whose traces in the files are swept at once.
const MANY: i64 = 20_000;

/// Who orders an erasure, and for which case.
#[derive(Debug, Clone)]
pub struct Order {
    /// Who.
    pub caller: Caller,
    /// In which request over HTTP, or run of a command.
    pub request: RequestId,
    /// The case: a guest's request, or a sweep.
    pub case: Uuid,
}

impl Eraser {
    /// What an erasure would do now; `None` when there is no such guest, or it is erased already.
    ///
    /// # Errors
    /// What database and key store say.
    pub async fn preview(&self, guest: GuestId) -> Result<Option<Preview>, GuestError> {
        let vault = &self.vault;
        let Some(house) = crate::retention::facts(vault, guest).await? else {
            return Ok(None);
        };
        if house.survivor.is_some() || house.status == "erased" {
            return Ok(None);
        }
        let mut conn = vault.store.read().await?;
        let holds = retention::holds(&mut conn, guest).await?;
        let merged = u64::try_from(conn.absorbed(guest).await?.len()).unwrap_or(0);
        drop(conn);
        let plans = plan(&house.facts, &self.rules);
        let today = vault.clock.now().date_naive();
        let audit = house.keys.has(Category::Audit);
        Ok(Some(preview(
            &house.facts,
            &plans,
            &holds,
            (audit, merged),
            today,
        )))
    }

    /// Does what a preview says, to the guest and to all that it has taken in, and returns the preview that was done:
    /// another one when a hold, a stay or a merge came in between. After an error it goes on by itself, at the next look
    /// or the next start.
    ///
    /// # Errors
    /// [`ErasureError::LogWaits`] when the intent could not be given its place in the log; [`ErasureError::Changed`] when
    /// something came in between again and again; what database and key store say.
    pub async fn erase(
        &self,
        order: &Order,
        guest: GuestId,
        mut told: Preview,
    ) -> Result<Preview, ErasureError> {
        for _ in 0..TRIES {
            let doomed = told.doomed();
            if doomed.is_empty() {
                return Ok(told);
            }
            match self.intend(order, guest, (told.whole, &doomed)).await {
                Err(ErasureError::Changed) => {
                    let fresh = self.preview(guest).await?.ok_or(GuestError::Gone)?;
                    told = Preview {
                        do_not_contact: told.do_not_contact,
                        ..fresh
                    };
                }
                intended => {
                    self.go_on_with(&intended?).await?;
                    return Ok(told);
                }
            }
        }
        Err(ErasureError::Changed)
    }

    /// Destroys what has had its time: some drawers of a guest and of all that it has taken in, by the order of a sweep.
    ///
    /// # Errors
    /// As [`Eraser::erase`]; what has changed is for the next sweep.
    pub async fn erase_drawers(
        &self,
        order: &Order,
        guest: GuestId,
        doomed: &[Category],
    ) -> Result<u64, ErasureError> {
        let rows = self.intend(order, guest, (false, doomed)).await?;
        self.go_on_with(&rows).await
    }

    /// Destroys the register's copies of a guest, which may be gone already but for them: nothing but their own date
    /// keeps them.
    ///
    /// # Errors
    /// As [`Eraser::erase`].
    pub(super) async fn erase_register(&self, order: &Order, guest: GuestId) -> Result<u64, ErasureError> {
        let mut change = self.vault.log.begin(&self.vault.store).await?;
        let row = self
            .enter(&mut change, order, guest, (false, &[Category::Statutory]))
            .await?;
        change.commit().await?;
        self.go_on(&row).await
    }

    /// Removes single fields that have had their time, of a drawer that stays. After a restore the next run does so
    /// again: it is the date that decides.
    ///
    /// # Errors
    /// What database and key store say; then nothing was removed.
    pub async fn remove_fields(
        &self,
        order: &Order,
        guest: GuestId,
        fields: &[FieldPath],
    ) -> Result<(), ErasureError> {
        let vault = &self.vault;
        let now = vault.clock.now();
        let keys = vault.keys.guest_keys(guest, &[Category::Audit]).await?;
        let mut event = Event::by(&order.caller, Act::Retention, order.request, now);
        event.subject = Some(vault.subject(guest, Some(&keys)));
        event.outcome = Some("fields_removed");
        event.fields = fields.iter().map(|field| (field.clone(), View::None)).collect();
        let policy = vault.policies.current();
        let drawer = |field: &FieldPath| Some(policy.catalogue().find(field.as_str())?.1.category);
        let drawers: Vec<Category> = fields.iter().filter_map(drawer).collect();
        let mut change = vault.log.begin(&vault.store).await?;
        let all = self.stilled(&mut change, guest, (false, &drawers)).await?;
        for one in all {
            for field in fields {
                change.tx.remove_field(one, field.as_str()).await?;
            }
            change.tx.bump_guest(one, micros(now)).await?;
        }
        let told = Announcement::guest_updated(now, guest, fields.to_vec());
        change.tx.announce(&told).await?;
        change.record(event);
        Ok(change.commit().await?)
    }

    /// The intents, durable, of a guest and of all that it has taken in: one change, so that none of them is forgotten
    /// by a crash, with the register's copy made and who goes as a whole out of everybody's sight.
    async fn intend(
        &self,
        order: &Order,
        guest: GuestId,
        (whole, doomed): (bool, &[Category]),
    ) -> Result<Vec<ErasureRow>, ErasureError> {
        let mut change = self.vault.log.begin(&self.vault.store).await?;
        let all = self.stilled(&mut change, guest, (whole, doomed)).await?;
        let mut rows = Vec::with_capacity(all.len());
        for one in all {
            // Whom it has taken in has nothing that the guest itself does not have, so nothing that is kept for its own sake.
            let own = !whole || one == guest;
            let doomed = if own { doomed } else { &Category::ALL };
            rows.push(self.enter(&mut change, order, one, (whole, doomed)).await?);
        }
        change.commit().await?;
        point("intended");
        Ok(rows)
    }

    /// Looks at a guest once more, and lets nobody put a hold on it, merge it or say anything new of it until the change
    /// is over. The guest, with all that it has taken in; the register's copy is made when its source goes.
    async fn stilled(
        &self,
        change: &mut Change,
        guest: GuestId,
        (whole, doomed): (bool, &[Category]),
    ) -> Result<Vec<GuestId>, ErasureError> {
        if !change.tx.keep_still(guest).await? {
            return Err(GuestError::Gone.into());
        }
        let fresh = self.preview(guest).await?.ok_or(GuestError::Gone)?;
        let may_go = fresh.doomed();
        if whole && !fresh.whole || !doomed.iter().all(|category| may_go.contains(category)) {
            return Err(ErasureError::Changed);
        }
        // Also of a guest that goes in part: what is copied from goes now, and the law wants the copy.
        if fresh.keeps_register() && doomed.iter().any(|category| FOR_THE_REGISTER.contains(category)) {
            let now = micros(self.vault.clock.now());
            for (id, sealed) in self.copies(guest).await? {
                change.tx.add_register_entry(guest, id, &sealed, now).await?;
            }
        }
        let absorbed = self.vault.store.read().await?.absorbed(guest).await?;
        Ok([guest]
            .into_iter()
            .chain(absorbed.into_iter().map(GuestId))
            .collect())
    }

    /// One intent.
    async fn enter(
        &self,
        change: &mut Change,
        order: &Order,
        guest: GuestId,
        (whole, doomed): (bool, &[Category]),
    ) -> Result<ErasureRow, ErasureError> {
        let now = micros(self.vault.clock.now());
        let event = self.event(order, Act::Erase, guest, (whole, doomed));
        let intent = change.record(self.with_records(event, guest).await?);
        let row = ErasureRow {
            guest_id: guest.0,
            erasure_id: Uuid::now_v7(),
            case_id: order.case,
            whole,
            categories: spelt(doomed),
            stage: "intended".to_owned(),
            intent: intent.0,
            confirmation: None,
            keys: 0,
        };
        change.tx.intend_erasure(&row, now).await?;
        if whole {
            change.tx.set_fate(guest, "erased", now).await?;
        } else {
            change.tx.bump_guest(guest, now).await?;
        }
        Ok(row)
    }

    /// The register's copies that the law wants, sealed.
    pub(super) async fn copies(&self, guest: GuestId) -> Result<Vec<(Uuid, Vec<u8>)>, ErasureError> {
        let vault = &self.vault;
        let Some((house, values)) = register::stored(vault, guest).await? else {
            return Ok(Vec::new());
        };
        let known = self.registered(guest).await?;
        let today = vault.clock.now().date_naive();
        let entries = register::entries(
            (&house, &self.rules),
            vault.policies.current().catalogue(),
            guest,
            &values,
            today,
        );
        let keys = vault
            .keys
            .ensure_guest_keys(guest, &[Category::Statutory])
            .await?;
        let new = entries.iter().filter(|entry| !known.contains(&entry.stay()));
        let sealed = new.map(|entry| {
            let id = Uuid::now_v7();
            Ok((id, entry.seal(&keys, guest, id)?))
        });
        sealed.collect()
    }

    /// The stays that the register has a copy of.
    async fn registered(&self, guest: GuestId) -> Result<Vec<(String, NaiveDate, NaiveDate)>, ErasureError> {
        let rows = self.vault.store.read().await?.register(guest).await?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let keys = self
            .vault
            .keys
            .fresh_guest_keys(guest, &[Category::Statutory])
            .await?;
        let stay =
            |(id, sealed): &(Uuid, Vec<u8>)| Ok(RegisterEntry::open(&keys, guest, *id, sealed)?.stay());
        rows.iter().map(stay).collect()
    }

    async fn go_on_with(&self, rows: &[ErasureRow]) -> Result<u64, ErasureError> {
        let mut keys: u64 = 0;
        for row in rows {
            keys = keys.saturating_add(self.go_on(row).await?);
        }
        Ok(keys)
    }

    /// From wherever it stands to its end. Returns how many keys this run destroyed.
    ///
    /// # Errors
    /// As [`Eraser::erase`].
    pub async fn go_on(&self, row: &ErasureRow) -> Result<u64, ErasureError> {
        let guest = GuestId(row.guest_id);
        let doomed = read(&row.categories);
        let mut destroyed = 0;
        if row.stage == "intended" || row.stage == "shredded" {
            self.in_the_log(EntryId(row.intent)).await?;
            point("in_the_log");
            // Also when they are gone: a writer of another process may have made one anew before it saw the version.
            destroyed = self.vault.keys.destroy(guest, Some(&doomed)).await?;
            point("destroyed");
            self.shredded(row, destroyed).await?;
            point("shredded");
            self.remove(row, guest, &doomed, destroyed).await?;
            point("removed");
        }
        self.sweep_files().await?;
        Ok(destroyed)
    }

    /// Waits until an entry has its place in the log: what is destroyed must not be forgotten.
    pub(super) async fn in_the_log(&self, entry: EntryId) -> Result<(), ErasureError> {
        let log = Stored::new(self.vault.store.clone());
        for _ in 0..LOOKS {
            if log.index_of(entry).await?.is_some() {
                return Ok(());
            }
            match self.sequencer.step().await {
                Ok(Step::Grown(_)) => {}
                Ok(_) => tokio::time::sleep(PAUSE).await,
                Err(LogError::Store(error)) if error.is_transient() => tokio::time::sleep(PAUSE).await,
                Err(error) => return Err(error.into()),
            }
        }
        Err(ErasureError::LogWaits)
    }

    async fn shredded(&self, row: &ErasureRow, keys: u64) -> Result<(), ErasureError> {
        let mut tx = self.vault.store.begin().await?;
        let now = micros(self.vault.clock.now());
        let keys = i64::try_from(keys).unwrap_or(i64::MAX);
        tx.erasure_shredded(row, keys, now).await?;
        Ok(tx.commit().await?)
    }

    /// Removes the rows and confirms, in one transaction.
    async fn remove(
        &self,
        row: &ErasureRow,
        guest: GuestId,
        doomed: &[Category],
        keys: u64,
    ) -> Result<(), ErasureError> {
        let vault = &self.vault;
        let now = micros(vault.clock.now());
        let order = Order {
            caller: crate::access::operator().map_err(|_| GuestError::Forbidden)?,
            request: RequestId::random(),
            case: row.case_id,
        };
        let mut event = self.event(&order, Act::Erased, guest, (row.whole, doomed));
        event.count = Some(keys);
        let mut change = vault.log.begin(&vault.store).await?;
        if row.whole {
            change.tx.remove_guest(guest, now).await?;
            change
                .tx
                .announce(&Announcement::guest_erased(
                    vault.clock.now(),
                    guest,
                    Some(row.erasure_id),
                ))
                .await?;
            for processor in &*self.processors {
                let due = micros(vault.clock.now() + processor.within);
                let of = (guest.0, row.erasure_id);
                change.tx.add_notice(of, &processor.name, (now, due)).await?;
            }
        } else {
            remove_drawers(
                &mut change.tx,
                vault.policies.current().catalogue(),
                guest,
                doomed,
            )
            .await?;
            change.tx.bump_guest(guest, now).await?;
            let of_drawer = |(_, field): (_, &crate::base::Field)| {
                doomed.contains(&field.category).then(|| field.path.clone())
            };
            let policy = vault.policies.current();
            let fields = policy.catalogue().iter().filter_map(of_drawer).collect();
            let told = Announcement::guest_updated(vault.clock.now(), guest, fields);
            change.tx.announce(&told).await?;
        }
        if doomed.contains(&Category::Statutory) {
            change.tx.remove_rows(guest, "register_entry").await?;
        }
        let confirmation = change.record(event);
        if !change.tx.erasure_done(row, confirmation.0, now).await? {
            // Another process has finished it: its confirmation stands.
            return Ok(());
        }
        Ok(change.commit().await?)
    }

    /// What the databases' own files still hold of confirmed erasures: free pages and logs of SQLite, dead rows of
    /// PostgreSQL. Of many erasures at once, as it costs the same for one.
    async fn sweep_files(&self) -> Result<(), ErasureError> {
        let done = self.vault.store.read().await?.erasures_to_sweep(MANY).await?;
        if done.is_empty() {
            return Ok(());
        }
        let keys_clean = self.vault.keys.scrub().await?;
        let data_clean = self.vault.store.scrub(&[]).await?;
        point("scrubbed");
        if keys_clean && data_clean {
            let mut tx = self.vault.store.begin().await?;
            let now = micros(self.vault.clock.now());
            for erasure in done {
                tx.erasure_swept(erasure, now).await?;
            }
            tx.commit().await?;
        }
        point("swept");
        Ok(())
    }

    /// Finishes what a crash or a busy database left; returns how many erasures that were.
    ///
    /// # Errors
    /// What database and key store say; what could be finished is.
    pub async fn resume(&self) -> Result<usize, ErasureError> {
        let rows = self.vault.store.read().await?.open_erasures(SOME).await?;
        let mut failed = None;
        for row in &rows {
            // One that fails must not keep the others waiting.
            if let Err(error) = self.go_on(row).await {
                failed = Some(error);
            }
        }
        self.sweep_files().await?;
        failed.map_or(Ok(rows.len()), Err)
    }

    pub(super) fn event(
        &self,
        order: &Order,
        act: Act,
        guest: GuestId,
        (whole, doomed): (bool, &[Category]),
    ) -> Event {
        let mut event = Event::by(&order.caller, act, order.request, self.vault.clock.now());
        let mut categories = doomed.to_vec();
        categories.sort_by_key(|category| category.as_str());
        event.erasure = Some(Erasure {
            case: order.case,
            categories,
            records: None,
            tombstone: self.tombstone(guest),
            whole,
        });
        event
    }

    /// Names the records of whom an erasure is of.
    pub(super) async fn with_records(&self, mut event: Event, guest: GuestId) -> Result<Event, ErasureError> {
        let records = self.vault.store.read().await?.records(guest).await?;
        let names = records
            .iter()
            .take(MOST_RECORDS)
            .map(|row| self.record_name(row.record_id));
        if let Some(erasure) = &mut event.erasure {
            let mut names: Vec<String> = names.collect();
            names.sort();
            erasure.records = Some(names);
        }
        Ok(event)
    }

    /// The guest's name in the log of erasures: a keyed hash of its id.
    #[must_use]
    pub fn tombstone(&self, guest: GuestId) -> String {
        HEXLOWER.encode(&self.hashed::<16>(&[b"tombstone", guest.0.as_bytes()]))
    }

    /// A record's name in the log of erasures.
    pub(super) fn record_name(&self, record: Uuid) -> String {
        HEXLOWER.encode(&self.hashed::<8>(&[b"tombstone record", record.as_bytes()]))
    }

    /// The beginning of a keyed hash.
    pub(super) fn hashed<const N: usize>(&self, parts: &[&[u8]]) -> [u8; N] {
        let hash = self.vault.keys.mac(MacPurpose::Token).mac_of(parts);
        let mut out = [0; N];
        for (to, from) in out.iter_mut().zip(hash) {
            *to = from;
        }
        out
    }
}

/// Removes what lies in some drawers.
pub(super) async fn remove_drawers(
    tx: &mut crate::store::Tx,
    catalogue: &crate::base::Catalogue,
    guest: GuestId,
    doomed: &[Category],
) -> Result<(), ErasureError> {
    for (_, field) in catalogue.iter() {
        if doomed.contains(&field.category) {
            tx.remove_field(guest, field.path.as_str()).await?;
        }
    }
    let named = [Category::Identity, Category::Demographic, Category::Contact];
    if doomed.iter().any(|category| named.contains(category)) {
        tx.remove_field(guest, PAIRS).await?;
    }
    for category in doomed {
        tx.delete_observations(guest, category.as_str()).await?;
        match category {
            Category::Identity => tx.forget_source_ids(guest).await?,
            Category::Stay => {
                tx.remove_rows(guest, "stay_index").await?;
                tx.remove_rows(guest, "stay").await?;
                tx.remove_rows(guest, "stay_word").await?;
            }
            Category::Consent => tx.remove_rows(guest, "consent").await?,
            _ => {}
        }
    }
    Ok(())
}
