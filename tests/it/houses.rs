//! Who works for one house has to do with the guests of this house: cases, holds, merges, the portal, registers, reviews.

use guest_vault::{base::PropertyKind, on};
use serde_json::{Value, json};

use crate::{
    imports,
    rights::lin,
    support::{
        app::{Answer, Errand, TestApp, tree},
        database::both,
    },
};

/// A guest of one house, that no other has told of.
async fn guest_of(app: &TestApp, house: &'static str, number: u32) -> String {
    let mut record = lin(&format!("R-{number}"), "2026-01-10", "2026-01-12", "checked_out");
    record["stays"][0]["property"] = json!(house);
    record["guest"]["name"] = json!({"surname": format!("Of{number}"), "given": "Mei"});
    record["guest"]["birth_date"] = json!(format!("19{:02}-02-03", number + 50));
    record["guest"]["phones"] = json!([{"number": format!("+86 139 1234 {number:04}")}]);
    record["guest"]["emails"] = json!([{"address": format!("of{number}@guests.example")}]);
    record["guest"]["id_documents"][0]["number"] = json!(format!("E8765{number:04}"));
    let source = app.role_in("integration", &[house]).await;
    let source = source.about("booking").at(house);
    let path = format!("/v1/records/pms-{}/{number}", house.to_lowercase());
    let put = app.put(&source, &path, record).await;
    assert_eq!((put.status, &put.body["rejected"]), (201, &json!([])), "{put:?}");
    put.body["guest_id"].as_str().unwrap().to_owned()
}

/// Somebody of this role at one house, on somebody's orders.
async fn at(app: &TestApp, role: &str, house: &'static str, actor: &str) -> Errand {
    let of = app.role_in(role, &[house]).await;
    of.about("subject_request")
        .at(house)
        .with("vault-actor", actor)
        .with("vault-reason", "house test")
}

fn count(listed: &Answer) -> usize {
    assert_eq!(listed.status, 200, "{listed:?}");
    listed.body["items"].as_array().unwrap().len()
}

both!(
    a_case_is_carried_out_by_the_houses_of_its_guest_wherever_it_was_opened,
    async |database| {
        let app = TestApp::start(database).await;
        let guest = guest_of(&app, "SHA01", 1).await;
        for kind in ["access", "erasure", "restriction"] {
            // Anybody may ask anywhere.
            let desk = at(&app, "front_desk", "LIS01", "desk").await;
            let wanted = json!({"guest_id": guest, "type": kind, "regime": "gdpr", "received_via": "phone"});
            let opened = app.post(&desk, "/v1/requests", wanted).await;
            assert_eq!(opened.status, 201, "{opened:?}");
            let case = format!("/v1/requests/{}", opened.body["request_id"].as_str().unwrap());
            let (here, there) = (
                at(&app, "compliance_officer", "LIS01", "o-1").await,
                at(&app, "compliance_officer", "SHA01", "o-2").await,
            );
            // Where it was opened it is known, and may be denied; whose it is, is not made sure of there.
            assert_eq!(app.get(&here, &case).await.status, 200);
            let passed = json!({"result": "passed"});
            assert_eq!(
                app.post(&here, &format!("{case}/verify"), passed.clone())
                    .await
                    .status,
                409
            );
            let named = json!({"result": "passed", "guest_id": guest});
            assert_eq!(
                app.post(&here, &format!("{case}/verify"), named).await.status,
                404
            );
            // The guest's own house sees it, and goes on with it.
            assert_eq!(count(&app.get(&there, "/v1/requests?state=received").await), 1);
            assert_eq!(
                app.post(&there, &format!("{case}/verify"), passed).await.status,
                200
            );
            for call in ["preview", "package"] {
                assert_eq!(
                    app.get(&here, &format!("{case}/{call}")).await.status,
                    404,
                    "{call}"
                );
            }
            let yes = json!({"decision": "approve"});
            let (elsewhere, second) = (
                at(&app, "general_manager", "LIS01", "o-3").await,
                at(&app, "general_manager", "SHA01", "o-4").await,
            );
            let taken = app
                .post(&elsewhere, &format!("{case}/decision"), yes.clone())
                .await;
            assert_eq!(taken.status, 404, "{kind}: {taken:?}");
            if kind == "access" {
                assert_eq!(
                    app.post(&second, &format!("{case}/decision"), yes).await.status,
                    200
                );
                assert_eq!(app.get(&here, &format!("{case}/package")).await.status, 404);
                assert_eq!(app.get(&there, &format!("{case}/package")).await.status, 200);
            } else {
                let no = json!({"decision": "deny", "ground": "no_match"});
                assert_eq!(
                    app.post(&elsewhere, &format!("{case}/decision"), no).await.status,
                    200
                );
            }
        }
        app.finish().await;
    }
);

both!(
    nothing_is_done_to_nor_told_of_guests_of_another_house,
    async |database| {
        let app = TestApp::start(database).await;
        let (one, other) = (guest_of(&app, "SHA01", 1).await, guest_of(&app, "SHA01", 2).await);
        let (here, there) = ("LIS01", "SHA01");
        // The way into the portal, where all that there is about a guest is shown.
        let link = async |house| {
            let source = at(&app, "integration", house, "web").await.about("booking");
            app.post(&source, &format!("/v1/guests/{one}/portal-sessions"), json!({}))
                .await
                .status
        };
        assert_eq!((link(here).await, link(there).await), (404, 201));
        // How long it is kept, and what holds it.
        let plan = async |house| {
            let officer = at(&app, "compliance_officer", house, "o-1").await;
            let path = format!("/v1/retention/plan?guest_id={one}");
            app.get(&officer, &path).await.status
        };
        assert_eq!((plan(here).await, plan(there).await), (404, 200));
        let hold = json!({"matter": "C-1/26", "ground": "legal_claim", "categories": ["identity"], "review_on": "2026-09-01"});
        let officer = at(&app, "compliance_officer", there, "o-1").await;
        let put = app.post(&officer, &format!("/v1/guests/{one}/holds"), hold).await;
        assert_eq!(put.status, 201, "{put:?}");
        let in_force = async |house| {
            let officer = at(&app, "compliance_officer", house, "o-1")
                .await
                .about("legal_retention");
            let listed = app.get(&officer, "/v1/holds").await;
            assert_eq!(listed.status, 200, "{listed:?}");
            listed.body["in_force"].as_i64().unwrap()
        };
        assert_eq!((in_force(here).await, in_force(there).await), (0, 1));
        // Who is whom.
        let merged = async |house| {
            let manager = at(&app, "duty_manager", house, "m-1").await.about("stay_service");
            let path = format!("/v1/guests/{one}/merges?force=true");
            app.post(&manager, &path, json!({"absorb": other})).await
        };
        assert_eq!(merged(here).await.status, 404);
        let done = merged(there).await;
        assert_eq!(done.status, 201, "{done:?}");
        let undo = async |house| {
            let manager = at(&app, "duty_manager", house, "m-1").await.about("stay_service");
            let path = format!("/v1/merges/{}/undo", done.body["merge_id"].as_str().unwrap());
            app.post(&manager, &path, json!({})).await.status
        };
        assert_eq!((undo(here).await, undo(there).await), (404, 200));
        app.finish().await;
    }
);

both!(
    a_source_of_one_house_does_not_rewrite_what_another_told,
    async |database| {
        let app = TestApp::start(database).await;
        let source = async |scope: &'static str| {
            let source = app.role_in("integration", &[scope]).await;
            source.about("booking").at(scope)
        };
        let record = |given: &str| json!({"guest": {"name": {"surname": "Berg", "given": given}}});
        let put =
            async |scope, record: Value| app.put(&source(scope).await, "/v1/records/pms/77", record).await;
        let told = put("SHA01", record("Bruno")).await;
        assert_eq!(told.status, 201, "{told:?}");
        let over = put("LIS01", record("Luisa")).await;
        assert_eq!(over.status, 422, "{over:?}");
        assert_eq!(
            over.body["errors"],
            json!([{"field": "source_id", "reason": "property_out_of_scope"}])
        );
        // Its own goes on, and who speaks for all houses.
        for (scope, given) in [("SHA01", "Bruno A."), ("GROUP", "Bruno B.")] {
            let own = put(scope, record(given)).await;
            assert_eq!(
                (own.status, &own.body["guest_id"]),
                (200, &told.body["guest_id"]),
                "{own:?}"
            );
        }
        app.finish().await;
    }
);

both!(an_emergency_is_judged_by_its_own_house_once, async |database| {
    let app = TestApp::start(database).await;
    let guest = guest_of(&app, "SHA01", 1).await;
    let desk = at(&app, "front_desk", "SHA01", "desk").await.about("check_in");
    let shown = app
        .post(
            &desk,
            &format!("/v1/guests/{guest}/reveal"),
            json!({"fields": ["emails"]}),
        )
        .await;
    assert_eq!(shown.status, 200, "{shown:?}");
    let entry = shown.body["audit"]["entry_id"].as_str().unwrap().to_owned();
    let judged = async |house| {
        let officer = at(&app, "compliance_officer", house, "o-1").await;
        let path = format!("/v1/audit/entries/{entry}/judgement");
        app.post(&officer, &path, json!({"verdict": "justified"}))
            .await
            .status
    };
    assert_eq!(judged("LIS01").await, 404);
    assert_eq!(judged("SHA01").await, 204);
    let denied = async || {
        let officer = app.role("compliance_officer").await.about("audit").at("GROUP");
        count(
            &app.get(&officer, "/v1/audit/entries?action=judge&decision=denied")
                .await,
        )
    };
    let before = denied().await;
    // That it was judged before is on record, too.
    assert_eq!(judged("SHA01").await, 409);
    assert_eq!(denied().await, before + 1);
    app.finish().await;
});

both!(one_of_several_roots_is_not_the_whole_house, async |database| {
    let roots = || {
        let hotels = tree()
            .into_iter()
            .filter(|node| node.kind == PropertyKind::Property);
        hotels.map(|mut node| {
            node.parent = None;
            node
        })
    };
    let app = TestApp::start_in(database, roots().collect()).await;
    let guest = guest_of(&app, "SHA01", 1).await;
    guest_of(&app, "LIS01", 2).await;
    let passed = json!({"result": "passed"});
    let open = async |house, kind: &str| {
        let desk = at(&app, "front_desk", house, "desk").await;
        let wanted = json!({"guest_id": guest, "type": kind, "regime": "gdpr", "received_via": "phone"});
        let opened = app.post(&desk, "/v1/requests", wanted).await;
        assert_eq!(opened.status, 201, "{opened:?}");
        format!("/v1/requests/{}", opened.body["request_id"].as_str().unwrap())
    };
    let (first, own) = (open("LIS01", "access").await, open("SHA01", "restriction").await);
    // The first root is no more than any other.
    let officer = at(&app, "compliance_officer", "LIS01", "o-1").await;
    let verified = app
        .post(&officer, &format!("{first}/verify"), passed.clone())
        .await;
    assert_eq!(verified.status, 409, "{verified:?}");
    assert_eq!(app.get(&officer, &own).await.status, 404);
    assert_eq!(count(&app.get(&officer, "/v1/requests").await), 1);
    for house in ["LIS01", "SHA01"] {
        let officer = at(&app, "compliance_officer", house, "o-1").await;
        let run = app.post(&officer, "/v1/retention/runs", json!({})).await;
        assert_eq!(run.status, 403, "{house}: {run:?}");
    }
    // Whoever works for all of them is.
    let all = app.role_in("compliance_officer", &["SHA01", "LIS01"]).await;
    let all = all.about("subject_request").with("vault-actor", "o-2");
    assert_eq!(count(&app.get(&all, "/v1/requests").await), 2);
    let verified = app.post(&all, &format!("{first}/verify"), passed).await;
    assert_eq!(verified.status, 200, "{verified:?}");
    let run = app.post(&all, "/v1/retention/runs", json!({})).await;
    assert_eq!(run.status, 201, "{run:?}");
    // An export at the first root is of its own guests, also of who never stayed.
    for (house, surname) in [("LIS01", "Nostay3"), ("SHA01", "Nostay4")] {
        let source = app.role_in("integration", &[house]).await;
        let record = json!({"guest": {"name": {"surname": surname, "given": "Ida"}}});
        let path = format!("/v1/records/{}/{surname}", house.to_lowercase());
        let put = app.put(&source.about("booking").at(house), &path, record).await;
        assert_eq!(put.status, 201, "{put:?}");
    }
    let crm = app.role_in("crm", &["LIS01"]).await;
    let crm = crm.about("loyalty").with("vault-actor", "c-1");
    let order = app
        .post(&crm, "/v1/exports", json!({"fields": ["name.surname"]}))
        .await;
    assert_eq!(order.status, 201, "{order:?}");
    let export = format!("/v1/exports/{}", order.body["export_id"].as_str().unwrap());
    let manager = at(&app, "general_manager", "LIS01", "m-1").await;
    let yes = app
        .post(&manager, &format!("{export}/decision"), json!({"approve": true}))
        .await;
    assert_eq!(yes.status, 200, "{yes:?}");
    let fetched = app.get(&crm, &format!("{export}/guests")).await;
    let names = ["Of1", "Of2", "Nostay3", "Nostay4"].map(|name| fetched.text().contains(name));
    assert_eq!(names, [false, true, true, false], "{fetched:?}");
    app.finish().await;
});

both!(
    an_erasure_stays_in_sight_of_the_house_that_carried_it_out,
    async |database| {
        let app = TestApp::start(database).await;
        for (number, taken_in) in [(1, "LIS01"), (2, "GROUP")] {
            let guest = guest_of(&app, "SHA01", number).await;
            let desk = at(&app, "compliance_officer", taken_in, "desk").await;
            let wanted =
                json!({"guest_id": guest, "type": "erasure", "regime": "gdpr", "received_via": "phone"});
            let opened = app.post(&desk, "/v1/requests", wanted).await;
            assert_eq!(opened.status, 201, "{opened:?}");
            let id = opened.body["request_id"].as_str().unwrap();
            let case = format!("/v1/requests/{id}");
            let (officer, manager) = (
                at(&app, "compliance_officer", "SHA01", "o-1").await,
                at(&app, "general_manager", "SHA01", "m-1").await,
            );
            let verified = app
                .post(&officer, &format!("{case}/verify"), json!({"result": "passed"}))
                .await;
            assert_eq!(verified.status, 200, "{verified:?}");
            let decision = json!({"decision": "approve"});
            let decided = app.post(&manager, &format!("{case}/decision"), decision).await;
            assert_eq!((decided.status, &decided.body["state"]), (200, &json!("done")));
            let sees = async |role, house| {
                let of = at(&app, role, house, "o-9").await;
                let listed = app.get(&of, "/v1/requests?state=done").await;
                let listed = listed.body["items"].as_array().unwrap().iter();
                (
                    app.get(&of, &case).await.status,
                    app.get(&of, &format!("{case}/certificate")).await.status,
                    listed.filter(|one| one["request_id"] == id).count(),
                )
            };
            for role in ["compliance_officer", "general_manager"] {
                assert_eq!(sees(role, "SHA01").await, (200, 200, 1), "{taken_in} {role}");
                let here = if taken_in == "LIS01" {
                    (200, 200, 1)
                } else {
                    (404, 404, 0)
                };
                assert_eq!(sees(role, "LIS01").await, here, "{taken_in} {role}");
                assert_eq!(sees(role, "GROUP").await, (200, 200, 1), "{taken_in} {role}");
            }
            // Of steps from before it was noted where they were taken, those of who works for one house alone tell it.
            let (forget, recall) = (
                "UPDATE request_step SET property = NULL",
                include_str!("../../migrations/sqlite/0211_request_step_property_of_old.sql"),
            );
            for (statement, seen) in [(forget, (404, 404, 0)), (recall, (200, 200, 1))] {
                let mut tx = app.app.vault.store.begin().await.unwrap();
                on!(&mut tx, c => { sqlx::query(statement).execute(c).await.unwrap(); });
                tx.commit().await.unwrap();
                assert_eq!(sees("compliance_officer", "SHA01").await, seen);
            }
        }
        app.app.close().await;
    }
);

both!(
    what_the_group_told_goes_on_with_the_houses_of_its_guest,
    async |database| {
        let app = TestApp::start(database).await;
        let record = |given: &str, houses: &[&str]| {
            let stay = |house: &&str| {
                json!({"property": house, "reservation": format!("R-{house}"), "arrival": "2026-01-10",
                       "departure": "2026-01-12", "status": "checked_out"})
            };
            json!({"guest": {"name": {"surname": "Berg", "given": given}},
                   "stays": houses.iter().map(stay).collect::<Vec<_>>()})
        };
        let put = async |id: &str, scope: &'static str, record: &Value| {
            let source = app.role_in("integration", &[scope]).await;
            let source = source.about("booking").at(scope);
            app.put(&source, &format!("/v1/records/pms/{id}"), record.clone())
                .await
                .status
        };
        // A guest of one house: it goes on, no other does, and the group's word does not take it from the house.
        for (given, from, status) in [
            ("a", "GROUP", 201),
            ("b", "LIS01", 422),
            ("c", "SHA01", 200),
            ("d", "GROUP", 200),
            ("e", "LIS01", 422),
            ("f", "SHA01", 200),
        ] {
            let stays: &[&str] = if from == "LIS01" { &["LIS01"] } else { &["SHA01"] };
            assert_eq!(put("1", from, &record(given, stays)).await, status, "{given}");
        }
        // A guest of both houses: each goes on, and neither takes it from the other.
        let both = |given| record(given, &["LIS01", "SHA01"]);
        assert_eq!(put("2", "GROUP", &both("a")).await, 201);
        for (given, from) in [
            ("b", "SHA01"),
            ("c", "LIS01"),
            ("d", "SHA01"),
            ("e", "GROUP"),
            ("f", "LIS01"),
        ] {
            assert_eq!(put("2", from, &record(given, &[from])).await, 200, "{given}");
        }
        // A guest of no house yet is the first one's that goes on with it.
        for (given, from, status) in [("a", "GROUP", 201), ("b", "LIS01", 200), ("c", "SHA01", 422)] {
            assert_eq!(put("3", from, &record(given, &[])).await, status, "{given}");
        }
        app.finish().await;
    }
);

both!(
    that_a_record_is_another_houses_is_on_record_whatever_way_it_came,
    async |database| {
        let app = TestApp::start(database).await;
        let source = async |house| {
            let source = app.role_in("integration", &[house]).await;
            source.about("booking").at(house)
        };
        let told = |id: u32, given: &str| {
            json!({"source_system": "pms", "source_id": id.to_string(),
                   "guest": {"emails": [{"address": format!("{given}{id}@guests.example")}]}})
        };
        let body = |given: &str| {
            (1..=3)
                .map(|id| told(id, given).to_string())
                .collect::<Vec<_>>()
                .join("\n")
        };
        let first = imports::lines(&imports::send(&app, &source("SHA01").await, "", body("a")).await);
        assert!(
            first.iter().take(3).all(|line| line["outcome"] == "created"),
            "{first:?}"
        );
        let refused = async || {
            let officer = app.role("compliance_officer").await.about("audit").at("GROUP");
            let listed = app
                .get(&officer, "/v1/audit/entries?action=put_record&decision=denied")
                .await;
            let entries = listed.body["items"].as_array().unwrap().clone();
            assert!(
                entries.iter().all(|entry| entry["property"] == "LIS01"),
                "{entries:?}"
            );
            entries.len()
        };
        let mut alone = told(1, "b");
        alone.as_object_mut().unwrap().retain(|name, _| name == "guest");
        let over = app.put(&source("LIS01").await, "/v1/records/pms/1", alone).await;
        assert_eq!((over.status, refused().await), (422, 1), "{over:?}");
        // In company nobody suffers, and each refusal is told of once; a check beforehand says the same.
        let mixed = format!("{}\n{}", body("c"), told(4, "c"));
        for (query, count) in [("?dry_run=true", 1), ("", 4)] {
            let lines = imports::send(&app, &source("LIS01").await, query, mixed.clone()).await;
            let lines = imports::lines(&lines);
            let outcomes: Vec<&Value> = lines.iter().take(4).map(|line| &line["outcome"]).collect();
            assert_eq!(
                outcomes,
                ["rejected", "rejected", "rejected", "created"],
                "{lines:?}"
            );
            assert!(lines[0].get("guest_id").is_none_or(Value::is_null), "{lines:?}");
            assert_eq!(refused().await, count);
        }
        app.finish().await;
    }
);
