//! What each voice said last of a stay. A voice is a record, or staff of a guest of whom no record had told it; what staff
//! say of a record's stay is that record's word from then on. The stay shows what the newest word comes to, and when two
//! guests are parted each goes with the words of its own voices.
//!
//! Most stays have one voice: then the stay itself is its word, and none is kept beside it.

use chrono::{DateTime, Utc};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    base::{Category, GuestId, PropertyCode, RecordId, from_micros, micros},
    keys::GuestKeys,
    store::{StoreError, Tx},
};

use super::{
    GuestError, Stay, StayInput, StayRole, Vault,
    sql::{
        HeldStay,
        stay_word::{SealedStay, WordRow},
    },
    stay,
};

/// Who said something of a stay, and when.
#[derive(Clone, Copy)]
pub(super) struct Said {
    /// The record; none when a caller says it of the guest.
    pub(super) record: RecordId,
    /// When the source saw it so.
    pub(super) at: DateTime<Utc>,
    /// Whether the source says when.
    pub(super) timed: bool,
}

/// How a word came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// From a source that says when it saw it so.
    Timed,
    /// From one that does not.
    Untimed,
    /// From staff.
    Staff,
}

impl Way {
    const ALL: [Self; 3] = [Self::Timed, Self::Untimed, Self::Staff];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Timed => "timed",
            Self::Untimed => "untimed",
            Self::Staff => "staff",
        }
    }

    const fn of(said: Said) -> Self {
        match (said.record.0.is_nil(), said.timed) {
            (true, _) => Self::Staff,
            (false, true) => Self::Timed,
            (false, false) => Self::Untimed,
        }
    }
}

/// What one voice said last of a stay, as it lies sealed with a guest.
pub(crate) struct Word<'k> {
    /// Whose.
    pub(crate) voice: Uuid,
    keys: &'k GuestKeys,
    way: Way,
    version: i64,
    at: i64,
    /// The path that it is sealed with.
    path: String,
    sealed: Vec<u8>,
}

impl<'k> Word<'k> {
    /// The word that a stay of one voice is.
    pub(crate) fn of_stay(keys: &'k GuestKeys, stay: &SealedStay) -> Self {
        let (voice, way) = if stay.record_id.is_nil() {
            (keys.guest().0, Way::Staff)
        } else {
            (stay.record_id, Way::Timed)
        };
        Self {
            voice,
            keys,
            way,
            version: stay.version,
            at: stay.updated_at,
            path: stay::path(&stay.property),
            sealed: stay.sealed.clone(),
        }
    }

    fn of_row(keys: &'k GuestKeys, row: &WordRow) -> Result<Self, StoreError> {
        let damaged = || StoreError::Damaged("a word about a stay");
        Ok(Self {
            voice: row.voice.parse().map_err(|_| damaged())?,
            keys,
            way: Way::ALL
                .into_iter()
                .find(|way| way.as_str() == row.way)
                .ok_or_else(damaged)?,
            version: row.version,
            at: row.updated_at,
            path: path(&row.voice),
            sealed: row.sealed.clone(),
        })
    }

    /// Every voice's last word of a stay; `rows` are those that are kept beside the guest's stays.
    pub(crate) fn all(
        keys: &'k GuestKeys,
        stay: &SealedStay,
        rows: &[WordRow],
    ) -> Result<Vec<Self>, StoreError> {
        let mut rows = rows
            .iter()
            .filter(|row| row.stay_token == stay.stay_token)
            .peekable();
        if rows.peek().is_none() {
            return Ok(vec![Self::of_stay(keys, stay)]);
        }
        rows.map(|row| Self::of_row(keys, row)).collect()
    }

    /// The record that speaks, as the stay names it; nil for staff.
    const fn record(&self) -> Uuid {
        match self.way {
            Way::Staff => Uuid::nil(),
            Way::Timed | Way::Untimed => self.voice,
        }
    }

    /// The same word, of another voice.
    pub(crate) fn by(self, voice: Uuid) -> Self {
        Self { voice, ..self }
    }

    /// Whether it is staff's.
    pub(crate) fn is_staffs(&self) -> bool {
        self.way == Way::Staff
    }

    /// What tells this word from the voice's others.
    pub(crate) const fn mark(&self) -> (Uuid, i64, i64) {
        (self.voice, self.version, self.at)
    }

    fn plain(&self, stay: Uuid) -> Result<Zeroizing<Vec<u8>>, GuestError> {
        if !self.keys.has(Category::Stay) {
            // Said since the keys were fetched: the next try has them.
            return Err(StoreError::Stale.into());
        }
        let place = stay::place(self.keys.guest(), stay, &self.path, self.version);
        Ok(self.keys.open_internal(Category::Stay, &self.sealed, &place)?)
    }

    fn opened(&self, stay: Uuid) -> Result<StayInput, GuestError> {
        serde_json::from_slice(&self.plain(stay)?).map_err(|_| GuestError::Damaged)
    }
}

/// The path that stands for a voice in the seal of its word.
pub(super) fn path(voice: &str) -> String {
    format!("stay_word.{voice}")
}

/// One person may be told in several parts by several records of one message: the strongest holds, and whose it is.
pub(super) fn strongest(
    (before, before_role): (Uuid, StayRole),
    (said, said_role): (Uuid, StayRole),
) -> (Uuid, StayRole) {
    let is_other = before != said && !said.is_nil();
    if is_other && before_role < said_role {
        (before, before_role)
    } else {
        (said, said_role)
    }
}

/// Whether the stay itself tells all that these words do.
fn is_one_voice(guest: GuestId, words: &[Word<'_>]) -> bool {
    matches!(words, [word] if word.way != Way::Staff || word.voice == guest.0)
}

fn sealed(
    keys: &GuestKeys,
    stay: Uuid,
    (voice, way): (Uuid, Way),
    (version, at): (i64, i64),
    plain: &[u8],
) -> Result<WordRow, GuestError> {
    let voice = voice.to_string();
    let path = path(&voice);
    let place = stay::place(keys.guest(), stay, &path, version);
    let sealed = keys.seal(Category::Stay, &place, plain)?.into_bytes();
    Ok(WordRow {
        stay_token: stay,
        voice,
        way: way.as_str().to_owned(),
        version,
        sealed,
        updated_at: at,
    })
}

/// Keeps the words of a stay with a guest, each by itself where the stay does not tell them all.
pub(crate) async fn keep_words(
    tx: &mut Tx,
    keys: &GuestKeys,
    stay: Uuid,
    words: &[Word<'_>],
) -> Result<(), GuestError> {
    if is_one_voice(keys.guest(), words) {
        return Ok(());
    }
    for word in words {
        let plain = word.plain(stay)?;
        let row = sealed(
            keys,
            stay,
            (word.voice, word.way),
            (word.version, word.at),
            &plain,
        )?;
        tx.upsert_word(keys.guest(), &row).await?;
    }
    Ok(())
}

/// Keeps what a voice now says of a stay, and what another had said before it, where they are two.
pub(super) async fn keep_word(
    tx: &mut Tx,
    keys: &GuestKeys,
    held: &HeldStay,
    said: Said,
    (stay, version): (&StayInput, i64),
) -> Result<(), GuestError> {
    let HeldStay { shown, spoken } = held;
    let (guest, token) = (keys.guest(), shown.stay_token);
    let rows = match spoken {
        Some(_) => tx.words_of_stay(guest, token).await?,
        None => Vec::new(),
    };
    let words = Word::all(keys, shown, &rows)?;
    let way = Way::of(said);
    let voice = match way {
        Way::Staff => spoke_last(shown, &words).unwrap_or(guest.0),
        Way::Timed | Way::Untimed => said.record.0,
    };
    if let ([word], true) = (words.as_slice(), rows.is_empty()) {
        if word.voice == voice && (way != Way::Staff || voice == guest.0) {
            return Ok(());
        }
        // What does not open is lost already, and no reason to refuse what is said now.
        if word.voice != voice
            && let Ok(plain) = word.plain(token)
        {
            let row = sealed(
                keys,
                token,
                (word.voice, word.way),
                (word.version, word.at),
                &plain,
            )?;
            tx.upsert_word(guest, &row).await?;
        }
    }
    let plain = Zeroizing::new(serde_json::to_vec(stay).unwrap_or_default());
    let row = sealed(keys, token, (voice, way), (version, micros(said.at)), &plain)?;
    Ok(tx.upsert_word(guest, &row).await?)
}

/// Whose word a stay shows.
fn spoke_last(shown: &SealedStay, words: &[Word<'_>]) -> Option<Uuid> {
    let last = words
        .iter()
        .max_by_key(|word| (word.at, word.record() == shown.record_id, word.version));
    last.map(|word| word.voice)
}

impl Vault {
    /// Leaves a guest with these words of a stay, of which it has shown this one so far.
    pub(crate) async fn settle_words(
        &self,
        tx: &mut Tx,
        keys: &GuestKeys,
        (now, stay): (Option<&SealedStay>, &SealedStay),
        words: &mut [Word<'_>],
    ) -> Result<(), GuestError> {
        tx.delete_words(keys.guest(), stay.stay_token).await?;
        keep_words(tx, keys, stay.stay_token, words).await?;
        self.show_words(tx, keys, (now, stay), words).await
    }

    /// Leaves the stays of which a record told without its word, as far as others told of them, too.
    pub(super) async fn forget_words_of(
        &self,
        tx: &mut Tx,
        keys: &GuestKeys,
        record: RecordId,
    ) -> Result<(), GuestError> {
        let guest = keys.guest();
        let rows = tx.stay_words(guest).await?;
        let voice = record.0.to_string();
        for row in rows.iter().filter(|row| row.voice == voice) {
            let Some(held) = tx.stay_held(guest, row.stay_token).await? else {
                continue;
            };
            let mut words = Word::all(keys, &held.shown, &rows)?;
            words.retain(|word| word.voice != record.0);
            if !words.is_empty() {
                self.settle_words(tx, keys, (None, &held.shown), &mut words)
                    .await?;
            }
        }
        Ok(())
    }

    /// Shows what these words of a stay come to: what is said last, in the strongest part of those told together.
    async fn show_words(
        &self,
        tx: &mut Tx,
        keys: &GuestKeys,
        (now, shown): (Option<&SealedStay>, &SealedStay),
        words: &mut [Word<'_>],
    ) -> Result<(), GuestError> {
        let token = shown.stay_token;
        words.sort_unstable_by_key(|word| (word.at, word.version, word.voice));
        let mut all: Option<(Uuid, StayInput, i64)> = None;
        for word in &*words {
            let mut input = word.opened(token)?;
            let mut record = word.record();
            if let Some((before, other, at)) = &all
                && (*at == word.at || word.way == Way::Untimed)
            {
                (record, input.role) = strongest((*before, other.role), (record, input.role));
            }
            all = Some((record, input, word.at));
        }
        let (Some((record, input, at)), Some(last)) = (all, words.last()) else {
            return Ok(());
        };
        // What is shown already lies there to the byte.
        if let Some(now) = now
            && (now.record_id, now.version, now.updated_at) == (record, last.version, at)
            && Word::of_stay(keys, now)
                .opened(token)
                .is_ok_and(|held| held == input)
        {
            return Ok(());
        }
        let property: PropertyCode = shown.property.parse().map_err(|_| GuestError::Damaged)?;
        let said = Said {
            record: RecordId(record),
            at: from_micros(at),
            timed: true,
        };
        let stay = Stay {
            property,
            input,
            seen_at: at,
        };
        let stay = self.sealed_stay(said, &stay, last.version, keys)?;
        tx.upsert_stay(&stay).await?;
        Ok(tx
            .set_stay_index(keys.guest(), token, false, &stay.tokens)
            .await?)
    }
}
