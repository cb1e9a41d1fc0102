//! A steward's word about two records: it makes their guests one or parts them, and holds through whatever comes after.

use guest_vault::{
    access::operator,
    base::{Errand as Order, RequestId},
    identity::dedupe::{Clusters, Pair, Verdict},
};
use serde_json::{Value, json};

use super::merging::{merge, record, state, steward};
use crate::support::{
    app::{Answer, TestApp},
    database::both,
};

pub(crate) async fn records(app: &TestApp, guest: &str) -> Vec<String> {
    let errand = steward(app).await;
    let answer = app.get(&errand, &format!("/v1/guests/{guest}/records")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let records = answer.body["records"].as_array().unwrap().iter();
    records
        .map(|one| one["record_id"].as_str().unwrap().to_owned())
        .collect()
}

pub(crate) async fn say(
    app: &TestApp,
    word: &str,
    one: (&str, &str),
    other: (&str, &str),
    force: bool,
) -> Answer {
    let of = |(guest, record): (&str, &str)| json!({"guest_id": guest, "record_id": record});
    let body = json!({"decision": word, "one": of(one), "other": of(other), "force": force});
    app.post(&steward(app).await, "/v1/constraints", body).await
}

async fn words(app: &TestApp, guest: &str) -> Vec<(String, String, String)> {
    let answer = app
        .get(&steward(app).await, &format!("/v1/guests/{guest}/constraints"))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let text = |item: &Value, name: &str| item[name].as_str().unwrap().to_owned();
    let items = answer.body["items"].as_array().unwrap().iter();
    items
        .map(|i| {
            (
                text(i, "decision"),
                text(i, "record_id"),
                text(i, "other_record_id"),
            )
        })
        .collect()
}

fn order() -> Order {
    Order {
        caller: operator().unwrap(),
        property: "GROUP".parse().unwrap(),
        purpose: "administration".parse().unwrap(),
        reason: None,
        request: RequestId::random(),
    }
}

async fn decided(app: &TestApp, one: &str, other: &str) -> Verdict {
    let order = order();
    let (one, other) = (one.parse().unwrap(), other.parse().unwrap());
    let pair = Pair {
        bits: 30.0,
        one,
        other,
    };
    Clusters::new(&app.app.vault, &order, false)
        .decide(&pair)
        .await
        .unwrap()
}

both!(two_records_of_one_person_stay_together, async |database| {
    let app = TestApp::start(database).await;
    let one = app.guest("web/1", record("Silva", "Ana", 1_234_567)).await;
    let other = app.guest("pms/2", record("Rocha", "Rui", 7_654_321)).await;
    let (first, second) = (
        records(&app, &one).await.remove(0),
        records(&app, &other).await.remove(0),
    );
    let before = state(&app, &[one.clone(), other.clone()]).await;
    // Somebody's who may not; a record that is not the guest's; twice the same.
    let desk = app.errand("front_desk", "check_in").await;
    let of = |guest: &str, record: &str| json!({"guest_id": guest, "record_id": record});
    let body = json!({"decision": "same", "one": of(&one, &first), "other": of(&other, &second)});
    assert_eq!(app.post(&desk, "/v1/constraints", body).await.status, 403);
    assert_eq!(
        say(&app, "same", (&one, &second), (&other, &first), false)
            .await
            .status,
        404
    );
    assert_eq!(
        say(&app, "same", (&one, &first), (&one, &first), false)
            .await
            .status,
        400
    );
    assert_eq!(state(&app, &[one.clone(), other.clone()]).await, before);

    let said = say(&app, "same", (&one, &first), (&other, &second), false).await;
    assert_eq!(said.status, 200, "{said:?}");
    assert_eq!(
        (&said.body["one"]["guest_id"], &said.body["other"]["guest_id"]),
        (&json!(one), &json!(one))
    );
    assert_eq!(said.body["merge"]["absorbed"], json!(other));
    let errand = steward(&app).await;
    assert_eq!(app.get(&errand, &format!("/v1/guests/{other}")).await.status, 308);
    let mut standing = words(&app, &one).await;
    standing.sort();
    assert_eq!(
        standing.len(),
        2,
        "either order of the pair is about a record of this guest"
    );
    assert!(standing.contains(&("same".to_owned(), first.clone(), second.clone())));
    // Undoing the merge does not part them; with the word taken back it does, exactly.
    let refused = parted(&app, &said).await;
    assert_eq!(
        (refused.status, refused.problem()),
        (409, "conflict"),
        "{refused:?}"
    );
    assert_eq!(
        say(&app, "open", (&one, &first), (&one, &second), false)
            .await
            .status,
        200
    );
    assert_eq!(words(&app, &one).await, []);
    let undone = parted(&app, &said).await;
    assert_eq!(undone.status, 200, "{undone:?}");
    assert_eq!(state(&app, &[one.clone(), other.clone()]).await, before);
    // Undoing remembered that they are two; a steward who knows better says so.
    assert_eq!(
        say(&app, "same", (&one, &first), (&other, &second), false)
            .await
            .status,
        409
    );
    let forced = say(&app, "same", (&one, &first), (&other, &second), true).await;
    assert_eq!(forced.status, 200, "{forced:?}");
    let audit = app.errand("compliance_officer", "subject_request").await;
    let entries = app.get(&audit, "/v1/audit/entries?action=review_identity").await;
    let told = entries.body.to_string();
    assert!(told.contains("\"same\"") && told.contains("\"open\""), "{told}");
    app.finish().await;
});

async fn parted(app: &TestApp, said: &Answer) -> Answer {
    let merge = said.body["merge"]["merge_id"].as_str().unwrap();
    app.post(
        &steward(app).await,
        &format!("/v1/merges/{merge}/undo"),
        json!({}),
    )
    .await
}

both!(
    two_records_of_different_people_are_never_taken_for_one,
    async |database| {
        let app = TestApp::start(database).await;
        let one = app.guest("web/1", record("Silva", "Ana", 1_234_567)).await;
        let other = app.guest("pms/2", record("Rocha", "Rui", 7_654_321)).await;
        let (first, second) = (
            records(&app, &one).await.remove(0),
            records(&app, &other).await.remove(0),
        );
        assert_eq!(
            say(&app, "different", (&one, &first), (&other, &second), false)
                .await
                .status,
            200
        );
        // New scores, new words of the sources, learnt weights: none of them makes the two one.
        let mut alike = record("Silva", "Ana", 1_234_567);
        alike["observed_at"] = json!("2026-03-03T10:00:00Z");
        alike["guest"]["birth_date"] = json!("1980-05-06");
        assert_eq!(app.guest("pms/2", alike.clone()).await, other);
        assert_eq!(app.guest("web/1", alike).await, one);
        assert_eq!(decided(&app, &one, &other).await, Verdict::KeptApart);
        app.app.vault.learn(&order(), 1, (true, true)).await.unwrap();
        assert_eq!(decided(&app, &one, &other).await, Verdict::KeptApart);
        let bridged = app.app.vault.merge_bridged(0).await.unwrap();
        assert_eq!(bridged.merged, 0);
        let refused = merge(&app, &one, &other, "").await;
        assert_eq!((refused.status, refused.problem()), (409, "conflict"));
        // Through a merge of either with a third: the word is about the records.
        let third = app.guest("crm/3", record("Wagner", "Ilse", 4_040_404)).await;
        assert_eq!(merge(&app, &third, &other, "").await.status, 201);
        assert_eq!(decided(&app, &one, &third).await, Verdict::KeptApart);
        assert_eq!(
            say(&app, "open", (&one, &first), (&third, &second), false)
                .await
                .status,
            200
        );
        assert_ne!(decided(&app, &one, &third).await, Verdict::KeptApart);
        app.finish().await;
    }
);

both!(
    a_record_that_was_linked_wrongly_gets_a_guest_of_its_own,
    async |database| {
        let app = TestApp::start(database).await;
        let guest = app.guest("web/1", record("Silva", "Ana", 1_234_567)).await;
        // The same person as far as anybody can tell.
        let mut twin = record("Silva", "Ana", 1_234_567);
        twin["stays"][0]["reservation"] = json!("R-2");
        twin["consents"] = json!([{"purpose": "marketing_direct", "state": "given", "channel": "desk", "indication": "signature"}]);
        assert_eq!(app.guest("pms/2", twin.clone()).await, guest);
        let all = records(&app, &guest).await;
        assert_eq!(all.len(), 2);
        let (first, second) = (all[0].clone(), all[1].clone());
        let said = say(&app, "different", (&guest, &first), (&guest, &second), false).await;
        assert_eq!(said.status, 200, "{said:?}");
        let new = said.body["other"]["guest_id"].as_str().unwrap().to_owned();
        assert_ne!(new, guest);
        assert_eq!(
            (records(&app, &guest).await, records(&app, &new).await),
            (vec![first.clone()], vec![second.clone()])
        );
        let errand = steward(&app).await;
        let stays = app
            .get(&errand, &format!("/v1/guests/{new}?fields=stay_links"))
            .await;
        assert_eq!(stays.status, 200, "its stay went with it: {stays:?}");
        // The source says it again: to the new guest; both are found by the phone.
        twin["observed_at"] = json!("2026-03-04T10:00:00Z");
        twin["guest"]["birth_date"] = json!("1980-05-06");
        assert_eq!(app.guest("pms/2", twin).await, new);
        let desk = app.errand("front_desk", "check_in").await;
        let found = app
            .post(&desk, "/v1/lookups", json!({"by": {"phone": "+351 91 1234567"}}))
            .await;
        let mut found: Vec<&str> = found.body["candidates"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| c["guest_id"].as_str().unwrap())
            .collect();
        found.sort_unstable();
        let mut both = [guest.as_str(), new.as_str()];
        both.sort_unstable();
        assert_eq!(found, both);
        assert_eq!(decided(&app, &guest, &new).await, Verdict::KeptApart);
        // It was one person after all.
        let back = say(&app, "same", (&guest, &first), (&new, &second), true).await;
        assert_eq!(back.status, 200, "{back:?}");
        let mut together = records(&app, &guest).await;
        together.sort();
        let mut expected = vec![first, second];
        expected.sort();
        assert_eq!(together, expected);
        app.finish().await;
    }
);

both!(
    what_a_merge_brought_together_is_parted_by_undoing_it,
    async |database| {
        let app = TestApp::start(database).await;
        let mut guests = Vec::new();
        for (surname, given, number) in [
            ("Silva", "Ana", 2_020_202),
            ("Rocha", "Rui", 3_030_303),
            ("Wagner", "Ilse", 4_040_404),
        ] {
            guests.push(
                app.guest(&format!("web/{number}"), record(surname, given, number))
                    .await,
            );
        }
        let before = state(&app, &guests).await;
        let mut own = Vec::new();
        for guest in &guests {
            own.push(records(&app, guest).await.remove(0));
        }
        assert_eq!(merge(&app, &guests[1], &guests[2], "").await.status, 201);
        assert_eq!(merge(&app, &guests[0], &guests[1], "").await.status, 201);
        // The second and third came together: their merge lies beneath the later one, which is named.
        let beneath = say(
            &app,
            "different",
            (&guests[0], &own[1]),
            (&guests[0], &own[2]),
            false,
        )
        .await;
        assert_eq!(beneath.status, 409, "{beneath:?}");
        let parted = say(
            &app,
            "different",
            (&guests[0], &own[0]),
            (&guests[0], &own[2]),
            false,
        )
        .await;
        assert_eq!(parted.status, 200, "{parted:?}");
        assert_eq!(parted.body["other"]["guest_id"], json!(guests[1]));
        let parted = say(
            &app,
            "different",
            (&guests[1], &own[1]),
            (&guests[1], &own[2]),
            false,
        )
        .await;
        assert_eq!(parted.status, 200, "{parted:?}");
        assert_eq!(state(&app, &guests).await, before);
        app.finish().await;
    }
);

both!(
    a_word_that_names_a_retired_id_is_told_the_survivor,
    async |database| {
        let app = TestApp::start(database).await;
        let one = app.guest("pms/1", record("Eins", "Ed", 1_111_111)).await;
        let other = app.guest("crm/1", record("Zwei", "Zoe", 2_222_222)).await;
        let (first, second) = (
            records(&app, &one).await.remove(0),
            records(&app, &other).await.remove(0),
        );
        let both = ((one.as_str(), first.as_str()), (other.as_str(), second.as_str()));
        assert_eq!(say(&app, "same", both.0, both.1, false).await.status, 200);
        let old = say(&app, "different", both.0, both.1, false).await;
        assert_eq!((old.status, old.problem()), (404, "not-found"));
        let detail = old.body["detail"].as_str().unwrap();
        assert!(detail.contains(&one) && !detail.contains(&other), "{detail}");
        let again = merge(&app, &one, &other, "").await;
        assert!(again.body["detail"].as_str().unwrap().contains(&one), "{again:?}");
        // The retired id of a stranger is told to nobody.
        let desk = app.errand("front_desk", "check_in").await;
        let of = |(guest, record): (&str, &str)| json!({"guest_id": guest, "record_id": record});
        let body = json!({"decision": "different", "one": of(both.0), "other": of(both.1)});
        let refused = app.post(&desk, "/v1/constraints", body).await;
        assert!(!refused.body.to_string().contains(&one), "{refused:?}");
        assert_eq!(
            say(&app, "different", both.0, (&one, &second), false)
                .await
                .status,
            200
        );
        app.finish().await;
    }
);
