//! Stays: sealed whole, because where somebody was and when is as telling as a name.

use chrono::{Datelike as _, NaiveDate};
use uuid::Uuid;

use crate::{
    audit::{Act, Change, Event},
    base::{
        Category, Errand, GuestId, PropertyCode, RecordId, StayState, StayStatus, from_micros, micros,
        said_now,
    },
    consent::is_code,
    crypto::Aad,
    events::Announcement,
    keys::GuestKeys,
    policy::Right,
};

use super::{
    GuestError, Rejected, Stay, StayInput, StayRole, Vault,
    prepare::seal_version,
    put,
    sql::{HeldStay, Line, NewStay, Part, StayRow},
    stay_words::{Said, keep_word, strongest},
    window::{self, Window},
};

/// The longest stay that is believed, in days.
const LONGEST: i64 = 5 * 366;
/// The first year in which a stay may have begun, and the years that one is booked ahead: a stay keeps its guest's data
/// from being erased until it is over.
const YEARS: (i32, i32) = (1900, 10);

impl Vault {
    /// Links a stay to a guest, or changes it.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`], [`GuestError::NotFound`], [`GuestError::Rejected`] for dates or codes that cannot be.
    pub async fn put_stay(
        &self,
        errand: &Errand,
        guest: GuestId,
        stay: StayInput,
        expected: impl Fn(i64) -> bool,
    ) -> Result<(Stay, i64), GuestError> {
        let policy = self.policies.current();
        let mut event = Event::of(errand, Act::PutStay, self.clock.now());
        event.policy_version = Some(policy.version().to_owned());
        event.subject = Some(self.subject(guest, None));
        if !policy.allows(&errand.caller.role, Right::ManageStays) {
            return self.refuse(event, GuestError::Forbidden).await;
        }
        if let Err(reason) = self.check_stay(errand, &stay) {
            let rejected = Rejected {
                field: "stay".to_owned(),
                reason: reason.to_owned(),
            };
            return self.refuse(event, GuestError::Rejected(vec![rejected])).await;
        }
        self.must_know(errand, guest, Act::PutStay).await?;
        let mut tries = 0;
        loop {
            match self
                .try_put_stay(errand, guest, &stay, &expected, event.clone())
                .await
            {
                Err(error) if error.is_transient() && tries < put::TRIES => {
                    tries += 1;
                    put::pause(tries).await;
                }
                outcome => return outcome,
            }
        }
    }

    async fn try_put_stay(
        &self,
        errand: &Errand,
        guest: GuestId,
        stay: &StayInput,
        expected: impl Fn(i64) -> bool,
        mut event: Event,
    ) -> Result<(Stay, i64), GuestError> {
        let version = match self.active_version(guest).await {
            Err(
                error @ (GuestError::NotFound
                | GuestError::Gone
                | GuestError::Restricted
                | GuestError::Moved(_)),
            ) => {
                return self.refuse(event, error).await;
            }
            other => other?,
        };
        if !expected(version) {
            return self.refuse(event, GuestError::Stale).await;
        }
        let keys = self.keys_of(guest, &[Category::Stay, Category::Audit]).await?;
        event.subject = Some(self.subject(guest, Some(&keys)));
        let event = Self::with_reason(event, errand, Some(&keys));
        let mut change = self.log.begin(&self.store).await?;
        change
            .tx
            .touch_guest(guest, version, micros(self.clock.now()))
            .await?;
        let said = Said {
            record: RecordId(Uuid::nil()),
            at: self.clock.now(),
            timed: true,
        };
        self.write_stay(&mut change, errand, (guest, said), stay, &keys)
            .await?;
        let fields = "stay_links".parse().into_iter().collect();
        let told = Announcement::guest_updated(event.at, guest, fields);
        change.tx.announce(&told.at_property(&errand.property)).await?;
        change.record(event);
        change.commit().await?;
        Ok((with_property(errand, stay), version + 1))
    }

    /// Whether a stay can be.
    pub(super) fn check_stay(&self, errand: &Errand, stay: &StayInput) -> Result<(), &'static str> {
        let property = stay.property.as_ref().unwrap_or(&errand.property);
        let days = (stay.departure - stay.arrival).num_days();
        let today = self.clock.now().date_naive();
        let codes = [stay.channel.as_deref(), stay.purpose.as_deref()];
        if self.properties.get(property).is_none() || !self.properties.within(property, &errand.property) {
            Err("property_out_of_scope")
        } else if !super::prepare::is_source_id(&stay.reservation) || stay.reservation.len() > 100 {
            Err("invalid_reservation")
        } else if !(0..=LONGEST).contains(&days) || !is_near(stay.arrival, today) {
            Err("impossible_date")
        } else if !codes.into_iter().flatten().all(is_code) {
            Err("invalid_code")
        } else {
            Ok(())
        }
    }

    /// Seals and stores one stay inside a change; false when something newer was said of it.
    pub(super) async fn write_stay(
        &self,
        change: &mut Change,
        errand: &Errand,
        (guest, mut said): (GuestId, Said),
        stay: &StayInput,
        keys: &GuestKeys,
    ) -> Result<bool, GuestError> {
        let mut stay = with_property(errand, stay);
        let token = self.stay_token(&stay.property, &stay.input.reservation);
        let held = change.tx.stay_held(guest, token).await?;
        let newest = |held: &HeldStay| held.spoken.unwrap_or_default().max(held.shown.version);
        let version = held.as_ref().map_or(0, newest) + 1;
        if let Some(held) = &held {
            let shown = &held.shown;
            if said.record.0.is_nil() || !said.timed {
                // What is said now is the newest, whatever a clock that was ahead dated before.
                said.at = said_now(said.at, Some(from_micros(shown.updated_at)));
            }
            if micros(said.at) < shown.updated_at {
                return Ok(false);
            }
            keep_word(&mut change.tx, keys, held, said, (&stay.input, version)).await?;
            let together = micros(said.at) == shown.updated_at || !said.timed;
            if together && shown.record_id != said.record.0 && !said.record.0.is_nil() {
                let path = path(stay.property.as_str());
                let place = place(guest, token, &path, shown.version);
                let plain = keys.open_internal(Category::Stay, &shown.sealed, &place)?;
                let other: StayInput = serde_json::from_slice(&plain).map_err(|_| GuestError::Damaged)?;
                let own = (said.record.0, stay.input.role);
                let (record, role) = strongest((shown.record_id, other.role), own);
                (said.record, stay.input.role) = (RecordId(record), role);
            }
        }
        let stay = self.sealed_stay(said, &stay, version, keys)?;
        change.tx.upsert_stay(&stay).await?;
        change
            .tx
            .set_stay_index(guest, token, version == 1, &stay.tokens)
            .await?;
        Ok(true)
    }

    /// A stay as it is stored.
    pub(super) fn sealed_stay(
        &self,
        said: Said,
        stay: &Stay,
        version: i64,
        keys: &GuestKeys,
    ) -> Result<NewStay, GuestError> {
        let guest = keys.guest();
        let token = self.stay_token(&stay.property, &stay.input.reservation);
        let plain = zeroize::Zeroizing::new(serde_json::to_vec(&stay.input).unwrap_or_default());
        let path = path(stay.property.as_str());
        let sealed = keys.seal(Category::Stay, &place(guest, token, &path, version), &plain)?;
        let row = StayRow {
            guest_id: guest.0,
            stay_token: token,
            property: stay.property.to_string(),
            version,
            sealed: sealed.into_bytes(),
        };
        Ok(NewStay {
            row,
            record: said.record,
            observed_at: micros(said.at),
            tokens: self.stay_tokens(stay),
        })
    }

    fn stay_token(&self, property: &PropertyCode, reservation: &str) -> Uuid {
        Uuid::from_bytes(self.reservation_token(property, reservation))
    }

    /// Opens stays for the vault's own use: they decide, and are shown only under a grant.
    pub(super) fn open_stays(
        guest: GuestId,
        lines: &[Line],
        keys: &GuestKeys,
    ) -> Result<Vec<Stay>, GuestError> {
        let stays = lines.iter().filter(|l| l.part() == Part::Stay);
        let mut all: Vec<Stay> = stays
            .map(|line| open(guest, line, keys))
            .collect::<Result<_, _>>()?;
        all.sort_by(|a, b| (a.input.arrival, &a.property).cmp(&(b.input.arrival, &b.property)));
        Ok(all)
    }

    /// The state these stays amount to now.
    pub(super) fn nearest<'s>(&self, stays: impl Iterator<Item = &'s Stay>) -> StayState {
        let now = self.clock.now();
        window::nearest(stays.map(|stay| {
            let timezone = self
                .properties
                .get(&stay.property)
                .map(|n| n.timezone)
                .unwrap_or_default();
            let Stay { input, seen_at, .. } = stay;
            let seen = from_micros(*seen_at).with_timezone(&timezone).date_naive();
            // Who left early is gone since the source said so at the latest, not since the day once planned.
            let departure = match input.status {
                StayStatus::CheckedOut => input.departure.min(seen.max(input.arrival)),
                _ => input.departure,
            };
            window::state(
                &Window {
                    arrival: input.arrival,
                    departure,
                    status: input.status,
                    booker: input.role == StayRole::Booker,
                    timezone,
                },
                now,
            )
        }))
    }
}

/// Whether a stay may begin on this day.
fn is_near(arrival: NaiveDate, today: NaiveDate) -> bool {
    let (first, ahead) = YEARS;
    (first..=today.year() + ahead).contains(&arrival.year())
}

/// A stay without a property is one at the errand's.
pub(super) fn with_property(errand: &Errand, stay: &StayInput) -> Stay {
    let mut input = stay.clone();
    let property = input.property.take().unwrap_or_else(|| errand.property.clone());
    Stay {
        property,
        input,
        seen_at: 0,
    }
}

/// Where a stay is sealed to: moved to another guest, property or reservation it does not open.
pub(super) fn place(guest: GuestId, token: Uuid, path: &str, version: i64) -> Aad<'_> {
    Aad {
        guest,
        record: token,
        path,
        version: seal_version(version),
    }
}

/// The path that stands for a property in the seal of a stay.
pub(crate) fn path(property: &str) -> String {
    format!("stay.{property}")
}

fn open(guest: GuestId, line: &Line, keys: &GuestKeys) -> Result<Stay, GuestError> {
    let sealed = line.sealed.as_deref().unwrap_or_default();
    let property = line.word.parse().map_err(|_| GuestError::Damaged)?;
    let path = path(&line.word);
    let aad = place(guest, line.id.unwrap_or_default(), &path, line.version);
    let plain = keys.open_internal(Category::Stay, sealed, &aad)?;
    let input: StayInput = serde_json::from_slice(&plain).map_err(|_| GuestError::Damaged)?;
    Ok(Stay {
        property,
        input,
        seen_at: line.at,
    })
}
