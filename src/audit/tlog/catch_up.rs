//! Bringing a restored database's log up to the log that others have: what was logged after the backup was taken must
//! not be forgotten.

use std::{io, path::Path};

use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    audit::{
        Act, Decision,
        sql::{log as sql, restore::Told},
    },
    crypto::random,
    store::{Store, Tx},
};

use super::{
    Hash, LogError,
    entry::{self, Link, Read, Source},
    files,
    growth::Growth,
    note::{NoteError, Verifier},
    stored::{Stored, edge, index},
    tile::{self, Tile},
};

/// Could not, because …
#[derive(Debug, thiserror::Error)]
pub enum CatchUpError {
    /// The folder cannot be read.
    #[error("the log in {path}: {cause}")]
    Folder {
        /// Which file.
        path: String,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// The folder's checkpoint is not this log's.
    #[error("the log's checkpoint in the folder: {0}")]
    Note(#[from] NoteError),
    /// The folder is older than the backup.
    #[error(
        "the log in the folder has {folder} entries, the backup {backup}: take the newest copy of the log"
    )]
    Older {
        /// Entries of the folder.
        folder: u64,
        /// Entries of the backup.
        backup: u64,
    },
    /// The two are not the same log.
    #[error("the log in the folder is not the one that the backup is of, at entry {0}")]
    Other(u64),
    /// The database's own log.
    #[error(transparent)]
    Log(#[from] LogError),
}

impl From<crate::store::StoreError> for CatchUpError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Log(error.into())
    }
}

#[derive(Deserialize)]
struct Whole {
    leaf: Value,
    prev: Option<String>,
    subject_seq: Option<u64>,
}

#[derive(Deserialize)]
struct Leaf {
    act: String,
    actor: Option<String>,
    at: i64,
    decision: String,
    principal: Uuid,
    property: Option<String>,
    purpose: Option<String>,
    seq: i64,
    writer: Uuid,
}

fn read(folder: &Path, path: &str) -> Result<Vec<u8>, CatchUpError> {
    let found = files::read(folder, path).and_then(|found| found.ok_or(io::ErrorKind::NotFound.into()));
    found.map_err(|cause| CatchUpError::Folder {
        path: folder.join(path).display().to_string(),
        cause,
    })
}

/// Makes sure that the folder's log has at least so many entries.
///
/// # Errors
/// [`CatchUpError::Older`], and what is wrong with the folder.
pub fn reaches(verifier: &Verifier, folder: &Path, size: u64) -> Result<(), CatchUpError> {
    let signed = verifier.open(&read(folder, "checkpoint")?)?;
    if signed.size < size {
        return Err(CatchUpError::Older {
            folder: signed.size,
            backup: size,
        });
    }
    Ok(())
}

/// Brings the database's log up to the one in the folder, after proving that it is the same log; returns how large it
/// was and is. The database's may be larger by what an earlier run wrote that was cut off: `backup` is how large it was
/// when the copy was taken.
///
/// # Errors
/// [`CatchUpError`]; then the database is as it was.
pub async fn catch_up(
    store: &Store,
    verifier: &Verifier,
    folder: &Path,
    backup: u64,
) -> Result<(u64, u64), CatchUpError> {
    reaches(verifier, folder, backup)?;
    let note = read(folder, "checkpoint")?;
    let signed = verifier.open(&note)?;
    let mut tx = store.begin().await?;
    let head = sql::head(&mut tx).await?.ok_or(LogError::Absent)?;
    let own = index(head.size)?;
    if signed.size < own {
        tx.rollback().await?;
        let log = Stored::new(store.clone());
        if log.root_at(signed.size).await? != signed.root {
            return Err(CatchUpError::Other(signed.size));
        }
        return Ok((own, own));
    }
    let mut growth = Growth::after(edge(&mut tx, own).await?);
    let mut before = 0;
    while growth.size() < signed.size {
        let at = growth.size();
        let tile = Tile::in_tree(0, at / 256, signed.size).ok_or(LogError::Absent)?;
        let bytes = read(folder, &tile.bundle_path())?;
        let entries = tile::unbundle(&bytes).ok_or(CatchUpError::Other(at))?;
        let skip = usize::try_from(at - tile.first_entry()).unwrap_or(usize::MAX);
        for bytes in entries.into_iter().skip(skip) {
            take(&mut growth, &mut tx, bytes, &mut before).await?;
        }
        if growth.size() == at {
            return Err(CatchUpError::Other(at));
        }
    }
    // The same root: what the database had is a beginning of what was signed, and what was put back is the rest.
    if growth.size() != signed.size || growth.root() != signed.root {
        return Err(CatchUpError::Other(own));
    }
    growth.write(&mut tx, &String::from_utf8_lossy(&note)).await?;
    tx.commit().await?;
    Ok((own, signed.size))
}

/// Puts one entry back, byte for byte; `time` is that of the one before, and then its own.
async fn take(growth: &mut Growth, tx: &mut Tx, bytes: &[u8], time: &mut i64) -> Result<(), CatchUpError> {
    let at = growth.size();
    let other = || CatchUpError::Other(at);
    if let Some(read) = entry::read(bytes).filter(|read| !read.readable) {
        return take_damaged(growth, tx, (bytes, &read), *time).await;
    }
    let whole: Whole = serde_json::from_slice(bytes).map_err(|_| other())?;
    let text = serde_json::to_vec(&whole.leaf).map_err(|_| other())?;
    let leaf: Leaf = serde_json::from_value(whole.leaf).map_err(|_| other())?;
    let previous = match &whole.prev {
        None => None,
        Some(hex) => {
            let hash = data_encoding::HEXLOWER
                .decode(hex.as_bytes())
                .map_err(|_| other())?;
            Some(Hash::try_from(hash).map_err(|_| other())?)
        }
    };
    let link = whole.subject_seq.map(|number| Link { number, previous });
    let source = Source {
        writer: leaf.writer,
        sequence: leaf.seq,
        leaf: &text,
    };
    let draft = source.draft();
    if draft.entry(link.as_ref()) != bytes {
        return Err(other());
    }
    *time = leaf.at;
    let entry = match tx.event_at(leaf.writer, leaf.seq).await? {
        Some((entry, stored)) if stored == text => entry,
        Some(_) => return Err(other()),
        None => {
            let entry = id_at(leaf.at);
            let told = Told {
                entry,
                writer: leaf.writer,
                sequence: leaf.seq,
                at: leaf.at,
                principal: leaf.principal,
                actor: leaf.actor.as_deref(),
                property: leaf.property.as_deref(),
                purpose: leaf.purpose.as_deref(),
                action: &leaf.act,
                decision: &leaf.decision,
                leaf: &text,
            };
            tx.put_back(&told).await?;
            entry
        }
    };
    growth.add(entry, source, &draft, link);
    Ok(())
}

/// Puts back what stands in the log for an event that was damaged before it was logged: the event itself is in no copy.
async fn take_damaged(
    growth: &mut Growth,
    tx: &mut Tx,
    (bytes, read): (&[u8], &Read),
    time: i64,
) -> Result<(), CatchUpError> {
    let (writer, sequence) = (read.writer, read.sequence);
    let of = |leaf| Source {
        writer,
        sequence,
        leaf,
    };
    let found = tx.event_at(writer, sequence).await?;
    let (entry, leaf) = if let Some(found) = found {
        found
    } else {
        let told = Told {
            entry: id_at(time),
            writer,
            sequence,
            at: time,
            principal: Uuid::nil(),
            actor: None,
            property: None,
            purpose: None,
            action: Act::DamageFound.as_str(),
            decision: Decision::Denied.as_str(),
            leaf: bytes,
        };
        tx.put_back(&told).await?;
        (told.entry, bytes.to_vec())
    };
    let draft = of(&leaf).draft();
    if draft.entry(None) != bytes {
        return Err(CatchUpError::Other(growth.size()));
    }
    growth.add(entry, of(&leaf), &draft, None);
    Ok(())
}

/// An entry's id of that time; the first one is lost with the database.
fn id_at(micros: i64) -> Uuid {
    let millis = u64::try_from(micros / 1000).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random::<10>()).into_uuid()
}
