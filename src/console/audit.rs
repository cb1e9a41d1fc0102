//! The log: search with filters that lie in the address, one entry with its proof, who saw one guest.

use actix_web::{HttpResponse, http::header, web::Data};
use askama::Template;
use chrono::{DateTime, NaiveDate, Utc};
use data_encoding::BASE64;
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    Console,
    frame::Frame,
    officer::Officer,
    sign_in::done,
    sql::JudgementRow,
    volume::{Chart, Slot, Volume, VolumeOptions, chart, last_days},
};
use crate::{
    audit::{
        Act, Event,
        search::{Filter, Place},
        tlog::Stored,
    },
    base::{EntryId, GuestId, from_micros, micros, same_person},
    guest::{AccessReport, Entry, GuestError},
    policy::Right,
    web::{
        Kind, Listing, Page, PathId, Problem, StrictQuery,
        pages::{Form, page},
    },
};

/// Entries of one page.
const ROWS: u16 = 50;
/// Days of the chart when no time is asked for.
const DAYS: i64 = 14;

/// What can be looked for; an empty field of the form asks nothing. Ids and words only: an address is seen by others.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Asked {
    guest_id: String,
    actor: String,
    principal: String,
    purpose: String,
    property: String,
    action: String,
    decision: String,
    from: String,
    to: String,
    cursor: String,
    #[serde(rename = "lang")]
    _lang: String,
}

/// A word or an id of a form; nothing when it is empty.
pub(super) fn told<T: DeserializeOwned>(field: &'static str, text: &str) -> Result<Option<T>, Problem> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let read = serde_json::from_value(serde_json::Value::String(text.to_owned()));
    read.map(Some).map_err(|_| cannot_be(field))
}

fn cannot_be(field: &'static str) -> Problem {
    Problem::new(Kind::InvalidRequest).field(field, "cannot be this")
}

/// The beginning of a day of a form.
pub(super) fn day(field: &'static str, text: &str) -> Result<Option<DateTime<Utc>>, Problem> {
    let day: Option<NaiveDate> = told(field, text)?;
    Ok(day.map(|day| day.and_time(chrono::NaiveTime::MIN).and_utc()))
}

/// The end of a day of a form.
pub(super) fn end_of_day(field: &'static str, text: &str) -> Result<Option<DateTime<Utc>>, Problem> {
    let Some(day) = day(field, text)? else {
        return Ok(None);
    };
    let next = day.checked_add_signed(chrono::TimeDelta::days(1));
    next.map(Some).ok_or_else(|| cannot_be(field))
}

impl Asked {
    fn filter(&self) -> Result<Filter, Problem> {
        Ok(Filter {
            guest_id: told("guest_id", &self.guest_id)?,
            actor: told("actor", &self.actor)?,
            principal: told("principal", &self.principal)?,
            purpose: told("purpose", &self.purpose)?,
            property: told("property", &self.property)?,
            action: told("action", &self.action)?,
            decision: told("decision", &self.decision)?,
            from: day("from", &self.from)?,
            to: end_of_day("to", &self.to)?,
        })
    }

    /// The same question with another beginning, as an address.
    fn address(&self, cursor: &str) -> String {
        let parts = [
            ("guest_id", &self.guest_id),
            ("actor", &self.actor),
            ("principal", &self.principal),
            ("purpose", &self.purpose),
            ("property", &self.property),
            ("action", &self.action),
            ("decision", &self.decision),
            ("from", &self.from),
            ("to", &self.to),
        ];
        let cursor = cursor.to_owned();
        let all = parts.into_iter().chain([("cursor", &cursor)]);
        format!("/console/audit?{}", query(all))
    }
}

/// A query of the parts that say anything.
pub(super) fn query<'p>(parts: impl IntoIterator<Item = (&'static str, &'p String)>) -> String {
    let told = parts.into_iter().filter(|(_, value)| !value.trim().is_empty());
    let pairs: Vec<String> = told
        .map(|(name, value)| format!("{name}={}", encoded(value.trim())))
        .collect();
    pairs.join("&")
}

/// A value of a query (RFC 3986).
pub(super) fn encoded(text: &str) -> String {
    let byte = |byte: &u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(*byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.as_bytes().iter().map(byte).collect()
}

/// Actions that are offered; others can be written into the address.
const ACTIONS: &[&str] = &[
    "read",
    "reveal",
    "export",
    "search",
    "read_records",
    "put_record",
    "correct",
    "put_stay",
    "put_consent",
    "read_consents",
    "check_consents",
    "read_audit",
    "access_report",
    "exposure",
    "export_audit",
    "read_policy",
    "load_policy",
    "create_principal",
    "revoke_principal",
    "attest",
    "import",
    "resolve",
    "merge",
    "unmerge",
    "review_identity",
    "open_request",
    "handle_request",
    "read_requests",
    "erase",
    "erased",
    "restrict",
    "hand_over",
    "hold",
    "retention",
    "backup",
    "restore",
    "manage_keys",
    "damage_found",
    "sign_in",
    "sign_out",
    "break_glass",
    "judge",
    "call",
];

/// Acts that another person judges afterwards.
const JUDGED: [&str; 2] = ["reveal", "break_glass"];

#[derive(Template)]
#[template(path = "console/audit.html", config = ".askama.toml", whitespace = "minimize")]
struct SearchPage {
    page: Frame,
    asked: Asked,
    entries: Vec<Entry>,
    next: Option<String>,
    filtered: bool,
    actions: &'static [&'static str],
    purposes: Vec<String>,
    properties: Vec<String>,
    volume: Volume,
    chart: Chart,
}

/// The log, newest first.
pub(super) async fn search(
    console: Data<Console>,
    officer: Officer,
    asked: StrictQuery<Asked>,
) -> Result<HttpResponse, Problem> {
    let asked = asked.0;
    let cursor = (!asked.cursor.is_empty()).then(|| asked.cursor.clone());
    let part = Page::new(Some(ROWS), cursor)?;
    let before: Option<Place> = part.after()?;
    let filter = asked.filter()?;
    let time = time_of(&filter, console.vault.clock.now());
    let volume = console.volume(&officer.caller, officer.request(), &time).await?;
    let most = usize::from(ROWS) + 1;
    let found = console
        .vault
        .search_log(&officer.caller, officer.request(), filter, before, most)
        .await?;
    let listing = Listing::page(&part, found, |entry| Place {
        at: micros(entry.at),
        entry: entry.entry_id,
    });
    let policy = officer.policy();
    page(&SearchPage {
        page: officer.frame("console.nav.audit"),
        filtered: asked.address("") != "/console/audit?",
        next: listing.next_cursor.map(|cursor| asked.address(&cursor)),
        entries: listing.items,
        actions: ACTIONS,
        purposes: policy.purposes().map(|rule| rule.code.to_string()).collect(),
        properties: console
            .vault
            .properties
            .iter()
            .map(|node| node.code.to_string())
            .collect(),
        chart: chart(&volume),
        volume,
        asked,
    })
}

/// The time of the chart: what was asked, as far as a chart can show it.
fn time_of(filter: &Filter, now: DateTime<Utc>) -> VolumeOptions {
    let recent = last_days(now, DAYS);
    let (Some(from), to) = (filter.from, filter.to.unwrap_or(recent.to)) else {
        return recent;
    };
    let days = (to - from).num_days();
    if !(1..=400).contains(&days) {
        return recent;
    }
    let slot = if days <= 3 { Slot::Hour } else { Slot::Day };
    VolumeOptions { from, to, slot }
}

/// The names of an entry's fields.
pub(super) fn field_names(entry: &Entry) -> String {
    let fields = entry.leaf.get("fields").and_then(|fields| fields.as_object());
    let names = fields.map(|fields| fields.keys().cloned().collect::<Vec<_>>());
    names.unwrap_or_default().join(", ")
}

/// Proof that an entry is in the log.
struct Proof {
    index: u64,
    size: u64,
    leaf: String,
    path: Vec<String>,
}

struct Verdict {
    word: String,
    by: String,
    at: DateTime<Utc>,
}

#[derive(Template)]
#[template(path = "console/entry.html", config = ".askama.toml", whitespace = "minimize")]
struct EntryPage {
    page: Frame,
    entry: Entry,
    /// The members of the leaf, as the log commits to them.
    leaf: Vec<(String, String)>,
    fields: Vec<(String, String)>,
    proof: Option<Proof>,
    verdict: Option<Verdict>,
    /// Whether it waits for a judgement that this role may give.
    judges: bool,
    own: bool,
}

fn text_of(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// One entry, as this officer may see it; recorded.
async fn entry(console: &Console, officer: &Officer, id: EntryId) -> Result<Entry, Problem> {
    let (vault, request) = (&console.vault, officer.request());
    Ok(vault.read_entry(&officer.caller, request, id).await?)
}

/// The provable log, as this officer may read it; recorded.
pub(super) async fn log(console: &Console, officer: &Officer) -> Result<Stored, Problem> {
    let (vault, request) = (&console.vault, officer.request());
    Ok(vault.provable_log(&officer.caller, request).await?)
}

/// One entry.
pub(super) async fn show(
    console: Data<Console>,
    officer: Officer,
    id: PathId<EntryId>,
) -> Result<HttpResponse, Problem> {
    let entry = entry(&console, &officer, id.0).await?;
    let fields = entry.leaf.get("fields").and_then(|fields| fields.as_object());
    let fields = fields.map(|fields| {
        fields
            .iter()
            .map(|(path, view)| (path.clone(), text_of(view)))
            .collect()
    });
    let reveal = entry.action.as_deref().is_some_and(|act| JUDGED.contains(&act))
        && entry.decision.as_deref() == Some("permitted");
    let verdict = console.verdict(id.0).await?;
    let may = officer.may(Right::ReadAudit) && officer.may(Right::ManageRequests);
    let own = entry.principal.as_deref() == Some(officer.caller.principal.to_string().as_str());
    let template = EntryPage {
        page: officer.frame("console.entry.title"),
        leaf: entry
            .leaf
            .iter()
            .filter(|(name, _)| *name != "fields")
            .map(|(name, value)| (name.clone(), text_of(value)))
            .collect(),
        fields: fields.unwrap_or_default(),
        proof: proof(&console, &officer, entry.log_index).await?,
        judges: reveal && verdict.is_none() && may,
        verdict: verdict.map(|(word, _, actor, at)| Verdict {
            word,
            by: actor.unwrap_or_default(),
            at: from_micros(at),
        }),
        own,
        entry,
    };
    page(&template)
}

async fn proof(console: &Console, officer: &Officer, index: Option<u64>) -> Result<Option<Proof>, Problem> {
    let Some(index) = index else { return Ok(None) };
    let log = log(console, officer).await?;
    let Some((size, _)) = log.checkpoint().await.map_err(GuestError::from)? else {
        return Ok(None);
    };
    if index >= size {
        return Ok(None);
    }
    let (leaf, path) = log.inclusion(index, size).await.map_err(GuestError::from)?;
    Ok(Some(Proof {
        index,
        size,
        leaf: BASE64.encode(&leaf),
        path: path.iter().map(|hash| BASE64.encode(hash)).collect(),
    }))
}

/// The receipt of an entry: a C2SP `tlog-proof` file.
pub(super) async fn receipt(
    console: Data<Console>,
    officer: Officer,
    id: PathId<EntryId>,
) -> Result<HttpResponse, Problem> {
    let entry = entry(&console, &officer, id.0).await?;
    let index = entry.log_index.ok_or(Problem::new(Kind::NotFound))?;
    let log = log(&console, &officer).await?;
    let text = log.receipt(index).await.map_err(GuestError::from)?;
    Ok(download(
        "text/plain; charset=utf-8",
        &format!("entry-{index}.tlog-proof"),
        text.into_bytes(),
    ))
}

/// An answer that is kept as a file.
pub(super) fn download(media: &'static str, name: &str, bytes: Vec<u8>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, media))
        .insert_header((
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ))
        .body(bytes)
}

/// An answer that is kept as a file of JSON, for people to read too.
pub(super) fn json_file(name: &str, what: &impl serde::Serialize) -> Result<HttpResponse, Problem> {
    let bytes = serde_json::to_vec_pretty(what).map_err(|_| Problem::new(Kind::Internal))?;
    Ok(download("application/json", name, bytes))
}

/// What an officer thinks of a reveal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Judgement {
    /// It was called for.
    Justified,
    /// It is being followed up.
    FollowUp,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JudgementForm {
    verdict: Judgement,
}

/// Judges a reveal.
pub(super) async fn judge(
    console: Data<Console>,
    officer: Officer,
    id: PathId<EntryId>,
    form: Form<JudgementForm>,
) -> Result<HttpResponse, Problem> {
    console
        .judge(&officer.errand("audit")?, id.0, form.0.verdict)
        .await?;
    Ok(done(
        &officer.browser,
        "flash.saved",
        "/console#reveals".to_owned(),
    ))
}

impl Console {
    async fn verdict(&self, entry: EntryId) -> Result<Option<JudgementRow>, GuestError> {
        Ok(self.vault.store.read().await?.judgement(entry.0).await?)
    }

    /// Judges a reveal of somebody else; what was judged stays judged.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`]; [`GuestError::NotFound`] when there is no such reveal; [`GuestError::Blocked`] when it
    /// was judged before, or is the caller's own.
    pub(super) async fn judge(
        &self,
        errand: &crate::base::Errand,
        entry: EntryId,
        verdict: Judgement,
    ) -> Result<(), GuestError> {
        let word = match verdict {
            Judgement::Justified => "justified",
            Judgement::FollowUp => "follow_up",
        };
        let event = self
            .look(errand, (Act::Judge, word), &[Right::ManageRequests])
            .await?;
        let found = crate::audit::search::entry(&self.vault.store, entry).await?;
        let leaf = found
            .as_ref()
            .and_then(|row| crate::audit::leaf::Leaf::read(&row.leaf));
        let Some((row, leaf)) = found.zip(leaf.filter(|leaf| {
            let here = self.vault.reach(&errand.caller);
            let property = leaf.property.as_deref().unwrap_or_default();
            JUDGED.contains(&leaf.act.as_str()) && leaf.decision == "permitted" && here.holds(property)
        })) else {
            return self.vault.refuse(event, GuestError::NotFound).await;
        };
        let done_by = (leaf.principal, leaf.actor.as_deref());
        if same_person(done_by, errand.caller.person()) {
            let own = GuestError::Blocked("nobody judges what they did themselves".to_owned());
            return self.vault.refuse(event, own).await;
        }
        let event = Event {
            subject: row.guest_id.map(|guest| self.vault.subject(GuestId(guest), None)),
            basis: Some(format!("entry:{entry}")),
            ..event
        };
        let (now, refused) = (micros(self.vault.clock.now()), event.clone());
        let mut change = self.vault.log.begin(&self.vault.store).await?;
        let by = (errand.caller.principal.0, errand.caller.actor.as_deref());
        if !change.tx.judge(entry.0, word, by, now).await? {
            drop(change);
            let judged = GuestError::Blocked("it was judged already".to_owned());
            return self.vault.refuse(refused, judged).await;
        }
        change.record(event);
        change.commit().await?;
        Ok(())
    }
}

#[derive(Template)]
#[template(
    path = "console/access.html",
    config = ".askama.toml",
    whitespace = "minimize"
)]
struct AccessPage {
    page: Frame,
    /// The newest first, as many as a page holds.
    report: AccessReport,
    total: usize,
}

/// Accesses of one page; the file has all.
const ACCESSES: usize = 200;

/// Who saw what of a guest; recorded.
async fn report(console: &Console, officer: &Officer, guest: GuestId) -> Result<AccessReport, Problem> {
    let errand = officer.errand("audit")?;
    Ok(console.vault.access_report(&errand, guest).await?)
}

/// Who saw what of a guest.
pub(super) async fn access(
    console: Data<Console>,
    officer: Officer,
    id: PathId<GuestId>,
) -> Result<HttpResponse, Problem> {
    let mut report = report(&console, &officer, id.0).await?;
    let total = report.accesses.len();
    report.accesses.reverse();
    report.accesses.truncate(ACCESSES);
    page(&AccessPage {
        page: officer.frame("console.access.title"),
        total,
        report,
    })
}

/// The same as a file, with the proof.
pub(super) async fn access_file(
    console: Data<Console>,
    officer: Officer,
    id: PathId<GuestId>,
) -> Result<HttpResponse, Problem> {
    let report = report(&console, &officer, id.0).await?;
    json_file(&format!("access-{}.json", id.0), &report)
}
