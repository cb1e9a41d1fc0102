//! Tables that are not as they should be: what is lost in them is told.

use serde_json::{Value, json};

use super::{
    csv::{Mapping, Rows, Table},
    guess::suggest,
    hotels::Hotels,
    records::{Cut, Input},
    tests::{Read, input, read},
};

/// On a day of November 2026, by no hotel's clock.
pub(super) fn table_of(mapping: Mapping) -> Table {
    let today = chrono::NaiveDate::from_ymd_opt(2026, 11, 22).unwrap();
    Table::new(mapping, &Hotels::default(), today)
}

pub(super) fn csv(text: &str, mapping: &str) -> Read {
    let mapping = Mapping::read(mapping).unwrap();
    let rows = Rows::new(input(text), &mapping).unwrap();
    let table = table_of(mapping).in_order(rows.header());
    read(Cut::Csv(rows), Box::new(table))
}

/// With these columns.
pub(super) fn table(text: &str, columns: &str) -> Read {
    csv(
        text,
        &format!("source_system = 'pms'\nid = 'id'\ndate_format = '%d.%m.%Y'\n[columns]\n{columns}"),
    )
}

pub(super) fn surnames(read: &Read) -> Vec<&str> {
    let surname = |values: &'_ serde_json::Map<String, Value>| values.contains_key("name.surname");
    let stored = read.stored.iter().filter(|s| surname(&s.values));
    stored
        .map(|s| s.values["name.surname"].as_str().unwrap())
        .collect()
}

#[test]
fn a_no_in_any_words_is_a_no_and_another_word_is_told() {
    let text = "id,news,post\n1,f,yes\n2,maybe,\n3,t,yes\n";
    let read = table(
        text,
        "news = 'consents.marketing_direct'\npost = 'consents.marketing_direct'",
    );
    let states: Vec<Vec<&str>> = read
        .stored
        .iter()
        .map(|s| s.line.consents.iter().map(|line| line.state.as_str()).collect())
        .collect();
    assert_eq!(states, [vec!["refused"], vec![], vec!["given"]]);
    assert_eq!(read.refused.len(), 1);
    assert!(
        read.refused[0].contains("neither a yes nor a no"),
        "{:?}",
        read.refused
    );
}

#[test]
fn who_does_not_smoke_is_no_smoker() {
    let text = "id,s\n1,non-smoking\n2,Nichtraucher\n3,NR\n4,Smoker\n5,no preference\n6,?\n7,Não fumador\n";
    let read = table(text, "s = 'preferences.smoking'");
    let smoke = |at: usize| read.stored[at].values.get("preferences.smoking");
    for at in [0, 1, 2, 6] {
        assert_eq!(smoke(at), Some(&json!(false)), "{at}");
    }
    assert_eq!(smoke(3), Some(&json!(true)));
    for at in [4, 5] {
        assert_eq!(smoke(at), None);
        assert_eq!(read.stored[at].rejected, ["preferences.smoking wrong_type"]);
    }
}

#[test]
fn a_stay_that_cannot_be_read_is_told_and_a_strange_status_too() {
    let columns = "no = 'stays.reservation'\nfrom = 'stays.arrival'\nto = 'stays.departure'\nst = 'stays.status'\nvia = 'stays.channel'";
    let text = "id,no,from,to,st,via\n1,R1,04.03.2026 15:00,07.03.2026,Checked in,Web\n2,,04.03.2026,07.03.2026,,\n\
        3,R3,4 March,07.03.2026,,\n4,R4,04.03.2026,07.03.2026,Storniert,\n5,,,,,Web\n";
    let read = table(text, columns);
    let stays: Vec<Value> = read
        .stored
        .iter()
        .map(|s| json!(s.line.stays.first().map(|stay| stay.status)))
        .collect();
    assert_eq!(
        stays,
        [
            json!("checked_in"),
            json!(null),
            json!(null),
            json!("tentative"),
            json!(null)
        ]
    );
    let wanted = [
        "no reservation number",
        "no day of arrival",
        "status that is not known",
    ];
    assert_eq!(read.refused.len(), wanted.len());
    for (told, wanted) in read.refused.iter().zip(wanted) {
        assert!(told.contains(wanted), "{told}");
    }
    assert_eq!(
        read.unmapped,
        ["via"],
        "a channel without a stay has nowhere to go"
    );
}

#[test]
fn a_mapping_with_half_a_stay_is_told() {
    let half = "source_system = 'a'\nid = 'i'\n[columns]\nfrom = 'stays.arrival'\nto = 'stays.departure'";
    let told = Mapping::read(half).err().unwrap();
    assert!(told.contains("stays.reservation"), "{told}");
    let guess = suggest("Guest ID,Arrival,Departure,Rate\n");
    assert!(guess.contains("# \"Arrival\"") && guess.contains("needs stays.reservation"));
    assert!(Mapping::read(&guess).is_ok());
    for name in ["Booking No", "Confirmation Number", "Reservation ID"] {
        let guess = suggest(&format!("Guest ID,{name},Arrival,Departure,City,City\n"));
        assert_eq!(Mapping::read(&guess).unwrap().columns[name], "stays.reservation");
    }
}

#[test]
fn all_documents_memberships_and_addresses_of_a_row_are_kept() {
    let text = "id,passport,pass until,card,card until,gold,silver,level,street,area,town,work street,work town\n\
        1,C1234567,01.02.2030,11223344,03.04.2031,71,72,A,Rua Um 1,Alfama,Lisboa,Cais 2,Porto\n\
        2,,01.02.2030,,,,,,,,,,Faro\n";
    let columns = "passport = 'id_documents[passport]'\n'pass until' = 'id_documents[passport].expires_on'\n\
        card = 'id_documents[national_id]'\n'card until' = 'id_documents[national_id].expires_on'\n\
        gold = 'memberships[GOLD]'\nsilver = 'memberships[SILVER]'\nlevel = 'memberships[GOLD].tier'\n\
        'work town' = 'postal_addresses.city'\ntown = 'postal_addresses.city'\narea = 'postal_addresses.lines'\n\
        street = 'postal_addresses.lines'\n'work street' = 'postal_addresses.lines'";
    let read = table(text, columns);
    let one = &read.stored[0];
    let documents = &one.values["id_documents"];
    assert_eq!(documents[0]["expires_on"], "2030-02-01");
    assert_eq!(
        (&documents[1]["type"], &documents[1]["number"]),
        (&json!("national_id"), &json!("11223344"))
    );
    let clubs = &one.values["memberships"];
    assert_eq!(
        (&clubs[0]["tier"], &clubs[1]["program"]),
        (&json!("A"), &json!("SILVER"))
    );
    let addresses = &one.values["postal_addresses"];
    assert_eq!(addresses[0]["lines"], json!(["Rua Um 1", "Alfama"]));
    assert_eq!(addresses[0]["city"], "Lisboa");
    assert_eq!(
        (&addresses[1]["lines"], &addresses[1]["city"]),
        (&json!(["Cais 2"]), &json!("Porto"))
    );
    let two = &read.stored[1];
    assert_eq!(two.values["postal_addresses"][0]["city"], "Faro");
    assert_eq!(two.rejected, ["id_documents[0].number missing"]);
}

#[test]
fn a_member_alone_belongs_to_the_only_item_there_is() {
    let text = "id,country,passport,card,tier\n1,PT,C1234567,,GOLD\n2,,C7654321,88,SILVER\n";
    let columns = "country = 'id_documents.issuing_country'\npassport = 'id_documents[passport]'\n\
        card = 'memberships[CLUB]'\ntier = 'memberships.tier'";
    let read = table(text, columns);
    assert_eq!(read.stored[0].values["id_documents"][0]["issuing_country"], "PT");
    assert_eq!(read.stored[1].values["memberships"][0]["tier"], "SILVER");
    // A tier of nothing is refused by name.
    assert!(
        read.stored[0]
            .rejected
            .iter()
            .any(|r| r.starts_with("memberships[0]")),
        "{:?}",
        read.stored[0].rejected
    );
}

#[test]
fn a_row_without_a_readable_moment_is_not_taken_as_of_now() {
    let mapping = "source_system = 'pms'\nid = 'id'\nobserved_at = 'at'\ndate_format = '%d.%m.%Y'\n[columns]\nn = 'name.surname'";
    let text = "id,at,n\n1,01.01.2024 10:00,Costa\n2,01/02 2024,Melo\n3,2024-05-06,Lima\n4,01.01.1900,Reis\n";
    let read = csv(text, mapping);
    let moments: Vec<Option<String>> = read
        .stored
        .iter()
        .map(|s| s.line.observed_at.map(|at| at.to_rfc3339()))
        .collect();
    let at = |text: &str| Some(format!("{text}+00:00"));
    assert_eq!(
        moments,
        [at("2024-01-01T10:00:00"), at("2024-05-06T00:00:00"), None]
    );
    assert!(read.refused[0].contains("date_format"), "{:?}", read.refused);
}

#[test]
fn a_quote_that_is_not_closed_costs_its_own_row() {
    let columns = "n = 'name.surname'\nc = 'notes'";
    for text in [
        "id,n,c\n1,\"Costa,x\n2,Melo,y\n3,Lima,z\n",
        "id,n,c\r\n1,\"Costa,x\r\n2,Melo,\"y, y\"\r\n3,Lima,z",
        "id,n,c\n1,Costa,\"two\nlines, \"\"quoted\"\n2,Melo,\n3,Lima,\"torn\n",
    ] {
        let read = table(text, columns);
        let torn = usize::from(!text.contains("torn"));
        assert_eq!(surnames(&read).len(), 2, "{text}");
        assert_eq!(surnames(&read)[torn ^ 1], "Melo", "{text}");
        assert_eq!(read.refused, ["element opens a quote and does not close it"]);
    }
    // What stands behind it and does not look like a row makes no guest.
    let read = table("id,n,c\n1,\"Costa,x\nmore of it\n2,Melo,y\n", columns);
    assert_eq!((surnames(&read), read.refused.len()), (vec!["Melo"], 2));
}

#[test]
fn a_large_row_and_one_of_another_encoding_cost_only_themselves() {
    let large = format!("id,n\n1,{}\n2,Melo\n", "x".repeat(3 * 1024 * 1024));
    let one = table(&large, "n = 'name.surname'");
    assert_eq!((surnames(&one), one.refused.len()), (vec!["Melo"], 1));
    let mapping = Mapping::read("source_system = 'a'\nid = 'id'\n[columns]\nn = 'name.surname'").unwrap();
    let bytes: &[u8] = b"id,n\n1,M\xfcller\n2,Melo\n";
    let from: Input = Box::new(std::io::Cursor::new(bytes));
    let rows = Rows::new(from, &mapping).unwrap();
    let read = read(Cut::Csv(rows), Box::new(table_of(mapping)));
    assert_eq!(surnames(&read), ["Melo"]);
    assert_eq!(read.refused, ["element is not UTF-8"]);
}

#[test]
fn a_list_of_names_that_can_be_read_in_two_ways_is_told() {
    let mapping = |order: &str| format!("source_system = 'ota'\nid = 'id'\n{order}\n[columns]\ng = 'names'");
    let text = "id,g\n1,\"Ana Lima, Rui Costa\"\n2,\"Ana Lima, Rui Costa, Eva Melo\"\n3,Wang/Xiaoming MR\n4,\"Costa, Ana\"\n";
    let unknown = csv(text, &mapping(""));
    assert!(unknown.refused[0].contains("comma"), "{:?}", unknown.refused);
    assert_eq!(unknown.stored.len(), 6);
    assert_eq!(surnames(&unknown), ["Wang", "Costa"]);
    let known = csv(text, &mapping("name_order = 'given_first'"));
    assert!(known.refused.is_empty());
    assert_eq!(
        surnames(&known),
        ["Lima", "Costa", "Lima", "Costa", "Melo", "Wang", "Costa"]
    );
    let wang = &known.stored[5].values;
    assert_eq!(
        (&wang["name.given"], &wang["name.prefix"]),
        (&json!("Xiaoming"), &json!("MR"))
    );
}

#[test]
fn a_moment_without_a_zone_is_by_the_hotels_clock() {
    let mapping = |more: &str| {
        format!(
            "source_system = 'a'\nid = 'id'\nobserved_at = 'chg'\ndate_format = '%d.%m.%Y'\n{more}\n[columns]\nn = 'name.surname'"
        )
    };
    let text = "id,n,chg\n1,Costa,2026-11-22 09:00:00\n2,Melo,2026-11-22T09:00:00+02:00\n3,Lima,22.11.2026 09:00\n4,Reis,22.11.2026\n";
    let seen = |read: &Read| -> Vec<String> {
        let at = read.stored.iter().map(|one| one.line.observed_at.unwrap());
        at.map(|at| at.format("%dT%H:%M").to_string()).collect()
    };
    let shanghai = csv(text, &mapping("timezone = 'Asia/Shanghai'"));
    assert_eq!(seen(&shanghai), ["22T01:00", "22T07:00", "22T01:00", "21T16:00"]);
    // Nothing said: the property's, here none.
    assert_eq!(
        seen(&csv(text, &mapping(""))),
        ["22T09:00", "22T07:00", "22T09:00", "22T00:00"]
    );
    assert!(Mapping::read(&mapping("timezone = 'Shanghai'")).is_err());
}

#[test]
fn nobody_is_born_tomorrow() {
    let born = |format: &str, text: &str| {
        let mapping =
            format!("source_system = 'a'\nid = 'id'\ndate_format = '{format}'\n[columns]\nb = 'birth_date'");
        let read = csv(&format!("id,b\n1,{text}\n"), &mapping);
        read.stored[0].values.get("birth_date").cloned()
    };
    assert_eq!(born("%d.%m.%y", "24.12.58"), Some(json!("1958-12-24")));
    assert_eq!(born("%d.%m.%y", "01.02.20"), Some(json!("2020-02-01")));
    // Four digits are meant as they are: the vault refuses what lies ahead.
    assert_eq!(born("%d.%m.%Y", "24.12.2058"), None);
    assert_eq!(born("%d.%m.%y", "2058-12-24"), None);
}

#[test]
fn a_name_is_kept_whichever_column_comes_first() {
    for columns in [
        "'how' = 'name.native.phonetic'\n'who' = 'name'",
        "'who' = 'name'\n'how' = 'name.native.phonetic'",
    ] {
        let text = if columns.starts_with("'how'") {
            "id,how,who\n1,Wang Xiaoyun,王小云\n"
        } else {
            "id,who,how\n1,王小云,Wang Xiaoyun\n"
        };
        let read = table(text, columns);
        let native = &read.stored[0].values["name.native"];
        assert_eq!(
            native,
            &json!({"value": "王小云", "script": "Hani", "phonetic": "Wang Xiaoyun"}),
            "{columns}"
        );
        assert!(read.unmapped.is_empty(), "{:?}", read.unmapped);
    }
    // What has no room beside another value is told.
    let read = table(
        "id,room,floor\n1,quiet,high\n",
        "room = 'preferences.room'\nfloor = 'preferences.room.floor'",
    );
    assert_eq!(read.unmapped, ["preferences.room.floor (another value)"]);
}
