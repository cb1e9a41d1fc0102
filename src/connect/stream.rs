//! `POST /v1/imports`: lines in, lines out, as they come. Nothing is read ahead of what the other side has taken of the
//! answers, so that neither side needs more than a few lines in memory.

use actix_web::web::{Bytes, Payload};
use futures_util::{Stream, StreamExt as _, stream};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    access::Bearer,
    base::{GuestId, ImportId, PropertyCode},
    guest::{Counts, Rejected},
    web::Problem,
};

use super::{
    intake::{Intake, Mode, Put, count},
    ndjson::{LineError, MAX_LINE, record_of},
};

/// Records taken together.
const BATCH: usize = 200;

/// The answer to one line.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LineAnswer {
    /// Which line of the request's body, from 1; blank lines count.
    pub line: u64,
    /// `created`, `linked`, `review` or `rejected`.
    pub outcome: &'static str,
    /// Whose it is; absent when it was refused, or only checked and the guest would be made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guest_id: Option<GuestId>,
    /// How sure that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// With `dry_run`: the fields that would be written.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
    /// What was not stored, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rejected: Vec<Rejected>,
}

/// The last line. Without it the import stopped half-way: send what has no answer again.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LastLine {
    /// The import, to go on with (`?import=`), to end and to take back; absent with `dry_run`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub import_id: Option<ImportId>,
    /// What became of the lines of this call.
    pub counts: Counts,
}

/// A body being taken.
struct Taking {
    bearer: Bearer,
    intake: Intake,
    property: PropertyCode,
    mode: Mode,
    from: Payload,
    buffer: Vec<u8>,
    /// The rest of a line that is too long is passed over.
    skipping: bool,
    number: u64,
    counts: Counts,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Ended,
    Finished,
}

/// The answers, one line each. Never fails: what goes wrong half-way is the last line.
pub(super) fn answers(
    bearer: Bearer,
    intake: Intake,
    property: PropertyCode,
    mode: Mode,
    from: Payload,
) -> impl Stream<Item = Result<Bytes, actix_web::Error>> {
    let taking = Taking {
        bearer,
        intake,
        property,
        mode,
        from,
        buffer: Vec::new(),
        skipping: false,
        number: 0,
        counts: Counts::default(),
        state: State::Open,
    };
    stream::unfold(taking, |mut taking| async move {
        let bytes = taking.next().await?;
        Some((Ok(Bytes::from(bytes)), taking))
    })
}

impl Taking {
    async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            if self.state == State::Finished {
                return None;
            }
            let lines = self.lines();
            if !lines.is_empty() {
                return Some(self.take(lines).await);
            }
            if self.state == State::Ended {
                self.state = State::Finished;
                return Some(line(&LastLine {
                    import_id: self.intake.import(),
                    counts: self.counts,
                }));
            }
            match self.from.next().await {
                Some(Ok(bytes)) => self.buffer.extend_from_slice(&bytes),
                Some(Err(_)) => {
                    // The other side is gone: what it sent half is not taken.
                    self.state = State::Finished;
                }
                None => self.state = State::Ended,
            }
        }
    }

    /// Whole lines that are here, with their numbers.
    fn lines(&mut self) -> Vec<(u64, Result<Vec<u8>, LineError>)> {
        let mut lines = Vec::new();
        let mut start = 0;
        while lines.len() < BATCH {
            let rest = self.buffer.get(start..).unwrap_or_default();
            let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
                break;
            };
            let text = rest.get(..end).unwrap_or_default().trim_ascii().to_vec();
            start += end + 1;
            self.number += 1;
            if std::mem::take(&mut self.skipping) || text.len() > MAX_LINE {
                lines.push((self.number, Err(LineError::TooLong)));
            } else if !text.is_empty() {
                lines.push((self.number, Ok(text)));
            }
        }
        self.buffer.drain(..start);
        if lines.is_empty() && self.state == State::Ended && (self.skipping || !self.buffer.is_empty()) {
            let text = std::mem::take(&mut self.buffer).trim_ascii().to_vec();
            self.number += 1;
            if std::mem::take(&mut self.skipping) || text.len() > MAX_LINE {
                lines.push((self.number, Err(LineError::TooLong)));
            } else if !text.is_empty() {
                lines.push((self.number, Ok(text)));
            }
        }
        if lines.is_empty() && self.buffer.len() > MAX_LINE {
            self.skipping = true;
            self.buffer.clear();
        }
        lines
    }

    async fn take(&mut self, lines: Vec<(u64, Result<Vec<u8>, LineError>)>) -> Vec<u8> {
        if let Err(problem) = self.bearer.still_good().await {
            return self.stop(&problem);
        }
        let mut puts: Vec<(u64, Option<Put>)> = Vec::with_capacity(lines.len());
        let mut records = Vec::with_capacity(lines.len());
        for (number, text) in lines {
            match text.and_then(|text| record_of(&text)) {
                Ok(mut record) => {
                    record.property.get_or_insert_with(|| self.property.clone());
                    records.push(record);
                    puts.push((number, None));
                }
                Err(error) => puts.push((number, Some(Put::Refused(error.into())))),
            }
        }
        let mut taken = match self.intake.take(records, self.mode).await {
            Ok(taken) => taken.into_iter(),
            Err(error) => return self.stop(&error.into()),
        };
        let mut out = Vec::new();
        for (number, put) in puts {
            let Some(put) = put.or_else(|| taken.next()) else {
                break;
            };
            count(&mut self.counts, &put);
            out.extend(line(&answer(number, put)));
        }
        out
    }

    /// The status is sent long since: the last line says why it stopped.
    fn stop(&mut self, problem: &Problem) -> Vec<u8> {
        self.state = State::Finished;
        line(&problem.document())
    }
}

fn answer(number: u64, put: Put) -> LineAnswer {
    let outcome = put.word();
    match put {
        Put::Stored {
            guest,
            probability,
            fields,
            rejected,
            ..
        } => LineAnswer {
            line: number,
            outcome,
            guest_id: guest,
            probability: Some(probability),
            fields,
            rejected,
        },
        Put::Refused(rejected) => LineAnswer {
            line: number,
            outcome,
            guest_id: None,
            probability: None,
            fields: Vec::new(),
            rejected,
        },
    }
}

fn line(value: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line
}
