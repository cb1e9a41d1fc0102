//! P3: every role for every purpose, asked over HTTP about guests of every stay state with every field filled, and each
//! field of each answer compared with the table that was transcribed by hand.

use std::collections::BTreeMap;

use guest_vault::base::{Action, Purpose, StayState, View};
use serde_json::json;

use crate::support::{
    app::{Answer, Errand, TestApp},
    canaries::Canaries,
    database::both,
    guests::{self, NEVER_STORED},
    table::{self, Matrix},
};

/// The staff id whose portfolio the guests are in.
const MANAGER: &str = "s-4711";

/// A guest in this state at LIS01 on 2026-03-05 at 10:00, agreed to everything that needs consent.
async fn guest(app: &TestApp, canaries: &mut Canaries, stay: StayState, consented: bool) -> String {
    let mut document = guests::filled(canaries);
    document["account_manager_id"] = json!(MANAGER);
    let days = match stay {
        StayState::None => None,
        StayState::Booked => Some(("2026-03-20", "2026-03-22", "confirmed")),
        StayState::Arriving => Some(("2026-03-06", "2026-03-08", "confirmed")),
        StayState::InHouse => Some(("2026-03-04", "2026-03-07", "checked_in")),
        StayState::Departed => Some(("2026-03-01", "2026-03-04", "checked_out")),
        // Not so long ago that a house's own term for it is over.
        StayState::Past => Some(("2026-02-08", "2026-02-11", "checked_out")),
    };
    let stays: Vec<_> = days
        .map(|(arrival, departure, status)| {
            json!({"reservation": "R-1", "arrival": arrival, "departure": departure, "status": status})
        })
        .into_iter()
        .collect();
    let asked = [
        "occasion_greeting",
        "marketing_direct",
        "event_invitation",
        "third_party:spa_partner",
    ];
    let consents: Vec<_> = asked
        .into_iter()
        .filter(|_| consented)
        .map(|purpose| json!({"purpose": purpose, "state": "given", "channel": "web"}))
        .collect();
    let source = format!("pms/{}-{consented}", stay.as_str());
    app.guest(
        &source,
        json!({"guest": document, "stays": stays, "consents": consents}),
    )
    .await
}

/// A role's column of the table, asked for one purpose about a guest of one stay state.
struct Question<'m> {
    matrix: &'m Matrix,
    column: usize,
    purpose: Purpose,
    stay: StayState,
    own: bool,
    /// Every field with its category.
    fields: &'m [(String, guest_vault::base::Category)],
}

#[derive(Default)]
struct Tally {
    decisions: usize,
    shown: usize,
    wrong: Vec<String>,
    handles: String,
}

impl Question<'_> {
    fn expected(&self) -> BTreeMap<&str, View> {
        let view = |(path, category): &(String, _)| {
            let errand = (&self.purpose, Action::Read);
            self.matrix
                .expected(self.column, (path, *category), errand, (self.stay, self.own))
        };
        self.fields
            .iter()
            .map(|field| (field.0.as_str(), view(field)))
            .collect()
    }

    /// Whether the guest has the field.
    fn stored(&self, path: &str) -> bool {
        if path == "stay_links" {
            self.stay != StayState::None
        } else {
            !NEVER_STORED.contains(&path)
        }
    }

    fn compare(&self, answer: &Answer, tally: &mut Tally) {
        let expected = self.expected();
        let name = format!(
            "{} for {} at {}, own {}",
            self.matrix.columns[self.column],
            self.purpose,
            self.stay.as_str(),
            self.own
        );
        if expected.values().all(|view| *view == View::None) {
            tally.decisions += expected.len();
            if answer.status != 403 && answer.status != 404 {
                tally
                    .wrong
                    .push(format!("{name}: {} where nothing may be seen", answer.status));
            }
            return;
        }
        if answer.status != 200 {
            tally
                .wrong
                .push(format!("{name}: {} {}", answer.status, answer.problem()));
            return;
        }
        for (path, view) in expected {
            tally.decisions += 1;
            let wanted = match view {
                View::None => "withheld",
                _ if !self.stored(path) => "absent",
                View::Reveal => "masked",
                view => view.as_str(),
            };
            tally.shown += usize::from(wanted != "withheld" && wanted != "absent");
            let told = answer.view(path);
            let revealable = answer.body["fields"][path]["revealable"]
                .as_bool()
                .unwrap_or(false);
            if told != wanted || revealable != (wanted == "masked" && view == View::Reveal) {
                tally.wrong.push(format!(
                    "{name}: {path} is {told} (revealable {revealable}) instead of {wanted}"
                ));
            }
            if told == "token" {
                // A handle to reach the guest by, made from nothing of the value.
                tally.handles.push_str(&answer.value(path).to_string());
                continue;
            }
            let valued = !answer.value(path).is_null();
            if valued != matches!(wanted, "plain" | "masked" | "flag" | "token") {
                tally
                    .wrong
                    .push(format!("{name}: {path} is {told} and has a value: {valued}"));
            }
        }
    }
}

/// All fields with their categories.
fn fields(app: &TestApp) -> Vec<(String, guest_vault::base::Category)> {
    let policy = app.app.vault.policies.current();
    policy
        .catalogue()
        .iter()
        .map(|(_, field)| (field.path.to_string(), field.category))
        .collect()
}

both!(every_role_purpose_stay_and_field_over_http, async |database| {
    let app = TestApp::start(database).await;
    let (matrix, fields) = (table::read(), fields(&app));
    let (mut guests, mut canaries) = (BTreeMap::new(), Canaries::default());
    for stay in StayState::ALL {
        guests.insert(
            stay,
            format!("/v1/guests/{}", guest(&app, &mut canaries, stay, true).await),
        );
    }
    let purposes: Vec<Purpose> = app
        .app
        .vault
        .policies
        .current()
        .purposes()
        .map(|rule| rule.code.clone())
        .collect();
    let mut tally = Tally::default();
    for (column, short) in matrix.columns.iter().enumerate() {
        let (role, about) = &matrix.roles[short];
        for purpose in &purposes {
            let errand = app
                .role(role.as_str())
                .await
                .about(purpose.as_str())
                .with("vault-reason", "the matrix");
            // A purpose that is not the role's is refused before the guest is looked at: one stay state shows it.
            let states = if about.contains(purpose.as_str()) {
                &StayState::ALL[..]
            } else {
                &StayState::ALL[3..4]
            };
            for stay in states {
                for own in [false, true] {
                    let errand = if own {
                        errand.clone().with("vault-actor", MANAGER)
                    } else {
                        errand.clone()
                    };
                    let own_matters = matches!(short.as_str(), "AM" | "SA" | "GM" | "GU");
                    if own && !own_matters {
                        continue;
                    }
                    let question = Question {
                        matrix: &matrix,
                        column,
                        purpose: purpose.clone(),
                        stay: *stay,
                        own,
                        fields: &fields,
                    };
                    if matrix.opened.contains_key(purpose.as_str()) {
                        app.post(&errand, &format!("{}/break-glass", guests[stay]), json!({}))
                            .await;
                    }
                    ask(&app, &errand, &guests[stay], &question, &mut tally).await;
                }
            }
        }
    }
    assert!(
        tally.wrong.is_empty(),
        "{} wrong, first: {:#?}",
        tally.wrong.len(),
        &tally.wrong[..tally.wrong.len().min(20)]
    );
    assert!(
        tally.decisions > 30_000 && tally.shown > 5_000,
        "{} decisions, {} shown",
        tally.decisions,
        tally.shown
    );
    assert!(tally.handles.len() > 1_000);
    assert_eq!(canaries.in_bytes("a handle", tally.handles.as_bytes()), []);
    app.finish().await;
});

async fn ask(app: &TestApp, errand: &Errand, path: &str, question: &Question<'_>, tally: &mut Tally) {
    question.compare(&app.get(errand, path).await, tally);
    // Revealing is asked where it makes a difference.
    let revealed: Vec<&str> = question
        .expected()
        .into_iter()
        .filter(|(_, view)| *view == View::Reveal)
        .map(|(path, _)| path)
        .collect();
    if revealed.is_empty() {
        return;
    }
    let answer = app
        .post(errand, &format!("{path}/reveal"), json!({"fields": revealed}))
        .await;
    if answer.status != 200 {
        tally.wrong.push(format!(
            "{}: reveal {}",
            question.matrix.columns[question.column], answer.status
        ));
    }
    for path in revealed.into_iter().filter(|path| question.stored(path)) {
        tally.decisions += 1;
        if answer.view(path) != "plain" || answer.value(path).is_null() {
            tally.wrong.push(format!(
                "{}: {path} is {} when revealed",
                question.matrix.columns[question.column],
                answer.view(path)
            ));
        }
    }
}

both!(
    without_consent_nothing_is_shown_for_purposes_that_need_it,
    async |database| {
        let app = TestApp::start(database).await;
        let path = format!(
            "/v1/guests/{}",
            guest(&app, &mut Canaries::default(), StayState::InHouse, false).await
        );
        for role in [
            "crm",
            "marketing",
            "account_manager",
            "service_specialist",
            "sales",
            "partner",
        ] {
            for purpose in [
                "occasion_greeting",
                "marketing_direct",
                "event_invitation",
                "third_party:spa_partner",
            ] {
                let answer = app.get(&app.role(role).await.about(purpose), &path).await;
                let fields = answer.body["fields"].as_object().cloned().unwrap_or_default();
                assert!(
                    fields.values().all(|f| f["view"] == "withheld"),
                    "{role} for {purpose}"
                );
            }
        }
        app.finish().await;
    }
);
