//! What the channels of sale and the reception know: web, travel agency, property system, front desk, kiosk.

use chrono::Days;
use serde_json::{Map, Value, json};

use super::{
    consents::{self, Asked},
    documents::credit_code,
    people::slug,
    random::{Random, unique},
    stays::shift,
    telling::{Known, Line, set},
};
use crate::base::StayState;

/// The hotel's own website: the fullest data, in the guest's own words, and its consents.
pub(super) fn web(known: &Known<'_>, random: &mut Random) -> Value {
    let person = known.person;
    let days = random.days(3, 60);
    let mut line = known.line("web", "declared", days);
    line.say("name", person.name_with_native());
    line.say("emails", json!([{"address": person.email, "primary": true}]));
    line.say(
        "phones",
        json!([{"number": person.phone, "kind": "mobile", "primary": true}]),
    );
    line.say("preferred_language", person.culture.language);
    line.say_if(random.chance(40), "nationality", json!(person.culture.region));
    line.say_if(random.chance(50), "birth_date", json!(person.birth));
    line.say_if(random.chance(30), "postal_addresses", json!([person.address]));
    let hours = random.pick(&["09:00-12:00", "14:00-18:00", "any"]);
    let channel = random.pick(&["email", "phone", "sms", "wechat"]);
    let preference = json!({"channels": [channel], "hours": hours, "language": person.culture.language});
    line.say_if(random.chance(30), "contact_preference", preference);
    if person.culture.region == "CN" {
        let id = unique("oLumen######demo", 0, person.index);
        line.say_if(
            random.chance(50),
            "messaging_ids",
            json!([{"service": "wechat", "id": id}]),
        );
    }
    line.say("preferences", rooms(random));
    line.consents = consents::form(
        random,
        Asked {
            channel: "web",
            day: shift(known.today, -days),
        },
    );
    line.value()
}

fn rooms(random: &mut Random) -> Value {
    json!({
        "room": {
            "type": random.pick(&["king", "twin", "suite", "family"]),
            "floor": random.pick(&["high", "low", "any"]),
            "quiet": random.chance(50),
            "view": random.pick(&["river", "garden", "city"]),
        },
        "smoking": random.chance(8),
    })
}

/// A travel agency: a name typed by someone else, an address that forwards, the stay.
pub(super) fn agency(known: &Known<'_>, random: &mut Random) -> Value {
    let person = known.person;
    let mut line = known.line("ota", "system", random.days(2, 45));
    let name = match random.below(3) {
        0 => Map::from_iter([(
            "full".to_owned(),
            json!(format!("{} {}", person.given.latin, person.surname.latin)),
        )]),
        1 => person.name_in_passport(),
        _ => person.name(),
    };
    line.say("name", name);
    let relay = format!(
        "{}.{:06}@guest.ota.example.com",
        slug(person.surname.latin),
        person.index
    );
    let until = known.today.checked_add_days(Days::new(60)).unwrap_or(known.today);
    let forwards = json!({"provider": "ota", "expires_at": format!("{until}T00:00:00Z")});
    line.say("emails", json!([{"address": relay, "relay": forwards}]));
    line.say_if(
        random.chance(80),
        "phones",
        json!([{"number": person.phone.replace(' ', "")}]),
    );
    line.say_if(random.chance(60), "nationality", json!(person.culture.region));
    line.stays = known.stay.iter().map(|stay| stay.value()).collect();
    line.value()
}

/// The property's own system: the reservation and what the office needs for it.
pub(super) fn property(known: &Known<'_>, random: &mut Random) -> Value {
    let person = known.person;
    let mut line = known.line("pms", "interviewed", random.days(1, 30));
    let mut name = person.name();
    if !person.minor() {
        name.insert("prefix".into(), json!(if person.woman { "MS" } else { "MR" }));
        if person.culture.region == "US" && !person.woman && random.chance(30) {
            name.insert("suffix".into(), json!("JR"));
        }
    }
    line.say("name", name);
    if !person.minor() {
        line.say(
            "phones",
            json!([{"number": known.phone_as_typed(), "kind": "mobile"}]),
        );
        let typed = if random.chance(20) {
            person.email.to_uppercase()
        } else {
            person.email.clone()
        };
        line.say_if(random.chance(75), "emails", json!([{"address": typed}]));
    }
    line.say_if(random.chance(70), "postal_addresses", json!([person.address]));
    line.say("preferred_language", person.culture.language);
    line.say(
        "external_ids",
        json!([{"system": "pms", "type": "profile", "value": known.id}]),
    );
    if let Some(stay) = known.stay {
        line.say("party", stay.company());
    }
    office(known, &mut line, random);
    line.stays = known.stay.iter().map(|stay| stay.value()).collect();
    line.value()
}

/// Payment, invoices, codes and words: only of grown guests.
fn office(known: &Known<'_>, line: &mut Line, random: &mut Random) {
    let person = known.person;
    if person.minor() {
        return;
    }
    line.say_if(
        random.chance(60),
        "payment_method_pref",
        json!(random.pick(&["CARD", "CASH", "INVOICE", "ALIPAY"])),
    );
    let token = format!("psp_demo_{}", random.fill("@@@@@@@@@@@@"));
    line.say_if(random.chance(25), "payment_token_ref", json!(token));
    line.say_if(
        random.chance(10),
        "vip_code",
        json!(random.pick(&["V1", "V2", "V3"])),
    );
    line.say_if(random.chance(15), "tax_invoice", json!([invoice(known, random)]));
    let employer = random.pick(&[
        "Borealis Shipping",
        "Tejo Robotics",
        "Lotus Optics",
        "Spree Analytics",
    ]);
    line.say_if(
        random.chance(20),
        "organisation",
        json!({"name": employer, "org_id": format!("ORG-{}", slug(employer))}),
    );
    let wish = random.pick(&[
        "Baby cot, please.",
        "Spätanreise gegen 23 Uhr.",
        "需要安静的房间",
        "Cama extra, por favor.",
    ]);
    line.say_if(random.chance(15), "special_needs", json!([wish]));
    let note = random.pick(&[
        "Asked for the quiet side again.",
        "上次入住时遗失雨伞,已寄回。",
        "Kommt seit 2019 jedes Frühjahr.",
        "Prefere falar português.",
    ]);
    line.say_if(random.chance(15), "notes", json!([note]));
}

fn invoice(known: &Known<'_>, random: &mut Random) -> Value {
    if known.person.culture.region == "CN" {
        let code = credit_code(&unique("91310000MA1K#####", 0, known.person.index));
        return json!({"title": "晨光光学有限公司", "tax_id": code});
    }
    let title = random.pick(&[
        "Borealis Shipping Lda",
        "Spree Analytics GmbH",
        "Atelier Cerisier SARL",
    ]);
    json!({"title": title})
}

/// The reception: what the document says, at check-in.
pub(super) fn reception(known: &Known<'_>, random: &mut Random) -> Option<Value> {
    let stay = known.stay?;
    if !matches!(
        stay.state,
        StayState::InHouse | StayState::Departed | StayState::Past
    ) {
        return None;
    }
    let person = known.person;
    let mut line = known.line("front_desk", "verified", (known.today - stay.arrival).num_days());
    line.say("name", person.name_with_native());
    line.say("gender", if person.woman { 2 } else { 1 });
    line.say("birth_date", json!(person.birth));
    line.say("nationality", person.culture.region);
    line.say_if(random.chance(50), "birth_place", json!(person.city));
    line.say("id_documents", json!([document(known)]));
    if !person.minor() {
        line.say("phones", json!([{"number": known.phone_as_typed()}]));
    }
    let checked = json!({"method": "document", "result": "match", "verifier": "front_desk", "at": line_time(known, stay.arrival)});
    line.say("identity_verifications", json!([checked]));
    if known.property == "SHA01" && person.culture.region != "CN" {
        let valid_to = known
            .today
            .checked_add_days(Days::new(200))
            .unwrap_or(known.today);
        let permit =
            json!({"kind": "visa", "number": unique("V7######", 0, person.index), "valid_to": valid_to});
        line.say_if(random.chance(60), "residence_permit", permit);
    }
    if !person.minor() {
        // Asked at arrival; a withdrawal came a day later and must not lie in the future.
        let day = stay.arrival.min(shift(known.today, -2));
        line.say_if(
            random.chance(12),
            "vehicle_plates",
            json!([random.fill("@@-##-@@")]),
        );
        line.consents = consents::greeting(
            random,
            Asked {
                channel: "front_desk",
                day,
            },
        );
    }
    Some(line.value())
}

fn line_time(known: &Known<'_>, day: chrono::NaiveDate) -> String {
    let day = day.min(shift(known.today, -1));
    format!("{day}T15:10:00Z")
}

fn document(known: &Known<'_>) -> Value {
    let person = known.person;
    let held = &person.document;
    let mut document = json!({
        "type": held.kind,
        "issuing_country": person.culture.region,
        "number": held.number,
        "expires_on": held.expires_on,
    });
    if held.kind == "passport" {
        set(&mut document, "issued_on", json!(held.issued_on));
        set(&mut document, "issued_place", person.city);
    }
    if person.culture.region == "ES" && held.kind == "national_id" {
        set(
            &mut document,
            "support_number",
            unique("ZZZ######", 0, person.index),
        );
    }
    document
}

/// The kiosk in the lobby: it sends the zone that the camera read.
pub(super) fn kiosk(known: &Known<'_>) -> Value {
    let person = known.person;
    let mut line = known.line("kiosk", "observed", 1);
    line.say("mrz", json!(person.zone().join("\n")));
    line.say("phones", json!([{"number": known.phone_as_typed()}]));
    line.value()
}
