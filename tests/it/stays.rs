//! Stays of which several told: whoever is one with another for a while keeps the words of its own sources, and of staff
//! about them, and gets no other's.

use guest_vault::{
    base::{Category, GuestId},
    crypto::Aad,
    on,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    constraining::{records, say},
    merging::{merge, record, undo},
    partly::surname,
    support::{
        app::{Answer, TestApp},
        database::both,
    },
};

/// A guest's record by its number, in the same message each time.
fn told(number: u32, at: &str, departure: Option<&str>) -> Value {
    let mut told = record(&surname(number), "Ana", number);
    told["observed_at"] = json!(at);
    told["consents"] = json!([]);
    told["stays"] = departure.map_or_else(|| json!([]), |day| json!([stay(day)]));
    told
}

fn stay(departure: &str) -> Value {
    json!({"reservation": "R", "arrival": "2026-03-04", "departure": departure, "status": "checked_in"})
}

async fn put(app: &TestApp, number: u32, at: &str, departure: &str) -> String {
    app.guest(&format!("web/{number}"), told(number, at, Some(departure)))
        .await
}

async fn silent(app: &TestApp, number: u32) -> String {
    app.guest(&format!("web/{number}"), told(number, at(0).as_str(), None))
        .await
}

/// Staff says it of a guest.
async fn staff(app: &TestApp, guest: &str, departure: &str) {
    let desk = app.errand("front_desk", "check_in").await;
    let mut word = stay(departure);
    word.as_object_mut().unwrap().remove("reservation");
    let said = app.put(&desk, &format!("/v1/guests/{guest}/stays/R"), word).await;
    assert!([200, 201].contains(&said.status), "{said:?}");
}

fn at(minute: u32) -> String {
    format!("2026-03-05T{:02}:{:02}:00Z", 10 + minute / 60, minute % 60)
}

/// The stays that a guest is shown with.
async fn links(app: &TestApp, guest: &str) -> Vec<Value> {
    let agent = app.errand("reservation_agent", "booking").await;
    let answer = app
        .get(&agent, &format!("/v1/guests/{guest}?fields=stay_links"))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.value("stay_links").as_array().cloned().unwrap_or_default()
}

/// Until when a guest stays.
async fn until(app: &TestApp, guest: &str) -> Vec<String> {
    let all = links(app, guest).await;
    let text = |stay: &Value| stay["departure"].as_str().unwrap().to_owned();
    all.iter().map(text).collect()
}

/// Who leaves on a day, as the index has it.
async fn leaves(app: &TestApp, day: &str) -> Vec<String> {
    let desk = app.errand("front_desk", "stay_service").await;
    let body = json!({"property": "LIS01", "date": day, "list": "departures"});
    let answer = app.post(&desk, "/v1/stay-lists", body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let all = answer.body["items"].as_array().unwrap().iter();
    let mut all: Vec<String> = all
        .map(|item| item["guest_id"].as_str().unwrap().to_owned())
        .collect();
    all.sort();
    all
}

async fn joined(app: &TestApp, one: &str, other: &str) -> Answer {
    let merged = merge(app, one, other, "?force=true").await;
    assert_eq!(merged.status, 201, "{merged:?}");
    merged
}

async fn parted(app: &TestApp, merged: &Answer) {
    let undone = undo(app, merged).await;
    assert_eq!(undone.status, 200, "{undone:?}");
}

/// How many words lie beside the stays, and that all that is sealed opens.
async fn kept(app: &TestApp) -> i64 {
    let found = app.app.vault.inspect().await.unwrap();
    assert_eq!(found.damaged, 0, "{:?}", found.places);
    let mut conn = app.app.vault.store.read().await.unwrap();
    on!(&mut conn, c => sqlx::query_scalar("SELECT count(*) FROM stay_word").fetch_one(c).await.unwrap())
}

const D6: &str = "2026-03-06";
const D7: &str = "2026-03-07";
const D8: &str = "2026-03-08";
const D9: &str = "2026-03-09";

both!(
    what_staff_say_is_the_newest_whatever_the_clock,
    async |database| {
        let app = TestApp::start(database).await;
        // Told by an instance that is two minutes ahead, then by one that is not.
        app.set_clock(&at(22));
        let guest = put(&app, 3_000_003, &at(1), D6).await;
        staff(&app, &guest, D7).await;
        app.set_clock(&at(20));
        staff(&app, &guest, D8).await;
        assert_eq!(until(&app, &guest).await, [D8]);
        assert_eq!(leaves(&app, D8).await, [guest.as_str()]);
        assert!(leaves(&app, D7).await.is_empty());
        // A source that says when it saw it so is held against that, as ever.
        let pms = app.errand("integration", "booking").await;
        let late = told(3_000_003, &at(21), Some(D9));
        let late = app.put(&pms, "/v1/records/web/3000003", late).await;
        let stale = json!([{"field": "stays", "reason": "stale"}]);
        assert_eq!(late.body["rejected"], stale, "{late:?}");
        assert_eq!(until(&app, &guest).await, [D8]);
        app.finish().await;
    }
);

both!(a_companions_source_takes_nobodys_stay_away, async |database| {
    let app = TestApp::start(database).await;
    app.set_clock(&at(20));
    let one = put(&app, 1_000_001, &at(1), D7).await;
    let other = silent(&app, 2_000_002).await;
    let merged = joined(&app, &one, &other).await;
    assert_eq!(kept(&app).await, 0);
    assert_eq!(put(&app, 2_000_002, &at(2), D8).await, one);
    assert_eq!(until(&app, &one).await, [D8]);
    assert_eq!(leaves(&app, D8).await, [one.as_str()]);
    assert_eq!(kept(&app).await, 2);
    parted(&app, &merged).await;
    assert_eq!(until(&app, &one).await, [D7]);
    assert_eq!(until(&app, &other).await, [D8]);
    assert_eq!(leaves(&app, D7).await, [one.as_str()]);
    assert_eq!(leaves(&app, D8).await, [other.as_str()]);
    assert_eq!(kept(&app).await, 0, "each has one voice again");
    // What is said next is said of each alone.
    assert_eq!(put(&app, 1_000_001, &at(3), D6).await, one);
    assert_eq!(until(&app, &one).await, [D6]);
    assert_eq!(until(&app, &other).await, [D8]);
    app.finish().await;
});

both!(three_guests_of_a_reservation_keep_their_days, async |database| {
    let app = TestApp::start(database).await;
    app.set_clock(&at(20));
    let booker = put(&app, 1_000_001, &at(1), D6).await;
    let wife = put(&app, 2_000_002, &at(2), D7).await;
    let child = put(&app, 3_000_003, &at(3), D8).await;
    for (round, turned) in (0..).zip([false, true]) {
        let first = joined(&app, &booker, &child).await;
        let second = joined(&app, &booker, &wife).await;
        assert_eq!(put(&app, 2_000_002, &at(4 + round), D9).await, booker);
        assert_eq!(until(&app, &booker).await, [D9]);
        let (early, late) = if turned {
            (&second, &first)
        } else {
            (&first, &second)
        };
        parted(&app, early).await;
        let left = if turned { D8 } else { D9 };
        assert_eq!(until(&app, &booker).await, [left]);
        assert_eq!(leaves(&app, left).await.len(), 1);
        parted(&app, late).await;
        for (guest, day) in [(&booker, D6), (&wife, D9), (&child, D8)] {
            assert_eq!(until(&app, guest).await, [day], "{round}");
            assert_eq!(leaves(&app, day).await, std::slice::from_ref(guest));
        }
        assert_eq!(kept(&app).await, 0);
    }
    // One taken in by one that is taken in.
    let inner = joined(&app, &wife, &child).await;
    let outer = joined(&app, &booker, &wife).await;
    assert_eq!(put(&app, 3_000_003, &at(7), D6).await, booker);
    parted(&app, &outer).await;
    assert_eq!(until(&app, &wife).await, [D6]);
    parted(&app, &inner).await;
    assert_eq!(until(&app, &wife).await, [D9]);
    assert_eq!(until(&app, &child).await, [D6]);
    app.finish().await;
});

both!(staffs_word_goes_with_the_word_that_it_mends, async |database| {
    let app = TestApp::start(database).await;
    app.set_clock(&at(20));
    let one = put(&app, 1_000_001, &at(1), D6).await;
    let other = put(&app, 2_000_002, &at(2), D7).await;
    let merged = joined(&app, &one, &other).await;
    app.set_clock(&at(21));
    staff(&app, &one, D8).await;
    assert_eq!(until(&app, &one).await, [D8]);
    parted(&app, &merged).await;
    assert_eq!(until(&app, &one).await, [D6]);
    assert_eq!(until(&app, &other).await, [D8]);
    // The other way round, with what staff said before they were one.
    let merged = joined(&app, &other, &one).await;
    assert_eq!(until(&app, &other).await, [D8]);
    app.set_clock(&at(23));
    assert_eq!(put(&app, 1_000_001, &at(22), D7).await, other);
    staff(&app, &other, D9).await;
    parted(&app, &merged).await;
    assert_eq!(until(&app, &one).await, [D9]);
    assert_eq!(until(&app, &other).await, [D8]);
    app.finish().await;
});

both!(staff_alone_speak_of_the_guest, async |database| {
    let app = TestApp::start(database).await;
    app.set_clock(&at(20));
    let one = silent(&app, 1_000_001).await;
    let other = silent(&app, 2_000_002).await;
    staff(&app, &one, D6).await;
    app.set_clock(&at(21));
    staff(&app, &other, D7).await;
    for (survivor, absorbed) in [(&one, &other), (&other, &one)] {
        let merged = joined(&app, survivor, absorbed).await;
        assert_eq!(until(&app, survivor).await, [D7]);
        parted(&app, &merged).await;
        assert_eq!(until(&app, &one).await, [D6]);
        assert_eq!(until(&app, &other).await, [D7]);
    }
    let merged = joined(&app, &one, &other).await;
    app.set_clock(&at(22));
    staff(&app, &one, D8).await;
    app.set_clock(&at(24));
    assert_eq!(put(&app, 1_000_001, &at(23), D9).await, one);
    parted(&app, &merged).await;
    assert_eq!(until(&app, &one).await, [D9]);
    assert_eq!(until(&app, &other).await, [D8]);
    app.finish().await;
});

both!(
    a_record_that_is_another_persons_takes_its_word_along,
    async |database| {
        let app = TestApp::start(database).await;
        app.set_clock(&at(20));
        let one = put(&app, 1_000_001, &at(1), D6).await;
        // The same person, by another source.
        let mut twin = told(1_000_001, &at(2), Some(D7));
        twin["guest"]["birth_date"] = json!("1970-01-02");
        assert_eq!(app.guest("pms/9", twin.clone()).await, one);
        assert_eq!(put(&app, 1_000_001, &at(3), D8).await, one);
        assert_eq!(until(&app, &one).await, [D8]);
        let all = records(&app, &one).await;
        let said = say(&app, "different", (&one, &all[0]), (&one, &all[1]), false).await;
        assert_eq!(said.status, 200, "{said:?}");
        let new = said.body["other"]["guest_id"].as_str().unwrap().to_owned();
        let mut both = [until(&app, &one).await, until(&app, &new).await].concat();
        both.sort();
        assert_eq!(both, [D7, D8]);
        assert_eq!(kept(&app).await, 0);
        // Each source speaks on of its own.
        twin["observed_at"] = json!(at(4));
        twin["stays"] = json!([stay(D9)]);
        let of_twin = app.guest("pms/9", twin).await;
        assert_eq!(until(&app, &of_twin).await, [D9]);
        let other = if of_twin == one { new } else { one };
        assert_eq!(until(&app, &other).await, [D8]);
        app.finish().await;
    }
);

both!(a_part_that_was_lent_goes_to_nobody, async |database| {
    let app = TestApp::start(database).await;
    app.set_clock(&at(20));
    let one = put(&app, 1_000_001, &at(1), D7).await;
    let mut booker = told(2_000_002, &at(1), Some(D6));
    booker["stays"][0]["role"] = json!("booker");
    let other = app.guest("web/2000002", booker.clone()).await;
    let merged = joined(&app, &one, &other).await;
    booker.as_object_mut().unwrap().remove("observed_at");
    booker["stays"][0]["departure"] = json!(D8);
    assert_eq!(app.guest("web/2000002", booker).await, one);
    // Told without a time, the strongest part holds.
    assert_eq!(until(&app, &one).await, [D8]);
    assert_eq!(leaves(&app, D8).await, [one.as_str()]);
    parted(&app, &merged).await;
    assert_eq!(until(&app, &one).await, [D7]);
    assert_eq!(until(&app, &other).await, [D8]);
    assert_eq!(leaves(&app, D7).await, [one.as_str()]);
    assert_eq!(
        leaves(&app, D8).await,
        [""; 0],
        "who booked for others stays nowhere"
    );
    app.finish().await;
});

/// Makes of a merge what one of a version without words left: none, a part that names the stay, and what was hidden asleep
/// with the absorbed guest instead of its own.
async fn as_before(app: &TestApp, merged: &Answer, (kind, absorbed): (&str, &str), hidden: Option<Held>) {
    let id: Uuid = merged.body["merge_id"].as_str().unwrap().parse().unwrap();
    let absorbed: GuestId = absorbed.parse().unwrap();
    let mut tx = app.app.vault.store.begin().await.unwrap();
    on!(&mut tx, c => {
        sqlx::query("DELETE FROM stay_word").execute(c).await.unwrap();
    });
    on!(&mut tx, c => {
        sqlx::query("INSERT INTO merge_part (merge_id, kind, part_id) SELECT $1, $2, stay_token FROM stay WHERE guest_id = $3")
            .bind(id)
            .bind(kind)
            .bind(absorbed.0)
            .execute(c)
            .await
            .unwrap();
    });
    if let Some(Held {
        record, at, sealed, ..
    }) = hidden
    {
        on!(&mut tx, c => {
            sqlx::query("UPDATE stay SET record_id = $2, version = 1, updated_at = $3, sealed = $4 WHERE guest_id = $1")
                .bind(absorbed.0)
                .bind(record)
                .bind(at)
                .bind(sealed)
                .execute(c)
                .await
                .unwrap();
        });
    }
    tx.commit().await.unwrap();
}

/// The first word of a guest's only stay.
struct Held {
    token: Uuid,
    record: Uuid,
    at: i64,
    sealed: Vec<u8>,
}

async fn held(app: &TestApp, guest: &str) -> Held {
    let guest: GuestId = guest.parse().unwrap();
    let mut conn = app.app.vault.store.read().await.unwrap();
    let (token, record, at, sealed) = on!(&mut conn, c => {
        sqlx::query_as("SELECT stay_token, record_id, updated_at, sealed FROM stay WHERE guest_id = $1 AND version = 1")
            .bind(guest.0)
            .fetch_one(c)
            .await
            .unwrap()
    });
    Held {
        token,
        record,
        at,
        sealed,
    }
}

/// The same word, sealed for another guest.
async fn sealed_for(app: &TestApp, held: Held, (from, to): (&str, &str)) -> Held {
    let place = |guest| Aad {
        guest,
        record: held.token,
        path: "stay.LIS01",
        version: 1,
    };
    let keys = async |guest: GuestId| {
        let keys = app.app.vault.keys.guest_keys(guest, &[Category::Stay]).await;
        keys.unwrap()
    };
    let (from, to): (GuestId, GuestId) = (from.parse().unwrap(), to.parse().unwrap());
    let (from_keys, to_keys) = (keys(from).await, keys(to).await);
    let plain = from_keys
        .open_internal(Category::Stay, &held.sealed, &place(from))
        .unwrap();
    let sealed = to_keys
        .seal(Category::Stay, &place(to), &plain)
        .unwrap()
        .into_bytes();
    Held { sealed, ..held }
}

both!(merges_from_before_words_were_kept_are_undone, async |database| {
    let app = TestApp::start(database).await;
    app.set_clock(&at(20));
    let one = silent(&app, 1_000_001).await;
    let other = put(&app, 2_000_002, &at(1), D7).await;
    let merged = joined(&app, &one, &other).await;
    staff(&app, &one, D8).await;
    as_before(&app, &merged, ("stay", &other), None).await;
    parted(&app, &merged).await;
    assert_eq!(until(&app, &one).await, Vec::<String>::new());
    assert_eq!(until(&app, &other).await, [D8]);
    app.finish().await;
});

both!(
    what_a_merge_from_before_hid_is_its_guests_own_again,
    async |database| {
        let app = TestApp::start(database).await;
        for number in 0..3 {
            let (low, high) = (1_000_001 + number, 2_000_002 + number);
            app.set_clock(&at(20 * number + 20));
            let one = put(&app, low, &at(1), D6).await;
            let other = put(&app, high, &at(2), D7).await;
            let hidden = sealed_for(&app, held(&app, &one).await, (&one, &other)).await;
            let merged = joined(&app, &one, &other).await;
            as_before(&app, &merged, ("newer_stay", &other), Some(hidden)).await;
            let last = match number {
                1 => {
                    staff(&app, &one, D8).await;
                    D8
                }
                2 => {
                    assert_eq!(put(&app, high, &at(3), D9).await, one);
                    D9
                }
                _ => D7,
            };
            assert_eq!(until(&app, &one).await, [last]);
            parted(&app, &merged).await;
            assert_eq!(until(&app, &one).await, [D6], "{number}");
            assert_eq!(until(&app, &other).await, [last], "{number}");
        }
        app.finish().await;
    }
);

/// What is shown of the guests, against a list of who said what last.
struct Model {
    guests: Vec<String>,
    /// The last word of each guest's voice.
    words: Vec<Option<(u32, String)>>,
    /// Who was taken in by whom, by which merge.
    merges: Vec<(usize, usize, Answer)>,
}

impl Model {
    fn survivor(&self, guest: usize) -> usize {
        let into = self.merges.iter().find(|(_, absorbed, _)| *absorbed == guest);
        into.map_or(guest, |(survivor, ..)| self.survivor(*survivor))
    }

    /// The guest whose word is shown.
    fn speaker(&self, survivor: usize) -> Option<usize> {
        let one = (0..self.guests.len()).filter(|guest| self.survivor(*guest) == survivor);
        one.filter(|guest| self.words[*guest].is_some())
            .max_by_key(|guest| self.words[*guest].as_ref().map(|(at, _)| *at))
    }

    async fn check(&self, app: &TestApp, step: &str) {
        for guest in 0..self.guests.len() {
            if self.survivor(guest) == guest {
                let expected = self.speaker(guest).and_then(|one| self.words[one].clone());
                let expected: Vec<String> = expected.into_iter().map(|(_, day)| day).collect();
                assert_eq!(until(app, &self.guests[guest]).await, expected, "{step}");
            }
        }
    }
}

both!(any_walk_leaves_each_its_own_words, async |database| {
    let app = TestApp::start(database).await;
    let mut seed = 20_260_305_u64;
    let mut random = move |below: usize| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % below
    };
    app.set_clock(&at(0));
    let mut guests = Vec::new();
    for number in 1..=3 {
        guests.push(silent(&app, number * 1_000_001).await);
    }
    let mut model = Model {
        guests,
        words: vec![None; 3],
        merges: Vec::new(),
    };
    for step in 1..=90 {
        let now = at(step);
        app.set_clock(&now);
        let day = format!("2026-{:02}-{:02}", 4 + step / 28, 1 + step % 28);
        let (one, other) = (random(3), random(3));
        let said = match random(6) {
            0 | 1 => {
                put(&app, u32::try_from(one + 1).unwrap() * 1_000_001, &now, &day).await;
                model.words[one] = Some((step, day));
                format!("{step}: {one} is told of")
            }
            2 => {
                let survivor = model.survivor(one);
                staff(&app, &model.guests[survivor], &day).await;
                let whose = model.speaker(survivor).unwrap_or(survivor);
                model.words[whose] = Some((step, day));
                format!("{step}: staff of {survivor}")
            }
            3 | 4 if model.survivor(one) == one && model.survivor(other) == other && one != other => {
                let merged = joined(&app, &model.guests[one], &model.guests[other]).await;
                model.merges.push((one, other, merged));
                format!("{step}: {one} takes {other} in")
            }
            _ => {
                let open: Vec<usize> = (0..model.merges.len())
                    .filter(|at| model.survivor(model.merges[*at].0) == model.merges[*at].0)
                    .collect();
                if open.is_empty() {
                    continue;
                }
                let (one, other, merged) = model.merges.remove(open[random(open.len())]);
                parted(&app, &merged).await;
                format!("{step}: {one} and {other} are two")
            }
        };
        model.check(&app, &said).await;
    }
    kept(&app).await;
    app.finish().await;
});
