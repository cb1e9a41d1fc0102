//! Hostile, broken and careless bodies and headers: each gets a precise refusal, none a fault, and none its own words
//! back.

use actix_web::{
    http::{
        Method,
        header::{HeaderName, HeaderValue},
    },
    test::TestRequest,
};
use serde_json::{Value, json};

use crate::support::{
    app::{Answer, Errand, TestApp},
    database::both,
    judge::{CARD, INVALID, Judge, REJECTED, Wanted},
};

async fn send(app: &TestApp, errand: &Errand, body: Vec<u8>) -> Answer {
    let request = TestApp::request(errand, Method::PUT, "/v1/records/pms/1");
    let request = request.insert_header(("content-type", "application/json"));
    app.send(request.set_payload(body)).await
}

fn bodies(secret: &str) -> Vec<(&'static str, Vec<u8>, Wanted)> {
    let nested = |open: &str, close: &str| format!("{}{}", open.repeat(10_000), close.repeat(10_000));
    let in_name = |text: &[u8]| [&br#"{"guest":{"name":{"surname":""#[..], text, br#""}}}"#].concat();
    let mut all: Vec<(&'static str, Vec<u8>, Wanted)> = [
        ("empty", String::new(), INVALID),
        ("spaces", "   \n".to_owned(), INVALID),
        ("2 MiB", format!(r#"{{"guest":{{"notes":["{}"]}}}}"#, secret.repeat(170_000)), (413, "too-large")),
        ("cut off", format!(r#"{{"guest":{{"name":{{"surname":"{secret}"#), INVALID),
        ("a text", format!("{secret:?}"), INVALID),
        ("a list", format!("[{secret:?}]"), INVALID),
        ("null", "null".to_owned(), INVALID),
        ("a number", "8613812345678".to_owned(), INVALID),
        ("bare words", secret.to_owned(), INVALID),
        ("single quotes", format!("{{'guest':'{secret}'}}"), INVALID),
        ("a comment", format!("/* {secret} */ {{}}"), INVALID),
        ("behind the end", format!(r#"{{"guest":{{}}}} {secret}"#), INVALID),
        ("guest is a text", format!(r#"{{"guest":{secret:?}}}"#), INVALID),
        ("guest is a list", format!(r#"{{"guest":[{secret:?}]}}"#), INVALID),
        ("time", format!(r#"{{"observed_at":{secret:?}}}"#), INVALID),
        ("provenance", format!(r#"{{"provenance":{secret:?}}}"#), INVALID),
        ("stays are an object", format!(r#"{{"stays":{{{secret:?}:1}}}}"#), INVALID),
        ("a stay's day", format!(r#"{{"stays":[{{"arrival":{secret:?},"departure":"2026-03-07","status":"confirmed"}}]}}"#), (201, "")),
        ("a stay's status", format!(r#"{{"stays":[{{"arrival":"2026-03-06","departure":"2026-03-07","status":{secret:?}}}]}}"#), (200, "")),
        ("a stay without days", format!(r#"{{"stays":[{{"reservation":{secret:?}}}]}}"#), INVALID),
        ("a consent's purpose", format!(r#"{{"consents":[{{"purpose":{secret:?},"state":"given","channel":"web"}}]}}"#), (200, "")),
        ("a consent's notice", format!(r#"{{"consents":[{{"purpose":"loyalty","state":"given","channel":"web","notice_id":{secret:?}}}]}}"#), (200, "")),
        ("an unknown member", format!(r"{{{secret:?}:1}}"), (400, "unknown-field")),
        ("deep lists", nested("[", "]"), (400, "too-deep")),
        ("deep objects", nested(r#"{"a":"#, "}").replace(":}", ":1}"), (400, "too-deep")),
        ("deep and never closed", "[".repeat(10_000), (400, "too-deep")),
        ("a key twice", format!(r#"{{"guest":{{}},"guest":{{"name":{secret:?}}}}}"#), INVALID),
        ("a key twice below", format!(r#"{{"guest":{{{secret:?}:1,{secret:?}:2}}}}"#), INVALID),
        ("a key twice, escaped", r#"{"guest":{},"gu\u0065st":{}}"#.to_owned(), INVALID),
        ("NUL, escaped", format!(r#"{{"guest":{{"name":{{"surname":"{secret}\u0000"}}}}}}"#), INVALID),
        ("half a pair", format!(r#"{{"guest":{{"name":{{"surname":"{secret}\ud800"}}}}}}"#), INVALID),
        ("a huge number", r#"{"guest":{"stay_summary":{"stays":1e999999}}}"#.to_owned(), INVALID),
        ("a long number", format!(r#"{{"guest":{{"stay_summary":{{"stays":{}}}}}}}"#, "9".repeat(400)), INVALID),
        ("not a number", r#"{"guest":{"stay_summary":{"stays":NaN}}}"#.to_owned(), INVALID),
    ]
    .map(|(call, body, wanted)| (call, body.into_bytes(), wanted))
    .into();
    all.push(("NUL", in_name(&[secret.as_bytes(), b"\0"].concat()), INVALID));
    all.push((
        "a line end",
        in_name(&[secret.as_bytes(), b"\r\n"].concat()),
        INVALID,
    ));
    all.push((
        "no UTF-8",
        in_name(&[secret.as_bytes(), b"\xff\xfe"].concat()),
        INVALID,
    ));
    all.push((
        "overlong UTF-8",
        in_name(&[secret.as_bytes(), b"\xc0\xaf"].concat()),
        INVALID,
    ));
    all.push((
        "UTF-16",
        secret.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        INVALID,
    ));
    all.push((
        "a byte order mark",
        [b"\xef\xbb\xbf{}", secret.as_bytes()].concat(),
        INVALID,
    ));
    all
}

both!(bodies_that_are_no_records, async |database| {
    let app = TestApp::start(database).await;
    let (mut judge, secret) = Judge::new();
    let errand = app.errand("integration", "booking").await;
    for (call, body, wanted) in bodies(&secret) {
        let answer = send(&app, &errand, body).await;
        judge.judge(call, &answer, wanted);
    }
    let kinds = [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("multipart/form-data; boundary=x"),
        Some("application/json/x"),
        Some(""),
    ];
    for kind in kinds {
        let mut request = TestApp::request(&errand, Method::PUT, "/v1/records/pms/1")
            .set_payload(format!("{{{secret:?}:1}}"));
        if let Some(kind) = kind {
            request = request.insert_header(("content-type", kind));
        }
        judge.judge(
            kind.unwrap_or("no type"),
            &app.send(request).await,
            (415, "unsupported-media-type"),
        );
    }
    judge.done(45);
    app.finish().await;
});

both!(card_numbers_are_refused_wherever_they_stand, async |database| {
    let app = TestApp::start(database).await;
    let (mut judge, _) = Judge::new();
    let errand = app.errand("integration", "booking").await;
    let put = async |path: &str, body: Value| app.put(&errand, path, body).await;
    let guests = [
        json!({"name": {"surname": CARD}}),
        json!({"notes": [format!("paid with {CARD}")]}),
        json!({"notes": [{"text": "card 4111-1111-1111-1111 12/27"}]}),
        json!({"postal_addresses": [{"lines": ["4111 1111", "1111 1111"], "country": "PT"}]}),
        json!({"phones": [{"number": CARD}]}),
        json!({"id_documents": [{"type": "other", "number": CARD.replace(' ', "")}]}),
        json!({"memberships": [{"program": "CLUB", "number": CARD}]}),
        json!({"external_ids": [{"system": "x", "value": CARD}]}),
        json!({"payment_token_ref": CARD.replace(' ', "")}),
        json!({"stay_summary": {"stays": 4_111_111_111_111_111_u64}}),
        json!({"preferences": {"room": {"type": CARD}}}),
        json!({"messaging_ids": [{"service": "wechat", "id": CARD}]}),
        json!({"special_needs": ["cvv 123"]}),
        json!({"emails": [{"address": "4111111111111111@guests.example"}]}),
        json!({"emails": [{"address": "a.4111.1111.1111.1111@guests.example"}]}),
        json!({"emails": [{"address": "ana@4111-1111-1111-1111.example"}]}),
    ];
    for guest in guests {
        let name = guest.as_object().unwrap().keys().next().unwrap().clone();
        let answer = put("/v1/records/pms/1?strict=true", json!({"guest": guest})).await;
        judge.judge(&name, &answer, REJECTED);
    }
    let bare = CARD.replace(' ', "");
    judge.judge(
        "source id",
        &put(&format!("/v1/records/pms/{bare}"), json!({})).await,
        REJECTED,
    );
    judge.judge(
        "source system",
        &put(&format!("/v1/records/{bare}/1"), json!({})).await,
        REJECTED,
    );
    let guest = app
        .guest("pms/ok", json!({"guest": {"name": {"surname": "Silva"}}}))
        .await;
    let stay = json!({"arrival": "2026-03-06", "departure": "2026-03-07", "status": "confirmed"});
    judge.judge(
        "reservation",
        &put(&format!("/v1/guests/{guest}/stays/{bare}"), stay.clone()).await,
        REJECTED,
    );
    for (part, value) in [("channel", &bare), ("purpose", &bare)] {
        let mut stay = stay.clone();
        stay[part] = json!(value);
        judge.judge(
            part,
            &put(&format!("/v1/guests/{guest}/stays/R1"), stay).await,
            REJECTED,
        );
    }
    let desk = app.errand("front_desk", "check_in").await;
    for part in ["channel", "indication", "recipient", "evidence_ref"] {
        let mut consent = json!({"purpose": "loyalty", "state": "given", "channel": "web"});
        consent[part] = json!(bare);
        let answer = app
            .post(&desk, &format!("/v1/guests/{guest}/consents"), consent)
            .await;
        judge.judge(part, &answer, REJECTED);
    }
    for (header, value) in [("vault-reason", CARD), ("vault-actor", bare.as_str())] {
        let answer = app
            .get(&desk.clone().with(header, value), &format!("/v1/guests/{guest}"))
            .await;
        judge.judge(header, &answer, INVALID);
    }
    judge.judge(
        "patch",
        &app.patch(
            &desk,
            &format!("/v1/guests/{guest}"),
            json!({"name": {"given": CARD}}),
        )
        .await,
        REJECTED,
    );
    judge.done(27);
    let named = json!({"guest": {"emails": [{"address": "cvc.123@guests.example"}]}});
    let taken = put("/v1/records/pms/2?strict=true", named).await;
    assert_eq!(taken.status, 201, "a name is no security code: {taken:?}");
    app.finish().await;
});

/// A header of any bytes that HTTP lets through.
fn bytes(request: TestRequest, name: &str, value: &[u8]) -> TestRequest {
    let name: HeaderName = name.parse().unwrap();
    request.append_header((name, HeaderValue::from_bytes(value).unwrap()))
}

both!(headers_that_are_abused, async |database| {
    let app = TestApp::start(database).await;
    let (mut judge, secret) = Judge::new();
    let guest = app
        .guest("pms/1", json!({"guest": {"name": {"surname": "Silva"}}}))
        .await;
    let path = format!("/v1/guests/{guest}");
    let desk = app.errand("front_desk", "check_in").await;
    let (long, wide) = (secret.repeat(20), format!("{secret}\u{202e}"));
    let cases: &[(&str, &[u8], Wanted)] = &[
        (
            "vault-property",
            secret.as_bytes(),
            (403, "property-out-of-scope"),
        ),
        ("vault-property", b"", (403, "property-out-of-scope")),
        ("vault-property", b"LIS01,GROUP", (403, "property-out-of-scope")),
        ("vault-property", long.as_bytes(), (403, "property-out-of-scope")),
        ("vault-property", b"\xff\xfe", INVALID),
        ("vault-purpose", secret.as_bytes(), (400, "unknown-purpose")),
        ("vault-purpose", b"CHECK_IN", (400, "unknown-purpose")),
        ("vault-purpose", long.as_bytes(), (400, "unknown-purpose")),
        ("vault-purpose", b"\xff", INVALID),
        ("vault-actor", long.as_bytes(), INVALID),
        ("vault-actor", b"ana silva", INVALID),
        ("vault-actor", b"ana@hotel.example", INVALID),
        ("vault-actor", "安娜".as_bytes(), INVALID),
        ("vault-actor", b"", INVALID),
        ("vault-actor", b"\xff", INVALID),
        ("vault-reason", long.as_bytes(), INVALID),
        ("vault-reason", b"", INVALID),
        ("vault-reason", b"one\ttwo", INVALID),
        ("vault-reason", wide.as_bytes(), INVALID),
        ("vault-reason", b"\xc3\x28", INVALID),
        ("authorization", secret.as_bytes(), (401, "unauthenticated")),
        ("authorization", b"Bearer", (401, "unauthenticated")),
        ("authorization", b"Basic YTpi", (401, "unauthenticated")),
        (
            "authorization",
            b"Bearer gv_aaaaaaaaaaaaaaaaaaaaaaaaaa_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            (401, "unauthenticated"),
        ),
        (
            "authorization",
            b"Bearer eyJhbGciOiJub25lIn0.e30.",
            (401, "unauthenticated"),
        ),
    ];
    for (name, value, wanted) in cases {
        // The good header goes, so that the bad one stands alone.
        let mut request = TestApp::request(&desk, Method::GET, &path);
        request = request.insert_header((
            name.parse::<HeaderName>().unwrap(),
            HeaderValue::from_bytes(value).unwrap(),
        ));
        judge.judge(
            &format!("{name}, {} bytes", value.len()),
            &app.send(request).await,
            *wanted,
        );
    }
    for name in ["vault-property", "vault-purpose", "vault-actor", "vault-reason"] {
        let request = bytes(
            bytes(TestApp::request(&desk, Method::GET, &path), name, b"LIS01"),
            name,
            b"LIS01",
        );
        judge.judge(&format!("{name} twice"), &app.send(request).await, INVALID);
    }
    for (name, value) in [("authorization", "Bearer x"), ("cookie", "session=1")] {
        let request = TestRequest::get().uri(&path).insert_header((name, value));
        judge.judge(
            &format!("only {name}"),
            &app.send(request).await,
            (401, "unauthenticated"),
        );
    }
    judge.judge(
        "a huge header",
        &app.send(bytes(
            TestApp::request(&desk, Method::GET, &path),
            "x-more",
            secret.repeat(2_000).as_bytes(),
        ))
        .await,
        (431, "headers-too-large"),
    );
    for (value, wanted) in [
        ("7", INVALID),
        ("", INVALID),
        (secret.as_str(), INVALID),
        ("\"7", INVALID),
        ("\"7\"", (412, "precondition-failed")),
        ("W/\"1\"", (412, "precondition-failed")),
        ("\"1\" \"2\"", (412, "precondition-failed")),
        ("\"99999999999999999999999\"", (412, "precondition-failed")),
        ("\"-1\"", (412, "precondition-failed")),
    ] {
        let correction = json!({"name": {"given": "Ana"}});
        let answer = app
            .patch(&desk.clone().with("if-match", value), &path, correction)
            .await;
        judge.judge(&format!("if-match, {} bytes", value.len()), &answer, wanted);
    }
    judge.done(38);
    app.finish().await;
});
