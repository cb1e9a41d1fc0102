//! How the log stands: its checkpoint, its copies, where it begins; and what a browser needs to check it by itself.

use std::path::Path;

use actix_web::{
    HttpResponse,
    http::header,
    web::{self, Data},
};
use askama::Template;

use super::{Console, audit::log, frame::Frame, officer::Officer};
use crate::{
    audit::tlog::tile::Place,
    guest::GuestError,
    web::{Kind, Problem, pages::page},
};

/// A checkpoint, as a person reads it.
struct Head {
    size: u64,
    text: String,
    /// Who signed it.
    signers: Vec<String>,
}

/// How the copy outside the database stands.
enum Mirror {
    /// Nobody keeps one.
    None,
    /// It has so many entries, and the log so many more.
    Behind { folder: String, size: u64, missing: u64 },
    /// It has more than the log, or is not a copy of it: what the operator must look into.
    Wrong { folder: String },
    /// It cannot be read.
    Unreadable { folder: String },
}

#[derive(Template)]
#[template(path = "console/log.html", config = ".askama.toml", whitespace = "minimize")]
struct LogPage {
    page: Frame,
    head: Option<Head>,
    cosigned: Option<Head>,
    minimum: u64,
    mirror: Mirror,
    witnesses: Vec<String>,
    retention_days: Option<u32>,
    vkey: String,
    origin: String,
}

fn head(size: u64, text: String) -> Head {
    let signers = text
        .lines()
        .filter_map(|line| line.strip_prefix("— "))
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned);
    Head {
        size,
        signers: signers.collect(),
        text,
    }
}

/// How the log stands.
pub(super) async fn show(console: Data<Console>, officer: Officer) -> Result<HttpResponse, Problem> {
    let log = log(&console, &officer).await?;
    let found = log.checkpoint().await.map_err(GuestError::from)?;
    let cosigned = log.cosigned().await.map_err(GuestError::from)?;
    let size = found.as_ref().map_or(0, |(size, _)| *size);
    let mirror = match &console.keepers.mirror {
        Some(folder) => mirror(&console, folder, size).await,
        None => Mirror::None,
    };
    let cosigned = cosigned.and_then(|text| {
        let checkpoint = console.verifier().open(text.as_bytes()).ok()?;
        Some(head(checkpoint.size, text))
    });
    page(&LogPage {
        page: officer.frame("console.nav.log").with_script("verify.js"),
        head: found.map(|(size, text)| head(size, text)),
        cosigned,
        minimum: log.minimum().await.map_err(GuestError::from)?,
        mirror,
        witnesses: console.keepers.witnesses.clone(),
        retention_days: console.keepers.retention_days,
        vkey: console.verifier().vkey(),
        origin: console.verifier().name().to_owned(),
    })
}

async fn mirror(console: &Console, folder: &Path, size: u64) -> Mirror {
    let shown = folder.display().to_string();
    let Ok(note) = tokio::fs::read(folder.join("checkpoint")).await else {
        return Mirror::Unreadable { folder: shown };
    };
    match console.verifier().open(&note) {
        Ok(copy) if copy.size <= size => Mirror::Behind {
            folder: shown,
            size: copy.size,
            missing: size - copy.size,
        },
        _ => Mirror::Wrong { folder: shown },
    }
}

/// The newest signed checkpoint, for the browser.
pub(super) async fn checkpoint(console: Data<Console>, officer: Officer) -> Result<HttpResponse, Problem> {
    let log = log(&console, &officer).await?;
    let found = log.checkpoint().await.map_err(GuestError::from)?;
    let (_, text) = found.ok_or(Problem::new(Kind::NotFound))?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/plain; charset=utf-8"))
        .body(text))
}

/// A tile of hashes or a bundle of entries, for the browser: as the call of the API, with its rights and its record.
pub(super) async fn tile(
    console: Data<Console>,
    officer: Officer,
    path: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let place = Place::parse(&path).ok_or(Problem::new(Kind::NotFound))?;
    let bytes = console
        .vault
        .read_log(&officer.caller, officer.request(), place)
        .await?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "application/octet-stream"))
        .body(bytes))
}
