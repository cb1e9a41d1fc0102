//! All that disclosures need of some guests, in one text: on its way from the database a row of its own for each value
//! would cost more than the value, and each row for a guest wakes its reader once more.

use data_encoding::HEXLOWER_PERMISSIVE;
use uuid::Uuid;

use super::{padded, placeholders};
use crate::{
    base::GuestId,
    consent::{Spoken, State},
    on,
    store::{Conn, Database, Spelling, StoreError, Texts},
};

/// Between the parts of a line.
const PART: char = '\u{1f}';
/// Between lines.
const LINE: char = '\u{1e}';
/// Between the words of a guest, and its lines of one kind.
const GROUP: char = '\u{1d}';
/// Between guests.
const GUEST: char = '\u{1c}';

/// What a [`Line`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The guest itself: status in `word`, survivor in `id`, manager token in `sealed`, what of it lapses in `lapsing`.
    Guest,
    /// A sealed value: record in `id`, path in `word`.
    Field,
    /// A sealed stay: its token in `id`, property in `word`, when its source saw it so in `at`.
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

    /// A sealed value: whose record's, its version, and its weight (rank, trust, time).
    pub(super) fn of_value(
        field: &str,
        (record, version): (Uuid, i64),
        (rank, trust, at): (i64, i64, i64),
        sealed: Vec<u8>,
    ) -> Self {
        Self {
            id: Some(record),
            version,
            rank,
            trust,
            at,
            sealed: Some(sealed),
            ..Self::of(Part::Field, field)
        }
    }

    /// Whether staff fixed this value.
    #[must_use]
    pub const fn is_pinned(&self) -> bool {
        self.rank == 2
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

/// The statement for so many guests and fields: $1 is the purpose, then come the fields, then the guests.
pub(super) fn text(spelling: Spelling, guests: usize, fields: usize) -> String {
    let lines = |parts: &[&str]| {
        let parts = parts.join(&format!(" || '{PART}' || "));
        format!("string_agg({parts}, '{LINE}')")
    };
    let (id, hex) = (|column| spelling.id(column), |column| spelling.hex(column));
    let stays = lines(&[
        &id("stay_token"),
        "property",
        "version",
        "updated_at",
        &hex("sealed"),
    ]);
    let until = "coalesce(CAST(valid_until AS TEXT), '')";
    let matter = "recipient || ' ' || scope || ' ' || separate";
    let superseded = "coalesce((SELECT min(n.valid_from) FROM notice n WHERE n.purpose = c.purpose AND n.terms > c.terms), 0)";
    let consents = lines(&[&id("consent_id"), "state", matter, superseded, "at", until]);
    let mut those = String::new();
    placeholders(&mut those, 2 + fields, guests);
    let values = if fields == 0 {
        "''".to_owned()
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
        placeholders(&mut wanted, 2, fields);
        format!(
            "(SELECT {values} FROM field_value v WHERE v.guest_id = g.guest_id AND v.field IN ({wanted}))"
        )
    };
    let (guest, survivor, manager) = (id("g.guest_id"), id("g.survivor"), hex("g.manager_token"));
    let lapsing = hex("g.lapsing");
    let groups = [
        guest,
        "g.version".to_owned(),
        "g.status".to_owned(),
        format!("coalesce({survivor}, '')"),
        format!("coalesce({manager}, '')"),
        format!("coalesce(CASE WHEN g.lapsing_state = 1 THEN {lapsing} END, '')"),
        format!("coalesce((SELECT {stays} FROM stay s WHERE s.guest_id = g.guest_id), '')"),
        format!(
            "coalesce((SELECT {consents} FROM consent c WHERE c.guest_id = g.guest_id AND c.purpose = $1), '')"
        ),
        format!("coalesce({values}, '')"),
    ]
    .join(&format!(" || '{GROUP}' || "));
    format!(
        "SELECT string_agg(one.said, '{GUEST}') FROM
             (SELECT {groups} AS said FROM guest g WHERE g.guest_id IN ({those})) one"
    )
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
        static TEXTS: Texts<(usize, usize)> = Texts::none();
        let guests: Vec<GuestId> = padded(guests).collect();
        let fields: Vec<&str> = padded(fields).collect();
        let spelling = self.spelling();
        let sql = TEXTS.of(spelling, (guests.len(), fields.len()), || {
            text(spelling, guests.len(), fields.len())
        });
        let said: Option<String> = on!(self, c => {
            let mut query = sqlx::query_scalar(sql).bind(purpose);
            for field in fields {
                query = query.bind(field);
            }
            for guest in guests {
                query = query.bind(guest.0);
            }
            query.fetch_one(c).await?
        });
        let Some(said) = said else { return Ok(Vec::new()) };
        let guests: Option<Vec<_>> = said.split(GUEST).map(lines).collect();
        guests.ok_or(StoreError::Damaged("a line of a guest"))
    }
}

/// Reads the parts of a line.
type ReadLine = fn(&str) -> Option<Line>;

/// The parts of a text, when there are so many.
fn parts<const COUNT: usize>(text: &str, between: char) -> Option<[&str; COUNT]> {
    let mut parts = [""; COUNT];
    let mut said = text.split(between);
    for part in &mut parts {
        *part = said.next()?;
    }
    said.next().is_none().then_some(parts)
}

/// What was said of one guest; `None` for what this program did not write.
fn lines(said: &str) -> Option<(GuestId, Vec<Line>)> {
    let [
        guest,
        version,
        status,
        survivor,
        manager,
        lapsing,
        stays,
        consents,
        values,
    ] = parts(said, GROUP)?;
    let mut all = Vec::with_capacity(1 + values.matches(LINE).count() + 4);
    all.push(Line {
        id: match survivor {
            "" => None,
            survivor => Some(survivor.parse().ok()?),
        },
        version: version.parse().ok()?,
        sealed: match manager {
            "" => None,
            manager => Some(bytes(manager)?),
        },
        lapsing: match lapsing {
            "" => None,
            lapsing => Some(bytes(lapsing)?),
        },
        ..Line::of(Part::Guest, status)
    });
    let kinds: [(&str, ReadLine); 3] = [(stays, stay), (consents, consent), (values, value)];
    for (text, read) in kinds.into_iter().filter(|(text, _)| !text.is_empty()) {
        for line in text.split(LINE) {
            all.push(read(line)?);
        }
    }
    Some((GuestId(guest.parse().ok()?), all))
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()
}

fn stay(line: &str) -> Option<Line> {
    let [token, property, version, seen, sealed] = parts(line, PART)?;
    Some(Line {
        id: Some(token.parse().ok()?),
        version: version.parse().ok()?,
        at: seen.parse().ok()?,
        sealed: Some(bytes(sealed)?),
        ..Line::of(Part::Stay, property)
    })
}

fn consent(line: &str) -> Option<Line> {
    let [id, state, matter, superseded, at, until] = parts(line, PART)?;
    Some(Line {
        id: Some(id.parse().ok()?),
        more: Some(matter.to_owned()),
        trust: superseded.parse().ok()?,
        at: at.parse().ok()?,
        until: match until {
            "" => None,
            until => Some(until.parse().ok()?),
        },
        ..Line::of(Part::Consent, state)
    })
}

fn value(line: &str) -> Option<Line> {
    let [record, field, version, rank, trust, at, sealed] = parts(line, PART)?;
    let weight = (rank.parse().ok()?, trust.parse().ok()?, at.parse().ok()?);
    let place = (record.parse().ok()?, version.parse().ok()?);
    Some(Line::of_value(field, place, weight, bytes(sealed)?))
}
