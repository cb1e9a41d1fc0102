//! What the house holds, drawer by drawer: nothing is opened before the guest asks for it, and then one drawer only.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Map, Value};

use crate::{
    audit::{Act, Event},
    base::{Category, Errand, FieldIndex},
    guest::{GuestError, Provenance, RecordAnswer},
    policy::Right,
    retention::{Limit, facts, plan},
};

use super::{Me, Portal};

/// A drawer that holds something.
pub(super) struct Drawer {
    pub(super) category: Category,
    pub(super) values: u64,
    /// To be gone by.
    pub(super) latest: Option<NaiveDate>,
    /// Not to be gone before, and where that is written.
    pub(super) earliest: Option<Limit>,
}

/// One value, and where it came from.
pub(super) struct Shown {
    pub(super) field: String,
    /// Empty when it is withheld.
    pub(super) value: Option<Value>,
    pub(super) source: String,
    pub(super) provenance: Option<Provenance>,
    pub(super) property: String,
    pub(super) at: Option<DateTime<Utc>>,
}

impl Portal {
    /// The drawers of a guest and how long each is kept; recorded.
    pub(super) async fn drawers(&self, me: &Me) -> Result<Vec<Drawer>, GuestError> {
        let errand = self
            .errand(Some(me.guest), me.browser.request())
            .map_err(|_| GuestError::Forbidden)?;
        let policy = self.vault.policies.current();
        let mut event = Event::of(&errand, Act::Retention, self.now());
        event.policy_version = Some(policy.version().to_owned());
        event.outcome = Some("planned");
        if !policy.allows(&errand.caller.role, Right::ReadAccessReport) {
            return self.vault.refuse(event, GuestError::Forbidden).await;
        }
        let house = facts(&self.vault, me.guest).await?.ok_or(GuestError::NotFound)?;
        event.subject = Some(self.vault.subject(me.guest, Some(&house.keys)));
        self.vault.log.record(event, ()).await?;
        let of = plan(&house.facts, &self.requests.eraser.rules);
        let filled = of.into_iter().filter(|drawer| drawer.values > 0);
        Ok(filled
            .map(|drawer| Drawer {
                category: drawer.category,
                values: drawer.values,
                latest: drawer.latest.map(|limit| limit.date),
                earliest: drawer.earliest,
            })
            .collect())
    }

    fn fields_of(&self, category: Category) -> Vec<FieldIndex> {
        let policy = self.vault.policies.current();
        let own = policy
            .catalogue()
            .iter()
            .filter(|(_, field)| field.category == category);
        own.map(|(at, _)| at).collect()
    }

    /// What lies in one drawer, opened; recorded as the guest's own look.
    pub(super) async fn open_drawer(
        &self,
        errand: &Errand,
        me: &Me,
        category: Category,
    ) -> Result<Vec<Shown>, GuestError> {
        let wanted = self.fields_of(category);
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let mut all = Vec::new();
        if category == Category::Stay {
            let answer = self.vault.read_guest(errand, me.guest, &wanted).await?;
            let stays = answer
                .fields
                .get("stay_links")
                .and_then(|field| field.value.clone());
            for stay in stays.iter().filter_map(Value::as_array).flatten() {
                all.push(Shown {
                    field: "stay_links".to_owned(),
                    property: stay
                        .get("property")
                        .and_then(Value::as_str)
                        .unwrap_or_default()
                        .to_owned(),
                    value: Some(stay.clone()),
                    source: String::new(),
                    provenance: None,
                    at: None,
                });
            }
        }
        let answer = self.vault.read_some_records(errand, me.guest, &wanted).await?;
        for record in answer.records {
            for (field, answer) in record
                .fields
                .into_iter()
                .filter(|(field, _)| field != "stay_links")
            {
                all.push(Shown {
                    field,
                    value: answer.value,
                    source: record.source_system.clone(),
                    provenance: Some(record.provenance),
                    property: record.property.clone().unwrap_or_default(),
                    at: Some(record.observed_at),
                });
            }
        }
        all.sort_by(|a, b| a.field.cmp(&b.field).then(b.at.cmp(&a.at)));
        Ok(all)
    }

    /// What the guest says of itself from now on; its own words, not staff's.
    pub(super) async fn say(&self, me: &Me, said: Map<String, Value>) -> Result<RecordAnswer, GuestError> {
        let mut errand = self
            .errand(Some(me.guest), me.browser.request())
            .map_err(|_| GuestError::Forbidden)?;
        // Guests write as they do when they book; see `guest_own` in rules.csv.
        errand.purpose = "booking".parse().map_err(|_| GuestError::Forbidden)?;
        self.vault.declare(&errand, me.guest, said).await
    }
}

/// Parts that need no name: what an item is about.
const BARE: [&str; 5] = ["number", "address", "value", "full", "date"];

/// A value as people read it: the parts of an object after each other, the items of a list one by one.
pub(super) fn lines(value: &Value, word: &dyn Fn(&str) -> String) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().flat_map(|item| lines(item, word)).collect(),
        Value::Object(map) => {
            let told = |key: &String, value: &Value| {
                let text = lines(value, word).join(", ");
                let bare = BARE.contains(&key.as_str());
                if bare {
                    text
                } else {
                    format!("{}: {text}", word(key))
                }
            };
            let hidden = ["raw", "primary", "normal"];
            let mut parts: Vec<(&String, &Value)> = map
                .iter()
                .filter(|(key, value)| !value.is_null() && !hidden.contains(&key.as_str()))
                .collect();
            parts.sort_by_key(|(key, _)| !BARE.contains(&key.as_str()));
            let parts: Vec<String> = parts.into_iter().map(|(key, value)| told(key, value)).collect();
            vec![parts.join(" · ")]
        }
        Value::Null => Vec::new(),
        Value::String(text) => vec![text.clone()],
        Value::Bool(yes) => vec![word(if *yes { "yes" } else { "no" })],
        Value::Number(number) => vec![number.to_string()],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_read_as_people_write_them() {
        let word = |key: &str| key.replace('_', " ");
        let told = |value: Value| lines(&value, &word);
        assert_eq!(
            told(json!([{"number": "+49 30 1", "kind": "mobile", "raw": "x"}])),
            ["+49 30 1 · kind: mobile"]
        );
        assert_eq!(told(json!(["a", "b"])), ["a", "b"]);
        assert_eq!(
            told(json!({"bed": "king", "floor_wish": null, "quiet": true})),
            ["bed: king · quiet: yes"]
        );
        assert_eq!(told(json!(null)), Vec::<String>::new());
    }
}
