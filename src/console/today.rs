//! *Today*: what is due or overdue, each with the way to act on it.

use actix_web::{HttpResponse, web::Data};
use askama::Template;
use chrono::{DateTime, NaiveDate, Utc};

use super::{
    Console,
    due::{Lapse, LateErasure, OpenRequests},
    frame::Frame,
    holds::HoldLine,
    officer::Officer,
};
use crate::{
    base::from_micros,
    guest::{Entry, glass::JUDGED_WITHIN},
    policy::Right,
    web::{Problem, pages::page},
};

/// Lines of a list on this page; the number above it counts all.
const SHOWN: usize = 8;
/// Questions about identity, and exports, that are counted; more are told as such.
const COUNTED: i64 = 100;

/// A request, as a line.
pub(super) struct RequestLine {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) regime: String,
    pub(super) state: String,
    pub(super) property: String,
    pub(super) received: DateTime<Utc>,
    pub(super) due: Option<NaiveDate>,
    /// Days until it is due; negative once it is over.
    pub(super) left: Option<i64>,
}

impl RequestLine {
    pub(super) fn path(&self) -> String {
        format!("/console/requests/{}", self.id)
    }
}

/// A reveal, as a line.
struct RevealLine {
    entry: Entry,
    fields: String,
    late: bool,
}

impl RevealLine {
    fn path(&self) -> String {
        format!("/console/audit/{}", self.entry.entry_id)
    }
}

struct Reveals {
    all: i64,
    lines: Vec<RevealLine>,
}

struct Reviews {
    count: usize,
    more: bool,
}

struct HoldsDue {
    due: i64,
    lines: Vec<HoldLine>,
}

#[derive(Template)]
#[template(path = "console/today.html", config = ".askama.toml", whitespace = "minimize")]
struct TodayPage {
    page: Frame,
    date: NaiveDate,
    role: String,
    requests: Option<OpenRequests>,
    lines: Vec<RequestLine>,
    reviews: Option<Reviews>,
    exports: Option<usize>,
    holds: Option<HoldsDue>,
    late: Option<Vec<LateErasure>>,
    lapses: Option<Vec<Lapse>>,
    reveals: Option<Reveals>,
}

/// Requests as lines.
pub(super) fn lines(requests: &OpenRequests, today: NaiveDate) -> Vec<RequestLine> {
    let line = |row: &super::sql::OpenRow| {
        let due = row
            .due_on
            .as_deref()
            .and_then(|day| day.parse::<NaiveDate>().ok());
        RequestLine {
            id: row.request_id.to_string(),
            kind: row.kind.clone(),
            regime: row.regime.clone(),
            state: row.state.clone(),
            property: row.property.clone(),
            received: from_micros(row.received_at),
            left: due.map(|due| (due - today).num_days()),
            due,
        }
    };
    requests.first.iter().map(line).collect()
}

/// The page.
pub(super) async fn show(console: Data<Console>, officer: Officer) -> Result<HttpResponse, Problem> {
    let today = console.today();
    let (mut requests, mut late, mut exports) = (None, None, None);
    if officer.may(Right::ApproveRequests) {
        let errand = officer.errand("subject_request")?;
        exports = Some(console.vault.exports_to_decide(&errand, COUNTED).await?);
    }
    if officer.may(Right::ManageRequests) || officer.may(Right::ApproveRequests) {
        let errand = officer.errand("subject_request")?;
        requests = Some(console.open_requests(&errand).await?);
        late = Some(console.late_erasures(&errand).await?);
    }
    let reviews = reviews(&console, &officer).await?;
    let holds = if officer.may(Right::ManageHolds) {
        let register = console
            .hold_register(&officer.errand("legal_retention")?, None)
            .await?;
        let by = today.to_string();
        let due = |line: &HoldLine| line.review_on.to_string() <= by || line.approver.is_none();
        Some(HoldsDue {
            due: register.due,
            lines: register.holds.into_iter().filter(due).take(SHOWN).collect(),
        })
    } else {
        None
    };
    let (mut lapses, mut reveals) = (None, None);
    if officer.may(Right::ReadAudit) {
        lapses = Some(console.lapses(&officer.errand("audit")?).await?);
        reveals = Some(to_judge(&console, &officer).await?);
    }
    let mut lines = requests
        .as_ref()
        .map(|some| lines(some, today))
        .unwrap_or_default();
    lines.truncate(SHOWN);
    let page_of = officer.frame("console.today.title");
    page(&TodayPage {
        role: page_of.w("role", officer.caller.role.as_str()),
        page: page_of,
        date: today,
        requests,
        lines,
        reviews,
        exports,
        holds,
        late,
        lapses,
        reveals,
    })
}

async fn reviews(console: &Console, officer: &Officer) -> Result<Option<Reviews>, Problem> {
    if !officer.may(Right::MergeGuests) {
        return Ok(None);
    }
    let errand = officer.errand(super::reviews::PURPOSE)?;
    let (open, next) = console
        .vault
        .reviews(&errand, (i64::MAX, uuid::Uuid::nil()), COUNTED)
        .await?;
    Ok(Some(Reviews {
        count: open.len(),
        more: next.is_some(),
    }))
}

async fn to_judge(console: &Console, officer: &Officer) -> Result<Reveals, Problem> {
    let waiting = console.reveals_to_judge(&officer.errand("audit")?).await?;
    let now = console.vault.clock.now();
    let mut lines = Vec::new();
    for id in waiting.first.iter().take(SHOWN) {
        let entry = console
            .vault
            .read_entry(&officer.caller, officer.request(), *id)
            .await?;
        lines.push(RevealLine {
            fields: super::audit::field_names(&entry),
            late: now - entry.at > JUDGED_WITHIN,
            entry,
        });
    }
    Ok(Reveals {
        all: waiting.all,
        lines,
    })
}
