//! Others who process guests' data for the house: told of each erasure by the event, they answer with a signature. What
//! a certificate says of them is what can be proven: done, late, refused, or silent.

use chrono::{DateTime, TimeDelta, Utc};
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    audit::{Act, Event},
    base::{Caller, RequestId, from_micros, micros},
    crypto::verify_signature,
    guest::GuestError,
};

use super::{Eraser, ErasureError, sql::notices::NoticeRow};

/// What a signed answer begins with; nothing else that is signed reads like this.
const KIND: &str = "guest-vault erasure acknowledgement";

/// One who processes data for the house.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Processor {
    /// What its webhook is called.
    pub name: String,
    /// Its public key, Ed25519.
    pub key: [u8; 32],
    /// How long it may take.
    pub within: TimeDelta,
}

/// What a processor says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// It erased what it had.
    Done,
    /// It does not, on a ground.
    Refused,
}

impl Standing {
    /// The word of the contract.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Late => "late",
            Self::Refused => "refused",
            Self::Silent => "silent",
        }
    }
}

impl Said {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
        }
    }
}

/// An answer of a processor.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Acknowledgement {
    /// What its webhook is called here.
    #[schema(max_length = 40)]
    pub processor: String,
    /// What it says.
    pub result: Said,
    /// On which ground it refuses: a word.
    #[serde(default)]
    #[schema(max_length = 40, pattern = "^[a-z_]*$")]
    pub ground: String,
    /// Ed25519 over `guest-vault erasure acknowledgement`, the erasure's id, `processor`, `result` and `ground`, each
    /// followed by a line feed; base64.
    #[schema(max_length = 88)]
    pub signature: String,
}

impl Acknowledgement {
    fn message(&self, erasure: Uuid) -> String {
        let Self {
            processor,
            result,
            ground,
            ..
        } = self;
        format!("{KIND}\n{erasure}\n{processor}\n{}\n{ground}\n", result.as_str())
    }
}

/// What is known of a processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It has time yet.
    Waiting,
    /// It said in time that it is done, signed.
    Done,
    /// It said so too late, signed.
    Late,
    /// It refused, signed.
    Refused,
    /// Its time is over, and it said nothing that is proven.
    Silent,
}

/// What a certificate says of a processor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProcessorState {
    /// Which erasure.
    pub erasure_id: Uuid,
    /// Which processor.
    #[schema(max_length = 40)]
    pub processor: String,
    /// What is known.
    pub state: Standing,
    /// When it was told.
    pub told_at: DateTime<Utc>,
    /// By when it had to answer.
    pub due_at: DateTime<Utc>,
    /// When it answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<DateTime<Utc>>,
    /// On which ground it refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 40)]
    pub ground: Option<String>,
    /// Its signature over its answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 88)]
    pub signature: Option<String>,
    /// How many answers came in its name that it had not signed.
    pub unproven: u64,
}

/// An answer that does not count, because …
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// As for any erasure.
    #[error(transparent)]
    Erasure(#[from] ErasureError),
    /// Nobody of this name was told of such an erasure.
    #[error("nobody of this name was told of such an erasure")]
    Absent,
    /// The signature is not the processor's, or not over this answer.
    #[error("the signature is not the processor's over this answer")]
    Unproven,
    /// It answered before.
    #[error("it has answered already")]
    Answered,
}

impl<E: Into<GuestError>> From<E> for AnswerError {
    fn from(error: E) -> Self {
        Self::Erasure(ErasureError::Guest(error.into()))
    }
}

impl Eraser {
    /// Takes a processor's answer in. One that is not signed by it is counted and does not count.
    ///
    /// # Errors
    /// See [`AnswerError`].
    pub async fn answered(
        &self,
        caller: &Caller,
        request: RequestId,
        erasure: Uuid,
        answer: &Acknowledgement,
    ) -> Result<(), AnswerError> {
        let vault = &self.vault;
        let notices = vault.store.read().await?.told_of(erasure).await?;
        let told = notices.into_iter().find(|row| row.processor == answer.processor);
        let known = self.processors.iter().find(|one| one.name == answer.processor);
        let (Some(row), Some(processor)) = (told, known) else {
            return Err(AnswerError::Absent);
        };
        let signature = BASE64.decode(answer.signature.as_bytes()).unwrap_or_default();
        let word = answer
            .ground
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let proven = word
            && answer.ground.len() <= 40
            && verify_signature(&processor.key, answer.message(erasure).as_bytes(), &signature);
        let now = vault.clock.now();
        let mut event = Event::by(caller, Act::HandleRequest, request, now);
        event.outcome = Some(if proven {
            "acknowledged"
        } else {
            "not_acknowledged"
        });
        let mut change = vault.log.begin(&vault.store).await?;
        let taken = if proven {
            change
                .tx
                .answer_notice(
                    &row,
                    (answer.result.as_str(), &answer.ground),
                    &answer.signature,
                    micros(now),
                )
                .await?
        } else {
            change.tx.doubt_notice(&row).await?;
            true
        };
        if !taken {
            return Err(AnswerError::Answered);
        }
        change.record(if proven { event } else { event.denied("signature") });
        change.commit().await?;
        if proven {
            Ok(())
        } else {
            Err(AnswerError::Unproven)
        }
    }

    /// What is known today of those who were told of the erasures of a case.
    ///
    /// # Errors
    /// What the database says.
    pub async fn processors_of(&self, case: Uuid) -> Result<Vec<ProcessorState>, ErasureError> {
        let erasures = self.vault.store.read().await?.erasures_of_case(case).await?;
        let erasures: Vec<Uuid> = erasures.iter().map(|row| row.erasure_id).collect();
        self.processor_states(&erasures).await
    }

    /// What is known today of those who were told of some erasures.
    pub(super) async fn processor_states(
        &self,
        erasures: &[Uuid],
    ) -> Result<Vec<ProcessorState>, ErasureError> {
        let now = micros(self.vault.clock.now());
        let mut all = Vec::new();
        for erasure in erasures {
            let rows = self.vault.store.read().await?.told_of(*erasure).await?;
            all.extend(rows.into_iter().map(|row| state(row, now)));
        }
        Ok(all)
    }
}

fn state(row: NoticeRow, now: i64) -> ProcessorState {
    let standing = match (row.answer.as_deref(), row.answered_at) {
        (Some("refused"), _) => Standing::Refused,
        (Some(_), Some(at)) if at <= row.due_at => Standing::Done,
        (Some(_), _) => Standing::Late,
        (None, _) if now <= row.due_at => Standing::Waiting,
        (None, _) => Standing::Silent,
    };
    ProcessorState {
        erasure_id: row.erasure_id,
        processor: row.processor,
        state: standing,
        told_at: from_micros(row.told_at),
        due_at: from_micros(row.due_at),
        answered_at: row.answered_at.map(from_micros),
        ground: row.ground.filter(|ground| !ground.is_empty()),
        signature: row.signature,
        unproven: u64::try_from(row.unproven).unwrap_or(0),
    }
}
