//! All that a disclosure needs of a guest, in one row: a row of its own for each value would cost more on its way
//! than the value.

use std::{
    collections::HashMap,
    sync::{OnceLock, RwLock},
};

use data_encoding::HEXLOWER_PERMISSIVE;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{padded, placeholders};
use crate::{
    base::GuestId,
    consent::{Spoken, State},
    on,
    store::{Conn, Database, Spelling, StoreError},
};

/// Between the parts of a line.
const PART: char = '\u{1f}';
/// Between lines.
const LINE: char = '\u{1e}';

/// What a [`Line`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The guest itself: status in `word`, survivor in `id`, manager token in `sealed`, what of it lapses in `lapsing`.
    Guest,
    /// A sealed value: record in `id`, path in `word`.
    Field,
    /// A sealed stay: its token in `id`, property in `word`.
    Stay,
    /// A ledger line of the purpose: id in `id`, state in `word`, recipient, scope and kind in `more`, when a notice
    /// with other terms came into force in `trust` (0: never), end in `until`.
    Consent,
}

/// One line of all that a disclosure needs to know of a guest.
#[derive(Clone)]
pub struct Line {
    part: Part,
    /// See [`Part`].
    pub id: Option<Uuid>,
    /// See [`Part`].
    pub word: String,
    /// See [`Part`].
    pub more: Option<String>,
    /// The version of the guest, value or stay.
    pub version: i64,
    /// Sealed bytes, or a token.
    pub sealed: Option<Vec<u8>>,
    /// Survivorship: 2 pinned, 1 verified, 0 neither.
    pub rank: i64,
    /// Survivorship: the source's trust.
    pub trust: i64,
    /// When observed, or said, in microseconds.
    pub at: i64,
    /// When a consent ends.
    pub until: Option<i64>,
    /// What of the guest lapses, sealed.
    pub lapsing: Option<Vec<u8>>,
}

impl Line {
    /// What it is.
    #[must_use]
    pub const fn part(&self) -> Part {
        self.part
    }

    /// What of a line of the ledger decides. A word this program does not know is read as a withdrawal: strictly.
    #[must_use]
    pub fn spoken(&self) -> Option<Spoken<'_>> {
        let id = self.id.filter(|_| self.part() == Part::Consent)?;
        let mut words = self.more.as_deref().unwrap_or_default().splitn(3, ' ');
        let mut word = || words.next().unwrap_or_default();
        Some(Spoken {
            id: id.into(),
            state: State::from_word(&self.word).unwrap_or(State::Withdrawn),
            recipient: word(),
            scope: word(),
            separate: word(),
            at: self.at,
            until: self.until,
            superseded: (self.trust > 0).then_some(self.trust),
        })
    }

    fn of(part: Part, word: &str) -> Self {
        Self {
            part,
            id: None,
            word: word.to_owned(),
            more: None,
            version: 0,
            sealed: None,
            rank: 0,
            trust: 0,
            at: 0,
            until: None,
            lapsing: None,
        }
    }
}

/// The columns of [`text`], by position: looking each up by name costs more than the rest of a row.
type Columns = (
    Uuid,
    i64,
    String,
    Option<Uuid>,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
    Option<String>,
    Option<String>,
    Option<String>,
);

/// The statement for so many guests and fields: $1 is the purpose, then come the guests, then the fields.
pub(super) fn text(spelling: Spelling, guests: usize, fields: usize) -> String {
    let lines = |parts: &[&str]| {
        let parts = parts.join(&format!(" || '{PART}' || "));
        format!("string_agg({parts}, '{LINE}')")
    };
    let (id, hex) = (|column| spelling.id(column), |column| spelling.hex(column));
    let stays = lines(&[&id("stay_token"), "property", "version", &hex("sealed")]);
    let until = "coalesce(CAST(valid_until AS TEXT), '')";
    let matter = "recipient || ' ' || scope || ' ' || separate";
    let superseded =
        "coalesce((SELECT min(n.valid_from) FROM notice n WHERE n.purpose = $1 AND n.terms > c.terms), 0)";
    let consents = lines(&[&id("consent_id"), "state", matter, superseded, "at", until]);
    let mut those = String::new();
    placeholders(&mut those, 2, guests);
    let values = if fields == 0 {
        "CAST(NULL AS TEXT)".to_owned()
    } else {
        let rank = "CASE WHEN pinned THEN 2 WHEN verified THEN 1 ELSE 0 END";
        let sealed = hex("sealed");
        let values = lines(&[
            &id("record_id"),
            "field",
            "version",
            rank,
            "trust",
            "observed_at",
            &sealed,
        ]);
        let mut wanted = String::new();
        placeholders(&mut wanted, 2 + guests, fields);
        format!(
            "(SELECT {values} FROM field_value v WHERE v.guest_id = g.guest_id AND v.field IN ({wanted}))"
        )
    };
    format!(
        "SELECT g.guest_id, g.version, g.status, g.survivor, g.manager_token,
             CASE WHEN g.lapsing_state = 1 THEN g.lapsing END,
             (SELECT {stays} FROM stay s WHERE s.guest_id = g.guest_id),
             (SELECT {consents} FROM consent c WHERE c.guest_id = g.guest_id AND c.purpose = $1),
             {values}
         FROM guest g WHERE g.guest_id IN ({those})"
    )
}

/// The same, written once for each size: it is long, and asked for thousands of times a second.
fn kept_text(spelling: Spelling, guests: usize, fields: usize) -> &'static str {
    type Texts = RwLock<HashMap<(Spelling, usize, usize), &'static str>>;
    static TEXTS: OnceLock<Texts> = OnceLock::new();
    let texts = TEXTS.get_or_init(RwLock::default);
    let size = (spelling, guests, fields);
    if let Some(text) = texts.read().ok().and_then(|all| all.get(&size).copied()) {
        return text;
    }
    // Sizes are powers of two below a bound, so few are ever leaked.
    let text: &'static str = Box::leak(text(spelling, guests, fields).into_boxed_str());
    if let Ok(mut all) = texts.write() {
        all.insert(size, text);
    }
    text
}

impl Conn {
    /// All that disclosures of these guests need, in one round trip: the guests, the values of these fields and no
    /// others, their stays, and the ledger's lines for the purpose. A guest that does not exist is not in the answer.
    ///
    /// # Errors
    /// What the database says; [`StoreError::Damaged`] for what this program did not write.
    pub async fn guests_for_disclosure(
        &mut self,
        guests: &[GuestId],
        fields: &[&str],
        purpose: &str,
    ) -> Result<Vec<(GuestId, Vec<Line>)>, StoreError> {
        let guests: Vec<GuestId> = padded(guests).collect();
        let fields: Vec<&str> = padded(fields).collect();
        let sql = kept_text(self.spelling(), guests.len(), fields.len());
        let rows: Vec<Columns> = on!(self, c => {
            let mut query = sqlx::query_as(AssertSqlSafe(sql)).bind(purpose);
            for guest in guests {
                query = query.bind(guest.0);
            }
            for field in fields {
                query = query.bind(field);
            }
            query.fetch_all(c).await?
        });
        rows.into_iter().map(lines).collect()
    }
}

/// Reads the parts of a line.
type ReadLine = fn(&[&str]) -> Option<Line>;

/// The lines of one row.
fn lines(row: Columns) -> Result<(GuestId, Vec<Line>), StoreError> {
    let (guest, version, status, survivor, manager, lapsing, stays, consents, values) = row;
    let mut all = vec![Line {
        id: survivor,
        version,
        sealed: manager,
        lapsing,
        ..Line::of(Part::Guest, &status)
    }];
    let parts: [(Option<String>, ReadLine); 3] = [(stays, stay), (consents, consent), (values, value)];
    for (text, read) in &parts {
        let Some(text) = text else { continue };
        for line in text.split(LINE) {
            let mut parts = [""; 7];
            let mut said = line.split(PART);
            let mut count = 0;
            for (part, word) in parts.iter_mut().zip(said.by_ref()) {
                *part = word;
                count += 1;
            }
            let whole = parts
                .get(..count)
                .filter(|_| said.next().is_none())
                .and_then(read);
            all.push(whole.ok_or(StoreError::Damaged("a line of a guest"))?);
        }
    }
    Ok((GuestId(guest), all))
}

fn stay(parts: &[&str]) -> Option<Line> {
    let [token, property, version, sealed] = parts else {
        return None;
    };
    Some(Line {
        id: Some(token.parse().ok()?),
        version: version.parse().ok()?,
        sealed: Some(HEXLOWER_PERMISSIVE.decode(sealed.as_bytes()).ok()?),
        ..Line::of(Part::Stay, property)
    })
}

fn consent(parts: &[&str]) -> Option<Line> {
    let [id, state, matter, superseded, at, until] = parts else {
        return None;
    };
    Some(Line {
        id: Some(id.parse().ok()?),
        more: Some((*matter).to_owned()),
        trust: superseded.parse().ok()?,
        at: at.parse().ok()?,
        until: if until.is_empty() {
            None
        } else {
            Some(until.parse().ok()?)
        },
        ..Line::of(Part::Consent, state)
    })
}

fn value(parts: &[&str]) -> Option<Line> {
    let [record, field, version, rank, trust, at, sealed] = parts else {
        return None;
    };
    Some(Line {
        id: Some(record.parse().ok()?),
        version: version.parse().ok()?,
        rank: rank.parse().ok()?,
        trust: trust.parse().ok()?,
        at: at.parse().ok()?,
        sealed: Some(HEXLOWER_PERMISSIVE.decode(sealed.as_bytes()).ok()?),
        ..Line::of(Part::Field, field)
    })
}
