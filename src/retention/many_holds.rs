//! One matter, many guests: holds that are put, agreed to and lifted together, all or none.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    audit::{Act, Event},
    base::{Category, Errand, GuestId, PropertyCode},
    guest::GuestError,
    policy::Right,
};

use super::holds::{Hold, HoldError, Holds, Settling, refused, settle};

/// Guests of one call: what one transaction holds without keeping other writers waiting for seconds.
const MOST: usize = 1_000;
/// Days of one call about a property.
const DAYS: usize = 92;

/// Holds of one matter to put.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ManyHolds {
    /// What is put on each guest.
    pub hold: Hold,
    /// On these guests.
    #[serde(default)]
    #[schema(max_items = 1000)]
    pub guests: Vec<GuestId>,
    /// On everybody with a stay at this property that touches `stays_from` to `stays_to`, at most 92 days; a guest who stays for
    /// months may be taken in by the week.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 20)]
    pub property: Option<PropertyCode>,
}

/// One guest's hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldOf {
    /// Whose.
    pub guest_id: GuestId,
    /// Which.
    pub hold_id: Uuid,
}

/// Holds of several guests.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldsOf {
    /// Each.
    #[schema(min_items = 1, max_items = 1000)]
    pub holds: Vec<HoldOf>,
}

impl Holds<'_> {
    /// Puts a hold of one matter on many guests, all or none.
    ///
    /// # Errors
    /// As [`Holds::put`]; [`GuestError::BadQuestion`] when it is about nobody, or about more than one call takes.
    pub async fn put_many(&self, errand: &Errand, wanted: &ManyHolds) -> Result<HoldsOf, HoldError> {
        let event = self.about_many(errand).await?;
        let guests = match self.meant(errand, wanted).await {
            Ok(guests) => guests,
            Err(error @ GuestError::BadQuestion { .. }) => return Err(refused(self.0, event, error).await),
            Err(error) => return Err(error.into()),
        };
        let mut events = Vec::with_capacity(guests.len());
        for guest in &guests {
            events.push(self.allowed(errand, *guest, "put").await?);
        }
        let mut change = self.0.log.begin(&self.0.store).await?;
        let mut holds = Vec::with_capacity(guests.len());
        for (guest_id, event) in guests.into_iter().zip(events) {
            let put = self
                .add(&mut change, (errand, event), guest_id, &wanted.hold)
                .await?;
            holds.push(HoldOf {
                guest_id,
                hold_id: put.hold_id,
            });
        }
        change.commit().await.map_err(GuestError::from)?;
        Ok(HoldsOf { holds })
    }

    /// Agrees to holds that another person put, or lifts them; all or none. A guest that was merged since is the one that
    /// goes on.
    ///
    /// # Errors
    /// [`HoldError::Entry`] when one of them is not there, or the caller's own; [`GuestError::BadQuestion`] for none or too
    /// many.
    pub(super) async fn settle_many(
        &self,
        errand: &Errand,
        which: &HoldsOf,
        how: Settling,
    ) -> Result<(), HoldError> {
        let event = self.about_many(errand).await?;
        if which.holds.is_empty() || which.holds.len() > MOST {
            let error = GuestError::bad("holds", "must be 1 to 1000");
            return Err(refused(self.0, event, error).await);
        }
        let mut named = BTreeSet::new();
        let mut settled = Vec::with_capacity(which.holds.len());
        for (at, one) in which.holds.iter().enumerate() {
            let guest = self.0.goes_on_as(one.guest_id).await?;
            // Two who had the hold both may have become one.
            if !named.insert((guest, one.hold_id)) {
                continue;
            }
            let allowed = self.allowed(errand, guest, how.outcome()).await;
            let event = allowed.map_err(|error| error.of_entry(at))?;
            let other_person = self.other_person(errand, guest, one.hold_id).await;
            other_person.map_err(|error| error.of_entry(at))?;
            settled.push((at, (guest, one.hold_id), event));
        }
        let mut change = self.0.log.begin(&self.0.store).await?;
        for (at, hold, event) in settled {
            let done = settle(&mut change, (errand, event), hold, how).await;
            done.map_err(|error| error.of_entry(at))?;
        }
        Ok(change.commit().await.map_err(GuestError::from)?)
    }

    /// The event of a call about many, refused here when the caller may not.
    async fn about_many(&self, errand: &Errand) -> Result<Event, HoldError> {
        let policy = self.0.policies.current();
        let mut event = Event::of(errand, Act::Hold, self.0.clock.now());
        event.policy_version = Some(policy.version().to_owned());
        if policy.allows(&errand.caller.role, Right::ManageHolds) {
            return Ok(event);
        }
        Err(refused(self.0, event, GuestError::Forbidden).await)
    }

    /// Whom a call is about, each once.
    async fn meant(&self, errand: &Errand, wanted: &ManyHolds) -> Result<Vec<GuestId>, GuestError> {
        self.possible(&wanted.hold)?;
        let guests: BTreeSet<GuestId> = match (&wanted.property, wanted.guests.as_slice()) {
            (None, guests @ [_, ..]) => guests.iter().copied().collect(),
            (Some(property), []) => {
                let known = self.0.properties.get(property).is_some();
                if !known || !self.0.properties.within(property, &errand.property) {
                    return Err(GuestError::bad("property", "property_out_of_scope"));
                }
                let Some((from, to)) = wanted.hold.stays_from.zip(wanted.hold.stays_to) else {
                    return Err(GuestError::bad(
                        "hold.stays_from",
                        "name the first and the last day",
                    ));
                };
                let days: Vec<_> = from
                    .iter_days()
                    .take_while(|day| *day <= to)
                    .take(DAYS + 1)
                    .collect();
                if days.len() > DAYS {
                    return Err(GuestError::bad("hold.stays_to", "at most 92 days in one call"));
                }
                self.0.in_house(property, &days, MOST).await?
            }
            _ => return Err(GuestError::bad("guests", "name either guests or a property")),
        };
        if guests.is_empty() {
            return Err(GuestError::bad("property", "nobody stayed there in those days"));
        }
        if guests.len() > MOST {
            return Err(GuestError::bad(
                "guests",
                "more than 1000 in one call; name fewer, or fewer days",
            ));
        }
        let guests: Vec<GuestId> = guests.into_iter().collect();
        // All keys at once; what follows finds them in the cache.
        self.0.keys.many_guest_keys(&guests, &[Category::Audit]).await?;
        Ok(guests)
    }
}
