//! Invented guests that fill every field of the catalogue with values that exist nowhere else.

use serde_json::{Value, json};

use super::canaries::Canaries;

/// Fields that take no value by themselves: read and thrown away, refused until switched on, written by other calls.
pub(crate) const NEVER_STORED: [&str; 3] = ["mrz", "photo_ref", "stay_links"];

/// A guest document with every field filled.
pub(crate) fn filled(canaries: &mut Canaries) -> Value {
    let mut parts = vec![
        person(canaries),
        reached(canaries),
        papers(canaries),
        house(canaries),
        wishes(canaries),
        told(canaries),
    ];
    let mut guest = parts.remove(0);
    for part in parts {
        for (path, value) in part.as_object().unwrap() {
            guest[path] = value.clone();
        }
    }
    guest
}

/// A stay that its guest is in at `2026-03-05`.
pub(crate) fn stay(canaries: &mut Canaries) -> Value {
    json!({"reservation": canaries.marked("reservation"), "property": "LIS01", "arrival": "2026-03-04",
           "departure": "2026-03-07", "status": "checked_in", "channel": "web", "party": {"adults": 2}})
}

/// A consent with evidence.
pub(crate) fn consent(canaries: &mut Canaries, purpose: &str) -> Value {
    json!({"purpose": purpose, "state": "given", "channel": "web", "indication": "checkbox",
           "evidence_ref": canaries.marked("evidence_ref")})
}

fn person(c: &mut Canaries) -> Value {
    let marker = c.marked("preferred_language");
    json!({
        "external_ids": [{"system": "loyalty", "type": "card", "value": c.marked("external_ids")}],
        "name": {
            "full": c.marked("name.full"), "surname": c.marked("name.surname"), "given": c.marked("name.given"),
            "middle": c.marked("name.middle"), "surname2": c.marked("name.surname2"),
            "prefix": c.marked("name.prefix"), "suffix": c.marked("name.suffix"), "alias": c.marked("name.alias"),
            "native": {"script": "Hani", "value": c.han("name.native"), "phonetic": c.marked("name.native.phonetic")}
        },
        "gender": "female",
        "birth_date": c.day("birth_date"),
        "birth_place": c.marked("birth_place"),
        "nationality": "PT",
        "preferred_language": format!("pt-x-{}", &marker[..8]),
        "organisation": {"name": c.marked("organisation.name"), "org_id": c.marked("organisation.org_id")},
        "occupation": c.marked("occupation"),
        "job_title": c.marked("job_title"),
        "account_manager_id": c.marked("account_manager_id"),
        "relationships": [{"kind": "spouse", "name": c.marked("relationships.name")}],
        "household_occasions": [{"kind": c.marked("household_occasions"), "relation": "child", "date": "--05-17"}],
    })
}

fn reached(c: &mut Canaries) -> Value {
    json!({
        "phones": [{"number": c.phone("phones"), "kind": "mobile", "primary": true}],
        "emails": [{"address": format!("{}@guests.example", c.marked("emails").to_lowercase())}],
        "postal_addresses": [{"lines": [c.marked("postal_addresses.lines")], "city": c.marked("postal_addresses.city"),
            "postal_code": c.marked("postal_addresses.postal_code"), "region": c.marked("postal_addresses.region"),
            "country": "PT", "kind": "home"}],
        "messaging_ids": [{"service": "wechat", "id": c.marked("messaging_ids")}],
        "contact_preference": {"channels": [c.marked("contact_preference.channels")],
            "hours": c.marked("contact_preference.hours"), "language": "pt"},
    })
}

fn papers(c: &mut Canaries) -> Value {
    json!({
        "id_documents": [{"type": "passport", "issuing_country": "PT", "number": c.passport("id_documents"),
            "issued_place": c.marked("id_documents.issued_place"), "expires_on": "2030-01-02",
            "support_number": format!("{}7", c.marked("id_documents.support_number"))}],
        "identity_verifications": [{"method": "nfc", "result": "passed",
            "verifier": c.marked("identity_verifications.verifier"), "at": "2026-03-04T15:00:00Z"}],
        "residence_permit": {"kind": "temporary", "number": format!("{}7", c.marked("residence_permit")),
            "valid_to": "2027-01-02"},
        "tax_invoice": [{"title": c.marked("tax_invoice.title"), "tax_id": c.marked("tax_invoice.tax_id"),
            "address": c.marked("tax_invoice.address"), "bank": c.marked("tax_invoice.bank")}],
        "spend_summary": {"band": c.marked("spend_summary.band"), "currency": "EUR"},
        "payment_method_pref": c.marked("payment_method_pref"),
        "payment_token_ref": c.marked("payment_token_ref"),
    })
}

fn house(c: &mut Canaries) -> Value {
    let plate = c.marked("vehicle_plates");
    json!({
        "vehicle_plates": [&plate[..12]],
        "stay_summary": {"stays": 3, "nights": 7, "last_stay_month": c.marked("stay_summary.last_stay_month")},
        "party": {"adults": 2, "children_bands": [c.marked("party.children_bands")], "pet": c.marked("party.pet")},
        "memberships": [{"program": "CLUB", "number": c.marked("memberships"), "tier": "gold"}],
        "customer_status": c.marked("customer_status"),
        "value_grade": {"model": "m1", "grade": c.marked("value_grade.grade"), "inputs": c.marked("value_grade.inputs")},
        "vip_code": c.marked("vip_code"),
        "restriction": {"kind": "watch", "reason_code": c.marked("restriction.reason_code"),
            "text": c.marked("restriction.text"), "until": "2027-03-01", "approver": c.marked("restriction.approver")},
    })
}

fn wishes(c: &mut Canaries) -> Value {
    json!({
        "anniversaries": [{"kind": c.marked("anniversaries"), "date": "--06-01"}],
        "preferences": {
            "room": {"type": c.marked("preferences.room.type"), "floor": c.marked("preferences.room.floor"), "quiet": true},
            "bedding": {"pillow": c.marked("preferences.bedding")},
            "smoking": false,
            "food_drink": {"likes": [c.marked("preferences.food_drink.likes")], "drink": c.marked("preferences.food_drink")},
            "environment": {"text": c.marked("preferences.environment")},
            "facility": {"likes": [c.marked("preferences.facility")]},
            "gift": {"text": c.marked("preferences.gift")}
        },
        "interests": [c.marked("interests")],
        "life_events": [{"kind": c.marked("life_events"), "date": "2025-06"}],
        "diet": [c.marked("diet")],
        "health": {"allergies": [c.marked("health.allergies")], "accessibility": [c.marked("health.accessibility")]},
    })
}

fn told(c: &mut Canaries) -> Value {
    json!({
        "special_needs": [{"text": c.marked("special_needs")}],
        "notes": [{"text": c.marked("notes"), "author": c.marked("notes.author")}],
        "feedback_items": [{"type": "complaint", "text": c.marked("feedback_items.text"), "status": "open",
            "ticket_ref": c.marked("feedback_items.ticket_ref")}],
        "survey_scores": [{"survey": c.marked("survey_scores"), "nps": 9}],
        "contact_log": [{"channel": "phone", "outcome": c.marked("contact_log.outcome"),
            "staff": c.marked("contact_log.staff")}],
        "campaign_responses": [{"campaign": c.marked("campaign_responses"), "response": "opened"}],
        "segments": [{"tag": c.marked("segments"), "source": "crm"}],
    })
}
