//! What the house learns by serving: guest relations, restaurant, housekeeping, call centre.

use chrono::Datelike as _;
use serde_json::{Value, json};

use super::{
    random::{Random, unique},
    stays::shift,
    telling::{Known, Line},
};

/// Guest relations: membership, worth, occasions, campaigns.
pub(super) fn relations(known: &Known<'_>, random: &mut Random) -> Value {
    let person = known.person;
    let mut line = known.line("crm", "system", random.days(1, 90));
    line.say("name", person.name_with_native());
    line.say("emails", json!([{"address": person.email}]));
    line.say("phones", json!([{"number": person.phone, "kind": "mobile"}]));
    let tier = random.pick(&["bronze", "bronze", "silver", "gold"]);
    let number = unique("88######", 0, person.index);
    let joined = shift(known.today, -random.days(100, 2000));
    line.say(
        "memberships",
        json!([{"program": "LUMENCLUB", "number": number, "tier": tier, "state": "active", "joined_at": joined}]),
    );
    line.say("customer_status", tier);
    line.say("account_manager_id", format!("staff-{}", 1 + person.index % 9));
    worth(known, &mut line, random);
    occasions(known, &mut line, random);
    campaigns(known, &mut line, random);
    line.value()
}

fn worth(known: &Known<'_>, line: &mut Line, random: &mut Random) {
    let stays = random.below(20) + 1;
    let month = shift(known.today, -random.days(30, 300))
        .format("%Y-%m")
        .to_string();
    line.say(
        "stay_summary",
        json!({"stays": stays, "nights": stays * 2, "last_stay_month": month, "properties_n": 1 + stays % 3}),
    );
    let band = random.pick(&["low", "middle", "high"]);
    line.say(
        "spend_summary",
        json!({"band": band, "by_outlet_class": ["rooms", "restaurant"], "currency": "EUR"}),
    );
    let computed = shift(known.today, -random.days(1, 30));
    let grade = random.pick(&["A", "B", "C"]);
    let inputs = ["stays", "nights", "spend_band"];
    line.say(
        "value_grade",
        json!({"model": "rfm-2", "grade": grade, "computed_at": computed, "inputs": inputs}),
    );
    let work = random.pick(&["engineer", "physician", "teacher", "architect", "musician"]);
    line.say_if(random.chance(40), "occupation", json!(work));
    let title = random.pick(&["Head of Purchasing", "Managing Director", "Partner"]);
    line.say_if(random.chance(30), "job_title", json!(title));
}

fn occasions(known: &Known<'_>, line: &mut Line, random: &mut Random) {
    let day = format!("--{:02}-{:02}", 1 + random.below(12), 1 + random.below(28));
    let wedding = json!([{"kind": "wedding", "date": day}]);
    line.say_if(random.chance(25), "anniversaries", wedding);
    let birthday = known.person.birth;
    let others = format!("--{:02}-{:02}", birthday.month(), 1 + random.below(28));
    line.say_if(
        random.chance(15),
        "household_occasions",
        json!([{"kind": "child_birthday", "date": others}]),
    );
    let moved = json!([{"kind": "retirement", "date": known.today.format("%Y").to_string()}]);
    line.say_if(random.chance(5), "life_events", moved);
    let interests = json!([
        random.pick(&["wine", "running", "opera"]),
        random.pick(&["design", "sailing", "tea"])
    ]);
    line.say_if(random.chance(40), "interests", interests);
    let gift = random.pick(&["tea", "books", "flowers"]);
    let facility = json!({"likes": ["pool"], "times": "early morning"});
    line.say(
        "preferences",
        json!({"gift": {"likes": [gift]}, "facility": facility}),
    );
}

fn campaigns(known: &Known<'_>, line: &mut Line, random: &mut Random) {
    let at = shift(known.today, -random.days(10, 200));
    let response = random.pick(&["opened", "clicked", "ignored"]);
    let sent = json!([{"campaign": "spring-in-lisbon", "response": response, "channel": "email", "at": at}]);
    line.say_if(random.chance(50), "campaign_responses", sent);
    let tag = random.pick(&["city-breaker", "family-summer", "long-stay"]);
    let until = shift(known.today, 200);
    line.say_if(
        random.chance(50),
        "segments",
        json!([{"tag": tag, "source": "crm", "expires_at": until}]),
    );
}

/// The restaurant: tastes, diets, allergies.
pub(super) fn restaurant(known: &Known<'_>, random: &mut Random) -> Value {
    let mut line = known.line("restaurant", "interviewed", random.days(1, 3));
    line.say("name", known.person.name());
    line.say("phones", json!([{"number": known.person.phone}]));
    let likes = random.pick(&["seafood", "dim sum", "Käsespätzle", "pastéis de nata"]);
    let drink = random.pick(&["green tea", "espresso", "sparkling water"]);
    let seat = random.pick(&["window", "terrace", "quiet corner"]);
    line.say(
        "preferences",
        json!({"food_drink": {"likes": [likes], "drink": drink, "seat": seat}}),
    );
    let diet = match known.person.culture.region {
        "AE" | "EG" | "TR" => "halal",
        "IN" => "vegetarian",
        _ => random.pick(&["vegan", "vegetarian", "no_pork", "gluten_free"]),
    };
    line.say_if(random.chance(60), "diet", json!([diet]));
    let allergen = random.pick(&["peanuts", "milk", "crustaceans", "sesame"]);
    line.say_if(random.chance(35), "health", json!({"allergies": [allergen]}));
    line.value()
}

/// Housekeeping: how the room should be.
pub(super) fn housekeeping(known: &Known<'_>, random: &mut Random) -> Value {
    let mut line = known.line("housekeeping", "observed", 1);
    line.say("name", known.person.name());
    line.say("phones", json!([{"number": known.person.phone}]));
    let pillow = random.pick(&["feather", "foam", "buckwheat"]);
    let bedding =
        json!({"pillow": pillow, "quilt": random.pick(&["light", "warm"]), "amenities": ["bathrobe"]});
    let environment = json!({"temperature": random.pick(&["19", "21", "23"]), "noise": "quiet"});
    line.say(
        "preferences",
        json!({"bedding": bedding, "environment": environment}),
    );
    let need = random.pick(&["step_free", "visual_alarm", "grab_rails"]);
    line.say_if(random.chance(15), "health", json!({"accessibility": [need]}));
    line.value()
}

/// The call centre: who called about what, and what became of it.
pub(super) fn calls(known: &Known<'_>, random: &mut Random) -> Value {
    let mut line = known.line("call_centre", "declared", random.days(1, 40));
    line.say("name", known.person.name());
    line.say(
        "phones",
        json!([{"number": known.person.phone.replace(' ', "-")}]),
    );
    line.say("emails", json!([{"address": known.person.email}]));
    let at = format!("{}T10:05:00Z", shift(known.today, -random.days(1, 40)));
    let outcome = random.pick(&["booked", "answered", "passed on"]);
    let purpose = random.pick(&["booking", "service_follow_up", "complaint_handling"]);
    line.say(
        "contact_log",
        json!([{"at": at, "channel": "phone", "purpose": purpose, "outcome": outcome, "staff": "staff-31"}]),
    );
    let ticket = unique("T-######", 0, known.person.index);
    let status = random.pick(&["open", "closed"]);
    let text = random.pick(&[
        "Air conditioning too loud.",
        "Rechnung war falsch.",
        "早餐很好,谢谢。",
    ]);
    let item = json!([{"type": "complaint", "ticket_ref": ticket, "text": text, "status": status, "at": at}]);
    line.say_if(random.chance(60), "feedback_items", item);
    let score =
        json!([{"survey": "after-stay", "nps": random.below(11), "csat": 1 + random.below(5), "at": at}]);
    line.say_if(random.chance(50), "survey_scores", score);
    line.value()
}
