//! Which guest is this? Nothing is written but the record of the question.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    audit::{Act, Event},
    base::{Action, Errand, FieldSet, GuestId},
    guest::{
        AuditAnswer, GuestError, LinkReason, Rejected, Vault, kinds,
        likeness::{Probe, person_of},
        read::Looked,
        resembling::Resembling,
    },
    keys::MatchingKeys,
    policy::{Right, Snapshot},
};

/// Candidates told at most.
const MOST_SHOWN: usize = 5;
/// Candidates looked at to find them: the others are hidden from this caller.
const MOST_LOOKED_AT: usize = 20;

/// What a candidate amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Sure enough to be linked without asking.
    Link,
    /// A steward would be asked.
    Review,
}

/// A guest that may be the one.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ResolveCandidate {
    /// Who.
    pub guest_id: GuestId,
    /// How sure.
    pub probability: f64,
    /// The same in bits: the sum of the weights.
    pub bits: f64,
    /// Against a stranger, in bits.
    pub against_stranger: f64,
    /// Against somebody of the same household, in bits.
    pub against_household: f64,
    /// What it amounts to.
    pub verdict: Verdict,
    /// Why: what each comparison adds. What this caller may not be told is summed up as `withheld`.
    pub reasons: Vec<LinkReason>,
}

/// Who it may be.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ResolveAnswer {
    /// At most five, best first.
    #[schema(max_items = 5)]
    pub candidates: Vec<ResolveCandidate>,
    /// Somebody like this is known at a property that is not the caller's: so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known_elsewhere: Option<usize>,
    /// The weights that were used.
    pub weights: String,
    /// What cannot be valid and was not compared.
    pub rejected: Vec<Rejected>,
    /// The record of this question.
    pub audit: AuditAnswer,
}

impl Vault {
    /// Which guest somebody is, as this caller may know.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`]; [`GuestError::BadQuestion`] when nothing is said that anybody could be found by; past
    /// the caller's budget of searches or guests [`GuestError::Budget`].
    pub async fn resolve(
        &self,
        errand: &Errand,
        guest: &Map<String, Value>,
    ) -> Result<ResolveAnswer, GuestError> {
        let policy = self.policies.current();
        let mut event = Event::of(errand, Act::Resolve, self.clock.now());
        event.policy_version = Some(policy.version().to_owned());
        // Who may read no guest for this purpose has nobody in its scope, and nobody outside it is told either.
        if !policy.allows(&errand.caller.role, Right::ResolveIdentity) || !Self::reads_any(errand, &policy) {
            return self.refuse(event, GuestError::Forbidden).await;
        }
        let with = self.keys.matching_keys().await?;
        let (probe, rejected) = self.probe_of(errand, &policy, guest, &with);
        if probe.keys.is_empty() {
            let error = GuestError::bad("guest", "says nothing that anybody could be found by");
            return self.refuse(event, error).await;
        }
        if let Err(exceeded) = self.budgets.search(&errand.caller) {
            return self.refuse(event, exceeded.into()).await;
        }
        let found = self.resembling(&probe).await?.found;
        let (seen, hidden) = self.seen_of(errand, &found).await?;
        if let Err(error) = self.charge(errand, seen.iter().map(|one| one.guest)) {
            return self.refuse(event, error).await;
        }
        event.count = u64::try_from(seen.len()).ok();
        let receipt = self.log.record(event, ()).await?;
        let told = policy.allows(&errand.caller.role, Right::KnownElsewhere) && hidden > 0;
        Ok(ResolveAnswer {
            candidates: seen.into_iter().map(|one| self.candidate(errand, one)).collect(),
            known_elsewhere: told.then_some(hidden),
            weights: self.matcher.weights().version.clone(),
            rejected,
            audit: AuditAnswer {
                entry_id: receipt.entry(),
            },
        })
    }

    /// Whether any rule lets this caller read anything of anybody for this purpose.
    fn reads_any(errand: &Errand, policy: &Snapshot) -> bool {
        let all: FieldSet = policy.catalogue().iter().map(|(at, _)| at).collect();
        let (role, property, purpose) = (&errand.caller.role, &errand.property, &errand.purpose);
        policy
            .decide(role, property, purpose, Action::Read, &all)
            .is_some()
    }

    fn candidate(&self, errand: &Errand, one: &Resembling) -> ResolveCandidate {
        let link = one.score.links(self.matcher.thresholds.link);
        ResolveCandidate {
            guest_id: one.guest,
            probability: one.score.probability(),
            bits: one.score.bits,
            against_stranger: one.score.stranger,
            against_household: one.score.household,
            verdict: if link { Verdict::Link } else { Verdict::Review },
            reasons: self.told(errand, &one.score),
        }
    }

    /// Those that this caller may know of, and how many others there are.
    async fn seen_of<'f>(
        &self,
        errand: &Errand,
        found: &'f [Resembling],
    ) -> Result<(Vec<&'f Resembling>, usize), GuestError> {
        let policy = self.policies.current();
        if found.is_empty() {
            // Nobody and somebody hidden shall take the same time: one guest is looked at in any case.
            self.look(errand, GuestId::random(), &[], Act::Search, &policy)
                .await?;
        }
        let (mut seen, mut hidden) = (Vec::new(), 0);
        for one in found.iter().take(MOST_LOOKED_AT) {
            match self.look(errand, one.guest, &[], Act::Search, &policy).await? {
                Looked::Seen(_) => {
                    if seen.len() < MOST_SHOWN {
                        seen.push(one);
                    }
                }
                Looked::Refused(event, GuestError::Damaged) => {
                    self.log.record(event.denied("damaged"), ()).await?;
                }
                Looked::Refused(..) => hidden += 1,
            }
        }
        Ok((seen, hidden))
    }

    /// Somebody as a guest document describes them; what cannot be valid is left out.
    fn probe_of(
        &self,
        errand: &Errand,
        policy: &Snapshot,
        guest: &Map<String, Value>,
        with: &MatchingKeys<'_>,
    ) -> (Probe, Vec<Rejected>) {
        let Ok(source) = "resolve".parse() else {
            return (Probe::new(with, person_of(&std::iter::empty())), Vec::new());
        };
        let context = kinds::Context {
            region: self
                .properties
                .get(&errand.property)
                .and_then(|node| node.region.as_deref()),
            today: self.clock.now().date_naive(),
            source: &source,
            departure: None,
        };
        let document = kinds::read_document(policy.catalogue(), guest, &context);
        let rejected = document.rejected.iter().map(|r| Rejected {
            field: r.field.clone(),
            reason: r.reason.as_str().to_owned(),
        });
        let values: Vec<(&str, &Value)> = document
            .values
            .iter()
            .filter_map(|value| Some((policy.catalogue().get(value.field)?.path.as_str(), &value.value)))
            .collect();
        let probe = Probe::new(with, person_of(&values.iter().copied()));
        (probe, rejected.collect())
    }
}
