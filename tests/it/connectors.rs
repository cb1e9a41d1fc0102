//! A file of another system goes through the whole way in, and its guest is found by the telephone.

use guest_vault::cli::import::{self, Format, Import, Resolve};
use serde_json::json;

use crate::support::{app::TestApp, database::both};

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
        let arguments = Import {
            format: Format::Ohip,
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
        };
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
