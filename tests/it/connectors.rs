//! A file of another system goes through the whole way in, and its guest is found by the telephone; what is refused of it
//! goes the same way once it is mended.

use std::path::PathBuf;

use guest_vault::cli::import::{self, Format, Import, Resolve};
use serde_json::{Value, json};

use crate::support::{app::TestApp, database::both};

/// The command's words for one file about LIS01, as they are when nothing else is said.
fn of(format: Format, file: PathBuf) -> Import {
    Import {
        lapsed: false,
        format,
        property: "LIS01".parse().ok(),
        purpose: import::PURPOSE.parse().unwrap(),
        mapping: None,
        suggest_mapping: false,
        files: vec![file],
        server: None,
        key: None,
        rollback: None,
        resolve: Resolve::Now,
        dry_run: false,
        report: None,
        rejects: None,
        json: true,
    }
}

both!(
    a_file_of_opera_is_imported_and_its_guest_found,
    async |database| {
        let app = TestApp::start(database).await;
        let file = database.dir().join("profiles.json");
        let profile = json!({"profileIdList": [{"type": "Profile", "id": "70001"}], "profile": {
        "customer": {"personName": [{"givenName": "Marta", "surname": "Ferreira", "nameType": "Primary"}],
                     "gender": "FEMALE", "birthDate": "1984-02-03", "customerValue": "A"},
        "telephones": {"telephoneInfo": [{"telephone": {"phoneUseType": "MOBILE", "phoneNumber": "912 345 678"}}]}}});
        std::fs::write(&file, json!({"profiles": {"profileInfo": [profile]}}).to_string()).unwrap();
        let arguments = of(Format::Ohip, file);
        for outcome in ["created", "linked"] {
            let summary = import::into_vault(&app.app.vault, &arguments).await.unwrap();
            assert_eq!((summary.refused, summary.partial), (0, 0));
            assert_eq!(summary.outcomes.get(outcome), Some(&1));
            assert_eq!(
                summary.left.unmapped.get("profile.customer.customerValue"),
                Some(&1)
            );
        }
        let centre = app.role("call_centre").await;
        for by in [
            json!({"phone": "+351 912 345 678"}),
            json!({"name": "ferreira marta", "birth_date": "1984-02-03"}),
            json!({"external_id": {"system": "ohip", "value": "70001"}}),
        ] {
            let answer = app.post(&centre, "/v1/lookups", json!({ "by": by })).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_eq!(
                answer.body["candidates"][0]["fields"]["name.given"]["value"],
                "Marta"
            );
        }
        app.finish().await;
    }
);

both!(
    what_is_refused_of_a_table_is_imported_once_it_is_mended,
    async |database| {
        let app = TestApp::start(database).await;
        let [file, mapping, rejects, mended] =
            ["guests.csv", "mapping.toml", "rejects.ndjson", "mended.ndjson"]
                .map(|name| database.dir().join(name));
        let columns =
            "\"Surname\" = \"name.surname\"\n\"Phone\" = \"phones\"\n\"Card\" = \"id_documents[passport]\"\n";
        let head = "source_system = \"pms\"\nid = \"Id\"\n[columns]\n";
        std::fs::write(&mapping, format!("{head}{columns}")).unwrap();
        // No id; a number that is none; a quote that is not closed, and who stands behind it.
        let text = "Id,Surname,Phone,Card\n,Costa,,\n2,Melo,12,\n3,\"Lima,,\n4,Reis,912345678,\n";
        std::fs::write(&file, text).unwrap();
        let mut arguments = Import {
            mapping: Some(mapping),
            rejects: Some(rejects.clone()),
            ..of(Format::Csv, file)
        };
        let summary = import::into_vault(&app.app.vault, &arguments).await.unwrap();
        assert_eq!((summary.records, summary.refused, summary.partial), (4, 2, 1));
        let lines = std::fs::read_to_string(&rejects).unwrap();
        assert_eq!(lines.lines().count(), 3);
        let lines = lines
            .replace("\"Id\":\"\"", "\"Id\":\"1\"")
            .replace("\"number\":\"12\"", "\"number\":\"912345672\"")
            .replace("Lima,,", "Lima");
        std::fs::write(&mended, lines).unwrap();
        arguments.files = vec![mended];
        let summary = import::into_vault(&app.app.vault, &arguments).await.unwrap();
        assert_eq!((summary.records, summary.refused, summary.partial), (3, 0, 0));
        assert!(summary.left.unmapped.is_empty(), "{:?}", summary.left.unmapped);
        let centre = app.role("call_centre").await;
        for (id, surname) in [("1", "Costa"), ("2", "Melo"), ("3", "Lima"), ("4", "Reis")] {
            let by = json!({"external_id": {"system": "pms", "value": id}});
            let answer = app.post(&centre, "/v1/lookups", json!({ "by": by })).await;
            assert_eq!(
                answer.body["candidates"][0]["fields"]["name.surname"]["value"], surname,
                "{answer:?}"
            );
        }
        app.finish().await;
    }
);

both!(
    what_a_reservation_says_later_takes_nothing_of_the_profile_away,
    async |database| {
        let app = TestApp::start(database).await;
        let file = database.dir().join("opera.json");
        let phone = |number: &str| json!({"telephone": {"phoneNumber": number}});
        let person = |phones: Value, with: Value| {
            let mut all = json!({"customer": {"personName": [{"givenName": "Marta", "surname": "Ferreira"}]},
                                 "telephones": {"telephoneInfo": phones}});
            all.as_object_mut()
                .unwrap()
                .extend(with.as_object().unwrap().clone());
            all
        };
        let ids = json!([{"type": "Profile", "id": "70001"}]);
        // The hotel's own time is nine hours ahead and names no zone.
        let asked = json!({"lastModifyDateTime": "2026-03-05 19:00:00.0",
                           "privacyInfo": {"optInEmail": false, "lastPrivacyPromptDate": "2026-03-04"}});
        let two = json!([phone("912 345 678"), phone("912 345 679")]);
        let said = |phones: Value, with: Value| json!({"profiles": {"profileInfo": [{"profileIdList": ids, "profile": person(phones, with)}]}});
        let old = json!({"lastModifyDateTime": "2026-01-01 10:00:00.0"});
        let stay = |when: &str, status: &str, guest: Value| {
            let mut stay = json!({"reservationIdList": [{"type": "Reservation", "id": "900"}], "hotelId": "LIS01",
                "reservationStatus": status, "lastModifyDateTime": when,
                "roomStay": {"arrivalDate": "2026-03-04", "departureDate": "2026-03-07"}});
            stay.as_object_mut()
                .unwrap()
                .extend(guest.as_object().unwrap().clone());
            stay
        };
        let short = json!({"reservationGuest": {"surname": "Ferreira", "givenName": "Marta", "id": "70001", "type": "Profile"}});
        let full = json!({"reservationGuests": [{"profileInfo": {
            "profileIdList": ids, "profile": person(json!([phone("912 345 678")]), old)}}]});
        let parts = [
            said(two, json!({"lastModifyDateTime": "2026-02-20 10:00:00.0"})),
            json!({"reservations": {"reservationInfo": [stay("2026-03-01 10:00:00.0", "Cancelled", short)]}}),
            json!({"reservations": {"reservation": [stay("2026-03-03 10:00:00.0", "InHouse", full)]}}),
            said(Value::Null, asked),
        ];
        std::fs::write(&file, parts.map(|part| part.to_string()).join("\n")).unwrap();
        let arguments = Import {
            property: "GROUP".parse().ok(),
            report: Some(database.dir().join("report.csv")),
            rejects: Some(database.dir().join("rejects.ndjson")),
            ..of(Format::Ohip, file)
        };
        let summary = import::into_vault(&app.app.vault, &arguments).await.unwrap();
        assert_eq!((summary.records, summary.refused), (4, 0));
        assert!(summary.left.unmapped.is_empty(), "{:?}", summary.left.unmapped);
        let report = std::fs::read_to_string(database.dir().join("report.csv")).unwrap();
        let rejects = std::fs::read_to_string(database.dir().join("rejects.ndjson")).unwrap();
        let rejects: Vec<Value> = rejects
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let reasons: Vec<&Value> = rejects.iter().map(|line| &line["rejected"]["reasons"]).collect();
        assert_eq!(reasons, [&json!([{"field": "phones", "reason": "excerpt"}])]);
        let guest = report
            .lines()
            .nth(1)
            .unwrap()
            .split(',')
            .nth(2)
            .unwrap()
            .to_owned();
        let centre = app.role("call_centre").await;
        let by = json!({"by": {"phone": "+351 912 345 679"}});
        let found = app.post(&centre, "/v1/lookups", by).await;
        assert_eq!(found.body["candidates"][0]["guest_id"], json!(guest), "{found:?}");
        let manager = app.role("duty_manager").await;
        let read = app.get(&manager, &format!("/v1/guests/{guest}")).await;
        let stays = read.value("stay_links");
        assert_eq!(
            (&stays[0]["status"], &stays[0]["property"]),
            (&json!("checked_in"), &json!("LIS01")),
            "{read:?}"
        );
        let crm = app.errand("crm", "marketing_direct").await.at("GROUP");
        let said = app.get(&crm, &format!("/v1/guests/{guest}/consents")).await;
        assert!(said.text().contains("\"refused\""), "{said:?}");
        app.finish().await;
    }
);
