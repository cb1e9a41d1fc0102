//! The questions that scores leave open, and a steward's answers: `same` merges, `different` is remembered for ever,
//! `later` goes back to the queue.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    audit::{Act, Event},
    base::{Errand, GuestId, PropertyCode, RecordId, from_micros, micros},
    guest::{GuestError, LinkReason, Vault, read::Looked},
    matching::{Cell, score::probability},
    policy::Right,
    store::StoreError,
};

use super::{
    MOST_PAIRS,
    merge::{MergeAnswer, MergeOptions, answered_already},
    sql::ReviewRow,
};

/// By how much `later` lowers a question's priority, in thousandths of a bit.
const LATER: i64 = 4_000;

/// How many questions are looked at for one page, of which the caller may know few.
const MOST_LOOKED_AT: usize = 2_000;

/// A steward's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// They are one: they are merged.
    Same,
    /// They are two; it is remembered.
    Different,
    /// To be answered another time.
    Later,
}

/// A question.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Review {
    /// Its id.
    #[schema(value_type = String, format = Uuid)]
    pub review_id: Uuid,
    /// `record`: does this new guest's record belong to the other? `duplicate`: are these two guests one?
    pub kind: String,
    /// The one guest.
    pub guest_id: GuestId,
    /// The record that raised it.
    pub record_id: RecordId,
    /// The other guest.
    pub other_guest_id: GuestId,
    /// How sure it is that they are one.
    pub probability: f64,
    /// Why; the weights add up to the score in bits.
    pub reasons: Vec<LinkReason>,
    /// The weights that were used.
    pub weights: String,
    /// Where it came up.
    pub property: String,
    /// `open`, `same`, `different`, or `answered` by a merge.
    pub state: String,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

/// What became of an answer.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ReviewAnswer {
    /// The question.
    #[schema(value_type = String, format = Uuid)]
    pub review_id: Uuid,
    /// The answer.
    pub decision: Answer,
    /// The merge that `same` made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merge: Option<MergeAnswer>,
}

/// Where a page of questions begins.
pub(super) type Place = (i64, Uuid);

/// The first page.
pub(super) const FIRST: Place = (i64::MAX, Uuid::nil());

impl Vault {
    /// Open questions, the surest first, as far as this caller may know of both guests.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`]; what store, keys or log fail with.
    pub async fn reviews(
        &self,
        errand: &Errand,
        after: (i64, Uuid),
        most: i64,
    ) -> Result<(Vec<Review>, Option<(i64, Uuid)>), GuestError> {
        let policy = self.policies.current();
        let mut event = Event::of(errand, Act::ReviewIdentity, self.clock.now());
        event.policy_version = Some(policy.version().to_owned());
        if !policy.allows(&errand.caller.role, Right::MergeGuests) {
            return self.refuse(event, GuestError::Forbidden).await;
        }
        let (reviews, next) = self.answerable(errand, after, most).await?;
        event.count = u64::try_from(reviews.len()).ok();
        self.log.record(event, ()).await?;
        Ok((reviews, next))
    }

    /// A page of open questions that this caller may answer, and where the next begins: after one that it was shown, unless
    /// it may answer none of very many.
    async fn answerable(
        &self,
        errand: &Errand,
        mut after: Place,
        most: i64,
    ) -> Result<(Vec<Review>, Option<Place>), GuestError> {
        let wanted = usize::try_from(most).unwrap_or(usize::MAX);
        let mut reviews = Vec::new();
        let (mut shown, mut looked_at) = (after, 0);
        loop {
            let rows = self.store.read().await?.reviews("open", after, most).await?;
            let full = rows.len() == wanted;
            looked_at += rows.len();
            for row in rows {
                after = (row.priority, row.review_id);
                if !self.may_answer(errand, &row).await? {
                    continue;
                }
                if reviews.len() == wanted {
                    return Ok((reviews, Some(shown)));
                }
                shown = after;
                reviews.push(self.review_of(errand, row));
            }
            if !full {
                return Ok((reviews, None));
            }
            if looked_at >= MOST_LOOKED_AT {
                return Ok((reviews, Some(after)));
            }
        }
    }

    /// Answers a question.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`]; [`GuestError::NotFound`]; [`GuestError::Blocked`] when it was answered already; for
    /// `same` as [`Vault::merge`].
    pub async fn answer_review(
        &self,
        errand: &Errand,
        review: Uuid,
        answer: Answer,
    ) -> Result<ReviewAnswer, GuestError> {
        let policy = self.policies.current();
        let mut event = Event::of(errand, Act::ReviewIdentity, self.clock.now());
        event.policy_version = Some(policy.version().to_owned());
        if !policy.allows(&errand.caller.role, Right::MergeGuests) {
            return self.refuse(event, GuestError::Forbidden).await;
        }
        let found = self.store.read().await?.review(review).await?;
        let Some(row) = found else {
            return self.refuse(event, GuestError::NotFound).await;
        };
        if !self.may_answer(errand, &row).await? {
            return self.refuse(event, GuestError::NotFound).await;
        }
        if row.state != "open" {
            return self.refuse(event, answered_already()).await;
        }
        let mut merge = None;
        if answer == Answer::Same {
            // The older guest goes on: its id is in more hands.
            let options = MergeOptions {
                review: Some(review),
                ..MergeOptions::default()
            };
            let both = (GuestId(row.other_id), GuestId(row.guest_id));
            merge = match self.merge(errand, both, options, |_| true).await {
                Err(
                    error @ (GuestError::NotFound
                    | GuestError::Moved(_)
                    | GuestError::Stale
                    | GuestError::Blocked(_)),
                ) => {
                    // The refusal is on record; whoever was faster with an answer is its cause.
                    let now = self.store.read().await?.review(review).await?;
                    let open = now.is_some_and(|now| now.state == "open");
                    return Err(if open { error } else { answered_already() });
                }
                merged => Some(merged?),
            };
        }
        let mut tries = 0;
        loop {
            match self.note_answer(errand, &row, answer, event.clone()).await {
                Err(GuestError::Store(StoreError::Stale)) => {
                    return self.refuse(event, answered_already()).await;
                }
                Err(error) if error.is_transient() && tries < 6 => tries += 1,
                noted => break noted?,
            }
        }
        Ok(ReviewAnswer {
            review_id: review,
            decision: answer,
            merge,
        })
    }

    async fn note_answer(
        &self,
        errand: &Errand,
        row: &ReviewRow,
        answer: Answer,
        mut event: Event,
    ) -> Result<(), GuestError> {
        let (by, now) = (errand.caller.principal.0, micros(self.clock.now()));
        let (one, other) = (GuestId(row.guest_id), GuestId(row.other_id));
        let (ones, others) = if answer == Answer::Different {
            let mut conn = self.store.read().await?;
            (conn.record_ids(one).await?, conn.record_ids(other).await?)
        } else {
            (Vec::new(), Vec::new())
        };
        let mut change = self.log.begin(&self.store).await?;
        match answer {
            // The merge has closed every question about the two.
            Answer::Same => event.outcome = Some("same"),
            Answer::Different => {
                event.outcome = Some("different");
                change
                    .tx
                    .answer_review(row.review_id, "different", (by, now), 0)
                    .await?;
                let pairs = ones
                    .iter()
                    .flat_map(|one| others.iter().map(move |other| (*one, *other)));
                for (one, other) in pairs.take(MOST_PAIRS) {
                    change.tx.keep_apart(one, other, by, now).await?;
                }
            }
            Answer::Later => {
                event.outcome = Some("later");
                change
                    .tx
                    .answer_review(row.review_id, "open", (by, now), LATER)
                    .await?;
            }
        }
        change.record(event);
        change.commit().await?;
        Ok(())
    }

    /// Whether this caller acts for where it came up and may know of both; of an answered question, of whom they are now.
    async fn may_answer(&self, errand: &Errand, row: &ReviewRow) -> Result<bool, GuestError> {
        let here = row.property.parse::<PropertyCode>();
        if !here.is_ok_and(|property| self.properties.within(&property, &errand.property)) {
            return Ok(false);
        }
        let policy = self.policies.current();
        for guest in [row.guest_id, row.other_id] {
            let mut guest = GuestId(guest);
            loop {
                match self.look(errand, guest, &[], Act::Search, &policy).await? {
                    Looked::Seen(_) => break,
                    Looked::Refused(_, GuestError::Moved(now)) if row.state != "open" => guest = now,
                    Looked::Refused(..) => return Ok(false),
                }
            }
        }
        Ok(true)
    }

    fn review_of(&self, errand: &Errand, row: ReviewRow) -> Review {
        let stored: Vec<(String, String, i64)> = serde_json::from_str(&row.reasons).unwrap_or_default();
        Review {
            review_id: row.review_id,
            guest_id: GuestId(row.guest_id),
            record_id: RecordId(row.record_id),
            other_guest_id: GuestId(row.other_id),
            probability: probability(bits(row.bits)),
            reasons: self.visible(errand, stored),
            weights: row.weights,
            property: row.property,
            state: row.state,
            created_at: from_micros(row.created_at),
            kind: row.kind,
        }
    }

    /// Of stored reasons what this caller may be told.
    fn visible(&self, errand: &Errand, stored: Vec<(String, String, i64)>) -> Vec<LinkReason> {
        let policy = self.policies.current();
        let seen = Self::comparable(errand, &policy);
        let mut withheld = 0.0;
        let mut told = Vec::new();
        for (field, level, weight) in stored {
            let weight = bits(weight);
            let shown = field == "prior"
                || policy
                    .catalogue()
                    .select(&field)
                    .into_iter()
                    .any(|at| seen.contains(at));
            let level = Cell::from_name(&format!("{field}.{level}")).map_or("prior", Cell::level);
            if shown {
                told.push(LinkReason { field, level, weight });
            } else {
                withheld += weight;
            }
        }
        if withheld != 0.0 {
            told.push(LinkReason {
                field: "withheld".to_owned(),
                level: "withheld",
                weight: withheld,
            });
        }
        told
    }
}

/// Bits as they are told, of stored thousandths.
pub(super) fn bits(thousandths: i64) -> f64 {
    f64::from(i32::try_from(thousandths).unwrap_or_default()) / 1000.0
}
