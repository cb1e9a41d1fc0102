//! The key of the tokens that look-alikes share is exchanged while the vault runs: everybody is found at each moment,
//! also when it is cut off in the middle.

use std::time::Duration;

use chrono::TimeDelta;
use guest_vault::{
    access::operator,
    base::{Errand as Order, RequestId},
    guest::GuestError,
    on,
};
use serde_json::json;

use super::merging::{merge, record, undo};
use crate::support::{app::TestApp, database::both};

/// Nobody's namesakes: letters that differ everywhere.
fn person(n: usize) -> (String, String, u32) {
    let letters = |mut n: usize| {
        let mut text = String::new();
        for _ in 0..7 {
            text.push(char::from(b'a' + u8::try_from(n % 23).unwrap()));
            n = n * 31 / 7 + 17;
        }
        text
    };
    (
        format!("{}{n}", letters(n * 7919 + 3)).replace(|c: char| c.is_ascii_digit(), "x"),
        letters(n * 104_729 + 11),
        u32::try_from((n * 613_651 + 1_000_003) % 9_999_999).unwrap(),
    )
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

async fn put(app: &TestApp, n: usize) -> String {
    let (surname, given, number) = person(n);
    app.guest(&format!("web/{n}"), record(&surname, &given, number))
        .await
}

/// Each of these people is found, by the vault and by another instance beside it that knows what it last read.
async fn all_found(vaults: &[&TestApp], guests: &[(usize, String)], when: &str) {
    for app in vaults {
        let desk = app.errand("front_desk", "check_in").await;
        for (n, guest) in guests {
            let (surname, given, number) = person(*n);
            let who = json!({"guest": {"name": {"surname": surname, "given": given},
                                       "phones": [{"number": format!("+351 91 {number:07}")}]}});
            let told = app.post(&desk, "/v1/resolve", who).await;
            assert_eq!(
                told.body["candidates"][0]["guest_id"],
                json!(guest),
                "{when}: {n} {told:?}"
            );
        }
    }
}

async fn versions(app: &TestApp) -> Vec<(i64, i64)> {
    let mut conn = app.app.vault.store.read().await.unwrap();
    on!(&mut conn, c => {
        sqlx::query_as("SELECT key_version, count(*) FROM likeness_token GROUP BY key_version ORDER BY key_version")
            .fetch_all(c).await.unwrap()
    })
}

both!(everybody_is_found_while_the_key_is_exchanged, async |database| {
    let app = TestApp::start(database).await;
    let mut guests = Vec::new();
    for n in 0..150 {
        guests.push((n, put(&app, n).await));
    }
    let some: Vec<(usize, String)> = guests.iter().step_by(9).cloned().collect();
    all_found(&[&app], &some, "before").await;
    let tokens = versions(&app).await;
    assert_eq!((tokens.len(), tokens[0].0), (1, 1));
    let total = tokens[0].1;

    let vault = &app.app.vault;
    let rekey = vault.begin_rekey(&order()).await.unwrap();
    assert_eq!((rekey.version, rekey.guests), (2, 0));
    // An instance that has not heard of the new key yet would miss what is written with it: nothing is, until all have.
    assert!(matches!(
        vault.rekey_step(&rekey).await,
        Err(GuestError::Blocked(_))
    ));
    guests.push((150, put(&app, 150).await));
    assert_eq!(versions(&app).await.len(), 1);
    app.set_clock("2026-03-05T10:01:31Z");
    guests.push((151, put(&app, 151).await));
    assert_eq!(
        versions(&app).await.len(),
        2,
        "what is new is written with the new key"
    );
    all_found(&[&app], &guests[148..], "both keys make tokens").await;
    assert!(matches!(
        vault.rekey_step(&rekey).await,
        Err(GuestError::Blocked(_))
    ));

    app.set_clock("2026-03-05T10:02:31Z");
    assert_eq!(vault.rekey_step(&rekey).await.unwrap(), Some(64));
    assert!(matches!(
        vault.end_rekey(&order(), &rekey, TimeDelta::days(35)).await,
        Err(GuestError::Blocked(_))
    ));
    all_found(&[&app], &some, "a third is done").await;
    // The source says it again, a merge moves old tokens behind the walk, a record is corrected.
    let (surname, given, number) = person(140);
    let mut again = record(&surname, &given, number);
    again["observed_at"] = json!("2026-03-02T10:00:00Z");
    again["guest"]["birth_date"] = json!("1971-02-03");
    assert_eq!(app.guest("web/140", again).await, guests[140].1);
    let merged = merge(&app, &guests[0].1, &guests[149].1, "").await;
    assert_eq!(merged.status, 201, "{merged:?}");

    // Cut off: the step is dropped wherever it is, then another process goes on.
    for micros in [50_u64, 400, 1_500, 4_000] {
        let _ = tokio::time::timeout(Duration::from_micros(micros), vault.rekey_step(&rekey)).await;
        all_found(&[&app], &some, "cut off").await;
    }
    let again = vault.begin_rekey(&order()).await.unwrap();
    assert_eq!(
        (again.version, again.from),
        (rekey.version, rekey.from),
        "the same exchange goes on"
    );
    assert!(again.guests >= 64, "{again:?}");
    while vault.rekey_step(&again).await.unwrap().is_some() {
        all_found(&[&app], &some[..3], "on the way").await;
    }
    assert_eq!(undo(&app, &merged).await.status, 200);
    all_found(&[&app], &guests, "all tokens are new, both keys are read").await;
    vault
        .end_rekey(&order(), &again, TimeDelta::days(35))
        .await
        .unwrap();
    let after = versions(&app).await;
    assert_eq!((after.len(), after[0].0), (1, 2), "{after:?}");
    assert!(after[0].1 >= total, "no token was lost: {total} {after:?}");
    all_found(&[&app], &guests, "after").await;
    // Nobody is doubled by it: the same person again is linked.
    let (surname, given, number) = person(77);
    assert_eq!(
        app.guest("pms/77", record(&surname, &given, number)).await,
        guests[77].1
    );

    // The next exchange ends the second key; nothing of the first is left to be read.
    let third = vault.begin_rekey(&order()).await.unwrap();
    assert_eq!(third.version, 3);
    app.set_clock("2026-03-05T10:10:00Z");
    while vault.rekey_step(&third).await.unwrap().is_some() {}
    vault
        .end_rekey(&order(), &third, TimeDelta::days(35))
        .await
        .unwrap();
    assert_eq!(versions(&app).await.len(), 1);
    all_found(&[&app], &some, "twice").await;
    let officer = app.errand("compliance_officer", "subject_request").await;
    let entries = app.get(&officer, "/v1/audit/entries?action=manage_keys").await;
    assert_eq!(entries.body["items"].as_array().unwrap().len(), 4, "{entries:?}");
    app.finish().await;
});

both!(
    a_key_begun_elsewhere_is_read_within_half_a_minute,
    async |database| {
        use guest_vault::store::Which;
        let app = TestApp::start(database).await;
        let guest = put(&app, 1).await;
        // Another instance over the same stores.
        let stores = (database.open(Which::Data).await, database.open(Which::Keys).await);
        let other = TestApp::start_on(database, stores).await;
        all_found(&[&app, &other], &[(1, guest.clone())], "before").await;
        let rekey = app.app.vault.begin_rekey(&order()).await.unwrap();
        for at in ["2026-03-05T10:02:31Z", "2026-03-05T10:02:32Z"] {
            app.set_clock(at);
            other.set_clock(at);
        }
        while app.app.vault.rekey_step(&rekey).await.unwrap().is_some() {
            all_found(&[&app, &other], &[(1, guest.clone())], "between").await;
        }
        all_found(&[&app, &other], &[(1, guest.clone())], "made anew").await;
        let late = put(&other, 2).await;
        app.app
            .vault
            .end_rekey(&order(), &rekey, TimeDelta::days(35))
            .await
            .unwrap();
        all_found(&[&app, &other], &[(1, guest), (2, late)], "after").await;
        other.app.close().await;
        app.finish().await;
    }
);
