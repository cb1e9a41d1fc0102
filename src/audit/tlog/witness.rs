//! Asks witnesses for their cosignature (C2SP `tlog-witness`): each remembers the newest checkpoint it saw of this log
//! and cosigns only what has grown from it.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use data_encoding::BASE64;
use reqwest::StatusCode;

use super::{
    Hash, LogError, Stored,
    cosignature::{Cosigner, with_lines},
    note::{Verifier, parts},
    remote::{Answer, Remote, RemoteError},
};

/// How long a witness is waited for, while the others wait with it …
const PATIENCE: Duration = Duration::from_secs(5);
/// … and one that took longer …
const HURRY: Duration = Duration::from_secs(1);
/// … until so much later.
const AGAIN: Duration = Duration::from_mins(1);
/// So often a witness may tell another size before it is left for the next round.
const TRIES: usize = 4;

/// A witness and what it was last known to have seen.
pub struct Witness {
    remote: Remote,
    cosigner: Cosigner,
    seen: AtomicU64,
    /// When it last took too long.
    late: Mutex<Option<Instant>>,
}

/// Why a witness did not cosign.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// It does not answer; it is asked again.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// It refused: the word says why.
    #[error("it refused with status {status}: {word}")]
    Refused {
        /// The answer's status.
        status: u16,
        /// A word for the log.
        word: &'static str,
    },
    /// It does not answer in time; it is asked again.
    #[error("it takes too long")]
    Slow,
    /// It knows more of this log than it was told just now: another process was faster. It is asked again.
    #[error("it has seen {0} entries of this log, more than it was sent just now")]
    Outrun(u64),
    /// The log itself.
    #[error(transparent)]
    Log(#[from] LogError),
}

impl WitnessError {
    /// What the log of the vault is told; `None` for what passes by itself.
    #[must_use]
    pub const fn word(&self) -> Option<&'static str> {
        match self {
            Self::Refused { word, .. } => Some(word),
            Self::Remote(_) | Self::Slow | Self::Outrun(_) | Self::Log(_) => None,
        }
    }
}

const fn refused(status: StatusCode, word: &'static str) -> WitnessError {
    WitnessError::Refused {
        status: status.as_u16(),
        word,
    }
}

/// The body of `add-checkpoint`.
fn request(old: u64, proof: &[Hash], checkpoint: &str) -> String {
    let mut body = format!("old {old}\n");
    for hash in proof {
        body.push_str(&BASE64.encode(hash));
        body.push('\n');
    }
    body.push('\n');
    body.push_str(checkpoint);
    body
}

/// The size that a `409` tells.
fn told_size(answer: &Answer) -> Option<u64> {
    let text = str::from_utf8(&answer.body).ok()?.strip_suffix('\n')?;
    let size: u64 = text.parse().ok()?;
    (answer.kind.starts_with("text/x.tlog.size") && size.to_string() == text).then_some(size)
}

impl Witness {
    /// The witness at an address, with its key of the type `cosignature/v1`.
    #[must_use]
    pub const fn new(remote: Remote, cosigner: Cosigner) -> Self {
        Self {
            remote,
            cosigner,
            seen: AtomicU64::new(0),
            late: Mutex::new(None),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.cosigner.name()
    }

    /// Its cosignature of a checkpoint of this log, as a line of the note.
    ///
    /// # Errors
    /// [`WitnessError`].
    pub async fn cosign(&self, log: &Stored, size: u64, checkpoint: &str) -> Result<String, WitnessError> {
        // What it has seen may not be what is remembered here, or not any more.
        let mut told = 0;
        for _ in 0..TRIES {
            let old = self.seen.load(Ordering::Relaxed).min(size);
            let proof = if old == 0 || old == size {
                Vec::new()
            } else {
                log.consistency(old, size).await?
            };
            let answer = self
                .remote
                .post("add-checkpoint", request(old, &proof, checkpoint))
                .await?;
            match answer.status {
                StatusCode::OK => return self.taken(size, checkpoint, &answer),
                StatusCode::CONFLICT => {
                    told = told_size(&answer).ok_or(refused(answer.status, "conflict"))?;
                    if told == old && old == size {
                        // The same size, and another tree.
                        return Err(refused(answer.status, "another_tree"));
                    }
                    if told > size {
                        let newest = log.checkpoint().await?.map_or(0, |(newest, _)| newest);
                        return Err(if told > newest {
                            refused(answer.status, "witness_ahead")
                        } else {
                            WitnessError::Outrun(told)
                        });
                    }
                    self.seen.store(told, Ordering::Relaxed);
                }
                StatusCode::UNPROCESSABLE_ENTITY => return Err(refused(answer.status, "inconsistent")),
                StatusCode::FORBIDDEN => return Err(refused(answer.status, "signature_not_trusted")),
                StatusCode::NOT_FOUND => return Err(refused(answer.status, "origin_unknown")),
                other => return Err(refused(other, "strange_answer")),
            }
        }
        Err(WitnessError::Outrun(told))
    }

    /// The same, but one that is late keeps the others waiting once a minute only.
    async fn cosign_in_time(
        &self,
        log: &Stored,
        size: u64,
        checkpoint: &str,
    ) -> Result<String, WitnessError> {
        let late = self.late.lock().ok().and_then(|late| *late);
        let hurried = late.is_some_and(|at| at.elapsed() < AGAIN);
        let patience = if hurried { HURRY } else { PATIENCE };
        let answer = tokio::time::timeout(patience, self.cosign(log, size, checkpoint)).await;
        let answer = answer.unwrap_or(Err(WitnessError::Slow));
        if let Ok(mut late) = self.late.lock() {
            *late = match &answer {
                Err(WitnessError::Remote(_) | WitnessError::Slow) if hurried => *late,
                Err(WitnessError::Remote(_) | WitnessError::Slow) => Some(Instant::now()),
                _ => None,
            };
        }
        answer
    }

    fn taken(&self, size: u64, checkpoint: &str, answer: &Answer) -> Result<String, WitnessError> {
        self.seen.store(size, Ordering::Relaxed);
        let strange = || refused(answer.status, "no_cosignature");
        let (text, _) = parts(checkpoint.as_bytes()).map_err(|_| strange())?;
        let lines = str::from_utf8(&answer.body).map_err(|_| strange())?;
        // Lines of keys that are not known here are let pass, as the protocol says.
        let ours = lines
            .lines()
            .find(|line| self.cosigner.cosigned(text, line).is_some());
        ours.map(str::to_owned).ok_or_else(strange)
    }
}

/// What a round of all witnesses came to.
#[derive(Default)]
pub struct Round {
    /// The size that was cosigned, when it was.
    pub cosigned: Option<u64>,
    /// Who did not, and why.
    pub missing: Vec<(String, WitnessError)>,
}

/// Has the newest checkpoint cosigned by every witness, and keeps what they say. Nothing is asked when the newest
/// checkpoint is cosigned already.
///
/// # Errors
/// When the log cannot be read or written.
pub async fn round(log: &Stored, verifier: &Verifier, witnesses: &[Witness]) -> Result<Round, LogError> {
    let Some((size, checkpoint)) = log.checkpoint().await? else {
        return Ok(Round::default());
    };
    // What was changed by hand is no longer cosigned, and is written anew.
    let kept = log.cosigned().await?;
    let kept = kept.and_then(|note| Some((verifier.open(note.as_bytes()).ok()?.size, note)));
    let (known, kept) = kept.map_or((0, None), |(size, note)| (size, Some(note)));
    let wanting = |witness: &&Witness| {
        let there = kept.as_ref().filter(|_| known == size);
        there.is_none_or(|note| witness.cosigner.cosigned_note(note.as_bytes()).is_none())
    };
    let wanting: Vec<&Witness> = witnesses.iter().filter(wanting).collect();
    if size == 0 || wanting.is_empty() {
        return Ok(Round::default());
    }
    let asked = wanting
        .iter()
        .map(|witness| witness.cosign_in_time(log, size, &checkpoint));
    let answers = futures_util::future::join_all(asked).await;
    let (mut lines, mut round) = (Vec::new(), Round::default());
    for (witness, answer) in wanting.iter().zip(answers) {
        match answer {
            Ok(line) => lines.push(line),
            Err(error) => round.missing.push((witness.name().to_owned(), error)),
        }
    }
    if !lines.is_empty() {
        let before = kept
            .filter(|_| known == size)
            .unwrap_or_else(|| checkpoint.clone());
        log.keep_cosigned(size, &checkpoint, &with_lines(&before, &lines))
            .await?;
        round.cosigned = Some(size);
    }
    Ok(round)
}
