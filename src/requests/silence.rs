//! Addresses that nobody writes to again, though their guest is gone; and the end of a restriction.

use chrono::NaiveDate;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    audit::{Act, Change, Event},
    base::{Category, Errand, GuestId, PrincipalId, micros, same_person},
    crypto::Aad,
    events::Announcement,
    guest::{Channel, GuestError, seal_version},
    policy::Right,
};

use super::{Case, Kind, RequestError, Requests, State, sql::By};

/// The fields with addresses, the member that holds each, and the lists it belongs on.
const ADDRESSES: [(&str, &str, &[Channel]); 2] = [
    ("emails", "address", &[Channel::Email]),
    ("phones", "number", &[Channel::Phone, Channel::Sms]),
];

/// The end of a restriction.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LiftInput {
    /// The day on which the guest was told that it ends (GDPR Art. 18(3): before it does).
    pub guest_told_on: NaiveDate,
}

impl Requests {
    /// Every address of a guest as the do-not-contact lists have it: keyed hashes, which outlive it.
    pub(super) async fn addresses(
        &self,
        errand: &Errand,
        guest: GuestId,
    ) -> Result<Vec<([u8; 16], &'static str)>, RequestError> {
        let vault = self.vault();
        let values = vault.store.read().await?.stored_values(guest).await?;
        let keys = vault.keys.fresh_guest_keys(guest, &[Category::Contact]).await?;
        let mut tokens = Vec::new();
        for value in &values {
            let Some((path, member, channels)) = ADDRESSES.iter().find(|(path, ..)| *path == value.field)
            else {
                continue;
            };
            let aad = Aad {
                guest,
                record: value.record_id,
                path,
                version: seal_version(value.version),
            };
            let Ok(plain) = keys.open_internal(Category::Contact, &value.sealed, &aad) else {
                continue;
            };
            let items: Vec<Value> = serde_json::from_slice(&plain).map_err(|_| GuestError::Damaged)?;
            for address in items.iter().filter_map(|item| item.get(*member)?.as_str()) {
                for channel in *channels {
                    let all = vault.suppression_tokens(errand, *channel, address);
                    tokens.extend(all.into_iter().map(|token| (token, channel.as_str())));
                }
            }
        }
        Ok(tokens)
    }

    /// Puts addresses on the do-not-contact lists.
    pub(super) async fn silence(
        &self,
        change: &mut Change,
        errand: &Errand,
        tokens: &[([u8; 16], &'static str)],
    ) -> Result<(), RequestError> {
        let now = self.vault().clock.now();
        let mut event = Event::of(errand, Act::Suppress, now);
        event.outcome = Some("suppressed");
        event.count = u64::try_from(tokens.len()).ok();
        for (token, channel) in tokens {
            change.tx.suppress(token, channel, micros(now)).await?;
        }
        change.record(event);
        Ok(())
    }

    /// Ends the restriction that a request asked for; by another person than who took the request in.
    ///
    /// # Errors
    /// [`RequestError::State`] when there is none, an erasure stands behind it, or the guest was not told;
    /// [`RequestError::SamePerson`].
    pub async fn lift(&self, errand: &Errand, id: Uuid, input: LiftInput) -> Result<Case, RequestError> {
        let event = self
            .allowed(errand, (Act::Restrict, "lifted"), &[Right::ApproveRequests])
            .await?;
        let row = self.case_to_serve(errand, id).await?;
        let done = row.kind == Kind::Restriction.as_str() && row.state == State::Done.as_str();
        let Some(guest) = row.guest_id.map(GuestId).filter(|_| done) else {
            return Err(RequestError::State("This request restricts nothing."));
        };
        let opener = (PrincipalId(row.opened_by), row.opened_actor.as_deref());
        if same_person(opener, errand.caller.person()) {
            return Err(RequestError::SamePerson);
        }
        let now = self.vault().clock.now();
        if input.guest_told_on > now.date_naive() {
            return Err(RequestError::State(
                "The guest is told before the restriction ends.",
            ));
        }
        let mut conn = self.vault().store.read().await?;
        let status = conn.guest_head(guest).await?.map(|(_, status, _)| status);
        let erasure = conn.waiting_erasure(guest).await?;
        drop(conn);
        if status.as_deref() != Some("restricted") || erasure.is_some() {
            return Err(RequestError::State(
                "The guest is not restricted, or an erasure that waits keeps it so.",
            ));
        }
        let event = self.about(event, errand, Some(guest)).await?;
        let vault = self.vault();
        let mut change = vault.log.begin(&vault.store).await?;
        // The guest first: of two restrictions that end at the same moment, one sees the other.
        change.tx.set_fate(guest, "active", micros(now)).await?;
        let standing = change.tx.restrictions(guest).await?;
        if !standing.contains(&id) {
            return Err(RequestError::State("This restriction was ended before."));
        }
        let lifted = ("lifted", None);
        let house = self.house_of_step(errand, &row);
        let by = By::at(&errand.caller, house.as_ref());
        change.tx.add_step(id, micros(now), lifted, by).await?;
        if standing.len() > 1 {
            change.tx.set_fate(guest, "restricted", micros(now)).await?;
        } else {
            let updated = Announcement::guest_updated(now, guest, Vec::new());
            change.tx.announce(&updated).await?;
        }
        change.record(event);
        change.commit().await?;
        self.case(&row, Vec::new())
    }
}
