//! P5: stored bytes open only where they were sealed. Rows are edited behind the vault's back; whoever would be shown
//! one of them is refused without a word about its content, the find is on record, and the inspection names the row.

use guest_vault::{on, store::Tx};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::support::{
    app::{Answer, Errand, TestApp},
    canaries::Canaries,
    database::both,
    guests,
};

/// One sealed thing: its table, the key of its row, and its bytes.
#[derive(Clone)]
struct Cell {
    table: &'static str,
    column: &'static str,
    guest: Uuid,
    record: Uuid,
    field: String,
    sealed: Vec<u8>,
}

const VALUES: &str = "SELECT guest_id, record_id, field, sealed FROM field_value";
const STAYS: &str = "SELECT guest_id, stay_token, property, sealed FROM stay";
const SOURCES: &str = "SELECT guest_id, record_id, source_system, source_id FROM record";

async fn cells(app: &TestApp, sql: &'static str, (table, column): (&'static str, &'static str)) -> Vec<Cell> {
    let mut conn = app.app.vault.store.read().await.unwrap();
    let rows: Vec<(Uuid, Uuid, String, Vec<u8>)> =
        on!(&mut conn, c => sqlx::query_as(sql).fetch_all(c).await.unwrap());
    let cell = |(guest, record, field, sealed)| Cell {
        table,
        column,
        guest,
        record,
        field,
        sealed,
    };
    rows.into_iter().map(cell).collect()
}

async fn values(app: &TestApp) -> Vec<Cell> {
    cells(app, VALUES, ("field_value", "sealed")).await
}

/// Puts bytes where a cell is.
async fn plant(tx: &mut Tx, cell: &Cell, bytes: &[u8]) {
    let Cell { table, column, .. } = cell;
    let (record, field) = match *table {
        "stay" => ("stay_token", "property"),
        "record" => ("record_id", "source_system"),
        _ => ("record_id", "field"),
    };
    let sql =
        format!("UPDATE {table} SET {column} = $4 WHERE guest_id = $1 AND {record} = $2 AND {field} = $3");
    let rows = on!(tx, c => {
        let query = sqlx::query(AssertSqlSafe(sql)).bind(cell.guest).bind(cell.record).bind(&cell.field).bind(bytes);
        query.execute(c).await.unwrap().rows_affected()
    });
    assert_eq!(rows, 1, "the row to damage is there");
}

async fn plant_all(app: &TestApp, cells: &[Cell], bytes: impl Fn(usize) -> Vec<u8>) {
    let mut tx = app.app.vault.store.begin().await.unwrap();
    for (at, cell) in cells.iter().enumerate() {
        plant(&mut tx, cell, &bytes(at)).await;
    }
    tx.commit().await.unwrap();
}

/// A number below `most`; no two runs damage alike.
fn chance(most: usize) -> usize {
    usize::try_from(Uuid::new_v4().as_u128() % u128::try_from(most).unwrap()).unwrap()
}

fn flipped(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let at = chance(bytes.len());
    bytes[at] ^= 1 << chance(8);
    bytes
}

/// Guests with every field filled, and the canaries in them.
async fn fill(app: &TestApp, count: usize) -> (Vec<String>, Canaries) {
    let mut canaries = Canaries::default();
    let mut all = Vec::new();
    for at in 0..count {
        let record = json!({"guest": guests::filled(&mut canaries), "stays": [guests::stay(&mut canaries)]});
        all.push(app.guest(&format!("pms/{at}"), record).await);
    }
    (all, canaries)
}

/// Who is shown nearly everything there is.
async fn officer(app: &TestApp) -> Errand {
    app.errand("compliance_officer", "subject_request")
        .await
        .with("vault-reason", "the guest asked")
}

fn refused_as_damaged(answer: &Answer, canaries: &Canaries, field: &str) {
    let text = answer.body.to_string();
    assert_eq!(
        (answer.status, answer.problem()),
        (500, "damaged"),
        "{field} was not refused"
    );
    assert_eq!(
        canaries.in_bytes("the problem", text.as_bytes()),
        [],
        "{field}: the problem tells a value"
    );
    assert!(
        !text.contains(field),
        "the problem tells which field of whom is damaged"
    );
    assert!(!answer.headers.contains_key("etag"));
}

/// How many finds are on record.
async fn finds(app: &TestApp) -> usize {
    let auditor = app.errand("auditor", "audit").await.at("GROUP");
    let log = app
        .get(
            &auditor,
            "/v1/audit/entries?action=damage_found&decision=denied&limit=200",
        )
        .await;
    assert_eq!(log.status, 200, "{log:?}");
    log.body["items"].as_array().unwrap().len()
}

/// The calls that show a field of the guest to the officer.
async fn looks(app: &TestApp, guest: &str, field: &str) -> Vec<Answer> {
    let (officer, path) = (officer(app).await, format!("/v1/guests/{guest}"));
    vec![
        app.get(&officer, &path).await,
        app.get(&officer, &format!("{path}?fields={field}")).await,
        app.post(&officer, &format!("{path}/reveal"), json!({"fields": [field]}))
            .await,
        app.get(&officer, &format!("{path}/records")).await,
    ]
}

both!(a_flipped_bit_is_refused_recorded_and_found, async |database| {
    let app = TestApp::start(database).await;
    let (_, canaries) = fill(&app, 4).await;
    // The officer is not shown documents (dual control); those are the desk's test below.
    let shown = |cell: &Cell| {
        !matches!(
            cell.field.as_str(),
            "id_documents"
                | "residence_permit"
                | "payment_token_ref"
                | "identity_verifications"
                | "photo_ref"
                | "name.alias"
        )
    };
    let cells: Vec<Cell> = values(&app).await.into_iter().filter(shown).collect();
    let mut expected = 0;
    for _ in 0..24 {
        let cell = &cells[chance(cells.len())];
        plant_all(&app, std::slice::from_ref(cell), |_| flipped(&cell.sealed)).await;
        for answer in looks(&app, &cell.guest.to_string(), &cell.field).await {
            refused_as_damaged(&answer, &canaries, &cell.field);
            expected += 1;
        }
        let inspection = app.app.vault.inspect().await.unwrap();
        assert_eq!(inspection.damaged, 1);
        assert!(
            inspection.places[0].contains(&cell.guest.to_string())
                && inspection.places[0].contains(&cell.field)
        );
        // Other guests, and other fields of this one, are read as before.
        let other = if cell.field == "gender" {
            "nationality"
        } else {
            "gender"
        };
        let path = format!("/v1/guests/{}?fields={other}", cell.guest);
        assert_eq!(app.get(&officer(&app).await, &path).await.status, 200);
        plant_all(&app, std::slice::from_ref(cell), |_| cell.sealed.clone()).await;
        assert_eq!(
            looks(&app, &cell.guest.to_string(), &cell.field).await[0].status,
            200
        );
    }
    assert_eq!(finds(&app).await, expected, "every refused look is on record");
    app.finish().await;
});

both!(
    a_value_opens_for_no_other_guest_record_field_or_version,
    async |database| {
        let app = TestApp::start(database).await;
        let (_, canaries) = fill(&app, 2).await;
        let cells = values(&app).await;
        let at = |guest: Uuid, field: &str| {
            let found = cells
                .iter()
                .find(|cell| cell.guest == guest && cell.field == field);
            found.unwrap().clone()
        };
        let (one, two) = (
            cells[0].guest,
            cells.iter().find(|c| c.guest != cells[0].guest).unwrap().guest,
        );
        let pairs = [
            (at(one, "name.given"), at(one, "name.surname")),
            (at(one, "notes"), at(one, "special_needs")),
            (at(one, "phones"), at(two, "phones")),
            (at(one, "name.full"), at(two, "name.full")),
            (at(one, "birth_date"), at(one, "phones")),
        ];
        let mut expected = 0;
        for (left, right) in pairs {
            let both = [left.clone(), right.clone()];
            let swapped = [right.sealed.clone(), left.sealed.clone()];
            plant_all(&app, &both, |at| swapped[at].clone()).await;
            for cell in &both {
                for answer in looks(&app, &cell.guest.to_string(), &cell.field).await {
                    refused_as_damaged(&answer, &canaries, &cell.field);
                    expected += 1;
                }
            }
            assert_eq!(app.app.vault.inspect().await.unwrap().damaged, 2);
            plant_all(&app, &both, |at| both[at].sealed.clone()).await;
        }
        assert_eq!(finds(&app).await, expected);
        app.finish().await;
    }
);

both!(
    an_older_version_and_another_records_value_do_not_open,
    async |database| {
        let app = TestApp::start(database).await;
        let said = |surname: &str| json!({"guest": {"name": {"surname": surname, "given": "Ana"}, "birth_date": "1980-02-29", "phones": [{"number": "+351912000111"}], "emails": [{"address": "ana@guests.example"}]}});
        let mut canaries = Canaries::default();
        let (old, new) = (canaries.word("old"), canaries.word("new"));
        let guest = app.guest("pms/1", said(&old)).await;
        let before = values(&app).await;
        app.guest("pms/1", said(&new)).await;
        // The same words of a second source: equal values, sealed to another record.
        let other = app.guest("web/1", said(&new)).await;
        assert_eq!(guest, other);
        let after = values(&app).await;
        let surname = |cells: &[Cell], but: Uuid| {
            let found = cells
                .iter()
                .find(|c| c.field == "name.surname" && c.record != but);
            found.unwrap().clone()
        };
        let first = surname(&after, surname(&after, before[0].record).record);
        let second = surname(&after, first.record);
        for (place, foreign) in [
            (&first, &surname(&before, Uuid::nil())),
            (&first, &second),
            (&second, &first),
        ] {
            plant_all(&app, std::slice::from_ref(place), |_| foreign.sealed.clone()).await;
            let records = app
                .get(&officer(&app).await, &format!("/v1/guests/{guest}/records"))
                .await;
            refused_as_damaged(&records, &canaries, "name.surname");
            assert_eq!(app.app.vault.inspect().await.unwrap().damaged, 1);
            plant_all(&app, std::slice::from_ref(place), |_| place.sealed.clone()).await;
        }
        app.finish().await;
    }
);

both!(every_damaged_value_of_thousands_is_found, async |database| {
    let app = TestApp::start(database).await;
    fill(&app, 30).await;
    let cells = values(&app).await;
    let count = u64::try_from(cells.len()).unwrap();
    assert!(count > 1_500, "{count} values");
    for round in 0..6 {
        if round % 2 == 0 {
            plant_all(&app, &cells, |at| flipped(&cells[at].sealed)).await;
        } else {
            // Everybody's values move on by some places: no value lies where it was.
            let by = 1 + chance(cells.len() - 1);
            plant_all(&app, &cells, |at| cells[(at + by) % cells.len()].sealed.clone()).await;
        }
        let inspection = app.app.vault.inspect().await.unwrap();
        // Besides the values: a stay and a source's id of each guest, all whole.
        assert_eq!(
            (inspection.values, inspection.damaged),
            (count + 60, count),
            "round {round}"
        );
    }
    plant_all(&app, &cells, |at| cells[at].sealed.clone()).await;
    app.finish().await;
});

both!(a_damaged_document_is_refused_at_the_desk, async |database| {
    let app = TestApp::start(database).await;
    let (_, canaries) = fill(&app, 2).await;
    let desk = app
        .errand("front_desk", "check_in")
        .await
        .with("vault-reason", "at the desk");
    for cell in values(&app).await.iter().filter(|c| c.field == "id_documents") {
        let path = format!("/v1/guests/{}", cell.guest);
        plant_all(&app, std::slice::from_ref(cell), |_| flipped(&cell.sealed)).await;
        refused_as_damaged(&app.get(&desk, &path).await, &canaries, "id_documents");
        let asked = json!({"fields": ["id_documents"]});
        refused_as_damaged(
            &app.post(&desk, &format!("{path}/reveal"), asked).await,
            &canaries,
            "id_documents",
        );
        // Who is not shown the document does not notice.
        let keeping = app.get(&app.role("housekeeping").await, &path).await;
        assert_eq!(keeping.status, 200, "{keeping:?}");
        plant_all(&app, std::slice::from_ref(cell), |_| cell.sealed.clone()).await;
    }
    assert_eq!(finds(&app).await, 4);
    app.finish().await;
});

both!(a_damaged_stay_opens_no_window, async |database| {
    let app = TestApp::start(database).await;
    let (_, canaries) = fill(&app, 2).await;
    let stays = cells(&app, STAYS, ("stay", "sealed")).await;
    let roles = ["front_desk", "duty_manager", "food_beverage"];
    let damages: [(&str, Vec<Vec<u8>>); 2] = [
        ("flipped", stays.iter().map(|s| flipped(&s.sealed)).collect()),
        ("swapped", stays.iter().rev().map(|s| s.sealed.clone()).collect()),
    ];
    let mut expected = 0;
    for (damage, bytes) in damages {
        plant_all(&app, &stays, |at| bytes[at].clone()).await;
        for stay in &stays {
            for role in roles {
                let answer = app
                    .get(&app.role(role).await, &format!("/v1/guests/{}", stay.guest))
                    .await;
                refused_as_damaged(&answer, &canaries, damage);
                expected += 1;
            }
        }
        let inspection = app.app.vault.inspect().await.unwrap();
        assert_eq!(inspection.damaged, 2, "{damage}");
        for (place, stay) in inspection.places.iter().zip(&stays) {
            assert!(
                place.starts_with("stay ") && place.contains(&stay.guest.to_string()),
                "{place}"
            );
        }
        plant_all(&app, &stays, |at| stays[at].sealed.clone()).await;
    }
    assert_eq!(finds(&app).await, expected);
    app.finish().await;
});

both!(a_damaged_source_id_is_not_told, async |database| {
    let app = TestApp::start(database).await;
    let (_, canaries) = fill(&app, 2).await;
    let sources = cells(&app, SOURCES, ("record", "source_id")).await;
    let desk = app.role("front_desk").await;
    for bytes in [flipped(&sources[0].sealed), sources[1].sealed.clone()] {
        plant_all(&app, &sources[..1], |_| bytes.clone()).await;
        let answer = app
            .get(&desk, &format!("/v1/guests/{}/records", sources[0].guest))
            .await;
        refused_as_damaged(&answer, &canaries, "source_id");
        let inspection = app.app.vault.inspect().await.unwrap();
        assert_eq!(inspection.damaged, 1);
        assert!(
            inspection.places[0].starts_with("record ")
                && inspection.places[0].contains(&sources[0].record.to_string())
        );
        plant_all(&app, &sources[..1], |_| sources[0].sealed.clone()).await;
    }
    app.finish().await;
});

/// A key of the key store, wrapped.
type WrappedKey = (Uuid, i64, Vec<u8>);

async fn wrapped(app: &TestApp) -> Vec<WrappedKey> {
    let mut conn = app.app.key_store.read().await.unwrap();
    on!(&mut conn, c => {
        sqlx::query_as("SELECT guest_id, category, wrapped FROM data_key ORDER BY guest_id, category").fetch_all(c).await.unwrap()
    })
}

async fn rewrap(app: &TestApp, (guest, category, bytes): &WrappedKey) {
    let mut tx = app.app.key_store.begin().await.unwrap();
    on!(&mut tx, c => {
        sqlx::query("UPDATE data_key SET wrapped = $3 WHERE guest_id = $1 AND category = $2")
            .bind(guest).bind(category).bind(bytes).execute(c).await.unwrap();
    });
    tx.commit().await.unwrap();
}

both!(a_damaged_or_borrowed_key_opens_nothing, async |database| {
    let app = TestApp::start(database).await;
    let (all, canaries) = fill(&app, 2).await;
    let keys = wrapped(&app).await;
    let (guest, category, bytes) = &keys[0];
    let other_guest = keys.iter().find(|k| k.0 != *guest && k.1 == *category).unwrap();
    let other_category = keys.iter().find(|k| k.0 == *guest && k.1 != *category).unwrap();
    let damages = [
        flipped(bytes),
        other_guest.2.clone(),
        other_category.2.clone(),
        bytes[..bytes.len() - 1].to_vec(),
    ];
    app.app.close().await;
    for damage in damages {
        // A fresh start: opened keys are kept for a minute.
        let app = TestApp::start(database).await;
        rewrap(&app, &(*guest, *category, damage)).await;
        let answer = app
            .get(&officer(&app).await, &format!("/v1/guests/{guest}"))
            .await;
        refused_as_damaged(&answer, &canaries, "key");
        let integration = app.errand("integration", "booking").await;
        let said = json!({"guest": {"name": {"given": "Ana"}}});
        let at = all.iter().position(|g| *g == guest.to_string()).unwrap();
        let written = app
            .put(&integration, &format!("/v1/records/pms/{at}"), said)
            .await;
        assert_eq!(
            (written.status, written.problem()),
            (500, "damaged"),
            "nothing is sealed under a damaged key"
        );
        let inspection = app.app.vault.inspect().await.unwrap();
        assert!(inspection.damaged > 0);
        assert!(
            inspection
                .places
                .iter()
                .all(|place| place.contains(&guest.to_string()))
        );
        rewrap(&app, &keys[0]).await;
        app.app.close().await;
    }
    let app = TestApp::start(database).await;
    assert_eq!(
        app.get(&officer(&app).await, &format!("/v1/guests/{guest}"))
            .await
            .status,
        200
    );
    app.finish().await;
});

both!(without_the_guests_audit_key_nothing_is_shown, async |database| {
    let app = TestApp::start(database).await;
    let (_, canaries) = fill(&app, 1).await;
    let audit = i64::from(guest_vault::base::Category::Audit.code());
    let key = wrapped(&app).await.into_iter().find(|k| k.1 == audit).unwrap();
    rewrap(&app, &(key.0, key.1, flipped(&key.2))).await;
    app.app.close().await;
    let app = TestApp::start(database).await;
    // The log could not say about whom the look was, nor keep its reason.
    let path = format!("/v1/guests/{}", key.0);
    refused_as_damaged(&app.get(&officer(&app).await, &path).await, &canaries, "audit");
    let asked: Value = json!({"fields": ["phones"]});
    refused_as_damaged(
        &app.post(&officer(&app).await, &format!("{path}/reveal"), asked)
            .await,
        &canaries,
        "audit",
    );
    rewrap(&app, &key).await;
    app.app.close().await;
});
