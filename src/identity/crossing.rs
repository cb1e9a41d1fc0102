//! What lies with one guest, sealed anew for another: the way there and the way back are the same.

use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    base::{Category, GuestId},
    crypto::Aad,
    guest::{GuestError, Vault, places, sql::stay_word::SealedStay},
    keys::GuestKeys,
    store::{StoreError, Tx},
};

use super::sql::crossing::{Sealed, SealedConsent, SealedValue};

/// From whom to whom, with the keys of both.
pub(super) struct Crossing {
    from: GuestKeys,
    to: GuestKeys,
    /// In a restored copy the keys that the other had before: those of whom was erased since may be gone already.
    had: Option<GuestKeys>,
}

impl Crossing {
    /// From whom, to whom.
    pub(super) const fn ends(&self) -> (GuestId, GuestId) {
        (self.from.guest(), self.to.guest())
    }

    /// The keys of both.
    pub(super) const fn keys(&self) -> (&GuestKeys, &GuestKeys) {
        (&self.from, &self.to)
    }

    /// Whether it is in a restored copy.
    pub(super) const fn is_in_copy(&self) -> bool {
        self.had.is_some()
    }

    /// Whether the one's values of a drawer are for the other to have: in a restored copy not those that nobody opens any
    /// more.
    pub(super) fn carries(&self, category: Category) -> bool {
        !self.is_in_copy() || self.from.has(category)
    }

    /// Opens at one guest's place and seals at the other's.
    fn again<'a>(
        &self,
        category: Category,
        place: impl Fn(GuestId) -> Aad<'a>,
        sealed: &[u8],
    ) -> Result<Vec<u8>, GuestError> {
        sealed_again((&self.from, &self.to), category, place, sealed)
    }

    /// What the one has of a stay, sealed for the other.
    pub(super) fn stay(&self, stay: &SealedStay) -> Result<Vec<u8>, GuestError> {
        stay_again((&self.from, &self.to), stay)
    }

    /// Whether the two have a stay in the same words.
    pub(super) fn says_the_same(&self, (froms, tos): (&SealedStay, &SealedStay)) -> Result<bool, GuestError> {
        Ok(*opened_stay(&self.from, froms)? == *opened_stay(&self.to, tos)?)
    }

    /// A copy of a consent's line.
    async fn consent(&self, tx: &mut Tx, consent: &SealedConsent) -> Result<(), GuestError> {
        let id = consent.consent_id;
        let is_sealed = consent.evidence.is_some() || consent.details.is_some();
        if is_sealed && !self.carries(Category::Consent) {
            return Ok(());
        }
        let again = |sealed: &Option<Vec<u8>>, place: fn(GuestId, Uuid) -> Aad<'static>| {
            let again = |sealed: &Vec<u8>| self.again(Category::Consent, |guest| place(guest, id), sealed);
            sealed.as_ref().map(again).transpose()
        };
        let evidence = again(&consent.evidence, places::evidence)?;
        let details = again(&consent.details, places::details)?;
        Ok(tx.copy_consent(self.ends(), id, (evidence, details)).await?)
    }
}

/// Opens at one guest's place and seals at the other's.
fn sealed_again<'a>(
    (from, to): (&GuestKeys, &GuestKeys),
    category: Category,
    place: impl Fn(GuestId) -> Aad<'a>,
    sealed: &[u8],
) -> Result<Vec<u8>, GuestError> {
    if sealed.is_empty() {
        // A source's id that a restore could not open.
        return Ok(Vec::new());
    }
    if !from.has(category) {
        // Said since the keys were fetched: the next try has them.
        return Err(StoreError::Stale.into());
    }
    let plain = from.open_internal(category, sealed, &place(from.guest()))?;
    Ok(to.seal(category, &place(to.guest()), &plain)?.into_bytes())
}

fn opened_stay(keys: &GuestKeys, stay: &SealedStay) -> Result<Zeroizing<Vec<u8>>, GuestError> {
    let path = places::stay_path(&stay.property);
    let place = places::stay(keys.guest(), stay.stay_token, &path, stay.version);
    Ok(keys.open_internal(Category::Stay, &stay.sealed, &place)?)
}

fn stay_again(keys: (&GuestKeys, &GuestKeys), stay: &SealedStay) -> Result<Vec<u8>, GuestError> {
    let path = places::stay_path(&stay.property);
    let place = |guest| places::stay(guest, stay.stay_token, &path, stay.version);
    sealed_again(keys, Category::Stay, place, &stay.sealed)
}

impl Vault {
    /// The way from one guest to another; keys that the other lacks are made.
    pub(super) async fn crossing(&self, from: GuestId, to: GuestId) -> Result<Crossing, GuestError> {
        let from = self.keys.guest_keys(from, &Category::ALL).await?;
        let present: Vec<Category> = Category::ALL
            .into_iter()
            .filter(|category| from.has(*category))
            .collect();
        let to = self.keys.ensure_guest_keys(to, &present).await?;
        Ok(Crossing { from, to, had: None })
    }

    /// The same in a restored copy.
    pub(super) async fn crossing_in_copy(&self, from: GuestId, to: GuestId) -> Result<Crossing, GuestError> {
        let from = self.keys.fresh_guest_keys(from, &Category::ALL).await?;
        let had = self.keys.fresh_guest_keys(to, &Category::ALL).await?;
        // Whatever has become of the values, the log is to have a name for it.
        let wanted =
            |category: Category| category == Category::Audit || from.has(category) || had.has(category);
        let present: Vec<Category> = Category::ALL
            .into_iter()
            .filter(|category| wanted(*category))
            .collect();
        let to = self.keys.ensure_guest_keys(to, &present).await?;
        Ok(Crossing {
            from,
            to,
            had: Some(had),
        })
    }

    /// In a restored copy: leaves out what nobody opens any more of what lies with the two, and removes it where it is to
    /// be written anew. That there is a key does not tell: a run that was cut off may have made it.
    pub(super) async fn opening(
        &self,
        tx: &mut Tx,
        crossing: &Crossing,
        (awake, asleep): (&mut Sealed, &mut Sealed),
    ) -> Result<(), GuestError> {
        let Some(had) = &crossing.had else {
            return Ok(());
        };
        let to = crossing.to.guest();
        if !crossing.from.has(Category::Stay) {
            awake.stays.clear();
            awake.words.clear();
        }
        let (stays, lost): (Vec<_>, Vec<_>) = asleep
            .stays
            .drain(..)
            .partition(|stay| opened_stay(had, stay).is_ok());
        asleep.stays = stays;
        for stay in lost {
            asleep.words.retain(|word| word.stay_token != stay.stay_token);
            tx.delete_words(to, stay.stay_token).await?;
            tx.delete_stay(to, stay.stay_token).await?;
        }
        let opens = |value: &SealedValue| {
            let place = places::value(to, value.record_id, &value.field, value.version);
            let drawer = self.category_of(&value.field)?;
            Ok::<_, GuestError>(had.open_internal(drawer, &value.sealed, &place).is_ok())
        };
        let mut kept = Vec::with_capacity(asleep.values.len());
        for value in asleep.values.drain(..) {
            if opens(&value)? {
                kept.push(value);
            } else {
                tx.delete_one_value(to, value.record_id, &value.field).await?;
            }
        }
        asleep.values = kept;
        asleep.records.retain(|head| {
            let place = places::source_id(to, head.record_id);
            had.open_internal(Category::Identity, &head.source_id, &place)
                .is_ok()
        });
        Ok(())
    }

    /// Writes copies of these for the other guest; of stays see [`Vault::take_in_stays`] and [`Vault::part_stays`].
    pub(super) async fn carry(
        &self,
        tx: &mut Tx,
        crossing: &Crossing,
        what: &Sealed,
    ) -> Result<(), GuestError> {
        let ends = crossing.ends();
        for head in what
            .records
            .iter()
            .filter(|_| crossing.carries(Category::Identity))
        {
            let place = |guest| places::source_id(guest, head.record_id);
            let sealed = crossing.again(Category::Identity, place, &head.source_id)?;
            tx.copy_record(ends, head.record_id, &sealed).await?;
        }
        for value in &what.values {
            let place = |guest| places::value(guest, value.record_id, &value.field, value.version);
            let drawer = self.category_of(&value.field)?;
            if !crossing.carries(drawer) {
                continue;
            }
            let sealed = crossing.again(drawer, place, &value.sealed)?;
            tx.copy_value(ends, (value.record_id, &value.field), &sealed)
                .await?;
        }
        for consent in &what.consents {
            crossing.consent(tx, consent).await?;
        }
        for observation in &what.observations {
            let drawer = Category::ALL
                .into_iter()
                .find(|category| category.as_str() == observation.drawer)
                .ok_or(GuestError::Damaged)?;
            let place = |guest| places::observation(guest, observation.observation_id);
            let sealed = crossing.again(drawer, place, &observation.sealed)?;
            tx.copy_observation(ends, observation.observation_id, &sealed)
                .await?;
        }
        Ok(())
    }

    /// The drawer of a field.
    pub(super) fn category_of(&self, field: &str) -> Result<Category, GuestError> {
        let policy = self.policies.current();
        let found = policy.catalogue().find(field);
        found.map(|(_, field)| field.category).ok_or(GuestError::Damaged)
    }
}
