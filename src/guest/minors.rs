//! Children do not agree by themselves: what the vault knows of a guest's birth decides whether a guardian must.

use chrono::{Days, Months, NaiveDate};
use serde_json::Value;

use crate::{
    base::{Category, Errand, GuestId},
    consent::{Refusal, Speaker, Statement},
    crypto::Aad,
};

use super::{GuestError, Vault, prepare::seal_version};

/// The field that knows.
pub(super) const BIRTH_DATE: &str = "birth_date";

impl Vault {
    /// Whether a yes is a child's own. Any of the guest's sources may know its birth; the youngest counts.
    ///
    /// # Errors
    /// What database and keys say.
    pub(super) async fn check_age(
        &self,
        errand: &Errand,
        guest: GuestId,
        statement: &Statement,
    ) -> Result<Result<(), Refusal>, GuestError> {
        if !asks_for_guardian(statement) {
            return Ok(Ok(()));
        }
        let rows = self.store.read().await?.births(guest).await?;
        if rows.is_empty() {
            return Ok(Ok(()));
        }
        let policy = self.policies.current();
        let category = policy
            .catalogue()
            .find(BIRTH_DATE)
            .map(|(_, field)| field.category);
        let category = category.unwrap_or(Category::Demographic);
        let keys = self.keys.guest_keys(guest, &[category]).await?;
        for row in rows {
            let place = Aad {
                guest,
                record: row.record_id,
                path: BIRTH_DATE,
                version: seal_version(row.version),
            };
            let plain = keys.open_internal(category, &row.sealed, &place)?;
            let value: Value = serde_json::from_slice(&plain).map_err(|_| GuestError::Damaged)?;
            if self.is_child(errand, &value) {
                return Ok(Err(Refusal::GuardianRequired));
            }
        }
        Ok(Ok(()))
    }

    /// Whether a yes beside this birth date is a child's own.
    pub(super) fn check_birth(
        &self,
        errand: &Errand,
        statement: &Statement,
        birth: Option<&Value>,
    ) -> Result<(), Refusal> {
        if asks_for_guardian(statement) && birth.is_some_and(|birth| self.is_child(errand, birth)) {
            Err(Refusal::GuardianRequired)
        } else {
            Ok(())
        }
    }

    fn is_child(&self, errand: &Errand, birth: &Value) -> bool {
        let region = self
            .properties
            .get(&errand.property)
            .and_then(|node| node.region.as_deref());
        let today = self.clock.now().date_naive();
        let born = birth.as_str().and_then(latest);
        born.is_some_and(|born| self.rules.is_child(region.unwrap_or_default(), born, today))
    }
}

fn asks_for_guardian(statement: &Statement) -> bool {
    statement.state.is_yes() && statement.said_by != Some(Speaker::Guardian)
}

/// The latest day that a date, perhaps only a year or a month, can mean.
fn latest(date: &str) -> Option<NaiveDate> {
    if let Ok(day) = date.parse() {
        return Some(day);
    }
    let (year, month) = match date.split('-').collect::<Vec<_>>().as_slice() {
        [year] => (year.parse().ok()?, 12),
        [year, month] => (year.parse().ok()?, month.parse().ok()?),
        _ => return None,
    };
    let first = NaiveDate::from_ymd_opt(year, month, 1)?;
    first
        .checked_add_months(Months::new(1))?
        .checked_sub_days(Days::new(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_of_a_date_is_taken_as_young() {
        let day = |d: &str| d.parse().ok();
        assert_eq!(latest("2012-03-05"), day("2012-03-05"));
        assert_eq!(latest("2012-02"), day("2012-02-29"));
        assert_eq!(latest("2012"), day("2012-12-31"));
        assert_eq!(latest("--05-17"), None);
        assert_eq!(latest("2012-13"), None);
    }
}
