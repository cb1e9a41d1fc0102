//! Whom may we write to? Asked for thousands of guests at once, answered with yes or no.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    audit::{Act, Event},
    base::{Action, Errand, GuestId, Purpose, from_micros, micros},
    consent::{Question, Spoken, Standing, decide, sql::Ledgers},
    policy::{PurposeRule, Right},
};

use super::{By, GuestError, Vault};

/// The most guests of one question.
const MOST_GUESTS: usize = 10_000;
/// Guests of one statement.
const CHUNK: usize = 1000;

/// What the answer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Approach {
    /// To do what the purpose says.
    #[default]
    Use,
    /// To ask for consent, again or for the first time.
    Ask,
}

/// By what a guest is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Electronic mail.
    Email,
    /// A call.
    Phone,
    /// A short message.
    Sms,
}

impl Channel {
    /// The word of the contract.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Sms => "sms",
        }
    }
}

/// Which of these guests may be approached now?
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckInput {
    /// For this purpose.
    pub purpose: Purpose,
    /// These guests.
    #[schema(min_items = 1, max_items = 10_000)]
    pub guest_ids: Vec<GuestId>,
    /// By this channel: guests with an address on its do-not-contact list are left out, and those whose
    /// `contact_preference` names other channels and not this one.
    #[serde(default)]
    pub channel: Option<Channel>,
    /// What for.
    #[serde(default, rename = "for")]
    pub approach: Approach,
}

/// Who may be approached.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckAnswer {
    /// For which purpose.
    pub purpose: Purpose,
    /// Those who may, in the order of the question. Who is not here may not: no reason is given, and who does not
    /// exist is not here either.
    #[schema(max_items = 10_000)]
    pub guest_ids: Vec<GuestId>,
    /// How many were asked about.
    pub asked: usize,
}

/// An address that is not to be used any more, or may be again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SuppressionInput {
    /// By which channel.
    pub channel: Channel,
    /// The e-mail address or phone number. Only a keyed hash of it is kept, also after its guest is erased.
    #[schema(max_length = 320)]
    pub address: String,
    /// `false` takes it off the list.
    #[serde(default = "on")]
    pub suppressed: bool,
}

const fn on() -> bool {
    true
}

/// How an address stands now.
#[derive(Debug, Serialize, ToSchema)]
pub struct SuppressionAnswer {
    /// By which channel.
    pub channel: Channel,
    /// Whether it is on the list.
    pub suppressed: bool,
}

/// What is the same for every guest of one question.
struct Sheet<'q> {
    purpose: &'q PurposeRule,
    question: Question<'q>,
    region: &'q str,
    now: DateTime<Utc>,
}

impl Vault {
    /// Which guests may be approached now.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`], [`GuestError::BadQuestion`].
    pub async fn check_consents(
        &self,
        errand: &Errand,
        asked: &CheckInput,
    ) -> Result<CheckAnswer, GuestError> {
        let policy = self.policies.current();
        let mut event = Event::of(errand, Act::CheckConsents, self.clock.now());
        event.policy_version = Some(policy.version().to_owned());
        event.count = u64::try_from(asked.guest_ids.len()).ok();
        let role = &errand.caller.role;
        let may = |right| policy.allows(role, right);
        if !may(Right::CheckConsent) && !may(Right::ReadConsent) {
            return self.refuse(event, GuestError::Forbidden).await;
        }
        let Some(purpose) = policy.purpose(&asked.purpose) else {
            let unknown = GuestError::bad("purpose", "is not of this policy; GET /v1/policy lists what is");
            return self.refuse(event, unknown).await;
        };
        if asked.guest_ids.is_empty() || asked.guest_ids.len() > MOST_GUESTS {
            return self
                .refuse(event, GuestError::bad("guest_ids", "name 1 to 10000 guests"))
                .await;
        }
        let now = self.clock.now();
        let region = self
            .properties
            .get(&errand.property)
            .and_then(|node| node.region.as_deref());
        let region = region.unwrap_or_default();
        let sheet = Sheet {
            purpose,
            question: Question {
                recipient: purpose.recipient.as_deref().unwrap_or_default(),
                property: &errand.property,
                tree: &self.properties,
                separate: purpose.separate_in(region),
                now: micros(now),
            },
            region,
            now,
        };
        let allowed = self.approachable(&sheet, asked).await?;
        // A guest asks about itself: of others it is not even told that they are on file.
        let (own, actor) = (may(Right::OwnRequests), errand.caller.actor.as_deref());
        let is_told = |id: &GuestId| !own || actor == Some(id.to_string().as_str());
        let mut seen = BTreeSet::new();
        let guest_ids = asked.guest_ids.iter().copied();
        let guest_ids: Vec<GuestId> = guest_ids
            .filter(|id| is_told(id) && allowed.contains(&id.0) && seen.insert(id.0))
            .collect();
        event.outcome = Some(match asked.approach {
            Approach::Use => "use",
            Approach::Ask => "ask",
        });
        self.log
            .record(Self::with_reason(event, errand, None), ())
            .await?;
        Ok(CheckAnswer {
            purpose: asked.purpose.clone(),
            guest_ids,
            asked: asked.guest_ids.len(),
        })
    }

    async fn approachable(
        &self,
        sheet: &Sheet<'_>,
        asked: &CheckInput,
    ) -> Result<BTreeSet<Uuid>, GuestError> {
        let purpose = asked.purpose.as_str();
        let mut conn = self.store.read().await?;
        let terms = conn.terms_of(purpose).await?;
        let mut allowed = BTreeSet::new();
        for chunk in asked.guest_ids.chunks(CHUNK) {
            let Ledgers { guests, lines } = conn.ledgers(purpose, chunk).await?;
            let mut left_out = BTreeSet::new();
            if let Some(channel) = asked.channel {
                left_out.extend(conn.suppressed(channel.as_str(), chunk).await?);
                left_out.extend(self.reached_otherwise(&mut conn, channel, chunk).await?);
            }
            let mut of: HashMap<Uuid, Vec<Spoken<'_>>> = HashMap::new();
            for line in &lines {
                of.entry(line.guest_id).or_default().push(line.spoken(&terms));
            }
            let may = |guest: &Uuid| {
                let said = of.get(guest).map_or(&[][..], Vec::as_slice);
                !left_out.contains(guest) && self.may_approach(sheet, asked.approach, said)
            };
            allowed.extend(guests.into_iter().filter(may));
        }
        Ok(allowed)
    }

    fn may_approach(&self, sheet: &Sheet<'_>, approach: Approach, said: &[Spoken<'_>]) -> bool {
        let standing = decide(said.iter().copied(), &sheet.question);
        let no = matches!(
            standing,
            Standing::Refused(_) | Standing::Withdrawn(_) | Standing::Objected(_)
        );
        match approach {
            Approach::Use if sheet.purpose.needs_consent => standing.given().is_some(),
            Approach::Use => !(no && sheet.purpose.asks_the_ledger()),
            Approach::Ask if standing.given().is_some() => false,
            Approach::Ask if no => {
                let last = said
                    .iter()
                    .filter(|line| line.state.is_no())
                    .map(|line| line.at)
                    .max();
                let last = last.map_or(sheet.now, from_micros);
                self.rules.ask_again(sheet.region, last).0 <= sheet.now
            }
            Approach::Ask => true,
        }
    }

    /// The keyed hashes by which an address is on a do-not-contact list; none, when it is no address of the channel.
    pub(crate) fn suppression_tokens(
        &self,
        errand: &Errand,
        channel: Channel,
        address: &str,
    ) -> Vec<[u8; 16]> {
        let policy = self.policies.current();
        let by = match channel {
            Channel::Email => json!({ "email": address }),
            Channel::Phone | Channel::Sms => json!({ "phone": address }),
        };
        let by: Option<By> = serde_json::from_value(by).ok();
        let question = by.and_then(|by| self.question(errand, &policy, &by, false).ok());
        question.map_or_else(Vec::new, |question| question.tokens().collect())
    }

    /// Puts an address on a channel's do-not-contact list, or takes it off. What is kept is a keyed hash: it says
    /// nothing by itself, and goes on working after its guest is erased.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`], [`GuestError::BadQuestion`] when it is no address of the channel.
    pub async fn suppress(
        &self,
        errand: &Errand,
        asked: &SuppressionInput,
    ) -> Result<SuppressionAnswer, GuestError> {
        let policy = self.policies.current();
        let mut event = Event::of(errand, Act::Suppress, self.clock.now());
        event.policy_version = Some(policy.version().to_owned());
        event.outcome = Some(if asked.suppressed { "suppressed" } else { "lifted" });
        let writes = policy.allows(&errand.caller.role, Right::WriteConsent);
        if !writes
            || !policy.may(
                &errand.caller.role,
                &errand.property,
                &errand.purpose,
                Action::Read,
            )
        {
            return self.refuse(event, GuestError::Forbidden).await;
        }
        let tokens = self.suppression_tokens(errand, asked.channel, &asked.address);
        if tokens.is_empty() {
            return self
                .refuse(event, GuestError::bad("address", "is no address of this channel"))
                .await;
        }
        let mut change = self.log.begin(&self.store).await?;
        for token in &tokens {
            let channel = asked.channel.as_str();
            if asked.suppressed {
                change
                    .tx
                    .suppress(token, channel, micros(self.clock.now()))
                    .await?;
            } else {
                change.tx.lift_suppression(token, channel).await?;
            }
        }
        change.record(event);
        change.commit().await?;
        Ok(SuppressionAnswer {
            channel: asked.channel,
            suppressed: asked.suppressed,
        })
    }
}
