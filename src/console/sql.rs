//! Statements of the console: what is due, over all guests. All of them are bounded and led by an index.

use uuid::Uuid;

use crate::{
    base::Reach,
    on, statements,
    store::{Conn, StoreError, Tx},
};

statements! {
    /// Cases that are open, the first due first; those without a day come last.
    OPEN_REQUESTS = "SELECT request_id, kind, regime, state, due_on, received_at, property FROM request
                     WHERE state NOT IN ('done', 'denied', 'duplicate', 'revoked')
                         AND (($2 = '' OR replace($2, ',' || property || ',', '') <> $2)
                          OR ($2 = '' OR EXISTS (SELECT 1 FROM stay x WHERE x.guest_id = request.guest_id AND replace($2, ',' || x.property || ',', '') <> $2)
                          OR EXISTS (SELECT 1 FROM record x WHERE x.guest_id = request.guest_id AND replace($2, ',' || x.property || ',', '') <> $2)
                          OR EXISTS (SELECT 1 FROM request_step x WHERE x.request_id = request.request_id AND replace($2, ',' || x.property || ',', '') <> $2)))
                     ORDER BY coalesce(due_on, '9999-12-31'), request_id LIMIT $1";
    REQUESTS_COUNT = "SELECT count(*), count(CASE WHEN due_on < $1 THEN 1 END),
                          count(CASE WHEN due_on >= $1 AND due_on <= $2 THEN 1 END)
                      FROM request WHERE state NOT IN ('done', 'denied', 'duplicate', 'revoked')
                         AND (($3 = '' OR replace($3, ',' || property || ',', '') <> $3)
                          OR ($3 = '' OR EXISTS (SELECT 1 FROM stay x WHERE x.guest_id = request.guest_id AND replace($3, ',' || x.property || ',', '') <> $3)
                          OR EXISTS (SELECT 1 FROM record x WHERE x.guest_id = request.guest_id AND replace($3, ',' || x.property || ',', '') <> $3)
                          OR EXISTS (SELECT 1 FROM request_step x WHERE x.request_id = request.request_id AND replace($3, ',' || x.property || ',', '') <> $3)))";
    HOLDS_IN_FORCE = "SELECT guest_id, hold_id, ground, categories, review_on, author, author_actor, approver,
                          approver_actor, created_at
                      FROM hold WHERE lifted_at IS NULL AND review_on > $1
                          AND ($3 = '' OR EXISTS (SELECT 1 FROM stay x WHERE x.guest_id = hold.guest_id AND replace($3, ',' || x.property || ',', '') <> $3)
                          OR EXISTS (SELECT 1 FROM record x WHERE x.guest_id = hold.guest_id AND replace($3, ',' || x.property || ',', '') <> $3))
                      ORDER BY review_on, guest_id, hold_id LIMIT $2";
    HOLDS_COUNT = "SELECT count(*), count(CASE WHEN review_on <= $1 THEN 1 END),
                       count(CASE WHEN approver IS NULL THEN 1 END)
                   FROM hold WHERE lifted_at IS NULL
                          AND ($2 = '' OR EXISTS (SELECT 1 FROM stay x WHERE x.guest_id = hold.guest_id AND replace($2, ',' || x.property || ',', '') <> $2)
                          OR EXISTS (SELECT 1 FROM record x WHERE x.guest_id = hold.guest_id AND replace($2, ',' || x.property || ',', '') <> $2))";
    ERASURES_LATE = "SELECT case_id, erasure_id, stage, started_at FROM erasure
                     WHERE stage IN ('intended', 'shredded') AND started_at < $1
                         AND ($3 = '' OR EXISTS (SELECT 1 FROM request r WHERE r.request_id = erasure.case_id
                                                     AND replace($3, ',' || r.property || ',', '') <> $3)
                          OR EXISTS (SELECT 1 FROM request_step x WHERE x.request_id = erasure.case_id
                                         AND replace($3, ',' || x.property || ',', '') <> $3))
                     ORDER BY started_at LIMIT $2";
    ATTESTATIONS_UNTIL = "SELECT holder, kind, valid_until FROM attestation WHERE valid_until < $1
                          ORDER BY valid_until, holder, kind LIMIT $2";
    REVEALS_TO_JUDGE = "SELECT e.entry_id FROM audit_event e
                        WHERE e.action IN ('reveal', 'break_glass') AND e.decision = 'permitted' AND e.at >= $1
                            AND ($3 = '' OR replace($3, ',' || e.property || ',', '') <> $3)
                            AND NOT EXISTS (SELECT 1 FROM judgement j WHERE j.entry_id = e.entry_id)
                        ORDER BY e.at, e.entry_id LIMIT $2";
    REVEALS_COUNT = "SELECT count(*) FROM audit_event e
                     WHERE e.action IN ('reveal', 'break_glass') AND e.decision = 'permitted' AND e.at >= $1
                         AND ($2 = '' OR replace($2, ',' || e.property || ',', '') <> $2)
                         AND NOT EXISTS (SELECT 1 FROM judgement j WHERE j.entry_id = e.entry_id)";
    JUDGEMENT = "SELECT verdict, principal, actor, at FROM judgement WHERE entry_id = $1";
    JUDGEMENT_PUT = "INSERT INTO judgement (entry_id, verdict, principal, actor, at) VALUES ($1, $2, $3, $4, $5)
                     ON CONFLICT (entry_id) DO NOTHING";
    VOLUME = "SELECT (at - $1) / $2 AS slot, count(*) FROM audit_event
              WHERE at >= $1 AND at < $3 GROUP BY 1 ORDER BY 1";
    VOLUME_DENIED = "SELECT (at - $1) / $2 AS slot, count(*) FROM audit_event
                     WHERE decision = 'denied' AND at >= $1 AND at < $3 GROUP BY 1 ORDER BY 1";
    /// What guests said, by purpose, recipient, state, channel, notice and slot of time. Which kinds of words there are is
    /// found by leaps through the index, and each count is a range of it: a ledger of millions is not read. A line's notice
    /// is one of its purpose.
    CONSENTS_SAID = "WITH RECURSIVE p (purpose) AS (
                         SELECT min(purpose) FROM consent
                         UNION ALL SELECT (SELECT min(c.purpose) FROM consent c WHERE c.purpose > p.purpose)
                             FROM p WHERE purpose IS NOT NULL
                     ), r (purpose, recipient) AS (
                         SELECT purpose, (SELECT min(c.recipient) FROM consent c WHERE c.purpose = p.purpose)
                             FROM p WHERE purpose IS NOT NULL
                         UNION ALL SELECT purpose, (SELECT min(c.recipient) FROM consent c
                             WHERE c.purpose = r.purpose AND c.recipient > r.recipient) FROM r WHERE recipient IS NOT NULL
                     ), s (purpose, recipient, state) AS (
                         SELECT purpose, recipient, (SELECT min(c.state) FROM consent c
                             WHERE c.purpose = r.purpose AND c.recipient = r.recipient) FROM r WHERE recipient IS NOT NULL
                         UNION ALL SELECT purpose, recipient, (SELECT min(c.state) FROM consent c
                             WHERE c.purpose = s.purpose AND c.recipient = s.recipient AND c.state > s.state)
                             FROM s WHERE state IS NOT NULL
                     ), h (purpose, recipient, state, channel) AS (
                         SELECT purpose, recipient, state, (SELECT min(c.channel) FROM consent c
                             WHERE c.purpose = s.purpose AND c.recipient = s.recipient AND c.state = s.state)
                             FROM s WHERE state IS NOT NULL
                         UNION ALL SELECT purpose, recipient, state, (SELECT min(c.channel) FROM consent c
                             WHERE c.purpose = h.purpose AND c.recipient = h.recipient AND c.state = h.state
                                 AND c.channel > h.channel) FROM h WHERE channel IS NOT NULL
                     ), slots (slot) AS (
                         SELECT CAST(0 AS BIGINT) UNION ALL SELECT slot + 1 FROM slots WHERE slot + 1 < $3
                     )
                     SELECT purpose, recipient, state, channel, NULL AS notice_id, slot, (SELECT count(*) FROM consent c
                         WHERE c.purpose = h.purpose AND c.recipient = h.recipient AND c.state = h.state
                             AND c.channel = h.channel AND c.notice_id IS NULL
                             AND c.at >= $1 + slot * $2 AND c.at < $1 + (slot + 1) * $2) AS said
                         FROM h CROSS JOIN slots WHERE channel IS NOT NULL
                     UNION ALL
                     SELECT h.purpose, recipient, state, channel, n.notice_id, slot, (SELECT count(*) FROM consent c
                         WHERE c.purpose = h.purpose AND c.recipient = h.recipient AND c.state = h.state
                             AND c.channel = h.channel AND c.notice_id = n.notice_id
                             AND c.at >= $1 + slot * $2 AND c.at < $1 + (slot + 1) * $2) AS said
                         FROM h JOIN notice n ON n.purpose = h.purpose CROSS JOIN slots
                         WHERE channel IS NOT NULL AND EXISTS (SELECT 1 FROM consent c
                             WHERE c.purpose = h.purpose AND c.recipient = h.recipient AND c.state = h.state
                                 AND c.channel = h.channel AND c.notice_id = n.notice_id)
                     ORDER BY 1, 2, 3, 4, 5, 6";
    /// How many guests' last words on each purpose and recipient are which: the last for each place, but none from before
    /// a no that holds everywhere.
    CONSENTS_STANDING = "SELECT purpose, recipient, state, count(DISTINCT guest_id) FROM (
                             SELECT guest_id, purpose, recipient, scope, state, at, row_number() OVER (
                                 PARTITION BY guest_id, purpose, recipient, scope, separate
                                 ORDER BY at DESC, consent_id DESC) AS newest,
                                 max(CASE WHEN scope = '' AND state IN ('refused', 'withdrawn', 'objected') THEN at END) OVER (
                                 PARTITION BY guest_id, purpose, recipient, separate) AS no_at
                             FROM consent) AS said
                         WHERE newest = 1 AND (no_at IS NULL OR at > no_at OR (at = no_at AND scope = ''))
                         GROUP BY purpose, recipient, state ORDER BY purpose, recipient, state";
    /// The newest refusals of what was allowed before.
    WITHDRAWN = "SELECT guest_id, consent_id, purpose, recipient, state, channel, at FROM consent
                 WHERE state IN ('withdrawn', 'objected')
                     AND ($2 = '' OR EXISTS (SELECT 1 FROM stay x WHERE x.guest_id = consent.guest_id AND replace($2, ',' || x.property || ',', '') <> $2)
                          OR EXISTS (SELECT 1 FROM record x WHERE x.guest_id = consent.guest_id AND replace($2, ',' || x.property || ',', '') <> $2))
                 ORDER BY at DESC, consent_id DESC LIMIT $1";
    NOTICES_NAMED = "SELECT notice_id, language, version FROM notice WHERE purpose = $1 ORDER BY sequence DESC LIMIT 200";
    PURPOSE_LAST_USED = "SELECT max(at) FROM audit_event WHERE purpose = $1";
    VOLUME_REVEALS = "SELECT (at - $1) / $2 AS slot, count(*) FROM audit_event
                      WHERE action = 'reveal' AND at >= $1 AND at < $3 GROUP BY 1 ORDER BY 1";
}

/// An open case.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct OpenRow {
    pub(super) request_id: Uuid,
    pub(super) kind: String,
    pub(super) regime: String,
    pub(super) state: String,
    pub(super) due_on: Option<String>,
    pub(super) received_at: i64,
    pub(super) property: String,
}

/// A hold in force; its matter stays sealed.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct HoldRow {
    pub(super) guest_id: Uuid,
    pub(super) hold_id: Uuid,
    pub(super) ground: String,
    pub(super) categories: String,
    pub(super) review_on: String,
    pub(super) author: Uuid,
    pub(super) author_actor: Option<String>,
    pub(super) approver: Option<Uuid>,
    pub(super) approver_actor: Option<String>,
    pub(super) created_at: i64,
}

/// A line of the ledger that takes something back.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct WithdrawnRow {
    pub(super) guest_id: Uuid,
    pub(super) consent_id: Uuid,
    pub(super) purpose: String,
    pub(super) recipient: String,
    pub(super) state: String,
    pub(super) channel: String,
    pub(super) at: i64,
}

/// What was thought of a reveal: verdict, by whom, on whose orders, when.
pub(super) type JudgementRow = (String, Uuid, Option<String>, i64);

/// What guests said: purpose, recipient, state, channel, notice, slot of time, how often.
pub(super) type SaidRow = (String, String, String, String, Option<Uuid>, i64, i64);

/// Which lines of the log are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counted {
    All,
    Denied,
    Reveals,
}

impl Conn {
    pub(super) async fn open_requests(
        &mut self,
        most: i64,
        reach: &Reach,
    ) -> Result<Vec<OpenRow>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(OPEN_REQUESTS).bind(most).bind(reach.as_str()).fetch_all(c).await?))
    }

    /// All that are open, those overdue today, and those due until a day.
    pub(super) async fn requests_count(
        &mut self,
        today: &str,
        soon: &str,
        reach: &Reach,
    ) -> Result<(i64, i64, i64), StoreError> {
        Ok(on!(self, c => {
            sqlx::query_as(REQUESTS_COUNT).bind(today).bind(soon).bind(reach.as_str()).fetch_one(c).await?
        }))
    }

    /// Holds in force that are looked at again after a day, the first first.
    pub(super) async fn holds_in_force(
        &mut self,
        after: &str,
        most: i64,
        reach: &Reach,
    ) -> Result<Vec<HoldRow>, StoreError> {
        Ok(on!(self, c => {
            sqlx::query_as(HOLDS_IN_FORCE).bind(after).bind(most).bind(reach.as_str()).fetch_all(c).await?
        }))
    }

    /// All in force, those to be looked at by a day, and those nobody has agreed to yet.
    pub(super) async fn holds_count(
        &mut self,
        today: &str,
        reach: &Reach,
    ) -> Result<(i64, i64, i64), StoreError> {
        Ok(on!(self, c => sqlx::query_as(HOLDS_COUNT).bind(today).bind(reach.as_str()).fetch_one(c).await?))
    }

    /// Erasures that were begun before a time and are not finished: case, erasure, stage, since when.
    pub(super) async fn erasures_late(
        &mut self,
        before: i64,
        most: i64,
        reach: &Reach,
    ) -> Result<Vec<(Uuid, Uuid, String, i64)>, StoreError> {
        Ok(on!(self, c => {
            sqlx::query_as(ERASURES_LATE).bind(before).bind(most).bind(reach.as_str()).fetch_all(c).await?
        }))
    }

    pub(super) async fn attestations_until(
        &mut self,
        until: i64,
        most: i64,
    ) -> Result<Vec<(String, String, i64)>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(ATTESTATIONS_UNTIL).bind(until).bind(most).fetch_all(c).await?))
    }

    /// Reveals since a time that nobody has judged: the oldest, and how many in all.
    pub(super) async fn reveals_to_judge(
        &mut self,
        since: i64,
        most: i64,
        reach: &Reach,
    ) -> Result<(Vec<Uuid>, i64), StoreError> {
        let reach = reach.as_str();
        Ok(on!(self, c => {
            let first = sqlx::query_scalar(REVEALS_TO_JUDGE)
                .bind(since)
                .bind(most)
                .bind(reach)
                .fetch_all(&mut *c)
                .await?;
            let all = sqlx::query_scalar(REVEALS_COUNT).bind(since).bind(reach).fetch_one(c).await?;
            (first, all)
        }))
    }

    /// What was said in each of so many slots from a time on, also where that is nothing. Times in microseconds.
    pub(super) async fn consents_said(
        &mut self,
        from: i64,
        (slot, slots): (i64, i64),
    ) -> Result<Vec<SaidRow>, StoreError> {
        Ok(
            on!(self, c => sqlx::query_as(CONSENTS_SAID).bind(from).bind(slot).bind(slots).fetch_all(c).await?),
        )
    }

    /// Purpose, recipient, state, how many.
    pub(super) async fn consents_standing(
        &mut self,
    ) -> Result<Vec<(String, String, String, i64)>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(CONSENTS_STANDING).fetch_all(c).await?))
    }

    /// The newest lines that take something back, the newest first.
    pub(super) async fn withdrawn(
        &mut self,
        most: i64,
        reach: &Reach,
    ) -> Result<Vec<WithdrawnRow>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(WITHDRAWN).bind(most).bind(reach.as_str()).fetch_all(c).await?))
    }

    /// The newest notices of a purpose: id, language, version.
    pub(super) async fn notices_named(
        &mut self,
        purpose: &str,
    ) -> Result<Vec<(Uuid, String, i64)>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(NOTICES_NAMED).bind(purpose).fetch_all(c).await?))
    }

    /// When a purpose was last in any entry of the log.
    pub(super) async fn purpose_last_used(&mut self, purpose: &str) -> Result<Option<i64>, StoreError> {
        Ok(on!(self, c => sqlx::query_scalar(PURPOSE_LAST_USED).bind(purpose).fetch_one(c).await?))
    }

    pub(super) async fn judgement(&mut self, entry: Uuid) -> Result<Option<JudgementRow>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(JUDGEMENT).bind(entry).fetch_optional(c).await?))
    }

    /// How many entries lie in each slot of a time; slots without any are left out. Times in microseconds.
    pub(super) async fn volume(
        &mut self,
        counted: Counted,
        (from, to): (i64, i64),
        slot: i64,
    ) -> Result<Vec<(i64, i64)>, StoreError> {
        let text = match counted {
            Counted::All => VOLUME,
            Counted::Denied => VOLUME_DENIED,
            Counted::Reveals => VOLUME_REVEALS,
        };
        Ok(on!(self, c => sqlx::query_as(text).bind(from).bind(slot).bind(to).fetch_all(c).await?))
    }
}

impl Tx {
    /// Writes down what somebody thinks of a reveal; false when somebody did before.
    pub(super) async fn judge(
        &mut self,
        entry: Uuid,
        verdict: &str,
        (by, actor): (Uuid, Option<&str>),
        at: i64,
    ) -> Result<bool, StoreError> {
        let rows = on!(self, c => {
            sqlx::query(JUDGEMENT_PUT)
                .bind(entry)
                .bind(verdict)
                .bind(by)
                .bind(actor)
                .bind(at)
                .execute(c)
                .await?
                .rows_affected()
        });
        Ok(rows == 1)
    }
}
