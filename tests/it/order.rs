//! P2 and P4: nothing is shown without a record, and what was taken away is gone from the next request on.

use std::cell::Cell;

use futures_util::future::join_all;
use guest_vault::{access::operator, base::RequestId, on, store::Which};
use serde_json::{Value, json};

use crate::support::{
    app::{Answer, Errand, TestApp},
    canaries::Canaries,
    database::{Database, both, on_postgres},
    guests,
    lossy::Line,
};

async fn run(app: &TestApp, sql: &'static str) {
    let mut tx = app.app.vault.store.begin().await.unwrap();
    on!(&mut tx, c => { sqlx::raw_sql(sql).execute(c).await.unwrap(); });
    tx.commit().await.unwrap();
}

/// A filled guest who agreed to marketing, and the canaries in it.
async fn fill(app: &TestApp) -> (String, Canaries) {
    let mut canaries = Canaries::default();
    let record = json!({"guest": guests::filled(&mut canaries), "stays": [guests::stay(&mut canaries)],
                        "consents": [guests::consent(&mut canaries, "marketing_direct")]});
    let guest = app.guest("pms/1", record).await;
    (guest, canaries)
}

/// Every call there is, as somebody who may make it and as somebody who may not.
async fn every_call(app: &TestApp, guest: &str, canaries: &mut Canaries) -> Vec<(&'static str, Answer)> {
    let path = format!("/v1/guests/{guest}");
    let desk = app
        .errand("front_desk", "check_in")
        .await
        .with("vault-reason", "at the desk");
    let (integration, keeping) = (
        app.errand("integration", "booking").await,
        app.role("housekeeping").await,
    );
    let (crm, auditor) = (
        app.errand("crm", "marketing_direct").await,
        app.role("auditor").await,
    );
    let record = json!({"guest": guests::filled(canaries), "stays": [guests::stay(canaries)]});
    let stay = guests::stay(canaries);
    let consent = guests::consent(canaries, "event_invitation");
    let correction = json!({"name": {"given": canaries.marked("patch")}});
    let missing = "/v1/guests/0198c5a0-0000-7000-8000-000000000000";
    vec![
        ("get", app.get(&desk, &path).await),
        ("get with consent", app.get(&crm, &path).await),
        ("get, not allowed", app.get(&auditor, &path).await),
        ("get, hidden", app.get(&keeping.clone().at("SHA01"), &path).await),
        ("get, missing", app.get(&desk, missing).await),
        (
            "reveal",
            app.post(
                &desk,
                &format!("{path}/reveal"),
                json!({"fields": ["phones", "id_documents"]}),
            )
            .await,
        ),
        (
            "reveal, no reason",
            app.post(
                &keeping,
                &format!("{path}/reveal"),
                json!({"fields": ["id_documents"]}),
            )
            .await,
        ),
        ("records", app.get(&desk, &format!("{path}/records")).await),
        ("patch", app.patch(&desk, &path, correction.clone()).await),
        ("patch, not allowed", app.patch(&keeping, &path, correction).await),
        (
            "stay",
            app.put(
                &integration,
                &format!("{path}/stays/{}", stay["reservation"].as_str().unwrap()),
                stay_of(&stay),
            )
            .await,
        ),
        (
            "consent",
            app.post(&desk, &format!("{path}/consents"), consent).await,
        ),
        ("consents", app.get(&desk, &format!("{path}/consents")).await),
        (
            "put, known",
            app.put(&integration, "/v1/records/pms/1", record.clone()).await,
        ),
        (
            "put, new",
            app.put(&integration, "/v1/records/pms/2", record).await,
        ),
        (
            "log",
            app.get(&auditor, &format!("/v1/audit/entries?guest_id={guest}"))
                .await,
        ),
        ("another's property", app.get(&narrow(app).await, &path).await),
    ]
}

fn stay_of(stay: &Value) -> Value {
    let mut stay = stay.clone();
    stay.as_object_mut().unwrap().remove("reservation");
    stay
}

/// Somebody of Shanghai who asks for Lisbon.
async fn narrow(app: &TestApp) -> Errand {
    app.role_in("front_desk", &["SHA01"]).await
}

fn silent(calls: &[(&'static str, Answer)], canaries: &Canaries) {
    for (call, answer) in calls {
        assert_eq!((answer.status, answer.problem()), (503, "unavailable"), "{call}");
        let all = format!("{:?} {}", answer.headers, answer.body);
        assert_eq!(
            canaries.in_bytes(call, all.as_bytes()),
            [],
            "{call}: told without a record"
        );
        assert!(
            !answer.headers.contains_key("etag"),
            "{call}: the version is told without a record"
        );
    }
}

/// How much of everything is stored.
async fn rows(app: &TestApp) -> Vec<i64> {
    let mut conn = app.app.vault.store.read().await.unwrap();
    let mut counts = Vec::new();
    for sql in [
        "SELECT count(*) FROM guest",
        "SELECT count(*) FROM field_value",
        "SELECT count(*) FROM stay",
        "SELECT count(*) FROM consent",
        "SELECT count(*) FROM blind_index",
        "SELECT CAST(sum(version) AS BIGINT) FROM guest",
        "SELECT CAST(sum(version) AS BIGINT) FROM field_value",
    ] {
        counts.push(on!(&mut conn, c => sqlx::query_scalar(sql).fetch_one(c).await.unwrap()));
    }
    counts
}

both!(
    without_its_record_nothing_is_shown_and_nothing_changed,
    async |database| {
        let app = TestApp::start(database).await;
        let (guest, mut canaries) = fill(&app).await;
        // Keys of principals are made first: making them is recorded too.
        every_call(&app, "0198c5a0-0000-7000-8000-000000000000", &mut canaries).await;
        let before = rows(&app).await;
        run(&app, "ALTER TABLE audit_event RENAME TO audit_event_lost").await;
        let calls = every_call(&app, &guest, &mut canaries).await;
        silent(&calls, &canaries);
        assert_eq!(rows(&app).await, before, "something was changed without a record");
        run(&app, "ALTER TABLE audit_event_lost RENAME TO audit_event").await;
        let calls = every_call(&app, &guest, &mut canaries).await;
        assert!(
            calls.iter().all(|(_, answer)| answer.status < 500),
            "it does not recover"
        );
        assert_eq!(calls[0].1.status, 200);
        app.finish().await;
    }
);

/// The insert succeeds and the commit fails: only what is durable counts.
#[test]
fn a_record_that_fails_at_its_commit_is_no_record_postgres() {
    on_postgres(async |database: &Database| {
        let app = TestApp::start(database).await;
        let (guest, mut canaries) = fill(&app).await;
        every_call(&app, "0198c5a0-0000-7000-8000-000000000000", &mut canaries).await;
        let before = rows(&app).await;
        run(
            &app,
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
             CREATE CONSTRAINT TRIGGER late AFTER INSERT ON audit_event DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW EXECUTE FUNCTION refuse()",
        )
        .await;
        silent(&every_call(&app, &guest, &mut canaries).await, &canaries);
        assert_eq!(rows(&app).await, before, "something was changed without a record");
        run(&app, "DROP TRIGGER late ON audit_event").await;
        assert_eq!(every_call(&app, &guest, &mut canaries).await[0].1.status, 200);
        app.finish().await;
    });
}

/// After a lost answer the record may be there: the retry finds it, and it opens.
#[test]
fn a_write_whose_answer_was_lost_is_whole_after_the_retry_postgres() {
    on_postgres(async |database: &Database| {
        let (cluster, _) = database.cluster().unwrap();
        let line = Line::to(cluster.dir());
        let through =
            |url: String| url.replace(&*cluster.dir().to_string_lossy(), &line.dir().to_string_lossy());
        let data = Database::at(&through(database.data_url()), Which::Data).await;
        let app = TestApp::start_on(database, (data, database.open(Which::Keys).await)).await;
        let errand = app.errand("integration", "booking").await;
        let officer = app.errand("compliance_officer", "subject_request").await;
        for round in 0..8 {
            let mut canaries = Canaries::default();
            let record =
                json!({"guest": guests::filled(&mut canaries), "stays": [guests::stay(&mut canaries)]});
            let path = format!("/v1/records/pms/{round}");
            line.lose_next_commit();
            let lost = app.put(&errand, &path, record.clone()).await;
            assert!(line.has_lost(), "no commit passed by");
            assert_eq!(lost.status, 503, "an answer that was lost is no success");
            let again = app.put(&errand, &path, record).await;
            assert!(again.status == 200 || again.status == 201, "{again:?}");
            let guest = again.body["guest_id"].as_str().unwrap();
            let read = app.get(&officer, &format!("/v1/guests/{guest}/records")).await;
            assert_eq!(read.status, 200, "an acknowledged record does not open");
        }
        assert_eq!(app.app.vault.inspect().await.unwrap().damaged, 0);
        app.app.close().await;
    });
}

/// What watchers and the one who takes away tell each other.
#[derive(Default)]
struct Scene {
    gone: Cell<bool>,
    stop: Cell<bool>,
    shown: Cell<usize>,
    hidden: Cell<usize>,
}

impl Scene {
    /// Waits until enough looks of a kind were taken, however slow the machine is.
    async fn until_some(&self, looks: &Cell<usize>) {
        for _ in 0..4_000 {
            if looks.get() >= 6 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        self.stop.set(true);
        panic!(
            "nobody looked: {} shown, {} hidden",
            self.shown.get(),
            self.hidden.get()
        );
    }
}

/// Asks again and again until told to stop. A look that began after it was gone shows nothing.
async fn watch(app: &TestApp, errand: &Errand, path: &str, scene: &Scene, shows: impl Fn(&Answer) -> bool) {
    while !scene.stop.get() {
        let began_after = scene.gone.get();
        let answer = app.get(errand, path).await;
        if shows(&answer) {
            assert!(
                !began_after,
                "shown by a request that began after it was taken away"
            );
            scene.shown.set(scene.shown.get() + 1);
        } else if began_after {
            scene.hidden.set(scene.hidden.get() + 1);
        }
    }
}

/// Six who look, and one who takes away in between.
async fn takes_away(
    app: &TestApp,
    errand: &Errand,
    path: &str,
    shows: impl Fn(&Answer) -> bool,
    take: impl Future<Output = ()>,
) {
    let scene = Scene::default();
    let watchers = join_all((0..6).map(|_| watch(app, errand, path, &scene, &shows)));
    let taker = async {
        scene.until_some(&scene.shown).await;
        take.await;
        scene.gone.set(true);
        scene.until_some(&scene.hidden).await;
        scene.stop.set(true);
    };
    futures_util::future::join(watchers, taker).await;
}

both!(a_withdrawal_holds_from_the_next_request_on, async |database| {
    let app = TestApp::start(database).await;
    let (guest, _) = fill(&app).await;
    let path = format!("/v1/guests/{guest}");
    let crm = app.errand("crm", "marketing_direct").await;
    let desk = app.role("front_desk").await;
    let say = async |state: &str, at: Option<&str>| {
        let statement = json!({"purpose": "marketing_direct", "state": state, "channel": "web", "at": at});
        let answer = app.post(&desk, &format!("{path}/consents"), statement).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(answer.body["state"], state);
    };
    for round in 0..5 {
        app.set_clock(&format!("2026-03-05T10:0{round}:01Z"));
        // A channel whose clock runs ahead: the withdrawal comes later all the same.
        let ahead = format!("2026-03-05T10:0{}:30Z", round + 3);
        say("given", (round % 2 == 1).then_some(ahead.as_str())).await;
        app.set_clock(&format!("2026-03-05T10:0{round}:02Z"));
        takes_away(
            &app,
            &crm,
            &path,
            |answer| answer.view("name.surname") == "plain",
            say("withdrawn", None),
        )
        .await;
    }
    app.finish().await;
});

both!(
    a_revoked_key_opens_nothing_from_the_next_request_on,
    async |database| {
        let app = TestApp::start(database).await;
        let (guest, _) = fill(&app).await;
        let path = format!("/v1/guests/{guest}");
        for scope in [["GROUP"], ["LIS01"]] {
            let desk = app.role_in("front_desk", &scope).await;
            let all = app.app.access.principals.list().await.unwrap();
            let principal = all.last().unwrap().id;
            let revoke = async {
                app.app
                    .access
                    .principals
                    .revoke(principal, &operator().unwrap(), RequestId::random())
                    .await
                    .unwrap();
            };
            takes_away(&app, &desk, &path, |answer| answer.status == 200, revoke).await;
            let refused = app.get(&desk, &path).await;
            assert_eq!((refused.status, refused.problem()), (401, "unauthenticated"));
        }
        app.finish().await;
    }
);

both!(
    a_changed_stay_moves_the_window_from_the_next_request_on,
    async |database| {
        let app = TestApp::start(database).await;
        let (guest, _) = fill(&app).await;
        let path = format!("/v1/guests/{guest}");
        let stays = app
            .get(&app.role("duty_manager").await, &path)
            .await
            .value("stay_links")
            .clone();
        let reservation = stays[0]["reservation"].as_str().unwrap();
        let cancel = async {
            let stay = json!({"arrival": "2026-03-04", "departure": "2026-03-07", "status": "cancelled"});
            let integration = app.errand("integration", "booking").await;
            let answer = app
                .put(&integration, &format!("{path}/stays/{reservation}"), stay)
                .await;
            assert_eq!(answer.status, 200, "{answer:?}");
        };
        let kitchen = app.role("food_beverage").await;
        takes_away(
            &app,
            &kitchen,
            &path,
            |answer| answer.view("diet") == "plain",
            cancel,
        )
        .await;
        app.finish().await;
    }
);
