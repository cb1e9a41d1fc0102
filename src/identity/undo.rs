//! A merge undone: every record goes back where it was, with what its source has said since; whatever was not touched
//! meanwhile is again what it was, to the byte.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    audit::{Act, Change},
    base::{Category, Errand, GuestId, micros},
    events::Announcement,
    guest::{GuestError, Vault, places},
    keys::GuestKeys,
    policy::Right,
};

use super::{
    MOST_PAIRS,
    merge::reseal,
    sql::{MergeRow, Sealed},
};

/// A merge that was undone.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UndoAnswer {
    /// The merge.
    #[schema(value_type = String, format = Uuid)]
    pub merge_id: Uuid,
    /// Who went on.
    pub guest_id: GuestId,
    /// Who is there again.
    pub restored: GuestId,
}

/// The way back: the survivor and the guest that is there again, with their keys.
struct Parting<'k> {
    from: GuestId,
    to: GuestId,
    keys: (&'k GuestKeys, &'k GuestKeys),
}

impl Vault {
    /// Parts two guests that a merge made one, and remembers that they are two.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`]; [`GuestError::NotFound`]; [`GuestError::Blocked`] when it was undone already, or the
    /// survivor was itself taken into another since: then that merge, which is named, must be undone first.
    pub async fn undo_merge(&self, errand: &Errand, merge: Uuid) -> Result<UndoAnswer, GuestError> {
        let found = self.store.read().await?.merge(merge).await?;
        let survivor = found
            .as_ref()
            .map_or_else(GuestId::random, |row| GuestId(row.survivor));
        let event = self.identity_event(errand, Act::Unmerge, survivor);
        if !self
            .policies
            .current()
            .allows(&errand.caller.role, Right::MergeGuests)
        {
            return self.refuse(event, GuestError::Forbidden).await;
        }
        let Some(row) = found else {
            return self.refuse(event, GuestError::NotFound).await;
        };
        if row.state != "done" {
            return self
                .refuse(event, GuestError::Blocked("it was undone already".to_owned()))
                .await;
        }
        let later = self.store.read().await?.merge_of(survivor).await?;
        if let Some(later) = later {
            let reason = format!("the survivor was merged since; undo {} first", later.merge_id);
            return self.refuse(event, GuestError::Blocked(reason)).await;
        }
        self.must_know(errand, survivor, Act::Unmerge).await?;
        let mut tries = 0;
        loop {
            match self.try_undo(errand, &row).await {
                Err(error) if error.is_transient() && tries < 6 => tries += 1,
                Err(error) => return Err(error),
                Ok(()) => {
                    return Ok(UndoAnswer {
                        merge_id: merge,
                        guest_id: survivor,
                        restored: GuestId(row.absorbed),
                    });
                }
            }
        }
    }

    async fn try_undo(&self, errand: &Errand, row: &MergeRow) -> Result<(), GuestError> {
        let (survivor, restored) = (GuestId(row.survivor), GuestId(row.absorbed));
        let version = self.active_version(survivor).await?;
        let from_keys = self.keys.guest_keys(survivor, &Category::ALL).await?;
        let present: Vec<Category> = Category::ALL
            .into_iter()
            .filter(|category| from_keys.has(*category))
            .collect();
        let to_keys = self.keys.ensure_guest_keys(restored, &present).await?;
        let parting = Parting {
            from: survivor,
            to: restored,
            keys: (&from_keys, &to_keys),
        };
        let (by, now) = (errand.caller.principal.0, micros(self.clock.now()));
        let mut change = self.log.begin(&self.store).await?;
        change.tx.merge_undone(row.merge_id, by, now).await?;
        change.tx.touch_guest(survivor, version, now).await?;
        change.tx.mark_active(restored, survivor, now).await?;
        let asleep = change.tx.sealed_of(restored).await?;
        let awake = change.tx.sealed_of(survivor).await?;
        let records: BTreeSet<Uuid> = asleep.records.iter().map(|head| head.record_id).collect();
        self.part_records(&mut change, &parting, (&asleep, &awake), &records)
            .await?;
        let parts = change.tx.merge_parts(row.merge_id).await?;
        part_stays(&mut change, &parting, (&asleep, &awake), (&parts, &records)).await?;
        part_consents(&mut change, &parting, &awake, (&parts, &records)).await?;
        if row.manager_moved == 1 {
            change.tx.drop_manager(survivor).await?;
        }
        let stayed = awake
            .records
            .iter()
            .map(|head| head.record_id)
            .filter(|record| !records.contains(record));
        let stayed: Vec<Uuid> = stayed.collect();
        let pairs = records
            .iter()
            .flat_map(|one| stayed.iter().map(move |other| (*one, *other)));
        for (one, other) in pairs.take(MOST_PAIRS) {
            change.tx.keep_apart(one, other, by, now).await?;
        }
        let told = Announcement::guest_unmerged(self.clock.now(), survivor, restored);
        change.tx.announce(&told.at_property(&errand.property)).await?;
        self.record_both(
            &mut change,
            errand,
            Act::Unmerge,
            [(survivor, &from_keys), (restored, &to_keys)],
        );
        change.commit().await?;
        Ok(())
    }

    /// Gives the records back; what their sources have said since goes with them.
    async fn part_records(
        &self,
        change: &mut Change,
        parting: &Parting<'_>,
        (asleep, awake): (&Sealed, &Sealed),
        records: &BTreeSet<Uuid>,
    ) -> Result<(), GuestError> {
        let ends = (parting.from, parting.to);
        let before: BTreeMap<(Uuid, &str), i64> = asleep
            .values
            .iter()
            .map(|v| ((v.record_id, v.field.as_str()), v.version))
            .collect();
        let mut still = BTreeSet::new();
        for value in awake
            .values
            .iter()
            .filter(|value| records.contains(&value.record_id))
        {
            let at = (value.record_id, value.field.as_str());
            still.insert(at);
            if before.get(&at) == Some(&value.version) {
                continue;
            }
            let place = |guest| places::value(guest, value.record_id, &value.field, value.version);
            let sealed = reseal(
                parting.keys,
                self.category_of(&value.field)?,
                (&place(parting.from), &place(parting.to)),
                &value.sealed,
            )?;
            change
                .tx
                .copy_value(ends, (value.record_id, &value.field), &sealed)
                .await?;
        }
        for (record, field) in before.keys().filter(|at| !still.contains(*at)) {
            change.tx.delete_one_value(parting.to, *record, field).await?;
        }
        let heads: BTreeMap<Uuid, _> = asleep.records.iter().map(|head| (head.record_id, head)).collect();
        for head in awake
            .records
            .iter()
            .filter(|head| records.contains(&head.record_id))
        {
            let same = heads.get(&head.record_id).is_some_and(|before| {
                before.received_at == head.received_at && before.content_mac == head.content_mac
            });
            if !same {
                let place = |guest| places::source_id(guest, head.record_id);
                let places = (&place(parting.from), &place(parting.to));
                let sealed = reseal(parting.keys, Category::Identity, places, &head.source_id)?;
                change.tx.copy_record(ends, head.record_id, &sealed).await?;
            }
            change.tx.take_record_away(parting.from, head.record_id).await?;
        }
        for record in records {
            change.tx.move_tokens(ends, *record).await?;
        }
        Ok(())
    }
}

/// Gives the stays back, those that its sources have told of since as well.
async fn part_stays(
    change: &mut Change,
    parting: &Parting<'_>,
    (asleep, awake): (&Sealed, &Sealed),
    (parts, records): (&[(String, Uuid)], &BTreeSet<Uuid>),
) -> Result<(), GuestError> {
    let copied: BTreeSet<Uuid> = parts
        .iter()
        .filter(|(kind, _)| kind == "stay")
        .map(|(_, id)| *id)
        .collect();
    let before: BTreeMap<Uuid, i64> = asleep
        .stays
        .iter()
        .map(|stay| (stay.stay_token, stay.version))
        .collect();
    for stay in &awake.stays {
        let own = copied.contains(&stay.stay_token);
        // A stay that both had stays where it is, and is with the other as it was.
        if !own && (!records.contains(&stay.record_id) || before.contains_key(&stay.stay_token)) {
            continue;
        }
        if before.get(&stay.stay_token) != Some(&stay.version) {
            let path = places::stay_path(&stay.property);
            let place = |guest| places::stay(guest, stay.stay_token, &path, stay.version);
            let places = (&place(parting.from), &place(parting.to));
            let sealed = reseal(parting.keys, Category::Stay, places, &stay.sealed)?;
            change
                .tx
                .copy_stay((parting.from, parting.to), stay.stay_token, &sealed)
                .await?;
        }
        change.tx.delete_stay(parting.from, stay.stay_token).await?;
    }
    Ok(())
}

/// Gives the consents back, those of its records since as well, and takes away what was said again.
async fn part_consents(
    change: &mut Change,
    parting: &Parting<'_>,
    awake: &Sealed,
    (parts, records): (&[(String, Uuid)], &BTreeSet<Uuid>),
) -> Result<(), GuestError> {
    let ids = |wanted: &str| -> BTreeSet<Uuid> {
        parts
            .iter()
            .filter(|(kind, _)| kind == wanted)
            .map(|(_, id)| *id)
            .collect()
    };
    let (copied, again) = (ids("consent"), ids("said_again"));
    for consent in &awake.consents {
        let id = consent.consent_id;
        let since = consent.record_id.is_some_and(|record| records.contains(&record));
        if !copied.contains(&id) && !again.contains(&id) && !since {
            continue;
        }
        if since && !copied.contains(&id) {
            let seal = |sealed: &Option<Vec<u8>>, of: &dyn Fn(GuestId) -> crate::crypto::Aad<'static>| {
                let one = |sealed: &Vec<u8>| {
                    reseal(
                        parting.keys,
                        Category::Consent,
                        (&of(parting.from), &of(parting.to)),
                        sealed,
                    )
                };
                sealed.as_ref().map(one).transpose()
            };
            let evidence = seal(&consent.evidence, &|guest| places::evidence(guest, id))?;
            let details = seal(&consent.details, &|guest| places::details(guest, id))?;
            change
                .tx
                .copy_consent((parting.from, parting.to), id, (evidence, details))
                .await?;
        }
        change.tx.delete_merged_consent(parting.from, id).await?;
    }
    Ok(())
}
