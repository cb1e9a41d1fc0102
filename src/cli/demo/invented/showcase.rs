//! Six guests with names to remember: always there, whatever the seed, so that the tour can call on them.
//!
//! | source id    | who                                    | where today                        | what it shows |
//! |--------------|----------------------------------------|------------------------------------|---------------|
//! | `SHOW-WANG`  | Wang Xiaoming, gold member, Shanghai   | in house in Lisbon                 | five sources, one guest; all consents; an allergy |
//! | `SHOW-AMIRA` | Amira Al-Haddad, Dubai                 | arrives today in Berlin            | a forwarding address; halal; no to marketing |
//! | `SHOW-SOFIA` | Sofía García Ortega, Madrid            | left Lisbon yesterday              | two surnames; a complaint; consent withdrawn |
//! | `SHOW-SATO`  | Sato Kenji, Kyoto                      | booked in Berlin in three weeks    | kana; step-free access; an anniversary |
//! | `SHOW-GRETA` | Greta Lindqvist, Stockholm             | in house in Berlin, incognito      | an alias; a VIP code |
//! | `SHOW-TOM`   | Tom Harris, London                     | stayed in Shanghai last winter     | a restriction |

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::{
    channels,
    consents::{self, Asked},
    cultures, departments,
    people::{Home, Person},
    random::Random,
    stays::{Stay, shift},
    telling::{Known, Line},
};
use crate::base::StayState;

/// One seed of their own: they do not change with `--guests` or the day.
const SEED: u64 = 0x004C_554D_454E;

/// One of them, for those who want to look.
#[derive(Debug, Clone, Copy)]
pub struct Shown {
    /// The source id, in every system that knows the guest.
    pub id: &'static str,
    /// The property of the stay around today.
    pub property: &'static str,
    /// What there is to see.
    pub about: &'static str,
}

/// The six.
pub const SHOWN: [Shown; 6] = [
    STARS[0].shown(),
    STARS[1].shown(),
    STARS[2].shown(),
    STARS[3].shown(),
    STARS[4].shown(),
    STARS[5].shown(),
];

impl Star {
    const fn shown(&self) -> Shown {
        Shown {
            id: self.id,
            property: self.property,
            about: self.about,
        }
    }
}

/// How one of them comes into being.
struct Star {
    id: &'static str,
    about: &'static str,
    region: &'static str,
    surname: &'static str,
    surname2: &'static str,
    given: &'static str,
    woman: bool,
    property: &'static str,
    state: StayState,
    /// Days from today.
    stay: (i64, i64),
    tell: fn(&Known<'_>, &mut Random) -> Vec<Value>,
}

const STARS: [Star; 6] = [
    Star {
        id: "SHOW-WANG",
        about: "in house; five sources, one guest; an allergy; every consent",
        region: "CN",
        surname: "Wang=王",
        surname2: "",
        given: "Xiaoming=小明",
        woman: false,
        property: "LIS01",
        state: StayState::InHouse,
        stay: (-1, 3),
        tell: wang,
    },
    Star {
        id: "SHOW-AMIRA",
        about: "arrives today; a forwarding address; halal; no to marketing",
        region: "AE",
        surname: "Al-Haddad=الحداد",
        surname2: "",
        given: "Amira=أميرة",
        woman: true,
        property: "BER01",
        state: StayState::Arriving,
        stay: (0, 4),
        tell: amira,
    },
    Star {
        id: "SHOW-SOFIA",
        about: "left yesterday; two surnames; an open complaint; consent withdrawn",
        region: "ES",
        surname: "García",
        surname2: "Ortega",
        given: "Sofía",
        woman: true,
        property: "LIS01",
        state: StayState::Departed,
        stay: (-4, -1),
        tell: sofia,
    },
    Star {
        id: "SHOW-SATO",
        about: "booked in three weeks; step-free access; an anniversary",
        region: "JP",
        surname: "Sato=佐藤=サトウ",
        surname2: "",
        given: "Kenji=健二=ケンジ",
        woman: false,
        property: "BER01",
        state: StayState::Booked,
        stay: (21, 25),
        tell: sato,
    },
    Star {
        id: "SHOW-GRETA",
        about: "in house under another name; a VIP code",
        region: "SE",
        surname: "Lindqvist",
        surname2: "",
        given: "Greta",
        woman: true,
        property: "BER01",
        state: StayState::InHouse,
        stay: (-2, 2),
        tell: greta,
    },
    Star {
        id: "SHOW-TOM",
        about: "stayed last winter; a restriction",
        region: "GB",
        surname: "Harris",
        surname2: "",
        given: "Tom",
        woman: false,
        property: "SHA01",
        state: StayState::Past,
        stay: (-120, -116),
        tell: tom,
    },
];

/// The lines of the guest at this place; none past the sixth.
pub(super) fn guest(index: u64, today: NaiveDate) -> Option<Vec<Value>> {
    let one = STARS.get(usize::try_from(index).ok()?)?;
    let random = &mut Random::new(SEED, index);
    let home = Home::of(cultures::of(one.region), random).named(one.surname, one.surname2);
    let person = Person::draw(SEED, index, &home, one.woman, (34, 52), today, random).named(one.given);
    let mut stay = Stay::draw(one.state, one.property, 900_000 + index, today, random);
    stay.arrival = shift(today, one.stay.0);
    stay.departure = shift(today, one.stay.1);
    let stay = Some(&stay);
    let known = Known {
        person: &person,
        stay,
        property: one.property,
        id: one.id,
        today,
    };
    Some((one.tell)(&known, random))
}

fn desk(known: &Known<'_>, system: &'static str) -> Line {
    let mut line = known.line(system, "interviewed", 1);
    line.say("name", known.person.name());
    line.say("phones", json!([{"number": known.person.phone}]));
    line.say("emails", json!([{"address": known.person.email}]));
    line
}

fn asked(known: &Known<'_>) -> Asked {
    Asked {
        channel: "web",
        day: shift(known.today, -20),
    }
}

fn wang(known: &Known<'_>, random: &mut Random) -> Vec<Value> {
    let mut site = known.line("web", "declared", 20);
    site.say("name", known.person.name_with_native());
    site.say("birth_date", json!(known.person.birth));
    site.say(
        "emails",
        json!([{"address": known.person.email, "primary": true}]),
    );
    site.say(
        "phones",
        json!([{"number": known.person.phone, "kind": "mobile", "primary": true}]),
    );
    site.say("preferred_language", "zh-CN");
    site.say(
        "preferences",
        json!({"room": {"floor": "high", "bed": "king", "quiet": true}, "smoking": false}),
    );
    site.consents = ["marketing_direct", "profiling_value", "occasion_greeting"]
        .map(|purpose| consents::said(purpose, "given", asked(known)))
        .into();
    let mut kitchen = desk(known, "restaurant");
    kitchen.say("health", json!({"allergies": ["peanuts"]}));
    kitchen.say(
        "preferences",
        json!({"food_drink": {"likes": ["dim sum"], "drink": "green tea", "seat": "window"}}),
    );
    let mut lines = vec![site.value(), channels::property(known, random)];
    lines.extend(channels::reception(known, random));
    lines.extend([departments::relations(known, random), kitchen.value()]);
    lines
}

fn amira(known: &Known<'_>, random: &mut Random) -> Vec<Value> {
    let mut site = desk(known, "web");
    site.say("name", known.person.name_with_native());
    site.say("diet", json!(["halal"]));
    site.consents = vec![consents::said("marketing_direct", "refused", asked(known))];
    vec![
        channels::agency(known, random),
        channels::property(known, random),
        site.value(),
    ]
}

fn sofia(known: &Known<'_>, random: &mut Random) -> Vec<Value> {
    let mut site = desk(known, "web");
    site.consents = consents::withdrawn("marketing_direct", asked(known));
    let mut calls = desk(known, "call_centre");
    let at = format!("{}T10:05:00Z", shift(known.today, -1));
    let text = "The invoice names the wrong company.";
    let item =
        json!([{"type": "complaint", "ticket_ref": "T-900002", "text": text, "status": "open", "at": at}]);
    calls.say("feedback_items", item);
    let mut lines = vec![site.value(), channels::property(known, random)];
    lines.extend(channels::reception(known, random));
    lines.push(calls.value());
    lines
}

fn sato(known: &Known<'_>, random: &mut Random) -> Vec<Value> {
    let mut site = desk(known, "web");
    site.say("name", known.person.name_with_native());
    site.say("health", json!({"accessibility": ["step_free"]}));
    let wedding = shift(known.today, 23).format("--%m-%d").to_string();
    site.say("anniversaries", json!([{"kind": "wedding", "date": wedding}]));
    site.consents = vec![consents::said("occasion_greeting", "given", asked(known))];
    vec![site.value(), channels::property(known, random)]
}

fn greta(known: &Known<'_>, random: &mut Random) -> Vec<Value> {
    let mut desk = desk(known, "crm");
    let mut name = known.person.name();
    name.insert("alias".into(), json!("Eva Holm"));
    desk.say("name", name);
    desk.say("vip_code", "V1");
    desk.say(
        "notes",
        json!(["No calls to the room; messages through the duty manager."]),
    );
    let mut lines = vec![channels::property(known, random)];
    lines.extend(channels::reception(known, random));
    lines.push(desk.value());
    lines
}

fn tom(known: &Known<'_>, random: &mut Random) -> Vec<Value> {
    let mut desk = desk(known, "crm");
    let until = shift(known.today, 180);
    let text = "Damage to the room, March; settled.";
    desk.say(
        "restriction",
        json!({"kind": "cash_only", "reason_code": "damage", "text": text, "until": until, "approver": "staff-2"}),
    );
    let mut lines = vec![channels::property(known, random)];
    lines.extend(channels::reception(known, random));
    lines.push(desk.value());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_six_are_always_there() {
        let today = "2026-03-04".parse().unwrap();
        for (index, star) in (0..).zip(&STARS) {
            let lines = guest(index, today).unwrap();
            assert!(lines.len() >= 2, "{}", star.id);
            assert!(lines.iter().all(|line| line["source_id"] == star.id));
        }
        assert!(guest(6, today).is_none());
    }
}
