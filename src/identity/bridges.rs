//! A record that is as surely one guest's as another's: the two are taken for one without asking when they are so alike
//! by themselves, and nothing speaks against it; otherwise the question waits for a steward.

use crate::{
    access::operator,
    base::{Errand, GuestId, RequestId},
    guest::{GuestError, Vault},
};

use super::{merge::Grounds, review, sql::ReviewRow};

/// Questions of one look at most.
const MOST: i64 = 200;
/// No guests are taken for one by themselves below this, whatever the deployment links records at.
const CAUTIOUS: f64 = 8.0;

/// What became of the questions of one look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bridged {
    /// Taken for one.
    pub merged: u64,
    /// Left to a steward.
    pub left: u64,
}

impl Vault {
    /// Answers those questions about two guests that answer themselves, of those that came up since (in microseconds).
    ///
    /// # Errors
    /// When store, keys or log fail.
    pub async fn merge_bridged(&self, since: i64) -> Result<Bridged, GuestError> {
        let link = self.matcher.thresholds.link.max(CAUTIOUS);
        let mut done = Bridged::default();
        let mut after = review::FIRST;
        loop {
            let rows = self.store.read().await?.reviews("open", after, MOST).await?;
            // The surest come first.
            let sure = rows.iter().take_while(|row| review::bits(row.priority) >= link);
            let rows: Vec<ReviewRow> = sure.cloned().collect();
            let Some(last) = rows.last() else { return Ok(done) };
            after = (last.priority, last.review_id);
            let new = rows
                .iter()
                .filter(|row| row.kind == "duplicate" && row.created_at >= since);
            for row in new {
                if self.bridge(row, link).await? {
                    done.merged += 1;
                } else {
                    done.left += 1;
                }
            }
        }
    }

    async fn bridge(&self, row: &ReviewRow, link: f64) -> Result<bool, GuestError> {
        // The older guest goes on: its id is in more hands.
        let (one, other) = (row.guest_id.min(row.other_id), row.guest_id.max(row.other_id));
        let both = (GuestId(one), GuestId(other));
        let score = self.compared(both.0, both.1).await?;
        if !score.links(link) || !self.against(both, &score).await?.is_empty() {
            return Ok(false);
        }
        let (Ok(caller), Ok(property), Ok(purpose)) =
            (operator(), row.property.parse(), "administration".parse())
        else {
            return Ok(false);
        };
        let errand = Errand {
            caller,
            property,
            purpose,
            reason: None,
            request: RequestId::random(),
        };
        match self.merge_found(&errand, both, Grounds::of(&score)).await {
            Ok(_) => Ok(true),
            // One of them is retired, restricted or gone since, or a steward has said that they are two.
            Err(
                GuestError::NotFound
                | GuestError::Moved(_)
                | GuestError::Gone
                | GuestError::Restricted
                | GuestError::Blocked(_),
            ) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
