//! What a guest agreed to, purpose by purpose, with the notice that is shown for each.

use std::collections::BTreeSet;

use crate::{
    base::{NoticeId, PropertyCode, PropertyKind, Purpose, RequestId},
    consent::{State, Statement, notice::Notice},
    guest::{ConsentsAnswer, GuestError},
    policy::{PurposeRule, Separate},
};

use super::{Me, Portal};

/// Notices of a purpose that are looked at.
const MOST: i64 = 200;

/// A matter that a guest decides about.
pub(super) struct Agreement {
    pub(super) purpose: Purpose,
    /// In the policy's own words.
    pub(super) description: String,
    pub(super) recipient: Option<String>,
    pub(super) separate: Option<Separate>,
    /// Whether it rests on the guest's yes; otherwise on the house's own interest, to which the guest may object.
    pub(super) asks: bool,
    pub(super) on: bool,
    /// The houses where it holds, when not in all.
    pub(super) only_at: Vec<PropertyCode>,
    /// Where the guest stands: a word of the ledger.
    pub(super) standing: &'static str,
    /// When that was said.
    pub(super) since: Option<chrono::DateTime<chrono::Utc>>,
    pub(super) channel: String,
    pub(super) notice: Option<Notice>,
    /// Whether there is something that a yes can be said to: without a notice none is taken.
    pub(super) ready: bool,
}

impl Portal {
    /// Everything the guest decides about.
    pub(super) async fn agreements(&self, me: &Me) -> Result<Vec<Agreement>, GuestError> {
        let errand = self
            .errand(Some(me.guest), me.browser.request())
            .map_err(|_| GuestError::Forbidden)?;
        let houses = self
            .vault
            .properties
            .iter()
            .filter(|node| node.kind == PropertyKind::Property);
        let places: Vec<PropertyCode> = [self.top.clone()]
            .into_iter()
            .chain(houses.map(|node| node.code.clone()))
            .collect();
        let ledgers = self.vault.read_consents_at(&errand, me.guest, &places).await?;
        let policy = self.vault.policies.current();
        let mut all = Vec::new();
        let decided = |rule: &&PurposeRule| rule.asks_the_ledger() && !rule.categories.is_empty();
        for rule in policy.purposes().filter(decided) {
            let notice = self.notice(me, &rule.code).await?;
            all.extend(agreement(rule, None, &ledgers, notice.clone()));
            let standing = ledgers.iter().flat_map(|(_, ledger)| &ledger.standing);
            let kinds: BTreeSet<&'static str> = standing
                .filter(|one| one.purpose == rule.code)
                .filter_map(|one| one.separate.map(Separate::as_str))
                .collect();
            for kind in kinds.into_iter().filter_map(Separate::from_word) {
                all.extend(agreement(rule, Some(kind), &ledgers, notice.clone()));
            }
        }
        for one in &mut all {
            one.ready = one.on || !one.asks || one.notice.is_some() || self.vault.bare_yes;
        }
        Ok(all)
    }

    /// The notice that a guest is shown for a purpose now: of those with the newest terms, in its language if there is one.
    async fn notice(&self, me: &Me, purpose: &Purpose) -> Result<Option<Notice>, GuestError> {
        let errand = self
            .errand(Some(me.guest), me.browser.request())
            .map_err(|_| GuestError::Forbidden)?;
        let request: RequestId = errand.request;
        let mut all = self
            .vault
            .list_notices(&errand.caller, request, purpose, (0, MOST))
            .await?;
        let now = self.now();
        all.retain(|notice| notice.in_force(now));
        let newest = all.iter().map(|notice| notice.terms).max();
        all.retain(|notice| Some(notice.terms) == newest);
        let own = me.browser.language().code();
        let fits = |notice: &Notice| notice.said.language.split('-').next() == Some(own);
        let at = all.iter().rposition(fits).or(all.len().checked_sub(1));
        Ok(at.map(|at| all.swap_remove(at)))
    }

    /// One click: on or off.
    pub(super) async fn turn(&self, me: &Me, matter: &Matter, on: bool) -> Result<(), GuestError> {
        let errand = self
            .errand(Some(me.guest), me.browser.request())
            .map_err(|_| GuestError::Forbidden)?;
        let policy = self.vault.policies.current();
        let rule = policy.purpose(&matter.purpose).ok_or(GuestError::NotFound)?;
        let state = match (on, asks(rule)) {
            (true, _) => State::Given,
            (false, true) => State::Withdrawn,
            (false, false) => State::Objected,
        };
        let statement = Statement {
            purpose: matter.purpose.clone(),
            state,
            recipient: rule.recipient.clone(),
            scope: None,
            separate: matter.separate,
            notice_id: matter.notice.filter(|_| on),
            channel: "portal".to_owned(),
            indication: Some("click".to_owned()),
            said_by: None,
            guardian: None,
            at: None,
            valid_until: None,
            evidence_ref: None,
        };
        self.vault
            .put_consent(&errand, me.guest, &statement, |_| true)
            .await
            .map(drop)
    }
}

/// What one click is about.
pub(super) struct Matter {
    pub(super) purpose: Purpose,
    pub(super) separate: Option<Separate>,
    pub(super) notice: Option<NoticeId>,
}

/// Whether a purpose, or a part of it, rests on the guest's yes.
fn asks(rule: &PurposeRule) -> bool {
    rule.needs_consent || !rule.by_consent.is_empty()
}

fn agreement(
    rule: &PurposeRule,
    separate: Option<Separate>,
    ledgers: &[(PropertyCode, ConsentsAnswer)],
    notice: Option<Notice>,
) -> Option<Agreement> {
    let recipient = rule.recipient.clone().unwrap_or_default();
    let ((_, group), houses) = ledgers.split_first()?;
    let standing = |ledger: &ConsentsAnswer| {
        let found = ledger
            .standing
            .iter()
            .find(|one| one.purpose == rule.code && one.recipient == recipient && one.separate == separate);
        found.map_or(("unknown", None), |one| (one.state, one.consent_id))
    };
    let asks = asks(rule);
    let holds = |state: &str| {
        if asks {
            state == "given"
        } else {
            !["objected", "refused", "withdrawn"].contains(&state)
        }
    };
    let there: Vec<&(PropertyCode, ConsentsAnswer)> = houses
        .iter()
        .filter(|(_, ledger)| holds(standing(ledger).0))
        .collect();
    let everywhere = holds(standing(group).0) && there.len() == houses.len();
    let on = holds(standing(group).0) || !there.is_empty();
    // What decided: at the group, or at the first house where it holds.
    let (state, id) = match (everywhere, there.first()) {
        (false, Some((_, house))) => standing(house),
        _ => standing(group),
    };
    let line = id.and_then(|id| group.history.iter().find(|line| line.consent_id == id));
    Some(Agreement {
        purpose: rule.code.clone(),
        description: rule.description.clone(),
        recipient: rule.recipient.clone(),
        separate,
        asks,
        on,
        only_at: if everywhere {
            Vec::new()
        } else {
            there.into_iter().map(|(house, _)| house.clone()).collect()
        },
        standing: state,
        since: line.map(|line| line.at),
        channel: line.map(|line| line.channel.clone()).unwrap_or_default(),
        notice,
        ready: true,
    })
}
