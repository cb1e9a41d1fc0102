//! What became of each drawer of a case in the end: what was approved may have been overtaken by a hold that was put or
//! lifted, a stay that ended, a term that ran out.

use uuid::Uuid;

use crate::{
    base::{Category, GuestId},
    retention::{RegisterEntry, read},
};

use super::{CategoryFate, Eraser, ErasureError, Fate, Preview};

/// Why something is still there that nothing keeps: it is on its way.
const UNDER_WAY: &str = "under_way";

/// What is known of a case when it is certified.
struct Known<'k> {
    /// What would go now; `None` when the guest is gone.
    now: Option<&'k Preview>,
    /// The drawers that the case has destroyed.
    destroyed: &'k [Category],
    /// The register's copy as it is there.
    copy: Option<CategoryFate>,
}

impl Eraser {
    /// What became of what was approved, as far as it has come.
    ///
    /// # Errors
    /// What database and key store say.
    pub async fn came_out(
        &self,
        case: Uuid,
        guest: GuestId,
        approved: Vec<CategoryFate>,
    ) -> Result<Vec<CategoryFate>, ErasureError> {
        let now = self.preview(guest).await?;
        let rows = self.vault.store.read().await?.erasures_of_case(case).await?;
        let own = |row: &&super::sql::ErasureRow| row.guest_id == guest.0 && row.confirmation.is_some();
        let destroyed: Vec<Category> = rows
            .iter()
            .filter(own)
            .flat_map(|row| read(&row.categories))
            .collect();
        let copy = if now.is_none() {
            self.copy(guest).await?
        } else {
            None
        };
        let known = Known {
            now: now.as_ref(),
            destroyed: &destroyed,
            copy,
        };
        Ok(outcome(approved, known))
    }

    /// The register's copy of a guest that is gone.
    async fn copy(&self, guest: GuestId) -> Result<Option<CategoryFate>, ErasureError> {
        let rows = self.vault.store.read().await?.register(guest).await?;
        let keys = self.vault.keys.guest_keys(guest, &[Category::Statutory]).await?;
        let mut copy: Option<CategoryFate> = None;
        for (id, sealed) in &rows {
            let entry = RegisterEntry::open(&keys, guest, *id, sealed)?;
            let copy = copy.get_or_insert_with(|| CategoryFate {
                category: Category::Statutory,
                values: 0,
                fate: Fate::Restrict,
                ground: Some("legal_obligation".to_owned()),
                source: Some(entry.rules.join(", ")),
                until: None,
            });
            copy.values = copy.values.saturating_add(1);
            copy.until = copy.until.max(Some(entry.keep_until));
        }
        Ok(copy)
    }
}

fn outcome(approved: Vec<CategoryFate>, known: Known<'_>) -> Vec<CategoryFate> {
    let fates = known.now.map_or(&[][..], |now| &now.categories);
    let is = |category: Category| move |fate: &&CategoryFate| fate.category == category;
    let mut all: Vec<CategoryFate> = approved
        .into_iter()
        .map(|fate| match fates.iter().find(is(fate.category)) {
            Some(now) => still_there(now),
            None => gone(fate, &known),
        })
        .collect();
    let later = fates.iter().map(still_there).chain(known.copy);
    for fate in later {
        if !all.iter().any(|other| other.category == fate.category) {
            all.push(fate);
        }
    }
    all
}

/// A drawer that has something in it: nothing of it may be said to be erased.
fn still_there(now: &CategoryFate) -> CategoryFate {
    let mut fate = now.clone();
    if fate.fate == Fate::Erase {
        fate.fate = Fate::Keep;
        fate.ground = Some(UNDER_WAY.to_owned());
    }
    fate
}

/// A drawer that has nothing in it: erased, but for the register's copy of a guest that is gone.
fn gone(mut fate: CategoryFate, known: &Known<'_>) -> CategoryFate {
    let copied = fate.category == Category::Statutory && fate.fate == Fate::Restrict;
    if fate.category == Category::Statutory && known.copy.is_some() {
        return known.copy.clone().unwrap_or(fate);
    }
    if copied && known.now.is_none() && !known.destroyed.contains(&Category::Statutory) {
        return fate;
    }
    fate.fate = Fate::Erase;
    (fate.ground, fate.source, fate.until) = (None, None, None);
    fate
}
