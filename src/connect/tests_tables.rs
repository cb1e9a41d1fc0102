//! Tables whose cells are no values, or stand in the wrong column; and what their headers are taken for.

use serde_json::{Value, json};

use super::{
    csv::Mapping,
    guess::suggest,
    tests::Read,
    tests_csv::{csv, surnames, table},
};

fn has(told: &[String], word: &str) -> bool {
    told.iter().any(|told| told.contains(word))
}

fn consents(read: &Read) -> Vec<&str> {
    let said = read.stored.iter().filter_map(|one| one.line.consents.first());
    said.map(|consent| consent.state.as_str()).collect()
}

#[test]
fn a_yes_is_no_number_and_no_grade() {
    let text = "id,club,pass,vip\n1,Yes,yes,No\n2,n/a,C1234567,Ja\n3,A-17,,1\n4,x,,0\n5,,,GOLD\n";
    let read = table(
        text,
        "club = 'memberships[CLUB]'\npass = 'id_documents[passport]'\nvip = 'vip_code'",
    );
    let fields = |at: usize| {
        read.stored[at]
            .values
            .keys()
            .map(String::as_str)
            .collect::<Vec<_>>()
    };
    assert_eq!(fields(0), [""; 0]);
    assert_eq!(fields(1), ["id_documents"]);
    assert_eq!(fields(2), ["memberships", "vip_code"]);
    assert_eq!(fields(3), [""; 0]);
    assert_eq!(read.stored[4].values["vip_code"], "GOLD");
    assert_eq!(read.refused.len(), 5, "{:?}", read.refused);
    for word in ["membership's number", "document's number", "bare yes"] {
        assert!(has(&read.refused, word), "{word}");
    }
    let guess = suggest("Guest No,Member,Membership Number\n");
    let mapping = Mapping::read(&guess).unwrap();
    assert_eq!(mapping.id, "Guest No");
    let columns = mapping.columns;
    assert_eq!(columns.get("Member"), None);
    assert_eq!(columns["Membership Number"], "memberships[CLUB]");
}

#[test]
fn a_shifted_row_is_refused_and_a_short_one_is_not() {
    let columns = "s = 'name.surname'\nstreet = 'postal_addresses.lines'\nnews = 'consents.marketing_direct'";
    let text = "id,s,street,terms,news\n1,Costa,Rua 1, 2,yes,no\n2,Melo,Rua 2,yes,no\n3,Lima,Rua 3\n4,Reis\n\
                5,Braga,Rua 5, 6,yes,\n";
    let read = table(text, columns);
    assert_eq!(surnames(&read), ["Melo", "Lima", "Reis"]);
    assert_eq!(consents(&read), ["refused"]);
    assert_eq!((read.refused.len(), has(&read.refused, "more cells")), (2, true));
    // Where each row ends with a delimiter, the header need not.
    let read = table("id,s\n1,Costa,\n2,Melo,\n3,Lima,x\n", "s = 'name.surname'");
    assert_eq!((surnames(&read), read.refused.len()), (vec!["Costa", "Melo"], 1));
}

#[test]
fn a_row_that_a_line_break_cuts_is_refused() {
    let columns = "s = 'name.surname'\nn = 'notes'\nnews = 'consents.marketing_direct'";
    for (cut, parts) in [
        ("1,Costa,quiet\nand view,no", 2),
        ("1,Costa,quiet\nand view\nand sun,no", 3),
    ] {
        let text = format!("id,s,n,news\n0,Melo,x,no\n{cut}\n2,Lima,,no\n3,Reis\n4,Braga,x\n");
        let read = table(&text, columns);
        let left = surnames(&read);
        assert_eq!(left.iter().filter(|name| **name != "Costa").count(), 4, "{cut}");
        assert_eq!(read.refused.len(), parts, "{cut}: {:?}", read.refused);
        assert!(has(&read.refused, "part of a row"), "{cut}");
    }
}

#[test]
fn words_that_values_do_not_name_agree_to_nothing() {
    let mapping = "source_system = 'pms'\nid = 'id'\n[columns]\nunsub = 'consents.marketing_direct'\n\
                   sex = 'gender'\n[values.unsub]\nYes = 'no'\nNo = 'yes'\n[values.sex]\nW = 'female'";
    let read = csv(
        "id,unsub,sex\n1,Yes,w\n2,YES,m\n3,no,\n4,unsubscribed,\n5,x,\n",
        mapping,
    );
    assert_eq!(consents(&read), ["refused", "refused", "given"]);
    assert_eq!((read.refused.len(), has(&read.refused, "[values]")), (2, true));
    assert_eq!(read.stored[0].values["gender"], 2);
    assert_eq!(read.stored[1].values["gender"], 1);
}

#[test]
fn a_year_of_two_digits_is_none() {
    let mapping = "source_system = 'pms'\nid = 'id'\nobserved_at = 'at'\ndate_format = '%d.%m.%Y'\n[columns]\n\
                   no = 'stays.reservation'\nfrom = 'stays.arrival'\nto = 'stays.departure'\nborn = 'birth_date'";
    let text = "id,at,no,from,to,born\n1,21.11.2026,R1,24.12.26,27.12.26,03.04.76\n2,21.11.26,R2,24.12.2026,27.12.2026,\n\
                3,01.01.0001 00:00:00,R3,24.12.2026 14:30,27.12.2026,\n4,,R4,0026-12-24,2026-12-27,\n";
    let read = csv(text, mapping);
    let stays: Vec<usize> = read.stored.iter().map(|one| one.line.stays.len()).collect();
    assert_eq!(stays, [0, 1, 0], "{:?}", read.refused);
    assert_eq!(read.stored[1].id, "3");
    assert!(has(&read.stored[0].rejected, "birth_date"));
    for word in ["no day of arrival", "see date_format", "before 1900"] {
        assert!(has(&read.refused, word), "{word}: {:?}", read.refused);
    }
}

#[test]
fn a_slash_parts_a_surname_from_a_given_name_or_nothing() {
    let text = "id,g\n1,N/A\n2,Mr/Mrs Reis\n3,Reis c/o Lima\n4,\"=HYPERLINK(\"\"http://x\"\",\"\"Klick\"\")\"\n5,O'Hara-Reis/Ana M.\n\
                6,王/小明\n7,Reis/A/B\n8,Hr./Fr. Reis\n";
    let read = table(text, "g = 'name'");
    let part = |at: usize, field: &str| read.stored[at].values.get(field).and_then(Value::as_str);
    for (at, whole) in [
        (1, "Mr/Mrs Reis"),
        (2, "Reis c/o Lima"),
        (6, "Reis/A/B"),
        (7, "Hr./Fr. Reis"),
    ] {
        assert_eq!(
            (part(at, "name.full"), part(at, "name.surname")),
            (Some(whole), None)
        );
    }
    assert_eq!(part(4, "name.surname"), Some("O'Hara-Reis"));
    assert_eq!(
        (part(5, "name.surname"), part(5, "name.given")),
        (Some("王"), Some("小明"))
    );
    for at in [0, 3] {
        assert!(read.stored[at].values.is_empty(), "{at}");
    }
    assert!(has(&read.refused, "placeholder") && has(&read.refused, "formula"));
    let read = table("id,g\n1,\"Berg/Toni,N/A,Reis/Lois\"\n2,N/A\n", "g = 'names'");
    assert_eq!((surnames(&read), read.stored.len()), (vec!["Berg", "Reis"], 3));
    assert_eq!(read.refused.len(), 2);
}

#[test]
fn a_text_behind_a_day_is_not_cut_off_and_words_are_parted() {
    let text = "id,born,alg\n1,1980-02-03 (ca.),\"nuts, milk\"\n2,1980-02-03T00:00:00+01:00,nuts\n3,03.02.1980 x,\n\
                4,03.02.1980 12:00,;\n";
    let read = table(text, "born = 'birth_date'\nalg = 'health.allergies'");
    let born: Vec<bool> = read
        .stored
        .iter()
        .map(|one| one.values.contains_key("birth_date"))
        .collect();
    assert_eq!(born, [false, true, false, true]);
    assert!(has(&read.stored[0].rejected, "birth_date") && has(&read.stored[2].rejected, "birth_date"));
    assert_eq!(read.stored[0].values["health.allergies"], json!(["nuts", "milk"]));
    assert_eq!(read.stored[1].rejected, [""; 0]);
    assert!(!read.stored[3].line.guest.contains_key("health"));
    let told = Mapping::read("source_system='a'\nid='i'\n[columns]\nx='consents.marketing_direct[email]'");
    assert!(told.err().unwrap().contains("brackets"));
}

#[test]
fn neighbours_and_rows_tell_what_a_header_means() {
    let columns = |text: &str| Mapping::read(&suggest(text)).unwrap().columns;
    let booked = columns("Nr;Name;Vorname;Reservierungsnr.;Anreise;Abreise;Status\n");
    assert_eq!(
        (booked["Name"].as_str(), booked["Status"].as_str()),
        ("name.surname", "stays.status")
    );
    let members = columns("Nr;Name;Status\n");
    assert_eq!(
        (members["Name"].as_str(), members["Status"].as_str()),
        ("name", "memberships.tier")
    );
    // A line break in a name, and a first line that names the delimiter.
    let lines = Mapping::read(&suggest(
        "\"Guest\nID\";\"Address\n(street)\";City;Name\n1;2;3;4\n",
    ))
    .unwrap();
    assert_eq!((lines.id.as_str(), lines.delimiter), ("Guest\nID", ';'));
    assert_eq!(lines.columns["City"], "postal_addresses.city");
    for end in ["\n", "\r\n"] {
        let text = format!("\u{feff}sep=;{end}id;surname{end}1;Costa{end}");
        let guess = suggest(&text);
        assert_eq!(Mapping::read(&guess).unwrap().columns["surname"], "name.surname");
        // The file's own word goes before the mapping's.
        let read = csv(&text, &guess.replace("delimiter = \";\"", ""));
        assert_eq!(surnames(&read), ["Costa"]);
    }
}

#[test]
fn spanish_letters_for_the_sexes_are_told_apart() {
    let of = |rows: &str| suggest(&format!("id,Sexo\n{rows}"));
    let spanish = Mapping::read(&of("1,H\n2,M\n")).unwrap();
    assert_eq!(
        (
            spanish.values["Sexo"]["M"].as_str(),
            spanish.columns["Sexo"].as_str()
        ),
        ("female", "gender")
    );
    let read = csv("id,Sexo\n1,H\n2,m\n", &of("1,H\n2,M\n"));
    assert_eq!(
        (&read.stored[0].values["gender"], &read.stored[1].values["gender"]),
        (&json!(1), &json!(2))
    );
    for rows in ["", "1,M\n"] {
        let guess = of(rows);
        assert!(
            guess.contains("mujer") && Mapping::read(&guess).unwrap().columns.is_empty(),
            "{guess}"
        );
    }
    assert_eq!(
        Mapping::read(&of("1,M\n2,F\n")).unwrap().columns["Sexo"],
        "gender"
    );
}
