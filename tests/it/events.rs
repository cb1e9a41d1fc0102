//! Events: one for each change and none without, told in one order, to who may hear it, and never a guest's data.

use std::{
    collections::VecDeque,
    io::{Read as _, Write as _},
    net::TcpListener,
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use actix_web::http::Method;
use guest_vault::{
    access::Budgets,
    config::{Budget, BudgetsConfig, EventsConfig, WebhookConfig},
    crypto::HookKey,
    jobs::{Courier, Receiver},
};
use serde_json::{Value, json};

use crate::support::{
    app::{Answer, Errand, TestApp},
    canaries::Canaries,
    database::{Database, both},
    guests,
};

/// Headers, names in lower case, and body.
pub(crate) type Call = (Vec<(String, String)>, Vec<u8>);

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

async fn feed(app: &TestApp, errand: &Errand, after: u64) -> Answer {
    let answer = app.get(errand, &format!("/v1/events?after={after}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

fn told(answer: &Answer) -> Vec<(&str, &str)> {
    let items = answer.body["items"].as_array().unwrap();
    items
        .iter()
        .map(|e| (e["type"].as_str().unwrap(), e["subject"].as_str().unwrap_or("")))
        .collect()
}

both!(each_change_is_told_once_and_in_order, async |database| {
    let app = TestApp::start(database).await;
    let mut canaries = Canaries::default();
    let record = json!({"guest": guests::filled(&mut canaries), "stays": [guests::stay(&mut canaries)],
                        "consents": [guests::consent(&mut canaries, "marketing_direct")]});
    let guest = app.guest("pms/1", record.clone()).await;
    let listener = app.errand("integration", "booking").await;
    let first = feed(&app, &listener, 0).await;
    assert_eq!(
        told(&first),
        [
            ("consent.changed", guest.as_str()),
            ("guest.created", guest.as_str())
        ]
    );
    let created = &first.body["items"][1];
    assert_eq!(created["specversion"], "1.0");
    assert_eq!(created["data"]["property"], "LIS01");
    assert!(
        created["data"]["fields"]
            .as_array()
            .unwrap()
            .contains(&json!("emails")),
        "{created}"
    );
    assert!(
        created["data"]["fields"]
            .as_array()
            .unwrap()
            .contains(&json!("stay_links")),
        "{created}"
    );
    assert_eq!(first.body["items"][0]["data"]["purpose"], "marketing_direct");
    assert!(
        first.body["items"][0]["data"].get("state").is_none(),
        "what was said is asked for"
    );

    // The same words again are no change; a correction, a stay and a consent are.
    let errand = app.errand("integration", "booking").await;
    app.put(&errand, "/v1/records/pms/1", record).await;
    let desk = app.errand("front_desk", "check_in").await;
    let path = format!("/v1/guests/{guest}");
    let given = json!({"name": {"given": canaries.marked("patch")}});
    assert_eq!(app.patch(&desk, &path, given).await.status, 200);
    let stay = guests::stay(&mut canaries);
    let reservation = stay["reservation"].as_str().unwrap().to_owned();
    let mut body = stay.clone();
    body.as_object_mut().unwrap().remove("reservation");
    let put = app.put(&desk, &format!("{path}/stays/{reservation}"), body).await;
    assert!(put.status < 300, "{put:?}");
    let consent = guests::consent(&mut canaries, "event_invitation");
    assert!(app.post(&desk, &format!("{path}/consents"), consent).await.status < 300);
    // What is refused changes nothing, and nothing is told.
    assert_eq!(
        app.patch(&desk, &path, json!({"emails": [{"address": "*****"}]}))
            .await
            .status,
        422
    );
    let after = first.body["next_after"].as_str().unwrap().parse().unwrap();
    let second = feed(&app, &listener, after).await;
    assert_eq!(
        told(&second)
            .into_iter()
            .map(|(kind, _)| kind)
            .collect::<Vec<_>>(),
        ["guest.updated", "guest.updated", "consent.changed"]
    );
    assert_eq!(second.body["items"][0]["data"]["fields"], json!(["name.given"]));
    let sequences: Vec<&str> = [&first, &second]
        .iter()
        .flat_map(|a| a.body["items"].as_array().unwrap())
        .map(|e| e["sequence"].as_str().unwrap())
        .collect();
    assert_eq!(sequences, ["1", "2", "3", "4", "5"], "no gap");
    let both = [first.bytes.as_slice(), second.bytes.as_slice()].concat();
    assert_eq!(
        canaries.in_bytes("the feed", &both).len(),
        0,
        "an event holds no data"
    );
    app.finish().await;
});

both!(a_listener_hears_what_it_may, async |database| {
    let app = TestApp::start(database).await;
    app.guest("pms/1", json!({"guest": {"name": {"surname": "Silva"}}}))
        .await;
    for role in ["front_desk", "marketing", "admin", "auditor", "partner"] {
        let answer = app.get(&app.role(role).await, "/v1/events").await;
        assert_eq!((answer.status, answer.problem()), (403, "forbidden"), "{role}");
    }
    let lisbon = app.role_in("integration", &["LIS01"]).await;
    let shanghai = app.role_in("integration", &["SHA01"]).await;
    assert_eq!(told(&feed(&app, &lisbon, 0).await).len(), 1);
    let silent = feed(&app, &shanghai, 0).await;
    assert_eq!(
        (told(&silent).len(), &silent.body["next_after"]),
        (0, &json!("1")),
        "it goes on all the same"
    );
    for wrong in [
        "after=-1",
        "after=x",
        "after=9223372036854775808",
        "limit=0",
        "limit=201",
        "cursor=x",
    ] {
        let answer = app.get(&lisbon, &format!("/v1/events?{wrong}")).await;
        assert_eq!(answer.status, 400, "{wrong}");
    }
    // Who comes back after the events were swept is told that it missed some.
    app.guest("pms/2", json!({"guest": {"name": {"surname": "Sousa"}}}))
        .await;
    app.guest("pms/3", json!({"guest": {"name": {"surname": "Costa"}}}))
        .await;
    assert_eq!(told(&feed(&app, &lisbon, 1).await).len(), 2);
    app.set_clock("2026-05-05T10:00:00Z");
    assert_eq!(app.app.courier.sweep().await.unwrap(), 3);
    let late = app.get(&lisbon, "/v1/events?after=1").await;
    assert_eq!((late.status, late.problem()), (410, "gone"));
    assert_eq!(told(&feed(&app, &lisbon, 0).await).len(), 0);
    assert_eq!(told(&feed(&app, &lisbon, 3).await).len(), 0);
    let ahead = app.get(&lisbon, "/v1/events?after=4").await;
    assert_eq!(
        (ahead.status, ahead.problem()),
        (410, "gone"),
        "no event had that number yet"
    );
    app.finish().await;
});

both!(a_budget_that_is_used_up_is_told_once, async |database| {
    let mut app = TestApp::start(database).await;
    let default = Budget {
        reveals_per_hour: 2,
        ..Budget::default()
    };
    let config = BudgetsConfig {
        default,
        ..BudgetsConfig::default()
    };
    app.app.vault.budgets = Arc::new(Budgets::new(config, app.clock.clone()));
    let guest = app
        .guest(
            "pms/1",
            json!({"guest": {"name": {"surname": "Silva"}, "phones": [{"number": "+351912345678"}]}}),
        )
        .await;
    let desk = app
        .errand("front_desk", "check_in")
        .await
        .with("vault-reason", "a call back");
    let mut refused = 0;
    for _ in 0..5 {
        let answer = app
            .post(
                &desk,
                &format!("/v1/guests/{guest}/reveal"),
                json!({"fields": ["phones"]}),
            )
            .await;
        refused += u32::from(answer.status == 429);
    }
    assert_eq!(refused, 3, "the budget ends");
    let listener = app.role("compliance_officer").await;
    let heard = feed(&app, &listener, 1).await;
    assert_eq!(told(&heard), [("access.budget_exceeded", "")]);
    assert!(heard.body["items"][0]["data"]["principal"].is_string());
    app.finish().await;
});

/// Takes calls on the loopback interface and answers as told; each call is handed on whole.
pub(crate) struct Listener {
    pub(crate) url: String,
    calls: mpsc::Receiver<Call>,
    answers: Arc<Mutex<VecDeque<u16>>>,
}

impl Listener {
    pub(crate) fn start() -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook", socket.local_addr().unwrap());
        let (send, calls) = mpsc::channel();
        let answers = Arc::new(Mutex::new(VecDeque::new()));
        let next = Arc::clone(&answers);
        std::thread::spawn(move || {
            for stream in socket.incoming() {
                let mut stream = stream.unwrap();
                stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
                let Some(call) = read_call(&mut stream) else {
                    continue;
                };
                let status = next.lock().unwrap().pop_front().unwrap_or(204);
                let reply = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                stream.write_all(reply.as_bytes()).unwrap();
                if send.send(call).is_err() {
                    return;
                }
            }
        });
        Self { url, calls, answers }
    }

    pub(crate) fn answer(&self, statuses: &[u16]) {
        self.answers.lock().unwrap().extend(statuses);
    }

    fn taken(&self) -> Vec<Call> {
        self.calls.try_iter().collect()
    }
}

fn read_call(stream: &mut std::net::TcpStream) -> Option<Call> {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let headers: Vec<(String, String)> = head
                .lines()
                .skip(1)
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
                .collect();
            let length = headers
                .iter()
                .find(|(n, _)| n == "content-length")?
                .1
                .parse::<usize>()
                .ok()?;
            if body.len() >= length {
                return Some((headers, body.as_bytes().to_vec()));
            }
        }
        let read = stream.read(&mut part).ok()?;
        if read == 0 {
            return None;
        }
        bytes.extend_from_slice(&part[..read]);
    }
}

pub(crate) fn hook(database: &Database, url: &str) -> WebhookConfig {
    let secret_file = database.dir().join("hook.secret");
    std::fs::write(&secret_file, format!("{SECRET}\nwhsec_{}\n", "A".repeat(32))).unwrap();
    WebhookConfig {
        name: "crm".to_owned(),
        url: url.to_owned(),
        secret_file,
        events: Vec::new(),
        property: None,
        allow: vec!["127.0.0.1".parse().unwrap()],
        acknowledges_with: None,
        acknowledges_within_days: 30,
    }
}

/// An app that tells these receivers.
pub(crate) async fn telling(database: &Database, webhooks: &[WebhookConfig]) -> TestApp {
    let mut app = TestApp::start(database).await;
    app.app.courier = Arc::new(courier(&app, webhooks));
    app
}

fn courier(app: &TestApp, webhooks: &[WebhookConfig]) -> Courier {
    let vault = &app.app.vault;
    Courier::open(
        vault.store.clone(),
        app.clock.clone(),
        (&EventsConfig::default(), webhooks),
        &vault.properties,
    )
    .unwrap()
}

fn header<'c>(call: &'c Call, name: &str) -> &'c str {
    &call.0.iter().find(|(n, _)| n == name).unwrap().1
}

both!(a_webhook_is_signed_and_sent_once, async |database| {
    let listener = Listener::start();
    let app = telling(database, &[hook(database, &listener.url)]).await;
    app.guest("pms/0", json!({"guest": {"name": {"surname": "Before"}}}))
        .await;
    // A new receiver hears what happens from now on.
    app.app.courier.step().await.unwrap();
    app.app.courier.step().await.unwrap();
    assert_eq!(listener.taken().len(), 0);
    let guest = app
        .guest("pms/1", json!({"guest": {"name": {"surname": "Silva"}}}))
        .await;
    // Another instance does not send what this one sends.
    let other = courier(&app, &[hook(database, &listener.url)]);
    assert!(other.step().await.unwrap().held);
    assert_eq!(app.app.courier.step().await.unwrap().taken, 1);
    assert_eq!(app.app.courier.step().await.unwrap().taken, 0);
    let calls = listener.taken();
    assert_eq!(calls.len(), 1);
    let call = &calls[0];
    let body: Value = serde_json::from_slice(&call.1).unwrap();
    assert_eq!(
        (&body["type"], &body["subject"]),
        (&json!("guest.created"), &json!(guest))
    );
    assert_eq!(header(call, "content-type"), "application/cloudevents+json");
    assert_eq!(header(call, "webhook-id"), body["id"]);
    let at = app.clock.now().timestamp();
    assert_eq!(header(call, "webhook-timestamp"), at.to_string());
    let signatures: Vec<&str> = header(call, "webhook-signature").split(' ').collect();
    let key = HookKey::parse(SECRET).unwrap();
    assert_eq!(signatures.len(), 2, "while a secret is changed both sign");
    assert_eq!(signatures[0], key.sign(header(call, "webhook-id"), at, &call.1));
    // Gone instances leave the right to another after a minute; a stopped one at once.
    app.app.courier.leave().await.unwrap();
    assert!(!other.step().await.unwrap().held);
    assert!(app.app.courier.step().await.unwrap().held);
    app.set_clock("2026-03-05T10:05:00Z");
    assert!(!app.app.courier.step().await.unwrap().held);
    app.finish().await;
});

both!(nothing_waits_for_a_clock_that_was_ahead, async |database| {
    let listener = Listener::start();
    let app = telling(database, &[hook(database, &listener.url)]).await;
    let other = courier(&app, &[hook(database, &listener.url)]);
    app.app.courier.step().await.unwrap();
    app.guest("pms/1", json!({"guest": {"name": {"surname": "Silva"}}}))
        .await;
    app.set_clock("2026-04-14T10:00:00Z");
    listener.answer(&[500]);
    assert_eq!(app.app.courier.step().await.unwrap().failed, 1);
    // Two clocks may differ by a good part of the lease …
    app.set_clock("2026-04-14T09:59:20Z");
    assert!(other.step().await.unwrap().held);
    // … but nobody waits forty days for a lease, or with what was put off until then.
    app.set_clock("2026-03-05T10:00:00Z");
    let done = other.step().await.unwrap();
    assert_eq!((done.held, done.taken), (false, 1), "{done:?}");
    app.finish().await;
});

both!(
    what_is_not_taken_is_sent_again_and_given_up_at_last,
    async |database| {
        let listener = Listener::start();
        let mut only = hook(database, &listener.url);
        only.events = vec!["guest.created".to_owned()];
        only.property = Some("LIS01".parse().unwrap());
        let app = telling(database, &[only]).await;
        app.app.courier.step().await.unwrap();
        app.guest("pms/1", json!({"guest": {"name": {"surname": "Silva"}}}))
            .await;
        app.guest("pms/1", json!({"guest": {"name": {"surname": "Sylva"}}}))
            .await;
        let elsewhere = app.errand("integration", "booking").await.at("SHA01");
        app.put(
            &elsewhere,
            "/v1/records/pms/9",
            json!({"guest": {"name": {"surname": "Wang"}}}),
        )
        .await;
        listener.answer(&[500; 10]);
        assert_eq!(app.app.courier.step().await.unwrap().failed, 1);
        assert_eq!(
            app.app.courier.step().await.unwrap().failed,
            0,
            "not before its time"
        );
        let admin = app.role("admin").await;
        let state = app.get(&admin, "/v1/webhooks").await;
        assert_eq!(
            state.body["items"],
            json!([{"name": "crm", "position": 3, "waiting": 1, "dead": 0}])
        );
        for day in 6..16 {
            app.set_clock(&format!("2026-03-{day:02}T23:00:00Z"));
            app.app.courier.step().await.unwrap();
        }
        let calls = listener.taken();
        assert_eq!(calls.len(), 10, "ten tries");
        assert!(
            calls
                .iter()
                .all(|c| header(c, "webhook-id") == header(&calls[0], "webhook-id"))
        );
        let dead = app.get(&admin, "/v1/webhooks/crm/dead-letters").await;
        assert_eq!(dead.status, 200, "{dead:?}");
        let letter = &dead.body["items"][0];
        assert_eq!(
            (&letter["answer"], &letter["attempts"], &letter["type"]),
            (&json!("500"), &json!(10), &json!("guest.created"))
        );
        let again = app
            .post(&admin, "/v1/webhooks/crm/redeliveries", Value::Null)
            .await;
        assert_eq!(again.body, json!({"events": 1}), "{again:?}");
        assert_eq!(app.app.courier.step().await.unwrap().taken, 1);
        let state = app.get(&admin, "/v1/webhooks").await;
        assert_eq!(state.body["items"][0]["dead"], 0);
        // 410: the receiver wants no more of it.
        app.guest("pms/2", json!({"guest": {"name": {"surname": "Costa"}}}))
            .await;
        listener.answer(&[410]);
        app.app.courier.step().await.unwrap();
        let dead = app.get(&admin, "/v1/webhooks/crm/dead-letters?limit=1").await;
        assert_eq!(dead.body["items"][0]["answer"], "410");
        assert_eq!(
            app.get(&admin, "/v1/webhooks/none/dead-letters").await.status,
            404
        );
        for role in ["integration", "compliance_officer", "front_desk"] {
            let errand = app.role(role).await;
            for (method, path) in [
                (Method::GET, "/v1/webhooks"),
                (Method::GET, "/v1/webhooks/crm/dead-letters"),
                (Method::POST, "/v1/webhooks/crm/redeliveries"),
            ] {
                assert_eq!(
                    app.call(&errand, method, path, None).await.status,
                    403,
                    "{role} {path}"
                );
            }
        }
        app.finish().await;
    }
);

both!(an_address_inside_is_refused, async |database| {
    let app = TestApp::start(database).await;
    let listener = Listener::start();
    let mut inside = hook(database, &listener.url);
    inside.allow.clear();
    let told = Receiver::new(&inside, &app.app.vault.properties)
        .err()
        .unwrap()
        .to_string();
    assert!(told.contains("crm") && told.contains("loopback"), "{told}");
    // A name that leads inside is found out when it is resolved, at each call.
    inside.url = inside.url.replace("127.0.0.1", "localhost");
    let app2 = courier(&app, &[inside]);
    app2.step().await.unwrap();
    app.guest("pms/1", json!({"guest": {"name": {"surname": "Silva"}}}))
        .await;
    assert_eq!(app2.step().await.unwrap().failed, 1);
    assert_eq!(listener.taken().len(), 0, "nobody was called");
    let due = i64::MAX;
    let mut conn = app.app.vault.store.read().await.unwrap();
    assert_eq!(
        conn.due("crm", (due, due), 10).await.unwrap().len(),
        1,
        "it waits"
    );
    drop(conn);
    app.finish().await;
});
