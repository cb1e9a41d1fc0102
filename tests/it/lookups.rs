//! Guests are found by what they say of themselves, and by the day they come; each in the caller's own view.

use serde_json::{Value, json};

use crate::support::{
    app::{Answer, Errand, TestApp},
    database::both,
};

/// An invented number for life (GB 11643-1999): namesakes of one birthday are two people all the same.
fn resident(number: u32) -> String {
    let body = format!("11010119870517{:03}", number % 1000);
    let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let digits = body.chars().map(|c| c.to_digit(10).unwrap());
    let sum: u32 = digits.zip(weights).map(|(digit, weight)| digit * weight).sum();
    let check = "10X98765432"
        .chars()
        .nth(usize::try_from(sum % 11).unwrap())
        .unwrap();
    format!("{body}{check}")
}

fn guest(given: &str, number: u32) -> Value {
    json!({
        "guest": {
            "name": {"surname": "Wang", "given": given, "native": {"script": "Hani", "value": "王小明"}},
            "birth_date": "1987-05-17",
            "phones": [{"number": format!("+86 138 1234 {number:04}")}],
            "emails": [{"address": format!("wang{number}@guests.example")}],
            "id_documents": [{"type": "passport", "issuing_country": "CN", "number": format!("E1234{number:04}")},
                             {"type": "cn_resident_id", "issuing_country": "CN", "number": resident(number)}],
            "memberships": [{"program": "CLUB", "number": format!("88{number:04}")}],
            "external_ids": [{"system": "crm", "type": "profile", "value": format!("P-{number}")}],
            "postal_addresses": [{"city": "Lisboa", "postal_code": "1200-195", "country": "PT"}]
        },
        "stays": [{"reservation": format!("R-{number}"), "property": "LIS01", "arrival": "2026-03-04",
                   "departure": "2026-03-07", "status": "checked_in"}]
    })
}

async fn look(app: &TestApp, errand: &Errand, by: Value) -> Answer {
    app.post(errand, "/v1/lookups", json!({ "by": by })).await
}

fn found(answer: &Answer) -> Vec<&str> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let candidates = answer.body["candidates"].as_array().unwrap();
    candidates
        .iter()
        .map(|c| c["guest_id"].as_str().unwrap())
        .collect()
}

both!(every_identifier_finds_its_guest_and_no_other, async |database| {
    let app = TestApp::start(database).await;
    let wang = app.guest("web/w-1", guest("Xiaoming", 5678)).await;
    app.guest("web/w-2", guest("Jianguo", 1111)).await;
    let desk = app.errand("front_desk", "check_in").await;
    for by in [
        json!({"phone": "+86 (138) 1234-5678"}),
        json!({"phone": "008613812345678"}),
        json!({"email": "WANG5678@guests.EXAMPLE"}),
        json!({"document": {"number": "e1234 5678"}}),
        json!({"document": {"type": "passport", "country": "CHN", "number": "E12345678"}}),
        json!({"membership": {"program": "club", "number": "88 5678"}}),
        json!({"external_id": {"system": "crm", "type": "profile", "value": "P-5678"}}),
        json!({"external_id": {"system": "crm", "value": "P-5678"}}),
        json!({"external_id": {"system": "web", "value": "w-1"}}),
        json!({"reservation": {"reference": "R-5678"}}),
        json!({"reservation": {"property": "LIS01", "reference": "R-5678"}}),
        json!({"name": "xiao ming WANG", "phone_tail": "5678"}),
        json!({"name": "王小明", "phone_tail": "5678"}),
        json!({"birth_date": "1987-05-17", "phone_tail": "5678"}),
        json!({"birth_date": "1987/05/17", "phone_tail": "５６７８"}),
        json!({"birth_date": "17.05.1987", "phone_tail": "12345678"}),
        json!({"name": "WANG/XIAOMING MR", "phone_tail": "345678"}),
        json!({"phone_tail": "5678", "postal_code": "１２００－１９５"}),
        json!({"phone_tail": "5678", "postal_code": "1200195"}),
        json!({"phone": "+8613812345678", "email": "wang5678@guests.example"}),
    ] {
        let answer = look(&app, &desk, by.clone()).await;
        assert_eq!(found(&answer), [wang.as_str()], "{by}");
    }
    let both = look(&app, &desk, json!({"name": "Wang", "birth_date": "1987-05-17"})).await;
    assert_eq!(found(&both).len(), 2);
    // Two strong identifiers of two people name nobody.
    let torn = json!({"phone": "+8613812345678", "email": "wang1111@guests.example"});
    assert!(found(&look(&app, &desk, torn).await).is_empty());
    let wrong = json!({"name": "Wang Xiaoming", "birth_date": "1987-05-18"});
    assert!(found(&look(&app, &desk, wrong).await).is_empty());
    app.finish().await;
});

both!(a_candidate_is_shown_in_the_callers_own_view, async |database| {
    let app = TestApp::start(database).await;
    app.guest("web/w-1", guest("Xiaoming", 5678)).await;
    let centre = app.role("call_centre").await;
    let answer = look(&app, &centre, json!({"phone": "+8613812345678"})).await;
    let shown = &answer.body["candidates"][0];
    assert_eq!(shown["matched"], json!(["phone"]));
    assert_eq!(shown["fields"]["name.surname"]["value"], "Wang");
    assert_eq!(shown["fields"]["id_documents"]["view"], "withheld");
    let direct = app
        .get(
            &centre,
            &format!("/v1/guests/{}", shown["guest_id"].as_str().unwrap()),
        )
        .await;
    assert_eq!(shown["fields"], direct.body["fields"]);
    let few = app
        .post(
            &centre,
            "/v1/lookups",
            json!({"by": {"phone": "+8613812345678"}, "fields": ["name.surname"]}),
        )
        .await;
    assert_eq!(
        few.body["candidates"][0]["fields"]
            .as_object()
            .map(serde_json::Map::len),
        Some(1)
    );
    app.finish().await;
});

both!(who_may_not_search_or_see_finds_nothing, async |database| {
    let app = TestApp::start(database).await;
    app.guest("web/w-1", guest("Xiaoming", 5678)).await;
    let phone = json!({"phone": "+8613812345678"});
    for (role, purpose) in [
        ("housekeeping", "stay_service"),
        ("admin", "stay_service"),
        ("kiosk", "check_in"),
    ] {
        let answer = look(&app, &app.errand(role, purpose).await, phone.clone()).await;
        assert_eq!((answer.status, answer.problem()), (403, "forbidden"), "{role}");
    }
    // A document may be searched by at check-in, and not to serve the guest.
    let document = json!({"document": {"number": "E12345678"}});
    let desk = app.role("front_desk").await;
    assert_eq!(look(&app, &desk, document.clone()).await.status, 403);
    // A kiosk of another house: the guest has no stay there, so it does not exist for it.
    let kiosk = app.errand("kiosk", "check_in").await;
    assert_eq!(found(&look(&app, &kiosk, document.clone()).await).len(), 1);
    let shanghai = kiosk.clone().at("SHA01");
    assert!(found(&look(&app, &shanghai, document).await).is_empty());
    let reservation = json!({"reservation": {"property": "LIS01", "reference": "R-5678"}});
    assert_eq!(look(&app, &shanghai, reservation).await.status, 400);
    assert!(found(&look(&app, &shanghai, json!({"reservation": {"reference": "R-5678"}})).await).is_empty());
    app.finish().await;
});

both!(too_little_is_no_question, async |database| {
    let app = TestApp::start(database).await;
    let desk = app.role("front_desk").await;
    for (by, place) in [
        (json!({}), "by"),
        (json!({"name": "Wang Xiaoming"}), "by"),
        (json!({"postal_code": "1200-195"}), "by"),
        (json!({"phone": "12"}), "by.phone"),
        (json!({"email": "nobody"}), "by.email"),
        (json!({"email": "a.1@guest.booking.com"}), "by.email"),
        (json!({"name": "Wang", "birth_date": "1987-05"}), "by.birth_date"),
        (json!({"name": "Wang", "phone_tail": "78"}), "by.phone_tail"),
        (json!({"name": "*", "phone_tail": "5678"}), "by.name"),
    ] {
        let answer = look(&app, &desk, by.clone()).await;
        assert_eq!(
            (answer.status, answer.problem()),
            (400, "invalid-request"),
            "{by}"
        );
        assert_eq!(answer.body["errors"][0]["field"], place, "{by}");
    }
    app.finish().await;
});

both!(five_candidates_at_most_and_each_on_record, async |database| {
    let app = TestApp::start(database).await;
    for number in 0..7 {
        app.guest(&format!("web/w-{number}"), guest("Xiaoming", 1000 + number))
            .await;
    }
    let desk = app.role("front_desk").await;
    let answer = look(
        &app,
        &desk,
        json!({"name": "Wang Xiaoming", "birth_date": "1987-05-17"}),
    )
    .await;
    let ids: Vec<String> = found(&answer).into_iter().map(ToOwned::to_owned).collect();
    assert_eq!(ids.len(), 5);
    let officer = app.errand("compliance_officer", "audit").await.at("GROUP");
    let searches = app.get(&officer, "/v1/audit/entries?action=search").await;
    let leaf = &searches.body["items"][0]["leaf"];
    assert_eq!(leaf["count"], 5);
    assert_eq!(leaf["fields"]["birth_date"], "token");
    assert!(leaf.get("subject").is_none());
    for id in ids {
        let reads = app
            .get(&officer, &format!("/v1/audit/entries?action=read&guest_id={id}"))
            .await;
        assert_eq!(reads.body["items"][0]["leaf"]["fields"]["name.surname"], "plain");
    }
    // The best fit comes first: more of it agrees.
    let better = json!({"name": "Wang Xiaoming", "birth_date": "1987-05-17", "phone_tail": "1003"});
    let answer = look(&app, &desk, better).await;
    let first = &answer.body["candidates"][0];
    assert_eq!(first["matched"], json!(["birth_date", "name", "phone_tail"]));
    app.finish().await;
});

both!(
    what_is_changed_is_found_anew_and_no_longer_as_it_was,
    async |database| {
        let app = TestApp::start(database).await;
        let wang = app.guest("web/w-1", guest("Xiaoming", 5678)).await;
        let desk = app.errand("front_desk", "check_in").await;
        // Only the birthday comes again: its pairs with the name that lies there sealed are made anew.
        app.set_clock("2026-03-05T10:00:01Z");
        app.guest("web/w-1", json!({"guest": {"birth_date": "1988-01-02"}}))
            .await;
        let by = |date: &str| json!({"name": "Wang Xiaoming", "birth_date": date});
        assert_eq!(found(&look(&app, &desk, by("1988-01-02")).await), [wang.as_str()]);
        assert!(found(&look(&app, &desk, by("1987-05-17")).await).is_empty());
        app.set_clock("2026-03-05T10:00:02Z");
        app.guest("web/w-1", json!({"guest": {"phones": null}})).await;
        assert!(
            found(
                &look(
                    &app,
                    &desk,
                    json!({"name": "Wang Xiaoming", "phone_tail": "5678"})
                )
                .await
            )
            .is_empty()
        );
        // A correction pairs with what the sources say.
        let path = format!("/v1/guests/{wang}");
        let done = app.patch(&desk, &path, json!({"birth_date": "1989-03-04"})).await;
        assert_eq!(done.status, 200, "{done:?}");
        assert_eq!(found(&look(&app, &desk, by("1989-03-04")).await), [wang.as_str()]);
        app.finish().await;
    }
);

fn stay(number: u32, arrival: &str, departure: &str, status: &str) -> Value {
    let mut record = guest("Xiaoming", number);
    record["stays"] = json!([{"reservation": format!("R-{number}"), "property": "LIS01", "arrival": arrival,
                              "departure": departure, "status": status}]);
    record
}

async fn list(app: &TestApp, errand: &Errand, date: &str, list: &str) -> Vec<String> {
    let body = json!({"property": "LIS01", "date": date, "list": list});
    let answer = app.post(errand, "/v1/stay-lists", body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    ids(&answer)
}

fn ids(answer: &Answer) -> Vec<String> {
    let items = answer.body["items"].as_array().unwrap();
    items
        .iter()
        .map(|i| i["guest_id"].as_str().unwrap().to_owned())
        .collect()
}

both!(the_day_has_its_arrivals_guests_and_departures, async |database| {
    let app = TestApp::start(database).await;
    let coming = app
        .guest("pms/1", stay(1001, "2026-03-05", "2026-03-08", "confirmed"))
        .await;
    let there = app
        .guest("pms/2", stay(1002, "2026-03-04", "2026-03-07", "checked_in"))
        .await;
    let leaving = app
        .guest("pms/3", stay(1003, "2026-03-02", "2026-03-05", "checked_in"))
        .await;
    app.guest("pms/4", stay(1004, "2026-03-05", "2026-03-08", "cancelled"))
        .await;
    let resident = app
        .guest("pms/5", stay(1005, "2025-11-01", "2026-06-30", "checked_in"))
        .await;
    let desk = app.role("front_desk").await;
    assert_eq!(
        list(&app, &desk, "2026-03-05", "arrivals").await,
        [coming.as_str()]
    );
    assert_eq!(
        list(&app, &desk, "2026-03-05", "departures").await,
        [leaving.as_str()]
    );
    assert_eq!(
        list(&app, &desk, "2026-03-05", "in_house").await,
        [there.as_str(), leaving.as_str(), resident.as_str()]
    );
    assert_eq!(
        list(&app, &desk, "2025-11-03", "in_house").await,
        [resident.as_str()]
    );
    // In the week of departure, but gone.
    assert!(
        !list(&app, &desk, "2026-07-01", "in_house")
            .await
            .contains(&resident)
    );

    // Cancelled: gone from the lists; found by its number where the policy lets it be.
    let path = format!("/v1/guests/{coming}/stays/R-1001");
    let cancelled = json!({"arrival": "2026-03-05", "departure": "2026-03-08", "status": "cancelled"});
    assert_eq!(app.put(&desk, &path, cancelled).await.status, 200);
    assert!(list(&app, &desk, "2026-03-05", "arrivals").await.is_empty());
    let moved = json!({"arrival": "2026-03-06", "departure": "2026-03-08", "status": "confirmed"});
    assert_eq!(app.put(&desk, &path, moved).await.status, 200);
    assert!(list(&app, &desk, "2026-03-05", "arrivals").await.is_empty());
    assert_eq!(
        list(&app, &desk, "2026-03-06", "arrivals").await,
        [coming.as_str()]
    );
    app.finish().await;
});

both!(
    a_long_list_comes_in_pages_and_each_role_has_its_view,
    async |database| {
        let app = TestApp::start(database).await;
        let mut all = Vec::new();
        for number in 0..7 {
            let record = stay(1000 + number, "2026-03-05", "2026-03-08", "confirmed");
            all.push(app.guest(&format!("pms/{number}"), record).await);
        }
        all.sort();
        let keeping = app.role("housekeeping").await;
        let mut body = json!({"property": "LIS01", "date": "2026-03-05", "list": "arrivals", "limit": 3});
        let mut paged = Vec::new();
        loop {
            let answer = app.post(&keeping, "/v1/stay-lists", body.clone()).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_eq!(answer.body["items"][0]["fields"]["phones"]["view"], "withheld");
            paged.extend(ids(&answer));
            body["cursor"] = answer.body["next_cursor"].clone();
            if body["cursor"].is_null() {
                break;
            }
        }
        assert_eq!(paged, all);
        body["limit"] = json!(7);
        body.as_object_mut().unwrap().remove("cursor");
        let whole = app.post(&keeping, "/v1/stay-lists", body.clone()).await;
        assert_eq!(whole.body.get("next_cursor"), Some(&Value::Null));

        // The query says it as for any list; what is said twice is said alike.
        let twice = app.post(&keeping, "/v1/stay-lists?limit=3", body.clone()).await;
        assert_eq!(
            (twice.status, &twice.body["errors"][0]["field"]),
            (400, &json!("limit"))
        );
        body.as_object_mut().unwrap().remove("limit");
        let first = app.post(&keeping, "/v1/stay-lists?limit=3", body.clone()).await;
        assert_eq!(ids(&first), all[..3]);
        let next = format!(
            "/v1/stay-lists?limit=3&cursor={}",
            first.body["next_cursor"].as_str().unwrap()
        );
        assert_eq!(ids(&app.post(&keeping, &next, body.clone()).await), all[3..6]);

        let officer = app.errand("compliance_officer", "audit").await.at("GROUP");
        let searches = app.get(&officer, "/v1/audit/entries?action=search").await;
        assert_eq!(searches.body["items"][2]["leaf"]["count"], 7);
        let kiosk = app.errand("kiosk", "check_in").await;
        assert_eq!(app.post(&kiosk, "/v1/stay-lists", body.clone()).await.status, 403);
        let shanghai = app.role("front_desk").await.at("SHA01");
        let outside = app.post(&shanghai, "/v1/stay-lists", body).await;
        assert_eq!((outside.status, outside.problem()), (400, "invalid-request"));
        app.finish().await;
    }
);
