//! Whether a statement can stand in the ledger, by itself. Pure.

use chrono::{DateTime, Utc};

use crate::base::ASTRAY;

use super::{Guardian, Refusal, Speaker, Statement};

/// The most digits of a code: a phone, a document and a card have more.
const MOST_DIGITS: usize = 6;

/// Whether a short word such as a channel can stand in clear: codes only, so that no name, note or number slips in.
#[must_use]
pub fn is_code(word: &str) -> bool {
    !word.is_empty()
        && word.len() <= 40
        && word.bytes().filter(u8::is_ascii_digit).count() <= MOST_DIGITS
        && word
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-' | '.' | ':'))
}

/// Checks a statement; `now` bounds when it can have been said.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn check(statement: &Statement, now: DateTime<Utc>) -> Result<(), Refusal> {
    let words = [
        Some(statement.channel.as_str()),
        statement.indication.as_deref(),
        statement.recipient.as_deref(),
    ];
    if !words.into_iter().flatten().all(is_code) {
        return Err(Refusal::InvalidCode);
    }
    if statement.state.is_yes() && statement.said_by == Some(Speaker::Booker) {
        return Err(Refusal::NotByBooker);
    }
    let guarded = statement.said_by == Some(Speaker::Guardian);
    if guarded != statement.guardian.is_some() || !statement.guardian.as_ref().is_none_or(is_guardian) {
        return Err(Refusal::InvalidGuardian);
    }
    let at = statement.at.unwrap_or(now);
    if at > now + ASTRAY || statement.valid_until.is_some_and(|until| until <= at) {
        return Err(Refusal::ImpossibleDate);
    }
    if statement
        .evidence_ref
        .as_deref()
        .is_some_and(|e| e.is_empty() || e.chars().count() > 200)
    {
        return Err(Refusal::InvalidEvidence);
    }
    Ok(())
}

fn is_guardian(guardian: &Guardian) -> bool {
    let text = |text: &str| !text.trim().is_empty() && text.chars().count() <= 200;
    text(&guardian.name) && is_code(&guardian.relation) && guardian.contact.as_deref().is_none_or(text)
}
