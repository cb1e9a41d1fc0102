//! How much was looked at, over time: counted by the log's own indexes, shown as a chart and as a table.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Console, sql::Counted};
use crate::{
    audit::{Act, Event},
    base::{Caller, RequestId, from_micros, micros},
    guest::GuestError,
    policy::Right,
};

/// More slots than this are refused: longer times are asked by the day.
const MOST_SLOTS: i64 = 400;

/// How long a slot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Slot {
    /// An hour.
    Hour,
    /// A day, in UTC.
    Day,
}

impl Slot {
    const fn micros(self) -> i64 {
        match self {
            Self::Hour => 3_600_000_000,
            Self::Day => 86_400_000_000,
        }
    }
}

/// Of which time.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct VolumeOptions {
    /// At or after: the first slot begins there.
    pub from: DateTime<Utc>,
    /// Before.
    pub to: DateTime<Utc>,
    /// `hour` or `day`.
    #[param(inline)]
    pub slot: Slot,
}

/// How much happened in one slot.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct SlotCount {
    /// When it begins.
    pub from: DateTime<Utc>,
    /// Entries of any kind.
    pub entries: i64,
    /// Attempts that were refused.
    pub denied: i64,
    /// Reveals, refused ones among them.
    pub reveals: i64,
}

/// How much happened over time.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Volume {
    /// How long a slot is.
    pub slot: Slot,
    /// Slot by slot, empty ones too.
    #[schema(max_items = 400)]
    pub slots: Vec<SlotCount>,
}

impl Volume {
    /// All entries of the time.
    pub(super) fn entries(&self) -> i64 {
        self.slots.iter().map(|slot| slot.entries).sum()
    }

    pub(super) fn denied(&self) -> i64 {
        self.slots.iter().map(|slot| slot.denied).sum()
    }

    pub(super) fn reveals(&self) -> i64 {
        self.slots.iter().map(|slot| slot.reveals).sum()
    }
}

impl Console {
    /// How much happened; recorded.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`]; [`GuestError::BadQuestion`].
    pub(super) async fn volume(
        &self,
        caller: &Caller,
        request: RequestId,
        asked: &VolumeOptions,
    ) -> Result<Volume, GuestError> {
        let policy = self.vault.policies.current();
        let mut event = Event::by(caller, Act::ReadAudit, request, self.vault.clock.now());
        event.policy_version = Some(policy.version().to_owned());
        event.outcome = Some("volume");
        if !policy.allows(&caller.role, Right::ReadAudit) {
            return self.vault.refuse(event, GuestError::Forbidden).await;
        }
        let (from, to, length) = (micros(asked.from), micros(asked.to), asked.slot.micros());
        let slots = (to - from)
            .checked_add(length - 1)
            .map_or(0, |span| span / length);
        if !(1..=MOST_SLOTS).contains(&slots) {
            let wrong = GuestError::bad(
                "to",
                format!("must be after `from`, at most {MOST_SLOTS} slots later"),
            );
            return self.vault.refuse(event, wrong).await;
        }
        let mut conn = self.vault.store.read().await?;
        let all = conn.volume(Counted::All, (from, to), length).await?;
        let denied = conn.volume(Counted::Denied, (from, to), length).await?;
        let reveals = conn.volume(Counted::Reveals, (from, to), length).await?;
        drop(conn);
        self.vault.log.record(event, ()).await?;
        let at = |counts: &[(i64, i64)], slot: i64| {
            let found = counts.iter().find(|(at, _)| *at == slot);
            found.map_or(0, |(_, count)| *count)
        };
        let slots = (0..slots).map(|slot| SlotCount {
            from: from_micros(from + slot * length),
            entries: at(&all, slot),
            denied: at(&denied, slot),
            reveals: at(&reveals, slot),
        });
        Ok(Volume {
            slot: asked.slot,
            slots: slots.collect(),
        })
    }
}

/// The days up to now that a page shows when nothing else is asked.
pub(super) fn last_days(now: DateTime<Utc>, days: i64) -> VolumeOptions {
    let tomorrow = (now + TimeDelta::days(1))
        .date_naive()
        .and_time(chrono::NaiveTime::MIN)
        .and_utc();
    VolumeOptions {
        from: tomorrow - TimeDelta::days(days),
        to: tomorrow,
        slot: Slot::Day,
    }
}

/// A bar of the chart, in the units of its view box.
pub(super) struct Bar {
    pub(super) x: i64,
    pub(super) width: i64,
    /// The top and the height of all entries, and of those refused.
    pub(super) all: (i64, i64),
    pub(super) denied: (i64, i64),
    pub(super) at: DateTime<Utc>,
}

/// A chart as it is drawn.
pub(super) struct Chart {
    pub(super) bars: Vec<Bar>,
    /// The largest number, at the top line.
    pub(super) top: i64,
}

/// The width and the height of the view box.
const BOX: (i64, i64) = (720, 160);

/// Draws the numbers.
pub(super) fn chart(volume: &Volume) -> Chart {
    let top = volume
        .slots
        .iter()
        .map(|slot| slot.entries)
        .max()
        .unwrap_or(0)
        .max(1);
    let count = i64::try_from(volume.slots.len()).unwrap_or(1).max(1);
    let step = BOX.0 / count;
    let bar = |(at, slot): (usize, &SlotCount)| {
        let height = |number: i64| {
            let exact = number.saturating_mul(BOX.1) / top;
            // One is not nothing.
            if number > 0 { exact.max(2) } else { 0 }
        };
        let (all, denied) = (height(slot.entries), height(slot.denied));
        Bar {
            x: i64::try_from(at).unwrap_or(0) * step,
            width: (step - (step / 5).max(1)).max(1),
            all: (BOX.1 - all, all),
            denied: (BOX.1 - denied, denied),
            at: slot.from,
        }
    };
    Chart {
        bars: volume.slots.iter().enumerate().map(bar).collect(),
        top,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_stand_in_their_order_and_none_is_higher_than_the_box() {
        let from: DateTime<Utc> = "2026-03-01T00:00:00Z".parse().unwrap();
        let slots = [0, 1, 1000, 7].iter().zip(0..).map(|(entries, day)| SlotCount {
            from: from + TimeDelta::days(day),
            entries: *entries,
            denied: i64::from(*entries > 5),
            reveals: 0,
        });
        let volume = Volume {
            slot: Slot::Day,
            slots: slots.collect(),
        };
        let drawn = chart(&volume);
        assert_eq!(drawn.top, 1000);
        let heights: Vec<i64> = drawn.bars.iter().map(|bar| bar.all.1).collect();
        assert_eq!(heights, [0, 2, 160, 2]);
        assert!(
            drawn
                .bars
                .windows(2)
                .all(|two| two[0].x + two[0].width <= two[1].x)
        );
        assert!(drawn.bars.iter().all(|bar| bar.all.0 + bar.all.1 == BOX.1));
        assert_eq!((volume.entries(), volume.denied()), (1008, 2));
    }
}
