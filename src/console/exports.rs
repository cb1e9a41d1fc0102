//! Exports of many guests: what was ordered, and the decision of a second person.

use actix_web::{HttpResponse, web::Data};
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

use super::{Console, frame::Frame, officer::Officer, sign_in::done};
use crate::{
    guest::{ExportAnswer, ExportState},
    web::{
        PathId, Problem,
        pages::{Form, page},
    },
};

/// Exports of the page.
const SHOWN: i64 = 50;

#[derive(Template)]
#[template(
    path = "console/exports.html",
    config = ".askama.toml",
    whitespace = "minimize"
)]
struct ExportsPage {
    page: Frame,
    exports: Vec<ExportAnswer>,
}

/// The exports, newest first.
pub(super) async fn show(console: Data<Console>, officer: Officer) -> Result<HttpResponse, Problem> {
    let errand = officer.errand("subject_request")?;
    page(&ExportsPage {
        page: officer.frame("console.nav.exports"),
        exports: console.vault.exports(&errand, None, SHOWN).await?,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DecisionForm {
    approve: bool,
}

/// Agrees to an export that waits, or refuses it.
pub(super) async fn decide(
    console: Data<Console>,
    officer: Officer,
    id: PathId<Uuid>,
    form: Form<DecisionForm>,
) -> Result<HttpResponse, Problem> {
    let errand = officer.errand("subject_request")?;
    console.vault.decide_export(&errand, id.0, form.0.approve).await?;
    Ok(done(
        &officer.browser,
        "flash.saved",
        "/console/exports".to_owned(),
    ))
}
