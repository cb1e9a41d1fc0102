//! The day's guests of a property, each in the caller's own view and each on record: the arrival brief.

use std::{collections::BTreeSet, sync::Arc};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    audit::{Act, Event},
    base::{Action, Category, Errand, FieldIndex, GuestId, PropertyCode, View},
    policy::{Right, Snapshot},
};

use super::{
    AuditAnswer, GuestAnswer, GuestError, Vault,
    read::{Fetched, STAY_LINKS, asked_for, drawers},
    stay_index::DayList as List,
};

pub use super::stay_index::DayList;

/// Guests of one answer: at most, and when nothing is said.
const MOST: u16 = 1000;
const USUAL: u16 = 200;

/// Which guests.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StayListInput {
    /// The hotel; within the errand's property.
    #[schema(value_type = String, max_length = 20)]
    pub property: PropertyCode,
    /// The day, as the hotel counts it.
    pub date: NaiveDate,
    /// Which list.
    pub list: DayList,
    /// The fields to show: paths or groups; all, when absent.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub fields: Vec<String>,
    /// Guests per answer, 1 to 1000.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 1000)]
    pub limit: Option<u16>,
    /// Where the answer begins: the `next_cursor` of the one before.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 40)]
    pub cursor: Option<GuestId>,
}

/// Guests of a day.
#[derive(Clone, Serialize, ToSchema)]
pub struct StayListAnswer {
    /// The guests, as this caller may see them.
    #[schema(max_items = 1000)]
    pub items: Vec<GuestAnswer>,
    /// Give it as `cursor` to get the rest; `null` when this is all.
    #[schema(value_type = Option<String>, required = true)]
    pub next_cursor: Option<GuestId>,
    /// The record of this list; each guest has its own besides.
    pub audit: AuditAnswer,
}

impl Vault {
    /// The guests of a property's day.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`] when this caller may see no such lists; [`GuestError::BadQuestion`].
    pub async fn stay_list(
        &self,
        errand: &Errand,
        asked: &StayListInput,
        wanted: &[FieldIndex],
    ) -> Result<StayListAnswer, GuestError> {
        let policy = self.policies.current();
        let mut event = Event::of(errand, Act::Search, self.clock.now());
        event.policy_version = Some(policy.version().to_owned());
        event.property = Some(asked.property.clone());
        if let Some((_, field)) = policy.catalogue().find(STAY_LINKS) {
            event.fields.insert(field.path.clone(), View::Token);
        }
        let categories = categories_shown(errand, &policy, wanted);
        let Some(categories) = categories.filter(|_| policy.allows(&errand.caller.role, Right::ListStays))
        else {
            return self.refuse(event, GuestError::Forbidden).await;
        };
        if let Err(error) = self.check_list(errand, asked) {
            return self.refuse(event, error).await;
        }
        if let Err(exceeded) = self.budgets.search(&errand.caller) {
            return self.refuse(event, exceeded.into()).await;
        }
        let most = usize::from(asked.limit.unwrap_or(USUAL));
        let (seen, next_cursor) = self
            .of_day(errand, &policy, asked, (wanted, &categories), most)
            .await?;
        if let Err(error) = self.charge(errand, seen.iter().map(|fetched| fetched.guest)) {
            return self.refuse(event, error).await;
        }
        event.count = u64::try_from(seen.len()).ok();
        let by_name = !wanted.is_empty();
        let shown = futures_util::future::try_join_all(
            seen.iter()
                .map(|fetched| self.disclose(errand, &policy, fetched, (Act::Read, by_name))),
        );
        let recorded = async { Ok::<_, GuestError>(self.log.record(event, ()).await?) };
        let (receipt, items) = futures_util::future::try_join(recorded, shown).await?;
        Ok(StayListAnswer {
            items,
            next_cursor,
            audit: AuditAnswer {
                entry_id: receipt.entry(),
            },
        })
    }

    /// Who has a stay at a property that touches one of these days, by the index alone: long stays count by the week. At most one
    /// more than `most`.
    pub(crate) async fn in_house(
        &self,
        property: &PropertyCode,
        days: &[NaiveDate],
        most: usize,
    ) -> Result<BTreeSet<GuestId>, GuestError> {
        let mut guests = BTreeSet::new();
        let mut conn = self.store.read().await?;
        for day in days {
            let tokens = self.list_tokens(List::InHouse, property, *day);
            let mut after = Uuid::nil();
            while guests.len() <= most {
                let page = conn.stay_day(tokens, after, i64::from(MOST)).await?;
                guests.extend(page.iter().copied().map(GuestId));
                match page.last() {
                    Some(last) if page.len() == usize::from(MOST) => after = *last,
                    _ => break,
                }
            }
        }
        Ok(guests.into_iter().take(most + 1).collect())
    }

    fn check_list(&self, errand: &Errand, asked: &StayListInput) -> Result<(), GuestError> {
        let bad = |field: &str, reason: &str| Err(GuestError::bad(field, reason));
        if self.properties.get(&asked.property).is_none()
            || !self.properties.within(&asked.property, &errand.property)
        {
            return bad("property", "property_out_of_scope");
        }
        if asked.limit.is_some_and(|limit| limit == 0 || limit > MOST) {
            return bad("limit", "must be 1 to 1000");
        }
        Ok(())
    }

    /// The day's guests that this caller may see, and where the next page begins.
    async fn of_day(
        &self,
        errand: &Errand,
        policy: &Arc<Snapshot>,
        asked: &StayListInput,
        (wanted, categories): (&[FieldIndex], &[Category]),
        most: usize,
    ) -> Result<(Vec<Fetched>, Option<GuestId>), GuestError> {
        let tokens = self.list_tokens(asked.list, &asked.property, asked.date);
        let mut after = asked.cursor.map_or(Uuid::nil(), |guest| guest.0);
        let mut seen: Vec<Fetched> = Vec::new();
        loop {
            let rows = most - seen.len() + 1;
            let guests: Vec<GuestId> = self
                .store
                .read()
                .await?
                .stay_day(tokens, after, i64::try_from(rows).unwrap_or(i64::MAX))
                .await?
                .into_iter()
                .map(GuestId)
                .collect();
            let looked = self
                .look_at_each(errand, &guests, (wanted, categories), Act::Search, policy)
                .await?;
            for fetched in looked {
                if !is_on(asked, asked.list, &fetched) {
                    continue;
                }
                if seen.len() == most {
                    return Ok((seen, Some(GuestId(after))));
                }
                after = fetched.guest.0;
                seen.push(fetched);
            }
            match guests.last() {
                Some(last) if guests.len() == rows => after = last.0,
                _ => return Ok((seen, None)),
            }
        }
    }
}

/// The drawers of all that could be shown; `None` when nothing can.
fn categories_shown(errand: &Errand, policy: &Arc<Snapshot>, wanted: &[FieldIndex]) -> Option<Vec<Category>> {
    let catalogue = policy.catalogue();
    let fields = asked_for(catalogue, wanted);
    let role = &errand.caller.role;
    let grant = policy.decide(role, &errand.property, &errand.purpose, Action::Read, &fields)?;
    Some(drawers(catalogue, &grant.columns()))
}

/// Whether one of the guest's stays stands on the list: the index knows weeks of long stays, and no check-outs.
fn is_on(asked: &StayListInput, list: List, fetched: &Fetched) -> bool {
    let here = fetched
        .stays
        .iter()
        .filter(|stay| stay.property == asked.property);
    here.into_iter().any(|stay| list.holds(&stay.input, asked.date))
}
