//! Who works for one house has to do with the guests of this house: cases, holds, merges, the portal, registers, reviews.

use serde_json::{Value, json};

use crate::{
    rights::lin,
    support::{
        app::{Answer, Errand, TestApp},
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
    let source = app.errand("integration", "booking").await.at(house);
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
