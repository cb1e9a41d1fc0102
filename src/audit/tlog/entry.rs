//! The bytes of an entry: the writer's leaf, and its place in the chain of its subject.

use std::borrow::Cow;

use data_encoding::HEXLOWER;
use serde::Deserialize;
use uuid::Uuid;

use crate::crypto::sha256;

use super::Hash;

/// The version of the entry's shape.
const VERSION: u8 = 1;
/// The longest entry that fits into a bundle.
const LONGEST: usize = 65_535;
/// How what stands for a damaged leaf begins, and no leaf of ours.
const STANDS: &[u8] = br#"{"seq":"#;
/// What stands around a leaf, at most.
const AROUND: usize = 200;

/// The place of an entry among those of its subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Its number, from 1.
    pub number: u64,
    /// The hash of the subject's entry before it.
    pub previous: Option<Hash>,
}

/// What of an event goes into the log.
#[derive(Debug, Clone, Copy)]
pub struct Source<'e> {
    /// The writer.
    pub writer: Uuid,
    /// Its number there.
    pub sequence: i64,
    /// The leaf, as stored.
    pub leaf: &'e [u8],
}

/// What of a leaf is checked; the rest is for readers.
#[derive(Deserialize)]
struct Leaf<'e> {
    writer: Uuid,
    seq: i64,
    #[serde(borrow)]
    subject: Option<Cow<'e, str>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole<'e> {
    #[serde(borrow)]
    leaf: Leaf<'e>,
    #[serde(borrow)]
    prev: Option<Cow<'e, str>>,
    subject_seq: Option<u64>,
    v: u8,
}

/// Stands for a leaf that could not go in as it was: damaged, or changed by hand, before it got its index.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Damaged {
    seq: i64,
    unreadable: String,
    v: u8,
    writer: Uuid,
}

/// An event on its way to its place, its leaf read once.
pub struct Draft<'e> {
    source: Source<'e>,
    /// `None` when it cannot go in as it is.
    leaf: Option<Leaf<'e>>,
    /// Whether it is what stands for such a one already: of an entry that was put back.
    stands: bool,
}

impl<'e> Source<'e> {
    /// Reads the leaf, as far as it matters for its place.
    #[must_use]
    pub fn draft(self) -> Draft<'e> {
        let ours = |leaf: &Leaf<'e>| {
            let whole = leaf.writer == self.writer && leaf.seq == self.sequence;
            whole && self.leaf.len() < LONGEST - AROUND
        };
        let stands = self.leaf.starts_with(STANDS)
            && damaged(self.leaf)
                .is_some_and(|read| (read.writer, read.sequence) == (self.writer, self.sequence));
        let leaf = serde_json::from_slice(self.leaf).ok().filter(ours);
        Draft {
            source: self,
            leaf: leaf.filter(|_| !stands),
            stands,
        }
    }
}

impl Draft<'_> {
    /// Whom the event is about: the pseudonym in its leaf.
    #[must_use]
    pub fn subject(&self) -> Option<[u8; 16]> {
        pseudonym(self.leaf.as_ref()?.subject.as_deref()?)
    }

    /// The entry: canonical JSON (RFC 8785) around the leaf's own bytes.
    #[must_use]
    pub fn entry(&self, link: Option<&Link>) -> Vec<u8> {
        let Source {
            writer,
            sequence,
            leaf,
        } = self.source;
        if self.stands {
            return leaf.to_vec();
        }
        if self.leaf.is_none() {
            let hash = HEXLOWER.encode(&sha256(leaf));
            return format!(
                r#"{{"seq":{sequence},"unreadable":"{hash}","v":{VERSION},"writer":"{writer}"}}"#
            )
            .into_bytes();
        }
        let mut bytes = Vec::with_capacity(leaf.len().saturating_add(AROUND));
        bytes.extend_from_slice(br#"{"leaf":"#);
        bytes.extend_from_slice(leaf);
        if let Some(previous) = link.and_then(|link| link.previous) {
            bytes.extend_from_slice(format!(r#","prev":"{}""#, HEXLOWER.encode(&previous)).as_bytes());
        }
        if let Some(link) = link {
            bytes.extend_from_slice(format!(r#","subject_seq":{}"#, link.number).as_bytes());
        }
        bytes.extend_from_slice(format!(r#","v":{VERSION}}}"#).as_bytes());
        bytes
    }
}

fn pseudonym(text: &str) -> Option<[u8; 16]> {
    HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}

/// What a verifier needs of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read {
    /// The writer.
    pub writer: Uuid,
    /// Its number there.
    pub sequence: i64,
    /// Whom it is about, and its place there.
    pub subject: Option<([u8; 16], Link)>,
    /// Whether the event itself is there.
    pub readable: bool,
}

fn damaged(bytes: &[u8]) -> Option<Read> {
    let Damaged {
        seq,
        unreadable,
        v,
        writer,
    } = serde_json::from_slice(bytes).ok()?;
    (v == VERSION && unreadable.len() == 64).then_some(Read {
        writer,
        sequence: seq,
        subject: None,
        readable: false,
    })
}

/// Reads an entry; `None` when it is none.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<Read> {
    let Ok(whole) = serde_json::from_slice::<Whole<'_>>(bytes) else {
        return damaged(bytes);
    };
    let previous = match whole.prev {
        Some(text) => Some(HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()?),
        None => None,
    };
    let subject = match (whole.leaf.subject, whole.subject_seq) {
        (Some(subject), Some(number)) => Some((pseudonym(&subject)?, Link { number, previous })),
        (None, None) if previous.is_none() => None,
        _ => return None,
    };
    (whole.v == VERSION).then_some(Read {
        writer: whole.leaf.writer,
        sequence: whole.leaf.seq,
        subject,
        readable: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITER: Uuid = Uuid::from_u128(7);

    fn source(leaf: &str) -> Source<'_> {
        Source {
            writer: WRITER,
            sequence: 3,
            leaf: leaf.as_bytes(),
        }
    }

    #[test]
    fn an_entry_is_the_leaf_and_its_place() {
        let leaf = format!(
            r#"{{"act":"read","seq":3,"subject":"{}","v":1,"writer":"{WRITER}"}}"#,
            "0a".repeat(16)
        );
        let link = Link {
            number: 2,
            previous: Some([0xbb; 32]),
        };
        let draft = source(&leaf).draft();
        let entry = draft.entry(Some(&link));
        let text = format!(
            r#"{{"leaf":{leaf},"prev":"{}","subject_seq":2,"v":1}}"#,
            "bb".repeat(32)
        );
        assert_eq!(entry, text.into_bytes());
        let expected = Read {
            writer: WRITER,
            sequence: 3,
            subject: Some(([0x0a; 16], link)),
            readable: true,
        };
        assert_eq!(read(&entry), Some(expected));
        assert_eq!(draft.subject(), Some([0x0a; 16]));
        let without = format!(r#"{{"seq":3,"v":1,"writer":"{WRITER}"}}"#);
        let entry = source(&without).draft().entry(None);
        assert_eq!(entry, format!(r#"{{"leaf":{without},"v":1}}"#).into_bytes());
        assert_eq!(read(&entry).unwrap().subject, None);
    }

    #[test]
    fn a_leaf_that_is_not_the_writers_is_logged_by_its_hash() {
        let other = format!(r#"{{"seq":4,"v":1,"writer":"{WRITER}"}}"#);
        let long = format!(r#"{{"seq":3,"x":"{}","writer":"{WRITER}"}}"#, "x".repeat(LONGEST));
        for leaf in ["", "{", &other, &long] {
            let entry = source(leaf).draft().entry(None);
            assert!(entry.len() < 200);
            let read = read(&entry).unwrap();
            assert_eq!((read.writer, read.sequence, read.readable), (WRITER, 3, false));
            // Put back from the log, where the leaf itself is not, it is the same entry.
            let text = str::from_utf8(&entry).unwrap();
            assert_eq!(source(text).draft().entry(None), entry);
        }
        assert_eq!(read(b"{}"), None);
    }
}
