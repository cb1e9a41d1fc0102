//! What guests agree to: by purpose, notice and channel, over time, and how it stands.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use actix_web::{HttpResponse, web::Data};
use askama::Template;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    Console,
    frame::Frame,
    officer::Officer,
    sql::SaidRow,
    volume::last_days,
    withdrawals::{Heard, Withdrawal},
};
use crate::{
    audit::Act,
    base::{Errand, from_micros, micros},
    guest::{GuestError, Vault},
    policy::Right,
    store::StoreError,
    web::{Problem, StrictQuery, pages::page},
};

/// Weeks of the trend.
const WEEKS: i64 = 12;
const WEEK: i64 = 7 * 86_400_000_000;
/// The most ways of saying something that an answer has.
const MOST_WAYS: usize = 1000;
/// How long a page waits for what reads the whole ledger.
const PATIENCE: Duration = Duration::from_millis(150);

/// What was said about a purpose, in one way.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct SaidCount {
    /// For which purpose.
    #[schema(max_length = 60)]
    pub purpose: String,
    /// To whom the data may go; empty: nobody else.
    #[schema(max_length = 60)]
    pub recipient: String,
    /// What was said.
    #[schema(max_length = 20)]
    pub state: String,
    /// Where.
    #[schema(max_length = 40)]
    pub channel: String,
    /// The notice that was shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uuid)]
    pub notice_id: Option<Uuid>,
    /// How often.
    pub count: i64,
}

/// How many guests stand how with a purpose, by their last word.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct StandingCount {
    /// For which purpose.
    #[schema(max_length = 60)]
    pub purpose: String,
    /// To whom the data may go; empty: nobody else.
    #[schema(max_length = 60)]
    pub recipient: String,
    /// What was said last.
    #[schema(max_length = 20)]
    pub state: String,
    /// How many.
    pub count: i64,
}

/// A week of the trend.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct WeekCount {
    /// When it begins.
    pub from: DateTime<Utc>,
    /// Given or renewed.
    pub given: i64,
    /// Withdrawn or objected.
    pub withdrawn: i64,
}

/// What guests said.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ConsentCounts {
    /// At or after.
    pub from: DateTime<Utc>,
    /// Before.
    pub to: DateTime<Utc>,
    /// By purpose, recipient, state, channel and notice; the first 1,000.
    #[schema(max_items = 1000)]
    pub said: Vec<SaidCount>,
    /// Week by week.
    #[schema(max_items = 60)]
    pub weeks: Vec<WeekCount>,
    /// How it stands now, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 10_000)]
    pub standing: Option<Vec<StandingCount>>,
}

/// How it stands, as it was last counted: that reads the whole ledger, and no page waits for it.
#[derive(Default)]
pub struct Standings {
    last: Mutex<Option<Counted>>,
    counting: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Clone)]
struct Counted {
    at: DateTime<Utc>,
    rows: Vec<StandingCount>,
}

impl Standings {
    /// Counts anew, and answers with that if it is quick; else with what was counted before, and the new count comes with
    /// the next question.
    async fn soon(self: &Arc<Self>, vault: &Vault) -> Option<Counted> {
        if let Ok(counting) = Arc::clone(&self.counting).try_lock_owned() {
            let (all, vault) = (Arc::clone(self), vault.clone());
            let count = tokio::spawn(async move {
                let at = vault.clock.now();
                match standing(&vault).await {
                    Ok(rows) => {
                        if let Ok(mut last) = all.last.lock() {
                            *last = Some(Counted { at, rows });
                        }
                    }
                    Err(error) => tracing::warn!(%error, "how consents stand was not counted"),
                }
                drop(counting);
            });
            // Too slow, or failed: what was known before is the answer.
            let _ = tokio::time::timeout(PATIENCE, count).await;
        }
        self.last.lock().ok()?.clone()
    }
}

async fn standing(vault: &Vault) -> Result<Vec<StandingCount>, StoreError> {
    let rows = vault.store.read().await?.consents_standing().await?;
    let line = |(purpose, recipient, state, count)| StandingCount {
        purpose,
        recipient,
        state,
        count,
    };
    Ok(rows.into_iter().map(line).collect())
}

/// Adds up, over weeks, what was said in each way; and over ways, what was given and taken back in each week.
fn added_up(rows: Vec<SaidRow>, from: i64) -> (Vec<SaidCount>, Vec<WeekCount>) {
    let week = |slot: i64| WeekCount {
        from: from_micros(from + slot * WEEK),
        given: 0,
        withdrawn: 0,
    };
    let mut weeks: Vec<WeekCount> = (0..WEEKS).map(week).collect();
    let mut said: Vec<SaidCount> = Vec::new();
    for (purpose, recipient, state, channel, notice_id, slot, count) in rows {
        if count == 0 {
            continue;
        }
        if let Some(week) = usize::try_from(slot).ok().and_then(|slot| weeks.get_mut(slot)) {
            match state.as_str() {
                "given" | "renewed" => week.given += count,
                "withdrawn" | "objected" => week.withdrawn += count,
                _ => {}
            }
        }
        let one = SaidCount {
            purpose,
            recipient,
            state,
            channel,
            notice_id,
            count,
        };
        match said.last_mut().filter(|last| last.way() == one.way()) {
            Some(last) => last.count += count,
            None => said.push(one),
        }
    }
    said.truncate(MOST_WAYS);
    (said, weeks)
}

impl SaidCount {
    fn way(&self) -> (&str, &str, &str, &str, Option<Uuid>) {
        (
            &self.purpose,
            &self.recipient,
            &self.state,
            &self.channel,
            self.notice_id,
        )
    }
}

impl Console {
    /// What guests said in the last twelve weeks, counted; and, where asked for, how it stands now, which reads the whole
    /// ledger. Recorded.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`].
    pub(super) async fn consent_counts(
        &self,
        errand: &Errand,
        stands: bool,
    ) -> Result<ConsentCounts, GuestError> {
        let event = self
            .look(errand, (Act::ReadConsents, "counted"), &[Right::ReadAudit])
            .await?;
        let days = last_days(self.vault.clock.now(), WEEKS * 7);
        let from = micros(days.from);
        let rows = self
            .vault
            .store
            .read()
            .await?
            .consents_said(from, (WEEK, WEEKS))
            .await?;
        let standing = if stands {
            Some(standing(&self.vault).await?)
        } else {
            None
        };
        self.vault.log.record(event, ()).await?;
        let (said, weeks) = added_up(rows, from);
        Ok(ConsentCounts {
            from: days.from,
            to: days.to,
            said,
            weeks,
            standing,
        })
    }
}

/// A bar of the trend: given above the line, withdrawn below.
struct Bar {
    x: i64,
    given: (i64, i64),
    withdrawn: i64,
}

/// A purpose's row: how often each state was said, by all channels.
struct PurposeRow {
    purpose: String,
    recipient: String,
    basis: String,
    given: i64,
    refused: i64,
    withdrawn: i64,
    channels: String,
    notices: String,
    standing: Option<(i64, i64)>,
}

#[derive(Template)]
#[template(
    path = "console/consent.html",
    config = ".askama.toml",
    whitespace = "minimize"
)]
struct ConsentPage {
    page: Frame,
    counts: ConsentCounts,
    rows: Vec<PurposeRow>,
    bars: Vec<Bar>,
    given: i64,
    withdrawn: i64,
    /// When it was counted how it stands.
    counted_at: Option<DateTime<Utc>>,
    /// Whether that is being counted for the first time.
    counting: bool,
    /// The newest withdrawals, and who has heard of them.
    withdrawals: Vec<Withdrawal>,
    /// Whether anybody is told of consents at all.
    listeners: bool,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Wanted {
    standing: Option<u8>,
    #[serde(rename = "lang")]
    _lang: String,
}

/// The page.
pub(super) async fn show(
    console: Data<Console>,
    officer: Officer,
    wanted: StrictQuery<Wanted>,
) -> Result<HttpResponse, Problem> {
    let mut counts = console.consent_counts(&officer.errand("audit")?, false).await?;
    let counted = match wanted.0.standing {
        Some(_) => console.standings.soon(&console.vault).await,
        None => None,
    };
    let counted_at = counted.as_ref().map(|counted| counted.at);
    counts.standing = counted.map(|counted| counted.rows);
    let frame = officer.frame("console.nav.consent");
    let rows = rows(&console, &officer, (&frame, &counts)).await?;
    let withdrawals = console.withdrawals(&officer.errand("audit")?).await?.items;
    page(&ConsentPage {
        listeners: withdrawals.iter().any(|one| !one.told.is_empty()),
        withdrawals,
        page: frame,
        counted_at,
        counting: wanted.0.standing.is_some() && counted_at.is_none(),
        bars: bars(&counts.weeks),
        given: counts.weeks.iter().map(|week| week.given).sum(),
        withdrawn: counts.weeks.iter().map(|week| week.withdrawn).sum(),
        rows,
        counts,
    })
}

fn bars(weeks: &[WeekCount]) -> Vec<Bar> {
    const HALF: i64 = 90;
    let top = weeks
        .iter()
        .map(|week| week.given.max(week.withdrawn))
        .max()
        .unwrap_or(0)
        .max(1);
    let height = |count: i64| if count > 0 { (count * HALF / top).max(2) } else { 0 };
    let bar = |(week, x): (&WeekCount, i64)| Bar {
        x: x * 60,
        given: (HALF - height(week.given), height(week.given)),
        withdrawn: height(week.withdrawn),
    };
    weeks.iter().zip(0..).map(bar).collect()
}

async fn rows(
    console: &Console,
    officer: &Officer,
    (page, counts): (&Frame, &ConsentCounts),
) -> Result<Vec<PurposeRow>, Problem> {
    let mut by: BTreeMap<(String, String), Vec<&SaidCount>> = BTreeMap::new();
    for said in &counts.said {
        by.entry((said.purpose.clone(), said.recipient.clone()))
            .or_default()
            .push(said);
    }
    for standing in counts.standing.iter().flatten() {
        by.entry((standing.purpose.clone(), standing.recipient.clone()))
            .or_default();
    }
    let mut rows = Vec::new();
    for ((purpose, recipient), said) in by {
        let named = console.vault.store.read().await?.notices_named(&purpose).await?;
        let of = |states: &[&str]| -> i64 {
            said.iter()
                .filter(|one| states.contains(&one.state.as_str()))
                .map(|one| one.count)
                .sum()
        };
        let tally = |key: &dyn Fn(&SaidCount) -> Option<String>| {
            let mut tally: BTreeMap<String, i64> = BTreeMap::new();
            for one in &said {
                if let Some(key) = key(one) {
                    *tally.entry(key).or_default() += one.count;
                }
            }
            let parts: Vec<String> = tally
                .iter()
                .map(|(key, count)| format!("{key} {count}"))
                .collect();
            parts.join(", ")
        };
        let notice = |one: &SaidCount| {
            let id = one.notice_id?;
            let found = named.iter().find(|(known, _, _)| *known == id)?;
            Some(format!("{} v{}", found.1, found.2))
        };
        let standing = counts.standing.as_ref().map(|all| {
            let count = |states: &[&str]| -> i64 {
                let mine = all
                    .iter()
                    .filter(|one| one.purpose == purpose && one.recipient == recipient);
                mine.filter(|one| states.contains(&one.state.as_str()))
                    .map(|one| one.count)
                    .sum()
            };
            (
                count(&["given", "renewed"]),
                count(&["withdrawn", "objected", "refused"]),
            )
        });
        let code = purpose.parse().ok();
        let rule = code.and_then(|code| officer.policy().purpose(&code));
        rows.push(PurposeRow {
            basis: rule
                .map(|rule| rule.legal_basis.as_str().to_owned())
                .unwrap_or_default(),
            given: of(&["given", "renewed"]),
            refused: of(&["refused"]),
            withdrawn: of(&["withdrawn", "objected"]),
            channels: tally(&|one| Some(page.w("channel", &one.channel))),
            notices: tally(&notice),
            purpose,
            recipient,
            standing,
        });
    }
    Ok(rows)
}
