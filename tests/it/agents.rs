//! Agents that bring requests by the Data Rights Protocol 1.0: what they sign is taken in once, what they did not sign
//! is not.

use std::sync::Arc;

use actix_web::{http::Method, test::TestRequest};
use data_encoding::BASE64;
use guest_vault::{
    access::operator,
    base::{Caller, Credential, Errand, RequestId},
    crypto::{KeyMaterial, SigningKey},
    jobs::Teller,
    requests::{
        Kind,
        agents::{Agent, House},
    },
};
use serde_json::{Value, json};

use crate::{
    rights::{lin, officer},
    support::{
        app::{Answer, TestApp},
        database::both,
    },
};

fn key(seed: u8) -> SigningKey {
    SigningKey::new(KeyMaterial::from_slice(&[seed; 32]).unwrap())
}

fn message(by: &SigningKey, said: &Value) -> String {
    let text = said.to_string();
    BASE64.encode(&[by.sign(text.as_bytes()).as_slice(), text.as_bytes()].concat())
}

fn asked(agent: &str, exercise: &str, issued: &str) -> Value {
    json!({"agent-id": agent, "business-id": "ATLANTIC", "issued-at": issued,
           "expires-at": "2026-03-05T10:09:00Z", "drp.version": "1.0", "exercise": exercise, "regime": "ccpa",
           "name": "Mei Lin", "email": "lin.mei@guests.example", "email_verified": true})
}

async fn start(database: &crate::support::database::Database, port: u16) -> TestApp {
    let mut app = TestApp::start(database).await;
    let agent = |id: &str, seed| Agent {
        id: id.to_owned(),
        key: key(seed).public(),
        callbacks: vec![format!("http://127.0.0.1:{port}/told/")],
    };
    app.app.agents = Some(Arc::new(House {
        business: "ATLANTIC".to_owned(),
        property: "GROUP".parse().unwrap(),
        agents: vec![agent("CR_AA", 1), agent("OTHER", 2)],
    }));
    app
}

async fn send(app: &TestApp, method: Method, path: &str, token: &str, body: &str) -> Answer {
    let request = TestRequest::default()
        .method(method)
        .uri(path)
        .insert_header(("authorization", format!("Bearer {token}")))
        .insert_header(("content-type", "text/plain"))
        .set_payload(body.to_owned());
    app.send(request).await
}

async fn token(app: &TestApp, agent: &str, seed: u8) -> String {
    let hello = message(&key(seed), &asked(agent, "", "2026-03-05T09:59:00Z"));
    let told = send(app, Method::POST, &format!("/drp/v1/agent/{agent}"), "", &hello).await;
    assert_eq!(told.status, 200, "{told:?}");
    told.body["token"].as_str().unwrap().to_owned()
}

const REQUESTS: &str = "/drp/v1/data-rights-request";

both!(
    an_agents_request_goes_its_way_and_tells_nothing_of_the_guest,
    async |database| {
        let app = start(database, 1).await;
        app.guest("pms/l-1", lin("R-1", "2026-01-10", "2026-01-12", "checked_out"))
            .await;
        let token = token(&app, "CR_AA", 1).await;
        let whose = send(&app, Method::GET, "/drp/v1/agent/CR_AA", &token, "").await;
        assert_eq!(whose.status, 200);
        let ask =
            async |said: &Value| send(&app, Method::POST, REQUESTS, &token, &message(&key(1), said)).await;
        let known = ask(&asked("CR_AA", "deletion", "2026-03-05T09:59:01Z")).await;
        let again = ask(&asked("CR_AA", "deletion", "2026-03-05T09:59:02Z")).await;
        let mut stranger = asked("CR_AA", "deletion", "2026-03-05T09:59:03Z");
        stranger["email"] = json!("nobody@guests.example");
        let unknown = ask(&stranger).await;
        let told = |answer: &Answer| {
            let mut body = answer.body.clone();
            body.as_object_mut().unwrap().remove("request_id");
            (answer.status, body)
        };
        assert_eq!(known.body["status"], "open", "{known:?}");
        assert!(
            known.body["expected_by"]
                .as_str()
                .unwrap()
                .starts_with("2026-04-"),
            "{known:?}"
        );
        assert_eq!((told(&again), told(&unknown)), (told(&known), told(&known)));

        let path = |answer: &Answer| format!("{REQUESTS}/{}", answer.body["request_id"].as_str().unwrap());
        let officer_path =
            |answer: &Answer| format!("/v1/requests/{}", answer.body["request_id"].as_str().unwrap());
        let one = officer(&app, "o-1").await;
        let denied = app
            .post(
                &one,
                &format!("{}/decision", officer_path(&unknown)),
                json!({"decision": "deny", "ground": "no_match"}),
            )
            .await;
        assert_eq!(denied.status, 200, "{denied:?}");
        let state = send(&app, Method::GET, &path(&unknown), &token, "").await;
        assert_eq!(
            (&state.body["status"], &state.body["reason"]),
            (&json!("denied"), &json!("no_match"))
        );
        app.post(
            &one,
            &format!("{}/verify", officer_path(&known)),
            json!({"result": "needed"}),
        )
        .await;
        let unsigned = send(
            &app,
            Method::DELETE,
            &path(&known),
            &token,
            &message(&key(2), &json!({})),
        )
        .await;
        assert_eq!(unsigned.status, 403, "taken back by another's signature");
        let back = message(&key(1), &json!({"reason": "I changed my mind"}));
        let revoked = send(&app, Method::DELETE, &path(&known), &token, &back).await;
        assert_eq!(revoked.body["status"], "revoked", "{revoked:?}");
        let twice = send(&app, Method::DELETE, &path(&known), &token, &back).await;
        assert_eq!(twice.status, 409);
        let opt_in = ask(&asked("CR_AA", "sale:opt-in", "2026-03-05T09:59:04Z")).await;
        assert_eq!(
            (&opt_in.body["status"], &opt_in.body["reason"]),
            (&json!("denied"), &json!("claim_not_covered"))
        );
        app.finish().await;
    }
);

both!(
    what_an_agent_did_not_sign_for_this_house_now_is_refused,
    async |database| {
        let app = start(database, 1).await;
        let (first, second) = (token(&app, "CR_AA", 1).await, token(&app, "OTHER", 2).await);
        let said = asked("CR_AA", "access", "2026-03-05T09:59:01Z");
        let good = message(&key(1), &said);
        let ask =
            async |token: &str, body: &str| send(&app, Method::POST, REQUESTS, token, body).await.status;
        let with = |name: &str, value: &str| {
            let mut other = said.clone();
            other[name] = json!(value);
            message(&key(1), &other)
        };
        assert_eq!(ask("", &good).await, 401, "no token");
        assert_eq!(ask("0000", &good).await, 401, "nobody's token");
        assert_eq!(ask(&second, &good).await, 403, "another agent's token");
        assert_eq!(
            ask(&first, &message(&key(2), &said)).await,
            403,
            "signed by another"
        );
        assert_eq!(ask(&first, &with("agent-id", "OTHER")).await, 403);
        assert_eq!(ask(&first, &with("business-id", "PACIFIC")).await, 403);
        assert_eq!(ask(&first, &with("issued-at", "2026-03-05T10:05:00Z")).await, 400);
        assert_eq!(
            ask(&first, &with("expires-at", "2026-03-05T09:59:59Z")).await,
            400
        );
        assert_eq!(ask(&first, "not base64!").await, 400);
        assert_eq!(ask(&first, &BASE64.encode(b"short")).await, 400);
        assert_eq!(ask(&first, &good).await, 200);
        assert_eq!(ask(&first, &good).await, 200, "told again, it opens nothing");
        let queue = app.get(&officer(&app, "o-1").await, "/v1/requests").await;
        assert_eq!(queue.body["items"].as_array().unwrap().len(), 1, "{queue:?}");
        let stolen = send(&app, Method::POST, "/drp/v1/agent/OTHER", "", &good).await;
        assert_eq!(stolen.status, 403);
        app.finish().await;
    }
);

/// Takes calls on the loopback interface: the first so many are answered 500.
fn receiver(refused: usize) -> (u16, std::sync::mpsc::Receiver<Value>) {
    use std::io::{BufRead as _, Read as _, Write as _};
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let (send, calls) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for (number, stream) in socket.incoming().enumerate() {
            let mut stream = std::io::BufReader::new(stream.unwrap());
            let (mut length, mut line) = (0, String::new());
            while stream.read_line(&mut line).unwrap() > 2 {
                if let Some(count) = line.to_lowercase().strip_prefix("content-length:") {
                    length = count.trim().parse().unwrap();
                }
                line.clear();
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).unwrap();
            let status = if number < refused { "500 No" } else { "200 OK" };
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
            if send.send(serde_json::from_slice(&body).unwrap()).is_err() {
                return;
            }
        }
    });
    (port, calls)
}

both!(
    an_agent_is_told_of_every_change_until_it_takes_it,
    async |database| {
        let (port, calls) = receiver(1);
        let app = start(database, port).await;
        app.guest("pms/l-1", lin("R-1", "2026-01-10", "2026-01-12", "checked_out"))
            .await;
        let token = token(&app, "CR_AA", 1).await;
        let mut said = asked("CR_AA", "deletion", "2026-03-05T09:59:01Z");
        said["agent-request-id"] = json!("cr-1");
        said["status_callback"] = json!(format!("http://127.0.0.1:{port}/told/cr-1"));
        let opened = send(&app, Method::POST, REQUESTS, &token, &message(&key(1), &said)).await;
        assert_eq!(opened.body["agent_request_id"], "cr-1", "{opened:?}");
        let inside = Teller::new(app.app.agent_desk(), &[]).unwrap();
        assert_eq!(
            inside.step().await.unwrap(),
            0,
            "an address inside is not called unless allowed"
        );
        let teller = Teller::new(app.app.agent_desk(), &["127.0.0.1".parse().unwrap()]).unwrap();
        app.set_clock("2026-03-05T10:02:00Z");
        assert_eq!(teller.step().await.unwrap(), 0, "it did not take it");
        assert_eq!(teller.step().await.unwrap(), 0, "the next try waits");
        app.set_clock("2026-03-05T10:05:00Z");
        assert_eq!(teller.step().await.unwrap(), 1);
        let told: Vec<Value> = calls.try_iter().collect();
        assert_eq!(told, [opened.body.clone(), opened.body.clone()]);
        app.set_clock("2026-03-05T10:06:00Z");
        assert_eq!(teller.step().await.unwrap(), 0, "there is nothing new");

        let id = opened.body["request_id"].as_str().unwrap();
        let denied = json!({"decision": "deny", "ground": "no_match"});
        app.post(
            &officer(&app, "o-1").await,
            &format!("/v1/requests/{id}/decision"),
            denied,
        )
        .await;
        app.set_clock("2026-03-05T10:07:00Z");
        assert_eq!(teller.step().await.unwrap(), 1);
        let last = calls.try_iter().last().unwrap();
        assert_eq!(
            (&last["status"], &last["reason"]),
            (&json!("denied"), &json!("no_match"))
        );
        app.set_clock("2026-03-07T10:07:00Z");
        assert_eq!(teller.step().await.unwrap(), 0, "nothing can follow");

        // An address that the operator did not name for the agent is left alone.
        let mut said = asked("CR_AA", "access", "2026-03-07T10:06:59Z");
        said["expires-at"] = json!("2026-03-07T10:16:00Z");
        said["status_callback"] = json!(format!("http://127.0.0.1:{port}/elsewhere"));
        assert_eq!(
            send(&app, Method::POST, REQUESTS, &token, &message(&key(1), &said))
                .await
                .status,
            200
        );
        app.set_clock("2026-03-07T10:09:00Z");
        assert_eq!(teller.step().await.unwrap(), 0);
        app.finish().await;
    }
);

/// The id of the request that an answer is about.
fn id(answer: &Answer) -> &str {
    answer.body["request_id"]
        .as_str()
        .unwrap_or_else(|| panic!("{answer:?}"))
}

/// Asks for a deletion as this agent.
async fn ask(app: &TestApp, (agent, seed): (&str, u8), issued: &str) -> Answer {
    let said = asked(agent, "deletion", issued);
    let token = token(app, agent, seed).await;
    let answer = send(app, Method::POST, REQUESTS, &token, &message(&key(seed), &said)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

both!(
    what_was_joined_with_a_request_outlives_its_taking_back,
    async |database| {
        let app = start(database, 1).await;
        let guest = app
            .guest("pms/l-1", lin("R-1", "2026-01-10", "2026-01-12", "checked_out"))
            .await;
        let one = officer(&app, "o-1").await;
        let case = |id: &str| format!("/v1/requests/{id}");
        let verify = async |id: &str| {
            let path = format!("{}/verify", case(id));
            app.post(&one, &path, json!({"result": "passed"})).await.status
        };
        let state = async |id: &str| app.get(&one, &case(id)).await.body["state"].clone();

        let first = ask(&app, ("CR_AA", 1), "2026-03-05T09:59:01Z").await;
        let second = ask(&app, ("OTHER", 2), "2026-03-05T09:59:02Z").await;
        let desk = app
            .errand("front_desk", "subject_request")
            .await
            .with("vault-actor", "s-1");
        let wanted = json!({"guest_id": guest, "type": "erasure", "regime": "ccpa", "received_via": "email"});
        let at_desk = app.post(&desk, "/v1/requests", wanted).await;
        assert_eq!(verify(id(&first)).await, 200);
        // In its own pages a guest is joined with nothing but what somebody was made sure of.
        let caller = Caller {
            credential: Credential::Session,
            role: "guest".parse().unwrap(),
            scope: vec!["GROUP".parse().unwrap()],
            ..operator().unwrap()
        };
        let errand = Errand {
            caller,
            property: "GROUP".parse().unwrap(),
            purpose: "subject_request".parse().unwrap(),
            reason: None,
            request: RequestId::random(),
        };
        let requests = app.app.requests();
        let own = requests.open_own(&errand, guest.parse().unwrap(), Kind::Erasure, "ccpa");
        let own = own.await.unwrap().to_string();

        let joined = [id(&second), id(&at_desk), &own];
        for other in joined {
            assert_eq!(state(other).await, "duplicate");
        }
        let back = message(&key(1), &asked("CR_AA", "", "2026-03-05T09:59:03Z"));
        let token = token(&app, "CR_AA", 1).await;
        let path = format!("{REQUESTS}/{}", id(&first));
        let revoked = send(&app, Method::DELETE, &path, &token, &back).await;
        assert_eq!(revoked.body["status"], "revoked", "{revoked:?}");
        assert_eq!(state(id(&first)).await, "revoked");
        for other in joined {
            let told = app.get(&one, &case(other)).await;
            assert_eq!(told.body["state"], "received", "{told:?}");
            assert!(told.body.get("duplicate_of").is_none(), "{told:?}");
            let steps = told.body["timeline"].as_array().unwrap();
            assert_eq!(steps.last().unwrap()["step"], "received", "{told:?}");
            assert_eq!(verify(other).await, 200);
        }
        app.finish().await;
    }
);

both!(
    what_was_joined_with_a_request_is_fulfilled_with_it,
    async |database| {
        let app = start(database, 1).await;
        app.guest("pms/l-1", lin("R-1", "2026-01-10", "2026-01-12", "checked_out"))
            .await;
        let first = ask(&app, ("CR_AA", 1), "2026-03-05T09:59:01Z").await;
        let second = ask(&app, ("OTHER", 2), "2026-03-05T09:59:02Z").await;
        let token = token(&app, "OTHER", 2).await;
        let path = format!("{REQUESTS}/{}", id(&second));
        let status = async || send(&app, Method::GET, &path, &token, "").await.body["status"].clone();
        let case = format!("/v1/requests/{}", id(&first));
        let passed = json!({"result": "passed"});
        let one = officer(&app, "o-1").await;
        assert_eq!(
            app.post(&one, &format!("{case}/verify"), passed).await.status,
            200
        );
        assert_eq!(status().await, "open", "of the other nothing is told");
        let two = officer(&app, "o-2").await;
        let approve = json!({"decision": "approve"});
        let done = app.post(&two, &format!("{case}/decision"), approve).await;
        assert_eq!(done.body["state"], "done", "{done:?}");
        assert_eq!(status().await, "fulfilled");
        let back = message(&key(2), &json!({"reason": "too late"}));
        let late = send(&app, Method::DELETE, &path, &token, &back).await;
        assert_eq!(late.status, 409, "{late:?}");
        assert_eq!(status().await, "fulfilled");
        app.finish().await;
    }
);

both!(
    a_message_is_not_spent_before_its_request_is_there,
    async |database| {
        let app = start(database, 1).await;
        let token = token(&app, "CR_AA", 1).await;
        let rename = async |from: &str, to: &str| {
            let mut tx = app.app.vault.store.begin().await.unwrap();
            let statement = sqlx::AssertSqlSafe(format!("ALTER TABLE {from} RENAME TO {to}"));
            guest_vault::on!(&mut tx, c => { sqlx::query(statement).execute(c).await.unwrap(); });
            tx.commit().await.unwrap();
        };
        let one = officer(&app, "o-1").await;
        for (table, count, name) in [("request", 1, "cr-1"), ("agent_request", 2, "cr-2")] {
            let mut said = asked("CR_AA", "deletion", "2026-03-05T09:59:01Z");
            said["agent-request-id"] = json!(name);
            said["status_callback"] = json!("http://127.0.0.1:1/told/it");
            let said = message(&key(1), &said);
            let ask = async || send(&app, Method::POST, REQUESTS, &token, &said).await;
            rename(table, "elsewhere").await;
            let failed = ask().await;
            assert!(failed.status >= 500, "{table}: {failed:?}");
            rename("elsewhere", table).await;

            let opened = ask().await;
            assert_eq!(opened.status, 200, "{table}: {opened:?}");
            assert_eq!(opened.body["agent_request_id"], name, "{table}: {opened:?}");
            // Also when its answer was lost.
            let (again, once_more) = futures_util::future::join(ask(), ask()).await;
            assert_eq!(again.body, opened.body, "{table}");
            assert_eq!(once_more.body, opened.body, "{table}");
            let queue = app.get(&one, "/v1/requests").await;
            assert_eq!(queue.body["items"].as_array().unwrap().len(), count, "{queue:?}");
            let telling = app.app.agent_desk().to_tell().await.unwrap();
            assert_eq!(telling.len(), count, "{table}: it is told of every change");
        }
        app.finish().await;
    }
);

both!(
    a_request_is_taken_back_by_a_message_for_this_house_now_and_once,
    async |database| {
        let app = start(database, 1).await;
        let token = token(&app, "CR_AA", 1).await;
        let first = ask(&app, ("CR_AA", 1), "2026-03-05T09:59:01Z").await;
        let second = ask(&app, ("CR_AA", 1), "2026-03-05T09:59:02Z").await;
        let back = async |request: &Answer, said: &Value| {
            let path = format!("{REQUESTS}/{}", id(request));
            let answer = send(&app, Method::DELETE, &path, &token, &message(&key(1), said)).await;
            answer.status
        };
        let good = asked("CR_AA", "", "2026-03-05T09:59:03Z");
        for (name, value, status) in [
            ("agent-id", "OTHER", 403),
            ("business-id", "PACIFIC", 403),
            ("issued-at", "2026-03-05T10:05:00Z", 400),
            ("expires-at", "2020-01-01T00:10:00Z", 400),
        ] {
            let mut said = good.clone();
            said[name] = json!(value);
            assert_eq!(back(&first, &said).await, status, "{name}");
            said.as_object_mut().unwrap().remove(name);
            assert_eq!(back(&first, &said).await, 400, "without {name}");
        }
        let opening = asked("CR_AA", "deletion", "2026-03-05T09:59:01Z");
        assert_eq!(back(&first, &opening).await, 409, "what opened it");
        assert_eq!(back(&first, &good).await, 200);
        assert_eq!(back(&second, &good).await, 409, "a message counts once");
        let ask_with_it = send(&app, Method::POST, REQUESTS, &token, &message(&key(1), &good)).await;
        assert_eq!(ask_with_it.body["status"], "denied", "{ask_with_it:?}");
        assert_eq!(
            back(&second, &json!({"reason": "a new start"})).await,
            200,
            "the protocol's own"
        );
        app.finish().await;
    }
);
