//! Two guests that may be one: side by side, with the reasons, to be answered from the keyboard.

use actix_web::{HttpResponse, web::Data};
use askama::Template;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::{Console, audit::told, frame::Frame, officer::Officer, sign_in::done};
use crate::{
    base::{Errand, FieldIndex, GuestId},
    guest::{FieldAnswer, GuestError},
    identity::review::{Answer, Review},
    web::{
        PathId, Problem, StrictQuery,
        pages::{Form, page},
    },
};

/// For what stewards compare guests: a purpose that every role with the right has.
pub(super) const PURPOSE: &str = "complaint_handling";
/// Questions of one page.
const ROWS: i64 = 20;
/// What is laid side by side, as far as the role may see it.
const COMPARED: [&str; 12] = [
    "name.full",
    "name.surname",
    "name.given",
    "name.native",
    "birth_date",
    "gender",
    "nationality",
    "phones",
    "emails",
    "postal_addresses",
    "memberships",
    "preferred_language",
];

/// A row of the comparison.
struct Row {
    field: String,
    one: String,
    other: String,
    same: bool,
}

#[derive(Template)]
#[template(
    path = "console/reviews.html",
    config = ".askama.toml",
    whitespace = "minimize"
)]
struct ReviewsPage {
    page: Frame,
    open: Vec<Review>,
    more: bool,
    /// The question that is looked at: the one asked for, or the surest.
    current: Option<(Review, Vec<Row>)>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Which {
    review: String,
    #[serde(rename = "lang")]
    _lang: String,
}

/// The queue, and one question of it.
pub(super) async fn show(
    console: Data<Console>,
    officer: Officer,
    which: StrictQuery<Which>,
) -> Result<HttpResponse, Problem> {
    let errand = officer.errand(PURPOSE)?;
    let (open, next) = console
        .vault
        .reviews(&errand, (i64::MAX, Uuid::nil()), ROWS)
        .await?;
    let asked: Option<Uuid> = told("review", &which.0.review)?;
    let chosen = open
        .iter()
        .find(|review| Some(review.review_id) == asked)
        .or(open.first());
    let current = match chosen {
        Some(review) => {
            let rows = compared(&console, &errand, review).await?;
            Some((review.clone(), rows))
        }
        None => None,
    };
    page(&ReviewsPage {
        page: officer.frame("console.nav.reviews").with_script("reviews.js"),
        more: next.is_some(),
        open,
        current,
    })
}

/// Both guests as this role may see them: two reads like any other, with their records in the log.
async fn compared(console: &Console, errand: &Errand, review: &Review) -> Result<Vec<Row>, Problem> {
    let policy = console.vault.policies.current();
    let wanted: Vec<FieldIndex> = COMPARED
        .iter()
        .flat_map(|word| policy.catalogue().select(word))
        .collect();
    let read = async |guest: GuestId| match console.vault.read_guest(errand, guest, &wanted).await {
        Ok(answer) => Ok(Some(answer)),
        Err(GuestError::NotFound | GuestError::Gone | GuestError::Restricted | GuestError::Forbidden) => {
            Ok(None)
        }
        Err(error) => Err(Problem::from(error)),
    };
    let (one, other) = (read(review.guest_id).await?, read(review.other_guest_id).await?);
    let mut rows = Vec::new();
    for at in wanted {
        let Some(field) = policy.catalogue().get(at) else {
            continue;
        };
        let shown = |answer: &Option<crate::guest::GuestAnswer>| {
            let answer = answer
                .as_ref()
                .and_then(|answer| answer.fields.get(field.path.as_str()));
            answer.map(said).unwrap_or_default()
        };
        let (left, right) = (shown(&one), shown(&other));
        if !left.is_empty() || !right.is_empty() {
            rows.push(Row {
                field: field.path.to_string(),
                same: left == right,
                one: left,
                other: right,
            });
        }
    }
    Ok(rows)
}

/// A shown value as one line of text.
fn said(answer: &FieldAnswer) -> String {
    answer.value.as_ref().map(line).unwrap_or_default()
}

fn line(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(all) => all.iter().map(line).collect::<Vec<_>>().join(" · "),
        Value::Object(members) => members
            .values()
            .map(line)
            .filter(|text| !text.is_empty())
            .collect::<Vec<_>>()
            .join(" "),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AnswerForm {
    decision: Answer,
}

/// Answers a question and goes on with the next.
pub(super) async fn answer(
    console: Data<Console>,
    officer: Officer,
    id: PathId<Uuid>,
    form: Form<AnswerForm>,
) -> Result<HttpResponse, Problem> {
    let errand = officer.errand(PURPOSE)?;
    console
        .vault
        .answer_review(&errand, id.0, form.0.decision)
        .await?;
    Ok(done(
        &officer.browser,
        "flash.saved",
        "/console/reviews".to_owned(),
    ))
}
