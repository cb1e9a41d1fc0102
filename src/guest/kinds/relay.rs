//! Addresses lent by a booking channel: they reach the guest for a while, but say nothing of who it is.

use chrono::{DateTime, Days, NaiveDate, Utc};
use serde_json::Value;

use crate::matching::relays::days_after_departure;

use super::{Context, Reason, date, item::Item, scalar::code};

/// How long before an arrival rooms are booked, at most: hotels sell about a year ahead. A lent address that came
/// without a stay is kept so long.
const BOOKED_AHEAD: Days = Days::new(365);

/// Takes the `relay` member of a phone or an e-mail: lent by `provider` until `expires_at`. Whether it was given at all,
/// well or not: an address that may be lent is never an identifier.
pub(super) fn take(item: &mut Item<'_>) -> bool {
    let Some(given) = item.given("relay") else {
        return false;
    };
    let Ok(mut inner) = Item::open(given) else {
        item.flaw("relay", Reason::WrongType);
        return true;
    };
    inner.need("provider", code);
    inner.may("expires_at", date::moment);
    match inner.close() {
        Ok(good) => {
            item.put("relay", good.value);
            for flaw in good.flaws {
                item.flaw(&format!("relay{}", flaw.at), flaw.reason);
            }
        }
        Err(flaws) => flaws
            .into_iter()
            .for_each(|flaw| item.flaw(&format!("relay{}", flaw.at), flaw.reason)),
    }
    true
}

/// Says of a lent address who lent it and until when, where the source does not.
pub(super) fn complete(item: &mut Item<'_>, known: Option<&'static str>, context: &Context<'_>) {
    let mut relay = item.object("relay").unwrap_or_default();
    if let Some(known) = known {
        relay.entry("provider").or_insert_with(|| known.into());
    }
    let Some(provider) = relay.get("provider").and_then(Value::as_str) else {
        return;
    };
    if !relay.contains_key("expires_at")
        && let Some(until) = lent_until(provider, context)
    {
        relay.insert("expires_at".to_owned(), until.to_string().into());
    }
    item.put("relay", relay);
}

fn lent_until(provider: &str, context: &Context<'_>) -> Option<NaiveDate> {
    let departure = match context.departure {
        Some(departure) => departure.max(context.today),
        None => context.today.checked_add_days(BOOKED_AHEAD)?,
    };
    departure.checked_add_days(Days::new(days_after_departure(provider)?))
}

/// Takes out of a list of phones or e-mails what was lent and is not to be shown: what has expired, and, where `own` is
/// asked for, all that is lent.
pub fn drop_lent(list: &mut Value, now: DateTime<Utc>, own: bool) {
    let shown = |item: &Value| {
        let Some(relay) = item.get("relay") else {
            return true;
        };
        let until = relay.get("expires_at").and_then(Value::as_str);
        !own && until.is_none_or(|until| !has_passed(until, now))
    };
    if let Value::Array(items) = list {
        items.retain(shown);
    }
}

/// A moment, or a day that counts whole.
fn has_passed(until: &str, now: DateTime<Utc>) -> bool {
    match date::parse(until) {
        Some(day) => day < now.date_naive(),
        None => DateTime::parse_from_rfc3339(until).is_ok_and(|until| until <= now),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_lent_is_shown_until_its_day_has_passed() {
        let list = json!([
            {"address": "own@example.com"},
            {"address": "day@guest.booking.com", "relay": {"provider": "booking.com", "expires_at": "2026-05-01"}},
            {"address": "moment@guest.booking.com",
             "relay": {"provider": "booking.com", "expires_at": "2026-05-01T12:00:00Z"}},
            {"address": "always@duck.com", "relay": {"provider": "duckduckgo"}},
        ]);
        let shown = |at: &str, own| {
            let mut list = list.clone();
            drop_lent(&mut list, at.parse().unwrap(), own);
            list.as_array().unwrap().len()
        };
        assert_eq!(shown("2026-05-01T11:59:59Z", false), 4);
        assert_eq!(shown("2026-05-01T12:00:00Z", false), 3, "the moment has passed");
        assert_eq!(shown("2026-05-01T23:59:59Z", false), 3, "the day has not");
        assert_eq!(shown("2026-05-02T00:00:00Z", false), 2);
        assert_eq!(shown("2026-01-01T00:00:00Z", true), 1, "only the guest's own");
    }
}
