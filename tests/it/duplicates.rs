//! Guests that are there already and are one: found pair by pair, the surest first, and never against a steward's word.

use guest_vault::{
    access::operator,
    base::{Caller, Errand, RequestId},
    connect::intake::{Intake, Mode, Put},
    guest::Vault,
    identity::dedupe::{Clusters, Pair, Verdict},
};
use serde_json::{Value, json};

use super::merging::{heads, merge, state, steward, undo};
use crate::support::{
    app::{Answer, TestApp},
    database::both,
};

fn said(given: &str, surname: &str, more: Value) -> Value {
    let mut guest = json!({"name": {"surname": surname, "given": given}});
    if let (Value::Object(guest), Value::Object(more)) = (&mut guest, more) {
        guest.extend(more);
    }
    json!({"observed_at": "2026-03-01T10:00:00Z", "guest": guest,
           "stays": [{"reservation": "R-1", "property": "LIS01", "arrival": "2026-03-04",
                      "departure": "2026-03-07", "status": "checked_in"}]})
}

async fn put(app: &TestApp, source: &str, record: Value) -> Answer {
    let booking = app.errand("integration", "booking").await;
    app.put(&booking, &format!("/v1/records/{source}"), record).await
}

fn guest(answer: &Answer) -> String {
    answer.body["guest_id"].as_str().unwrap().to_owned()
}

/// Two guests of one person who share nothing but the name until a third record has the contacts of both; who that
/// record went to.
async fn bridged(app: &TestApp) -> [String; 2] {
    let home = json!({"emails": [{"address": "james@featherstone.example"}]});
    let one = put(app, "web/1", said("James", "Featherstone", home)).await;
    let mail = json!({"emails": [{"address": "j.featherstone@guests.example"}]});
    let other = put(app, "pms/2", said("James", "Featherstone", mail)).await;
    [guest(&one), guest(&other)]
}

fn errand(vault: &Vault) -> Errand {
    Errand {
        caller: operator().unwrap(),
        property: vault
            .properties
            .iter()
            .find(|node| node.parent.is_none())
            .unwrap()
            .code
            .clone(),
        purpose: "administration".parse().unwrap(),
        reason: None,
        request: RequestId::random(),
    }
}

/// All pairs there are, the surest first, and what becomes of them.
async fn dedupe(app: &TestApp, dry_run: bool) -> Vec<(Pair, Verdict)> {
    decide(app, pairs(app).await, dry_run).await
}

async fn pairs(app: &TestApp) -> Vec<Pair> {
    let vault = &app.app.vault;
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let (guests, pairs) = vault.pairs_after(after, 2).await.unwrap();
        let Some(last) = guests.last() else { break };
        after = Some(*last);
        all.extend(pairs);
    }
    all.sort_by(|a: &Pair, b: &Pair| {
        b.bits
            .total_cmp(&a.bits)
            .then((a.one, a.other).cmp(&(b.one, b.other)))
    });
    all.dedup_by_key(|pair| (pair.one, pair.other));
    all
}

async fn decide(app: &TestApp, all: Vec<Pair>, dry_run: bool) -> Vec<(Pair, Verdict)> {
    let vault = &app.app.vault;
    let errand = errand(vault);
    let mut clusters = Clusters::new(vault, &errand, dry_run);
    let mut decided = Vec::new();
    for pair in all {
        let verdict = clusters.decide(&pair).await.unwrap();
        decided.push((pair, verdict));
    }
    decided
}

fn verdicts(decided: &[(Pair, Verdict)]) -> Vec<Verdict> {
    decided.iter().map(|(_, verdict)| *verdict).collect()
}

both!(
    what_was_kept_apart_and_what_was_undone_is_not_merged_again,
    async |database| {
        let app = TestApp::start(database).await;
        let passport = json!({"id_documents": [{"type": "passport", "issuing_country": "GB", "number": "508123456"}],
                          "birth_date": "1960-03-04"});
        // Told as two by their sources: one has no document yet.
        let one = guest(&put(&app, "web/1", said("James", "Featherstone", passport.clone())).await);
        let other = guest(
            &put(
                &app,
                "pms/2",
                said("Ilse", "Wagner", json!({"nationality": "DE"})),
            )
            .await,
        );
        assert_ne!(one, other);
        let mut late = said("James", "Featherstone", passport);
        late["observed_at"] = json!("2026-03-02T10:00:00Z");
        assert_eq!(guest(&put(&app, "pms/2", late).await), other);
        let both = [one.clone(), other.clone()];
        let before = state(&app, &both).await;

        let told = dedupe(&app, true).await;
        assert_eq!(verdicts(&told), [Verdict::Merge], "{told:?}");
        assert_eq!(state(&app, &both).await, before, "a dry run writes nothing");

        assert_eq!(verdicts(&dedupe(&app, false).await), [Verdict::Merge]);
        let desk = app.role("front_desk").await;
        let moved = app.get(&desk, &format!("/v1/guests/{other}")).await;
        // The older guest goes on.
        assert_eq!(
            (moved.status, moved.headers["location"].as_str()),
            (308, format!("/v1/guests/{one}").as_str())
        );
        assert_eq!(dedupe(&app, false).await, []);

        let merges = sqlx_merges(&app).await;
        assert_eq!(
            app.post(
                &steward(&app).await,
                &format!("/v1/merges/{}/undo", merges[0]),
                json!({})
            )
            .await
            .status,
            200
        );
        assert_eq!(state(&app, &both).await, before);
        assert_eq!(verdicts(&dedupe(&app, false).await), [Verdict::KeptApart]);
        app.finish().await;
    }
);

both!(
    a_pair_is_weighed_again_at_the_moment_of_its_merge,
    async |database| {
        let app = TestApp::start(database).await;
        let passport = json!({"id_documents": [{"type": "passport", "issuing_country": "GB", "number": "508123456"}],
                              "phones": [{"number": "+351 91 123 4567"}]});
        let lines = [
            line(
                "web",
                1,
                &said("James", "Featherstone", passport.clone())["guest"],
            ),
            line("pms", 2, &said("James", "Featherstone", passport)["guest"]),
        ];
        let guests = taken(&app, true, &lines).await;
        let found = pairs(&app).await;
        assert_eq!(
            verdicts(&decide(&app, found.clone(), true).await),
            [Verdict::Merge]
        );
        let before = heads(&app, &guests).await;
        // The records are corrected after the pair was found: less speaks for it, then nothing.
        let corrected = async |at: &str, told: Value, verdict: Verdict| {
            let mut told = told;
            told["observed_at"] = json!(at);
            app.set_clock(at);
            assert_eq!(guest(&put(&app, "pms/2", told).await), guests[1]);
            for dry_run in [true, false] {
                let decided = decide(&app, found.clone(), dry_run).await;
                assert_eq!(verdicts(&decided), [verdict], "{decided:?}");
            }
            assert_eq!(heads(&app, &guests).await, before);
        };
        let nothing = json!({"phones": null, "id_documents": null});
        corrected(
            "2026-03-05T11:00:00Z",
            said("James", "Featherstone", json!({"id_documents": null})),
            Verdict::Review,
        )
        .await;
        corrected(
            "2026-03-05T12:00:00Z",
            said("Ilse", "Wagner", nothing),
            Verdict::Left,
        )
        .await;
        app.finish().await;
    }
);

both!(
    a_dry_run_joins_clusters_as_the_run_itself_does,
    async |database| {
        let app = TestApp::start(database).await;
        let document = json!([{"type": "passport", "issuing_country": "GB", "number": "508123456"}]);
        let mail = json!([{"address": "james@featherstone.example"}]);
        let born = "1960-03-04";
        let lines = [
            json!({"id_documents": document}),
            json!({"id_documents": document, "emails": mail, "birth_date": born}),
            json!({"emails": mail, "birth_date": born}),
        ];
        let lines: Vec<Value> = (1..)
            .zip(lines)
            .map(|(id, more)| line("web", id, &said("James", "Featherstone", more)["guest"]))
            .collect();
        taken(&app, true, &lines).await;
        let told = verdicts(&dedupe(&app, true).await);
        assert_eq!(told[..2], [Verdict::Merge, Verdict::Merge], "{told:?}");
        assert_eq!(verdicts(&dedupe(&app, false).await), told);
        app.finish().await;
    }
);

/// The merges in force.
async fn sqlx_merges(app: &TestApp) -> Vec<uuid::Uuid> {
    let mut conn = app.app.vault.store.read().await.unwrap();
    guest_vault::on!(&mut conn, c => {
        sqlx::query_scalar("SELECT merge_id FROM guest_merge WHERE state = 'done'").fetch_all(c).await.unwrap()
    })
}

both!(a_chain_does_not_join_two_numbers_for_life, async |database| {
    let app = TestApp::start(database).await;
    let resident = |number: &str| {
        json!({"id_documents": [{"type": "national_id", "issuing_country": "CN", "number": number}],
               "phones": [{"number": "+86 139 1234 5678"}], "emails": [{"address": "wuxiuying88@guests.example"}]})
    };
    // Twins at one address, told apart by nothing but their numbers.
    let one = put(
        &app,
        "web/1",
        said("Xiuying", "Wu", resident("11010519491231002X")),
    )
    .await;
    let other = put(
        &app,
        "web/2",
        said("Xiuying", "Wu", resident("440524188001010014")),
    )
    .await;
    assert_eq!((one.status, other.status), (201, 201), "{one:?} {other:?}");
    assert_ne!(guest(&one), guest(&other));
    let decided = dedupe(&app, false).await;
    assert!(!verdicts(&decided).contains(&Verdict::Merge), "{decided:?}");
    let refused = merge(&app, &guest(&one), &guest(&other), "").await;
    assert_eq!(refused.status, 409, "{refused:?}");
    app.finish().await;
});

both!(
    a_record_that_fits_two_guests_merges_them_when_they_are_alike,
    async |database| {
        let app = TestApp::start(database).await;
        let [one, other] = bridged(&app).await;
        assert_ne!(one, other, "they are one without a bridge");
        let bridge = json!({"emails": [{"address": "james@featherstone.example"}, {"address": "j.featherstone@guests.example"}],
                        "birth_date": "1960-03-04"});
        let third = put(&app, "ota/3", said("James", "Featherstone", bridge)).await;
        assert_eq!(third.body["resolution"]["outcome"], "linked", "{third:?}");
        let done = app.app.vault.merge_bridged(0).await.unwrap();
        assert_eq!((done.merged, done.left), (1, 0));
        let desk = app.role("front_desk").await;
        assert_eq!(app.get(&desk, &format!("/v1/guests/{other}")).await.status, 308);
        // Undone by a steward, it stays undone.
        let merges = sqlx_merges(&app).await;
        let path = format!("/v1/merges/{}/undo", merges[0]);
        assert_eq!(app.post(&steward(&app).await, &path, json!({})).await.status, 200);
        assert_eq!(app.app.vault.merge_bridged(0).await.unwrap().merged, 0);
        app.finish().await;
    }
);

both!(
    a_merge_by_hand_and_its_undoing_are_the_same_way_both_ways,
    async |database| {
        let app = TestApp::start(database).await;
        let one = guest(&put(&app, "web/1", said("James", "Featherstone", json!({}))).await);
        let other = guest(&put(&app, "pms/2", said("Ilse", "Wagner", json!({}))).await);
        let both = [one.clone(), other.clone()];
        let before = state(&app, &both).await;
        for (survivor, absorbed) in [(&one, &other), (&other, &one)] {
            let merged = merge(&app, survivor, absorbed, "?force=true").await;
            assert_eq!(merged.status, 201, "{merged:?}");
            assert_eq!(undo(&app, &merged).await.status, 200);
            assert_eq!(state(&app, &both).await, before);
        }
        app.finish().await;
    }
);

/// Who each line went to when all are taken at once.
async fn taken(app: &TestApp, later: bool, lines: &[Value]) -> Vec<String> {
    let caller = Caller {
        role: "integration".parse().unwrap(),
        ..operator().unwrap()
    };
    let intake = Intake::new(app.app.vault.clone(), caller, "loyalty".parse().unwrap(), None);
    let lines = lines
        .iter()
        .map(|line| serde_json::from_value(line.clone()).unwrap());
    let puts = intake
        .resolving_later(later)
        .take(lines.collect(), Mode::Write)
        .await
        .unwrap();
    let guest = |put: Put| match put {
        Put::Stored {
            guest: Some(guest), ..
        } => guest.to_string(),
        other => panic!("{other:?}"),
    };
    puts.into_iter().map(guest).collect()
}

fn line(source: &str, id: usize, guest: &Value) -> Value {
    json!({"source_system": source, "source_id": format!("{id}"), "property": "LIS01", "guest": guest})
}

both!(who_is_whom_can_be_asked_after_a_first_load, async |database| {
    let app = TestApp::start(database).await;
    let passport = json!([{"type": "passport", "issuing_country": "GB", "number": "508123456"}]);
    let one = json!({"name": {"surname": "Featherstone", "given": "James"}, "birth_date": "1960-03-04",
                         "id_documents": passport});
    let lines = [
        line("pms", 1, &one),
        line("web", 1, &one),
        line("web", 2, &json!({"name": {"surname": "Wagner", "given": "Ilse"}})),
        // Of two lines of one source and id the second changes the first.
        line("pms", 1, &one),
    ];
    let guests = taken(&app, true, &lines).await;
    assert_eq!(guests[0], guests[3]);
    assert!(guests[0] != guests[1] && guests[1] != guests[2], "{guests:?}");
    assert_eq!(taken(&app, true, &lines).await, guests, "nobody comes twice");
    assert_eq!(verdicts(&dedupe(&app, false).await), [Verdict::Merge]);
    app.finish().await;
});

both!(
    records_that_are_taken_together_find_each_other,
    async |database| {
        let app = TestApp::start(database).await;
        let word = |n: usize, parts: [&str; 4]| parts[n % 4].to_owned() + parts[n / 4 % 4];
        let person = |n: usize| {
            let surname = word(n, ["Kro", "Bel", "Vist", "Dum"]) + ["ack", "ynge", "orff"][n / 16];
            json!({"name": {"surname": surname, "given": word(n, ["Ti", "Ola", "Ru", "Gwe"])},
                   "birth_date": format!("19{}-0{}-1{}", 40 + n, 1 + n % 9, n % 7),
                   "emails": [{"address": format!("p{n}.{n}@guests{n}.example")}]})
        };
        // More than go into one transaction; each person three times, far apart and beside each other.
        let lines: Vec<Value> = (0..44)
            .flat_map(|n| [line("pms", n, &person(n)), line("web", n, &person(n))])
            .chain((0..44).map(|n| line("ota", n, &person(n))))
            .collect();
        let guests = taken(&app, false, &lines).await;
        for n in 0..44 {
            assert_eq!(guests[2 * n], guests[2 * n + 1], "{n}");
            assert_eq!(guests[2 * n], guests[88 + n], "{n}");
        }
        let distinct: std::collections::BTreeSet<&String> = guests.iter().collect();
        assert_eq!(distinct.len(), 44);
        app.finish().await;
    }
);
