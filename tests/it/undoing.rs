//! What two guests that were one for a while are afterwards: each has its own, and what was said of both holds for both.

use serde_json::{Value, json};

use crate::{
    constraining::{records, say},
    merging::{merge, record, steward, undo},
    partly::surname,
    support::{
        app::{Answer, TestApp},
        database::both,
    },
};

/// A guest whose record is of this source, with one stay and no consents.
fn staying(name: (&str, &str, u32), reservation: &str, status: &str, at: &str) -> Value {
    let mut told = record(name.0, name.1, name.2);
    told["observed_at"] = json!(at);
    told["consents"] = json!([]);
    told["stays"][0]["reservation"] = json!(reservation);
    told["stays"][0]["status"] = json!(status);
    told
}

const ANA: (&str, &str, u32) = ("Silva", "Ana", 1_234_567);
const RUI: (&str, &str, u32) = ("Rocha", "Rui", 7_654_321);
const ILSE: (&str, &str, u32) = ("Wagner", "Ilse", 4_040_404);

const OLD: &str = "2026-02-01T10:00:00Z";
const NEW: &str = "2026-03-04T15:00:00Z";

/// The stays that a guest is shown with.
async fn stays(app: &TestApp, guest: &str) -> Vec<(String, String)> {
    let path = format!("/v1/guests/{guest}?fields=stay_links");
    let agent = app.errand("reservation_agent", "booking").await;
    let answer = app.get(&agent, &path).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let text = |stay: &Value, part: &str| stay[part].as_str().unwrap().to_owned();
    let all = answer.value("stay_links").as_array().cloned().unwrap_or_default();
    all.iter()
        .map(|stay| (text(stay, "reservation"), text(stay, "status")))
        .collect()
}

fn one_stay(reservation: &str, status: &str) -> Vec<(String, String)> {
    vec![(reservation.to_owned(), status.to_owned())]
}

async fn in_house(app: &TestApp) -> Vec<String> {
    let desk = app.errand("front_desk", "stay_service").await;
    let body = json!({"property": "LIS01", "date": "2026-03-05", "list": "in_house"});
    let answer = app.post(&desk, "/v1/stay-lists", body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let all = answer.body["items"].as_array().unwrap().iter();
    all.map(|item| item["guest_id"].as_str().unwrap().to_owned())
        .collect()
}

async fn stands(app: &TestApp, guest: &str) -> Value {
    let crm = app.errand("crm", "marketing_direct").await;
    let answer = app.get(&crm, &format!("/v1/guests/{guest}/consents")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["standing"][0].clone()
}

async fn tell(app: &TestApp, guest: &str, state: &str) {
    let crm = app.errand("crm", "marketing_direct").await;
    let body =
        json!({"purpose": "marketing_direct", "state": state, "channel": "web", "indication": "checkbox"});
    let said = app
        .post(&crm, &format!("/v1/guests/{guest}/consents"), body)
        .await;
    assert_eq!(said.status, 201, "{said:?}");
}

/// Whether this account manager sees a guest's numbers.
async fn manages(app: &TestApp, manager: &str, guest: &str) -> bool {
    let errand = app.errand("account_manager", "service_follow_up").await;
    let errand = errand.with("vault-actor", manager);
    let seen = app
        .get(&errand, &format!("/v1/guests/{guest}?fields=phones"))
        .await;
    assert_eq!(seen.status, 200, "{seen:?}");
    !seen.value("phones").is_null()
}

both!(a_no_said_of_two_as_one_holds_for_both, async |database| {
    let app = TestApp::start(database).await;
    let mut silent = record(ANA.0, ANA.1, ANA.2);
    silent["consents"] = json!([]);
    let one = app.guest("web/1", silent).await;
    let other = app.guest("pms/2", record(RUI.0, RUI.1, RUI.2)).await;
    let merged = merge(&app, &one, &other, "").await;
    app.set_clock("2026-03-05T11:00:00Z");
    tell(&app, &one, "withdrawn").await;
    assert_eq!(undo(&app, &merged).await.status, 200);
    for guest in [&one, &other] {
        assert_eq!(stands(&app, guest).await["state"], "withdrawn");
    }
    // Whoever never said yes has said no since as well.
    let fourth = app
        .guest(
            "web/4",
            staying(("Ito", "Momoko", 5_050_505), "R-4", "confirmed", OLD),
        )
        .await;
    let merged = merge(&app, &one, &fourth, "").await;
    assert_eq!(undo(&app, &merged).await.status, 200);
    assert!(
        stands(&app, &fourth).await.is_null(),
        "what was said before is not told of it"
    );
    let merged = merge(&app, &one, &fourth, "?force=true").await;
    app.set_clock("2026-03-05T14:00:00Z");
    tell(&app, &one, "refused").await;
    assert_eq!(undo(&app, &merged).await.status, 200);
    assert_eq!(stands(&app, &fourth).await["state"], "refused");
    app.finish().await;
});

both!(
    what_another_merge_brought_is_nobodys_word_of_both,
    async |database| {
        let app = TestApp::start(database).await;
        let mut refusing = record(ILSE.0, ILSE.1, ILSE.2);
        refusing["consents"][0]["state"] = json!("refused");
        let one = app.guest("web/1", record(ANA.0, ANA.1, ANA.2)).await;
        let other = app.guest("pms/2", record(RUI.0, RUI.1, RUI.2)).await;
        let first = merge(&app, &one, &other, "").await;
        let third = app.guest("crm/3", refusing).await;
        let second = merge(&app, &one, &third, "").await;
        assert_eq!(stands(&app, &one).await["state"], "refused");
        assert_eq!(undo(&app, &first).await.status, 200);
        assert_eq!(stands(&app, &other).await["state"], "given");
        assert_eq!(undo(&app, &second).await.status, 200);
        assert_eq!(stands(&app, &one).await["state"], "given");
        app.finish().await;
    }
);

both!(
    a_correction_that_went_with_another_guest_is_not_written_twice,
    async |database| {
        let app = TestApp::start(database).await;
        let guest = app.guest("web/1", record(ANA.0, ANA.1, ANA.2)).await;
        let desk = app.errand("front_desk", "check_in").await;
        let fix = async |guest: &str, language: &str| {
            let path = format!("/v1/guests/{guest}");
            let fixed = app
                .patch(&desk, &path, json!({"preferred_language": language}))
                .await;
            assert_eq!(fixed.status, 200, "{fixed:?}");
        };
        fix(&guest, "de").await;
        let all = records(&app, &guest).await;
        assert_eq!(all.len(), 2);
        let said = say(&app, "different", (&guest, &all[0]), (&guest, &all[1]), false).await;
        assert_eq!(said.status, 200, "{said:?}");
        let new = said.body["other"]["guest_id"].as_str().unwrap().to_owned();
        fix(&guest, "fr").await;
        fix(&guest, "es").await;
        let (own, others) = (records(&app, &guest).await, records(&app, &new).await);
        assert_eq!((own.len(), others.len()), (2, 1));
        assert!(own.iter().all(|record| !others.contains(record)), "{own:?}");
        let merged = merge(&app, &guest, &new, "?force=true").await;
        assert_eq!(merged.status, 201, "{merged:?}");
        assert_eq!(undo(&app, &merged).await.status, 200);
        for (guest, language) in [(&guest, "es"), (&new, "de")] {
            let shown = app.get(&desk, &format!("/v1/guests/{guest}")).await;
            assert_eq!(shown.value("preferred_language"), language, "{shown:?}");
        }
        fix(&new, "it").await;
        assert_eq!(records(&app, &new).await.len(), 2);
        app.finish().await;
    }
);

both!(
    a_portfolio_goes_back_with_the_record_that_names_it,
    async |database| {
        let app = TestApp::start(database).await;
        let one = app.guest("web/1", record(ANA.0, ANA.1, ANA.2)).await;
        let named = |manager: &str, at: &str| {
            let mut told = record(RUI.0, RUI.1, RUI.2);
            told["observed_at"] = json!(at);
            told["guest"]["account_manager_id"] = json!(manager);
            told
        };
        let other = app.guest("crm/2", named("am-1", OLD)).await;
        let merged = merge(&app, &one, &other, "").await;
        assert!(manages(&app, "am-1", &one).await);
        assert_eq!(app.guest("crm/2", named("am-2", NEW)).await, one);
        assert!(manages(&app, "am-2", &one).await);
        assert_eq!(undo(&app, &merged).await.status, 200);
        assert!(manages(&app, "am-2", &other).await);
        for (manager, guest) in [("am-1", &one), ("am-2", &one), ("am-1", &other)] {
            assert!(!manages(&app, manager, guest).await, "{manager}");
        }
        app.finish().await;
    }
);

/// Two guests that a steward is asked about, and the question.
async fn in_doubt(app: &TestApp, number: u32) -> (String, String, String) {
    let booking = app.errand("integration", "booking").await;
    let told = json!({"guest": {"name": {"surname": surname(number), "given": "James"},
                                "phones": [{"number": format!("+351 91 {number:07}")}]}});
    let first = app
        .put(&booking, &format!("/v1/records/web/{number}"), told.clone())
        .await;
    let second = app
        .put(&booking, &format!("/v1/records/pms/{number}"), told)
        .await;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    assert_eq!(second.body["resolution"]["outcome"], "review", "{second:?}");
    (
        text(&first.body["guest_id"]),
        text(&second.body["guest_id"]),
        text(&second.body["resolution"]["review_id"]),
    )
}

async fn answer(app: &TestApp, review: &str, decision: &str) -> Answer {
    let path = format!("/v1/reviews/{review}");
    app.post(&steward(app).await, &path, json!({"decision": decision}))
        .await
}

fn sorted(mut statuses: Vec<u16>) -> Vec<u16> {
    statuses.sort_unstable();
    statuses
}

both!(two_answers_at_once_are_one_answer, async |database| {
    let app = TestApp::start(database).await;
    let decisions = [
        ("same", "different"),
        ("different", "same"),
        ("same", "same"),
        ("different", "different"),
    ];
    for (at, (first, second)) in (1..).zip(decisions.repeat(2)) {
        let (one, other, review) = in_doubt(&app, 1_010_101 * at).await;
        let (said, contrary) = tokio::join!(answer(&app, &review, first), answer(&app, &review, second));
        let statuses = sorted(vec![said.status, contrary.status]);
        assert_eq!(statuses[0], 200, "{said:?} {contrary:?}");
        assert!([404, 409].contains(&statuses[1]), "{said:?} {contrary:?}");
        let winner = if said.status == 200 { first } else { second };
        let merged = app
            .get(&steward(&app).await, &format!("/v1/guests/{other}"))
            .await
            .status
            == 308;
        assert_eq!(merged, winner == "same", "{one} {other}");
    }
    app.finish().await;
});

both!(
    whom_a_word_keeps_apart_no_merge_at_that_moment_joins,
    async |database| {
        let app = TestApp::start(database).await;
        for at in 0..8_u32 {
            let number = 1_010_101 * (at + 1);
            let one = app
                .guest(&format!("web/{at}"), record(&surname(number), "Ana", number))
                .await;
            let other = app
                .guest(
                    &format!("pms/{at}"),
                    record(&surname(number + 37), "Rui", number + 37),
                )
                .await;
            let (first, second) = (
                records(&app, &one).await.remove(0),
                records(&app, &other).await.remove(0),
            );
            let (merged, said) = tokio::join!(
                merge(&app, &one, &other, ""),
                say(&app, "different", (&one, &first), (&other, &second), false)
            );
            let done = (merged.status == 201, said.status == 200);
            assert!(done.0 != done.1, "{merged:?} {said:?}");
            assert!([201, 409].contains(&merged.status), "{merged:?}");
            assert!([200, 404, 409].contains(&said.status), "{said:?}");
        }
        app.finish().await;
    }
);

both!(
    a_merge_is_undone_once_and_the_other_is_told_so,
    async |database| {
        let app = TestApp::start(database).await;
        let one = app.guest("web/1", record(ANA.0, ANA.1, ANA.2)).await;
        let other = app.guest("pms/2", record(RUI.0, RUI.1, RUI.2)).await;
        for _ in 0..4 {
            let merged = merge(&app, &one, &other, "?force=true").await;
            let (first, second) = tokio::join!(undo(&app, &merged), undo(&app, &merged));
            let statuses = sorted(vec![first.status, second.status]);
            assert_eq!(statuses, [200, 409], "{first:?} {second:?}");
        }
        let officer = app.errand("compliance_officer", "audit").await.at("GROUP");
        let entries = app
            .get(&officer, "/v1/audit/entries?action=unmerge&limit=200")
            .await;
        let denied = entries.body["items"].as_array().unwrap().iter();
        let denied = denied
            .filter(|entry| entry["leaf"]["decision"] == "denied")
            .count();
        assert_eq!(denied, 4, "{entries:?}");
        app.finish().await;
    }
);

both!(a_word_that_is_refused_takes_no_other_back, async |database| {
    let app = TestApp::start(database).await;
    let one = app.guest("web/1", record(ANA.0, ANA.1, ANA.2)).await;
    let other = app.guest("pms/2", record(RUI.0, RUI.1, RUI.2)).await;
    let mut twin = record(RUI.0, RUI.1, RUI.2);
    twin["stays"][0]["reservation"] = json!("R-2");
    assert_eq!(app.guest("ota/3", twin).await, other);
    let first = records(&app, &one).await.remove(0);
    let theirs = records(&app, &other).await;
    let same = say(&app, "same", (&one, &first), (&other, &theirs[0]), false).await;
    assert_eq!(same.status, 200, "{same:?}");
    let same = say(&app, "same", (&one, &first), (&one, &theirs[1]), false).await;
    assert_eq!(same.status, 200, "{same:?}");
    let words = async || {
        let path = format!("/v1/guests/{one}/constraints");
        let answer = app.get(&steward(&app).await, &path).await;
        answer.body["items"].as_array().unwrap().len()
    };
    assert_eq!(words().await, 4, "two words, from either side");
    let refused = say(&app, "different", (&one, &first), (&one, &theirs[0]), false).await;
    assert_eq!((refused.status, refused.problem()), (409, "conflict"));
    assert_eq!(words().await, 4);
    let open = say(&app, "open", (&one, &first), (&one, &theirs[1]), false).await;
    assert_eq!(open.status, 200, "{open:?}");
    let parted = say(&app, "different", (&one, &first), (&one, &theirs[0]), false).await;
    assert_eq!(parted.status, 200, "{parted:?}");
    assert_eq!(parted.body["other"]["guest_id"], json!(other));
    app.finish().await;
});

both!(
    the_newer_word_of_a_stay_is_shown_and_goes_back,
    async |database| {
        let app = TestApp::start(database).await;
        let one = app.guest("web/1", staying(ANA, "R", "cancelled", OLD)).await;
        let other = app.guest("pms/2", staying(RUI, "R", "checked_in", NEW)).await;
        assert_eq!(in_house(&app).await, [other.as_str()]);
        let merged = merge(&app, &one, &other, "").await;
        assert_eq!(stays(&app, &one).await, one_stay("R", "checked_in"));
        assert_eq!(in_house(&app).await, [one.as_str()]);
        assert_eq!(undo(&app, &merged).await.status, 200);
        assert_eq!(stays(&app, &one).await, one_stay("R", "cancelled"));
        assert_eq!(stays(&app, &other).await, one_stay("R", "checked_in"));
        // The older is not shown, whoever goes on.
        let merged = merge(&app, &other, &one, "?force=true").await;
        assert_eq!(stays(&app, &other).await, one_stay("R", "checked_in"));
        assert_eq!(undo(&app, &merged).await.status, 200);
        assert_eq!(stays(&app, &one).await, one_stay("R", "cancelled"));
        assert_eq!(stays(&app, &other).await, one_stay("R", "checked_in"));
        assert_eq!(in_house(&app).await, [other.as_str()]);
        app.finish().await;
    }
);

both!(each_has_its_own_word_of_a_stay_of_both_again, async |database| {
    let app = TestApp::start(database).await;
    let one = app.guest("web/1", staying(ANA, "R", "confirmed", OLD)).await;
    let other = app.guest("pms/2", staying(RUI, "R", "confirmed", OLD)).await;
    let merged = merge(&app, &one, &other, "").await;
    assert_eq!(app.guest("pms/2", staying(RUI, "R", "cancelled", NEW)).await, one);
    assert_eq!(stays(&app, &one).await, one_stay("R", "cancelled"));
    assert_eq!(undo(&app, &merged).await.status, 200);
    assert_eq!(stays(&app, &one).await, one_stay("R", "confirmed"));
    assert_eq!(stays(&app, &other).await, one_stay("R", "cancelled"));
    // And the other way round, where the one taken in had the newer word.
    let merged = merge(&app, &one, &other, "?force=true").await;
    assert_eq!(stays(&app, &one).await, one_stay("R", "cancelled"));
    let newest = staying(ANA, "R", "checked_in", "2026-03-05T09:00:00Z");
    assert_eq!(app.guest("web/1", newest).await, one);
    assert_eq!(stays(&app, &one).await, one_stay("R", "checked_in"));
    assert_eq!(undo(&app, &merged).await.status, 200);
    assert_eq!(stays(&app, &one).await, one_stay("R", "checked_in"));
    assert_eq!(stays(&app, &other).await, one_stay("R", "cancelled"));
    app.finish().await;
});

both!(
    a_stay_that_another_merge_brought_as_well_stays,
    async |database| {
        let app = TestApp::start(database).await;
        let one = app.guest("web/1", staying(ANA, "R-1", "cancelled", OLD)).await;
        let other = app.guest("pms/2", staying(RUI, "R", "confirmed", OLD)).await;
        let third = app.guest("ota/3", staying(ILSE, "R", "checked_in", NEW)).await;
        let both = [one_stay("R", "checked_in"), one_stay("R-1", "cancelled")].concat();
        let of = async |guest: &str| {
            let mut all = stays(&app, guest).await;
            all.sort();
            all
        };
        for turned in [false, true] {
            let first = merge(&app, &one, &other, "?force=true").await;
            let second = merge(&app, &one, &third, "?force=true").await;
            assert_eq!(of(&one).await, both);
            let (early, late) = if turned {
                (&second, &first)
            } else {
                (&first, &second)
            };
            assert_eq!(undo(&app, early).await.status, 200);
            let left = if turned { "confirmed" } else { "checked_in" };
            assert!(
                of(&one).await.contains(&("R".to_owned(), left.to_owned())),
                "{turned}"
            );
            assert_eq!(undo(&app, late).await.status, 200);
            assert_eq!(of(&one).await, one_stay("R-1", "cancelled"));
            assert_eq!(of(&other).await, one_stay("R", "confirmed"));
            assert_eq!(of(&third).await, one_stay("R", "checked_in"));
        }
        app.finish().await;
    }
);
