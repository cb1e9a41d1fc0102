//! What reading and writing guests needs, in one place.

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, Datelike, Utc};
use tokio::sync::OnceCell;

use crate::{
    access::{Budgets, Exceeded},
    audit::{Act, Event, Log, Receipt, Subject},
    base::{Category, Clock, Errand, GuestId, PropertyTree},
    consent::Rules,
    crypto::SigningKey,
    events::Announcement,
    keys::{GuestKeys, Keyring, KeysError},
    policy::Policies,
    store::Store,
};

use super::{
    GuestError, Matcher, Stay, detail,
    gather::{self, Guests},
    import::Stride,
    import_job::cards_in,
    together::Queue,
};

/// Merges that are followed at most.
const DEEPEST: usize = 64;

/// The vault's guests: data, keys, policy, log and clock. Cheap to clone.
#[derive(Clone)]
pub struct Vault {
    /// Where sealed values lie.
    pub store: Store,
    /// The record of every look.
    pub log: Log,
    /// What opens values.
    pub keys: Arc<Keyring>,
    /// What decides.
    pub policies: Arc<Policies>,
    /// When it is.
    pub clock: Clock,
    /// The hotel group's tree.
    pub properties: Arc<PropertyTree>,
    /// How much one actor may look at.
    pub budgets: Arc<Budgets>,
    /// What differs from country to country when guests are asked.
    pub rules: Arc<Rules>,
    /// What signs consent records, once it was asked for.
    pub(super) record_key: Arc<OnceCell<SigningKey>>,
    /// What decides who is whom.
    pub matcher: Arc<Matcher>,
    /// Whether what rests on consent takes a yes without a notice while its purpose has none.
    pub bare_yes: bool,
    /// What a law wants gone by now; nothing where no rule sets such an end.
    pub overdue: Option<Overdue>,
    pub(super) guests: Guests,
    pub(super) puts: Queue,
    pub(super) stride: Stride,
}

/// Which drawers of a guest some law wants gone by now, as far as its stays say: the rules are of the floor above.
pub type Overdue = Arc<dyn Fn(&PropertyTree, &[Stay], DateTime<Utc>) -> Vec<Category> + Send + Sync>;

/// Categories every look at a guest needs besides those of the fields: the stay window, and the pseudonym of the log.
pub(super) const ALWAYS: [Category; 2] = [Category::Stay, Category::Audit];

/// What a [`Vault`] is made of.
pub struct Parts {
    /// See [`Vault::store`].
    pub store: Store,
    /// See [`Vault::log`].
    pub log: Log,
    /// See [`Vault::keys`].
    pub keys: Arc<Keyring>,
    /// See [`Vault::policies`].
    pub policies: Arc<Policies>,
    /// See [`Vault::clock`].
    pub clock: Clock,
    /// See [`Vault::properties`].
    pub properties: Arc<PropertyTree>,
    /// See [`Vault::budgets`].
    pub budgets: Arc<Budgets>,
    /// See [`Vault::rules`].
    pub rules: Arc<Rules>,
    /// See [`Vault::matcher`].
    pub matcher: Arc<Matcher>,
    /// See [`Vault::bare_yes`].
    pub bare_yes: bool,
    /// See [`Vault::overdue`].
    pub overdue: Option<Overdue>,
}

impl Vault {
    /// A vault of these parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts {
            store,
            log,
            keys,
            policies,
            clock,
            properties,
            budgets,
            rules,
            matcher,
            bare_yes,
            overdue,
        } = parts;
        let guests = gather::readers(store.clone());
        let puts = Queue::of(&store);
        Self {
            store,
            log,
            keys,
            policies,
            clock,
            properties,
            budgets,
            rules,
            record_key: Arc::default(),
            matcher,
            bare_yes,
            overdue,
            guests,
            puts,
            stride: Stride::default(),
        }
    }

    /// As whom a guest goes on who may have been merged, and its survivor again.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn goes_on_as(&self, guest: GuestId) -> Result<GuestId, GuestError> {
        let mut conn = self.store.read().await?;
        let mut guest = guest;
        for _ in 0..DEEPEST {
            match conn.guest_head(guest).await? {
                Some((_, _, Some(survivor))) => guest = GuestId(survivor),
                _ => break,
            }
        }
        Ok(guest)
    }

    /// The keys of a guest that is there, made as far as they are missing.
    ///
    /// # Errors
    /// As [`Vault::keys_of_each`].
    pub(crate) async fn keys_of(
        &self,
        guest: GuestId,
        categories: &[Category],
    ) -> Result<GuestKeys, GuestError> {
        let mut found = self.keys_of_each(&[(guest, categories.to_vec())]).await?;
        found.remove(&guest).ok_or(GuestError::NotFound)
    }

    /// The same of many guests.
    ///
    /// # Errors
    /// [`GuestError::Damaged`] when one of them has lost its keys, as with a key store that is older than the data: new
    /// ones would be made over what the right key store opens. What the key store says; then no key was made.
    pub(super) async fn keys_of_each(
        &self,
        wanted: &[(GuestId, Vec<Category>)],
    ) -> Result<HashMap<GuestId, GuestKeys>, GuestError> {
        match self.keys.ensure_many(wanted).await {
            Err(KeysError::NoDataKey { guest, .. }) => {
                // Unless it was erased meanwhile.
                self.active_version(guest).await?;
                tracing::error!(%guest, "a guest's keys are not in the key store; see `guest-vault doctor`");
                Err(GuestError::Damaged)
            }
            found => Ok(found?),
        }
    }

    /// The subject of an event about this guest; the pseudonym needs the guest's keys.
    pub(crate) fn subject(&self, guest: GuestId, keys: Option<&GuestKeys>) -> Subject {
        let year = self.clock.now().year();
        Subject {
            guest,
            pseudonym: keys.and_then(|keys| self.keys.pseudonym(keys, year)),
        }
    }

    /// Puts the errand's reason into the event, sealed under the guest's own key.
    pub(crate) fn with_reason(mut event: Event, errand: &Errand, keys: Option<&GuestKeys>) -> Event {
        if let (Some(reason), Some(keys), Some(subject)) = (&errand.reason, keys, &event.subject) {
            event.detail = detail::seal(keys, subject.guest, event.at, reason);
        }
        event
    }

    /// Records a refusal and passes it on. A refusal that cannot be recorded is told as such: nobody learns anything
    /// off the record.
    pub(crate) async fn refuse<T>(&self, event: Event, error: GuestError) -> Result<T, GuestError> {
        let outcome = match &error {
            GuestError::Forbidden => "policy",
            GuestError::NotFound => "not_found",
            GuestError::Moved(_) => "merged",
            GuestError::Gone => "erased",
            GuestError::Restricted => "restricted",
            GuestError::Stale => "stale",
            GuestError::NotOpen => "not_open",
            GuestError::ReasonRequired => "reason_required",
            GuestError::Budget(_) => "budget",
            GuestError::BadQuestion { .. } => "invalid",
            GuestError::NoNotice => "no_notice",
            GuestError::Blocked(_) => "blocked",
            GuestError::Damaged => "damaged",
            _ => "failed",
        };
        let mut event = event.denied(outcome);
        if let GuestError::Rejected(rejected) = &error
            && cards_in(rejected) > 0
        {
            event.act = Act::RefuseCard;
            event.outcome = Some("card_number");
        }
        if let GuestError::Budget(Exceeded { first: true, .. }) = error {
            self.tell_of_budget(&event).await?;
        } else {
            let _: Receipt<()> = self.log.record(event, ()).await?;
        }
        Err(error)
    }

    /// Records that a budget is used up, and tells other systems: a stolen key shows there first.
    async fn tell_of_budget(&self, event: &Event) -> Result<(), GuestError> {
        let mut told = Announcement::budget_exceeded(event.at, event.who.principal);
        told.property.clone_from(&event.property);
        let mut change = self.log.begin(&self.store).await?;
        change.tx.announce(&told).await?;
        change.record(event.clone());
        Ok(change.commit().await?)
    }
}
