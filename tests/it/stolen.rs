//! P10: a stolen data store yields equality and sizes, nothing else. Every column of every table that names a guest is
//! attacked by frequency: its values, ranked, are matched with ranked public statistics of what guests are.

use std::collections::{BTreeMap, BTreeSet};

use guest_vault::{
    on,
    store::{Conn, Database as _, Spelling},
};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::support::{app::TestApp, database::both};

const SURNAMES: [&str; 24] = [
    "Silva", "Wang", "Meier", "Rossi", "Novak", "Kowalski", "Jensen", "Dubois", "Garcia", "Smith", "Tanaka",
    "Haddad", "Petrov", "Virtanen", "Nagy", "Popescu", "Yilmaz", "Costa", "Weber", "Ferrari", "Horvat",
    "Larsson", "Moreau", "Okafor",
];
const GIVEN: [&str; 12] = [
    "Ana", "Bo", "Carla", "Dmitri", "Elif", "Farid", "Greta", "Hugo", "Ines", "Jonas", "Keiko", "Luca",
];
const CITIES: [&str; 8] = [
    "Lisboa", "Porto", "Wien", "Lyon", "Gent", "Turku", "Leeds", "Brno",
];
const GUESTS: u32 = 260;

/// Numbers as a die would throw them, the same ones each time.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(most).unwrap()).unwrap()
    }

    /// The first is the commonest, the second half as common, and so on.
    fn skewed<T: Copy>(&mut self, of: &[T]) -> T {
        let whole: f64 = (1..=of.len()).map(|rank| 1.0 / real(rank)).sum();
        let mut at = real(self.below(1_000_000)) / 1e6 * whole;
        for (rank, one) in of.iter().enumerate() {
            at -= 1.0 / real(rank + 1);
            if at <= 0.0 {
                return *one;
            }
        }
        of[0]
    }
}

fn real(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}

/// What somebody is, by attribute.
fn someone(dice: &mut Dice) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("surname", dice.skewed(&SURNAMES).to_owned()),
        ("given", dice.skewed(&GIVEN).to_owned()),
        ("city", dice.skewed(&CITIES).to_owned()),
        // A day that many share stands out.
        (
            "birthday",
            match dice.below(8) {
                0 => "06-15".to_owned(),
                _ => format!("{:02}-{:02}", 1 + dice.below(12), 1 + dice.below(28)),
            },
        ),
        ("gender", ["female", "male"][dice.below(2)].to_owned()),
        (
            "nationality",
            dice.skewed(&["PT", "AT", "FR", "FI", "GB"]).to_owned(),
        ),
        ("vip", dice.skewed(&["V1", "V2", "V3"]).to_owned()),
        ("diet", dice.skewed(&["vegetarian", "halal", "kosher"]).to_owned()),
    ])
}

fn record(who: &BTreeMap<&str, String>, n: u32) -> Value {
    let year = 1940 + n % 60;
    json!({
        "observed_at": "2026-03-01T10:00:00Z",
        "guest": {
            "name": {"surname": who["surname"], "given": who["given"]},
            "birth_date": format!("{year}-{}", who["birthday"]),
            "gender": who["gender"], "nationality": who["nationality"], "vip_code": who["vip"], "diet": [who["diet"]],
            "phones": [{"number": format!("+351 91 {:07}", 1_000_000 + n * 34_567 % 8_999_999)}],
            "postal_addresses": [{"lines": [format!("Rua {n}")], "city": who["city"], "postal_code": format!("1{n:03}-001"),
                                  "country": "PT"}]
        }
    })
}

/// The values of a column by guest, as text; of every table with a guest's id.
async fn columns(conn: &mut Conn) -> BTreeMap<String, BTreeMap<String, BTreeSet<String>>> {
    let lite = conn.spelling() == Spelling::Sqlite;
    let list = if lite {
        "SELECT m.name, p.name FROM sqlite_master m JOIN pragma_table_info(m.name) p WHERE m.type = 'table'
             AND EXISTS (SELECT 1 FROM pragma_table_info(m.name) g WHERE g.name = 'guest_id') AND p.name <> 'guest_id'"
    } else {
        "SELECT c.table_name::text, c.column_name::text FROM information_schema.columns c
         WHERE c.table_schema = current_schema() AND c.column_name <> 'guest_id'
             AND EXISTS (SELECT 1 FROM information_schema.columns g
                         WHERE g.table_schema = c.table_schema AND g.table_name = c.table_name
                             AND g.column_name = 'guest_id')"
    };
    let all: Vec<(String, String)> = on!(&mut *conn, c => {
        sqlx::query_as(AssertSqlSafe(list.to_owned())).fetch_all(c).await.unwrap()
    });
    let mut found = BTreeMap::new();
    for (table, column) in all {
        let text = if lite {
            format!("quote({column})")
        } else {
            format!("CAST({column} AS TEXT)")
        };
        let guest = if lite {
            "quote(guest_id)"
        } else {
            "CAST(guest_id AS TEXT)"
        };
        let sql = format!(
            "SELECT {guest}, {text} FROM {table} WHERE guest_id IS NOT NULL AND {column} IS NOT NULL"
        );
        let rows: Vec<(String, String)> = on!(&mut *conn, c => {
            sqlx::query_as(AssertSqlSafe(sql)).fetch_all(c).await.unwrap()
        });
        let mut of: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (guest, value) in rows {
            let guest = guest.replace(['X', '\'', '-'], "").to_lowercase();
            of.entry(guest).or_default().insert(value);
        }
        found.insert(format!("{table}.{column}"), of);
    }
    found
}

/// The commonest first; of equally common ones the first in the alphabet.
fn ranked<'v>(values: impl Iterator<Item = &'v String>) -> Vec<String> {
    let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    let mut all: Vec<(&String, usize)> = counts.into_iter().collect();
    all.sort_by_key(|(value, count)| (std::cmp::Reverse(*count), *value));
    all.into_iter().map(|(value, _)| value.clone()).collect()
}

/// The share of guests whose attribute is told rightly: each by the rarest of its values, which tells most.
fn told(
    column: &BTreeMap<String, BTreeSet<String>>,
    public: &[String],
    truth: &BTreeMap<String, String>,
) -> f64 {
    let order = ranked(column.values().flatten());
    let rank: BTreeMap<&String, usize> = order.iter().enumerate().map(|(at, value)| (value, at)).collect();
    let right = truth.iter().filter(|(guest, attribute)| {
        let values = column.get(*guest).into_iter().flatten();
        // The attacker takes the commonest of a guest's values that stands for anything.
        let best = values.map(|value| rank[value]).min();
        best.and_then(|at| public.get(at)) == Some(*attribute)
    });
    real(right.count()) / real(truth.len())
}

both!(no_column_tells_more_than_guessing, async |database| {
    let app = TestApp::start(database).await;
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut truth: BTreeMap<&str, BTreeMap<String, String>> = BTreeMap::new();
    for n in 0..GUESTS {
        let who = someone(&mut dice);
        let guest = app
            .guest(&format!("web/{n}"), record(&who, n))
            .await
            .replace('-', "");
        for (attribute, value) in who {
            truth.entry(attribute).or_default().insert(guest.clone(), value);
        }
    }
    // The statistics everybody can buy: other people of the same country.
    let others: Vec<BTreeMap<&str, String>> = (0..5_000).map(|_| someone(&mut dice)).collect();
    let mut conn = app.app.vault.store.read().await.unwrap();
    let columns = columns(&mut conn).await;
    drop(conn);
    assert!(columns.contains_key("likeness_token.token") && columns.contains_key("blind_index.token"));
    // The attack works where there is something to find: a column with the names themselves.
    let names = &truth["surname"];
    let open: BTreeMap<String, BTreeSet<String>> = names
        .iter()
        .map(|(guest, name)| (guest.clone(), BTreeSet::from([format!("#{name}")])))
        .collect();
    let public = ranked(others.iter().map(|who| &who["surname"]));
    assert!(
        told(&open, &public, names) > 0.3,
        "{}",
        told(&open, &public, names)
    );
    for (attribute, truth) in &truth {
        let public = ranked(others.iter().map(|who| &who[attribute]));
        let commonest = truth.values().filter(|value| **value == public[0]).count();
        let guessing = real(commonest) / real(truth.len());
        for (name, column) in &columns {
            let share = told(column, &public, truth);
            assert!(
                share <= guessing + 0.06,
                "{name} tells {attribute} of {share:.3}; guessing {guessing:.3}"
            );
        }
    }
    app.finish().await;
});
