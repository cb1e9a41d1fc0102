//! *Why?*: one decision of the policy explained, what it would take to be another, and the matrix as it is loaded.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web::Data};
use askama::Template;
use serde::Deserialize;

use super::{Console, audit::told, frame::Frame, officer::Officer};
use crate::{
    base::{Action, Category, ConsentId, FieldSet, PropertyCode, Purpose, Role, StayState, View},
    guest::WhyAnswer,
    policy::{Because, ConsentAnswer, Elsewhere, ExplainRequest, Facts, Snapshot},
    web::{Problem, StrictQuery, pages::page},
};

/// The question, as the form sends it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Asked {
    role: String,
    property: String,
    purpose: String,
    stay: String,
    field: String,
    action: String,
    guest_id: String,
    #[serde(rename = "lang")]
    _lang: String,
}

impl Asked {
    /// The question, once it names all that decides.
    fn question(&self, policy: &Snapshot) -> Result<Option<ExplainRequest>, Problem> {
        let (Some(role), Some(purpose), Some(field)) = (
            told("role", &self.role)?,
            told("purpose", &self.purpose)?,
            told("field", &self.field)?,
        ) else {
            return Ok(None);
        };
        let property = told("property", &self.property)?;
        Ok(Some(ExplainRequest {
            role,
            property: property.unwrap_or_else(|| policy.first_property().clone()),
            purpose,
            stay: told("stay", &self.stay)?.unwrap_or(StayState::InHouse),
            field,
            action: told("action", &self.action)?.unwrap_or(Action::Read),
            own: false,
            guest_id: told("guest_id", &self.guest_id)?,
        }))
    }
}

/// The same question with one thing changed, where the answer is another.
struct Otherwise {
    /// To what.
    to: String,
    view: View,
}

/// What can be changed (`stay`, `purpose` or `role`), and where the answer is then another.
type Changes = Vec<(&'static str, Vec<Otherwise>)>;

/// A role's row of the matrix: how much of each category it may ever see.
struct MatrixRow {
    role: String,
    short: String,
    cells: Vec<Cell>,
}

/// What a role may ever see of a category.
struct Cell {
    view: View,
    /// Only of the guests of its own portfolio.
    own: bool,
}

#[derive(Template)]
#[template(path = "console/why.html", config = ".askama.toml", whitespace = "minimize")]
struct WhyPage {
    page: Frame,
    asked: Asked,
    answer: Option<WhyAnswer>,
    because: String,
    otherwise: Changes,
    roles: Vec<String>,
    purposes: Vec<String>,
    properties: Vec<String>,
    fields: Vec<String>,
    version: String,
    matrix_purpose: String,
    categories: Vec<Category>,
    matrix: Vec<MatrixRow>,
}

/// The question, its answer, and the matrix for the purpose asked about.
pub(super) async fn show(
    console: Data<Console>,
    officer: Officer,
    asked: StrictQuery<Asked>,
) -> Result<HttpResponse, Problem> {
    let asked = asked.0;
    let policy = console.vault.policies.current();
    let question = asked.question(&policy)?;
    // Either look records itself: the policy was read, or a decision of it explained.
    let (answer, otherwise) = if let Some(question) = &question {
        let said = console
            .desk
            .explain(&officer.caller, officer.request(), question)
            .await?;
        let other = otherwise(&policy, question, said.view);
        let answer = console
            .vault
            .why(&officer.caller, officer.request(), question, said)
            .await?;
        (Some(answer), other)
    } else {
        console.desk.show(&officer.caller, officer.request()).await?;
        (None, Vec::new())
    };
    let purposes: Vec<String> = policy.purposes().map(|rule| rule.code.to_string()).collect();
    let purpose: Option<Purpose> = told("purpose", &asked.purpose)?;
    let purpose = purpose.filter(|purpose| policy.purpose(purpose).is_some());
    let frame = officer.frame("console.nav.why");
    page(&WhyPage {
        because: answer
            .as_ref()
            .map(|said| because(&frame, said))
            .unwrap_or_default(),
        page: frame,
        answer,
        otherwise,
        roles: policy.roles().iter().map(|role| role.code.to_string()).collect(),
        properties: console
            .vault
            .properties
            .iter()
            .map(|node| node.code.to_string())
            .collect(),
        fields: policy
            .catalogue()
            .iter()
            .map(|(_, field)| field.path.to_string())
            .collect(),
        version: policy.version().to_owned(),
        matrix_purpose: purpose.as_ref().map(ToString::to_string).unwrap_or_default(),
        categories: shown_categories(&policy),
        matrix: matrix(&policy, purpose.as_ref()),
        purposes,
        asked,
    })
}

/// The reason, in the reader's language.
fn because(page: &Frame, said: &WhyAnswer) -> String {
    let list = |words: Vec<String>| words.join(page.t("console.because.comma"));
    let reason = match &said.explanation.reason {
        Because::Denied(rule) => page.f("console.because.denied", "rule", &rule.to_string()),
        Because::Allowed(Some(rule)) => page.f("console.because.allowed", "rule", &rule.to_string()),
        Because::Allowed(None) => page.t("console.because.plain").to_owned(),
        Because::Unspoken(Elsewhere::Stays(stays)) => {
            let stays = stays.iter().map(|stay| page.w("stay", stay.as_str())).collect();
            page.f("console.because.stays", "list", &list(stays))
        }
        Because::Unspoken(Elsewhere::Purposes(purposes)) => {
            let purposes = purposes
                .iter()
                .map(|code| page.w("purpose", code.as_str()))
                .collect();
            page.f("console.because.purposes", "list", &list(purposes))
        }
        Because::Unspoken(Elsewhere::Own) => page.t("console.because.own").to_owned(),
        Because::Unspoken(Elsewhere::Nowhere) => page.t("console.because.nowhere").to_owned(),
    };
    // What the policy allows the guest's own word may take back.
    let allowed = matches!(said.explanation.reason, Because::Allowed(_));
    match &said.consent {
        Some(consent) if allowed && said.explanation.view == View::None => page.ff(
            "console.because.but",
            "reason",
            reason,
            "state",
            page.w("consent_state", consent.state),
        ),
        _ => reason,
    }
}

/// The categories that any field lies in.
fn shown_categories(policy: &Snapshot) -> Vec<Category> {
    let used: std::collections::BTreeSet<Category> = policy
        .catalogue()
        .iter()
        .map(|(_, field)| field.category)
        .collect();
    used.into_iter().collect()
}

/// How the answer would be with one thing changed.
fn otherwise(policy: &Snapshot, asked: &ExplainRequest, now: View) -> Changes {
    let other = |(to, request): (String, ExplainRequest)| {
        let view = policy.explain(&request).ok()?.view;
        (view != now).then_some(Otherwise { to, view })
    };
    let stays = StayState::ALL
        .into_iter()
        .filter(|stay| *stay != asked.stay)
        .map(|stay| {
            let to = stay.as_str().to_owned();
            (
                to,
                ExplainRequest {
                    stay,
                    ..asked.clone()
                },
            )
        });
    let purposes = policy
        .purposes()
        .filter(|rule| rule.code != asked.purpose)
        .map(|rule| {
            let purpose = rule.code.clone();
            (
                purpose.to_string(),
                ExplainRequest {
                    purpose,
                    ..asked.clone()
                },
            )
        });
    let roles = policy
        .roles()
        .iter()
        .filter(|entry| entry.code != asked.role)
        .map(|entry| {
            let role = entry.code.clone();
            (
                role.to_string(),
                ExplainRequest {
                    role,
                    ..asked.clone()
                },
            )
        });
    vec![
        ("stay", stays.filter_map(other).collect()),
        ("purpose", purposes.filter_map(other).collect()),
        ("role", roles.filter_map(other).collect()),
    ]
}

/// For each role the most that it may see of each category, at any point of the stay, at any property of its own; for
/// one purpose, or for whichever shows most.
fn matrix(policy: &Snapshot, purpose: Option<&Purpose>) -> Vec<MatrixRow> {
    let categories = shown_categories(policy);
    let property = policy.first_property();
    policy
        .roles()
        .iter()
        .map(|entry| {
            let [any, own] =
                [false, true].map(|portfolio| most_shown(policy, &entry.code, property, purpose, portfolio));
            MatrixRow {
                role: entry.code.to_string(),
                short: entry.short.clone(),
                cells: categories
                    .iter()
                    .map(|category| {
                        let [any, own] =
                            [&any, &own].map(|most| most.get(category).copied().unwrap_or(View::None));
                        Cell {
                            view: any.max(own),
                            own: own > any,
                        }
                    })
                    .collect(),
            }
        })
        .collect()
}

fn most_shown(
    policy: &Snapshot,
    role: &Role,
    property: &PropertyCode,
    wanted: Option<&Purpose>,
    portfolio: bool,
) -> BTreeMap<Category, View> {
    let mut most: BTreeMap<Category, View> = BTreeMap::new();
    let all: FieldSet = policy.catalogue().iter().map(|(at, _)| at).collect();
    for rule in policy
        .purposes()
        .filter(|rule| wanted.is_none_or(|wanted| *wanted == rule.code))
    {
        let Some(grant) = policy.decide(role, property, &rule.code, Action::Read, &all) else {
            continue;
        };
        for stay in StayState::ALL {
            let grant = grant.clone().narrow(&Facts {
                stay,
                portfolio,
                // The most: with the consent that the purpose may ask for.
                consent: ConsentAnswer::Given(ConsentId(uuid::Uuid::nil())),
            });
            for (at, field) in policy.catalogue().iter() {
                let view = grant.view(at);
                let entry = most.entry(field.category).or_insert(View::None);
                *entry = (*entry).max(view);
            }
        }
    }
    most
}
