//! Checking a record before anything is stored: pure but for the keyed tokens.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::{
    base::{
        Action, Anchors, Catalogue, Category, Errand, FieldIndex, FieldSet, ImportId, SourceSystem, micros,
    },
    consent,
    crypto::IndexKey,
    policy::{Right, Snapshot},
    web::IfMatch,
};

use super::{
    GuestError, Heard, RecordInput, Rejected, StayInput, StayRole, Vault,
    kinds::{self, Accepted},
    likeness::{Probe, person_of},
    link::{self, Token},
    minors::BIRTH_DATE,
    occasion,
};

/// The most stays or consents of one record.
const MOST: usize = 200;

/// Whose words a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Voice {
    /// A system's, which says what it holds: a value that is there already is no news.
    Source,
    /// The guest's own.
    Guest,
    /// Staff's: pinned, they outrank every source.
    Staff,
}

/// A record that may be stored.
#[derive(Clone)]
pub(super) struct Prepared {
    pub(super) source: SourceSystem,
    pub(super) source_id: String,
    pub(super) source_token: [u8; 16],
    pub(super) input: RecordInput,
    pub(super) observed_at: DateTime<Utc>,
    pub(super) values: Vec<Ready>,
    pub(super) cleared: Vec<String>,
    pub(super) stays: Vec<StayInput>,
    /// Consents with the terms of their notices.
    pub(super) consents: Vec<(consent::Statement, i64)>,
    /// Consents whose notices were not looked at yet, with their places in the record.
    pub(super) unread: Vec<(usize, consent::Statement)>,
    pub(super) rejected: Vec<Rejected>,
    pub(super) content_mac: Vec<u8>,
    pub(super) policy_version: String,
    /// Which version of the guest it is meant to change.
    pub(super) expected: IfMatch,
    /// Whose words these are.
    pub(super) voice: Voice,
    /// The import that it came with.
    pub(super) import: Option<ImportId>,
    /// Whether who this may be is asked later, of all guests at once.
    pub(super) later: bool,
    /// Whether a new guest is also made of what has had its time already.
    pub(super) lapsed: bool,
    /// Who this may be.
    pub(super) probe: Probe,
}

/// A value with its drawer and tokens.
#[derive(Clone)]
pub(super) struct Ready {
    pub(super) field: String,
    pub(super) category: Category,
    pub(super) value: Value,
    pub(super) tokens: Vec<Token>,
    /// Tokens of days of the year, which many share: no two records are the same person's for it.
    pub(super) days: Vec<[u8; 16]>,
    /// Whether it has had its time already, as far as this record tells.
    lapsed: bool,
    /// See [`Accepted`].
    pub(super) spoilt: Option<kinds::Reason>,
}

impl Prepared {
    /// Whether staff fix what it says.
    pub(super) fn is_pinned(&self) -> bool {
        self.voice == Voice::Staff
    }

    /// Whether its source dates it later than it is: it counts as said now.
    pub(super) fn is_ahead(&self) -> bool {
        self.input.observed_at.is_some_and(|at| at > self.observed_at)
    }

    pub(super) fn tokens(&self) -> impl Iterator<Item = &Token> {
        self.values.iter().flat_map(|v| &v.tokens)
    }

    /// What of it lies outside these fields, as refusals.
    pub(super) fn beyond(&self, catalogue: &Catalogue, fields: &FieldSet) -> Vec<Rejected> {
        let said = self.values.iter().map(|ready| &ready.field).chain(&self.cleared);
        said.filter(|path| !catalogue.find(path).is_some_and(|(at, _)| fields.contains(at)))
            .map(|path| Rejected {
                field: path.clone(),
                reason: "not_permitted".to_owned(),
            })
            .collect()
    }

    /// Every category this record needs a key for.
    pub(super) fn categories(&self) -> Vec<Category> {
        let mut all: Vec<Category> = self.values.iter().map(|v| v.category).collect();
        // The source's id, stays, evidence and the pseudonym lie in drawers of their own.
        all.extend([Category::Identity, Category::Stay, Category::Audit]);
        if self
            .consents
            .iter()
            .any(|(c, _)| c.evidence_ref.is_some() || c.said_by.is_some())
        {
            all.push(Category::Consent);
        }
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// A source's id: any text of one line, at most 200 characters, but no card number. What stands for bytes that are no
/// UTF-8 would make two ids one.
pub(super) fn is_source_id(id: &str) -> bool {
    !id.is_empty()
        && id.chars().count() <= 200
        && !id.contains(|c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER)
        && !kinds::holds_card_number(id)
}

/// What the names of the vault's own sources begin with: staff's corrections, the guest's own words, kept notes.
const OWN: &str = "vault.";

/// Whether a record from outside can have this source: its system stands in clear in tables and log, its id is sealed.
pub(super) fn check_source(source: &SourceSystem, id: &str) -> Result<(), Rejected> {
    let wrong = |field: &str, reason: &str| Rejected {
        field: field.to_owned(),
        reason: reason.to_owned(),
    };
    if !consent::is_code(source.as_str()) {
        Err(wrong("source_system", "invalid"))
    } else if source.as_str().starts_with(OWN) {
        Err(wrong("source_system", "reserved"))
    } else if !is_source_id(id) {
        Err(wrong("source_id", "invalid"))
    } else {
        Ok(())
    }
}

impl Vault {
    /// Checks a record against catalogue, kinds and policy.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`] when the caller may write nothing at all.
    pub(super) fn prepare(
        &self,
        errand: &Errand,
        policy: &Snapshot,
        (source, source_id): (&SourceSystem, &str),
        input: RecordInput,
    ) -> Result<Prepared, GuestError> {
        // A source's id tells nobody whose guest it will be.
        let writable = writable(errand, policy, false).ok_or(GuestError::Forbidden)?;
        Ok(self.prepare_within(errand, policy, (source, source_id), input, writable))
    }

    /// The same for whom something other than a rule lets write these fields.
    pub(super) fn prepare_within(
        &self,
        errand: &Errand,
        policy: &Snapshot,
        (source, source_id): (&SourceSystem, &str),
        input: RecordInput,
        writable: FieldSet,
    ) -> Prepared {
        let catalogue = policy.catalogue();
        let now = self.clock.now();
        let content_mac = self.content_mac(errand, &input);
        let node = self.properties.get(&errand.property);
        let context = kinds::Context {
            region: node.and_then(|n| n.region.as_deref()),
            today: now.date_naive(),
            source,
            departure: input.stays.iter().map(|stay| stay.departure).max(),
        };
        let document = kinds::read_document(catalogue, &input.guest, &context);
        let mut rejected: Vec<Rejected> = document
            .rejected
            .iter()
            .map(|r| Rejected {
                field: r.field.clone(),
                reason: r.reason.as_str().to_owned(),
            })
            .collect();
        let path = |at: FieldIndex| catalogue.get(at).map(|f| f.path.to_string()).unwrap_or_default();
        let mut forbid = |at: FieldIndex| {
            let allowed = writable.contains(at);
            if !allowed {
                rejected.push(Rejected {
                    field: path(at),
                    reason: "not_permitted".to_owned(),
                });
            }
            allowed
        };
        let accepted: Vec<Accepted> = document.values.into_iter().filter(|v| forbid(v.field)).collect();
        let cleared = document
            .cleared
            .into_iter()
            .filter(|at| forbid(*at))
            .map(path)
            .collect();
        let observed_at = input.observed_at.unwrap_or(now).min(now);
        let stays = self.checked_stays(errand, policy, &input, &mut rejected);
        let anchors = Anchors {
            last_stay: stays.iter().map(|stay| stay.departure).max(),
            ..Anchors::default()
        };
        let is_over = |at: FieldIndex| {
            let ends = catalogue.term(at).ends(anchors, observed_at.date_naive());
            ends.is_some_and(|day| day <= now.date_naive())
        };
        let ready: Vec<Ready> = accepted
            .into_iter()
            .filter_map(|value| {
                let lapsed = is_over(value.field);
                self.ready(policy, value, lapsed)
            })
            .collect();
        let probe = Probe::new(
            &self.keys.known_matching_keys(),
            person_of(&ready.iter().map(|ready| (ready.field.as_str(), &ready.value))),
        );
        let unread = self.checked_consents(errand, policy, &input, &mut rejected);
        let index = self.keys.index_key();
        Prepared {
            source: source.clone(),
            source_id: source_id.to_owned(),
            source_token: source_token(index, source.as_str(), source_id),
            observed_at,
            values: ready,
            cleared,
            stays,
            consents: Vec::new(),
            unread,
            rejected,
            content_mac,
            policy_version: policy.version().to_owned(),
            expected: IfMatch::Absent,
            voice: Voice::Source,
            import: None,
            later: false,
            lapsed: true,
            probe,
            input,
        }
    }

    fn ready(&self, policy: &Snapshot, accepted: Accepted, lapsed: bool) -> Option<Ready> {
        let field = policy.catalogue().get(accepted.field)?;
        let path = field.path.to_string();
        let index = self.keys.index_key();
        let tokens = accepted
            .tokens
            .iter()
            .flat_map(|t| link::tokens(index, &path, t))
            .collect();
        Some(Ready {
            field: path,
            category: field.category,
            days: occasion::tokens(index, field.path.as_str(), &accepted.value),
            value: accepted.value,
            tokens,
            lapsed,
            spoilt: accepted.spoilt,
        })
    }

    /// A record without the values that have had their time, when there are such: a guest of whom nothing else is known
    /// is not made of what nobody may see.
    pub(super) fn in_its_time(&self, prepared: &Prepared) -> Option<Prepared> {
        let gone = prepared.values.iter().filter(|ready| ready.lapsed);
        let gone: Vec<Rejected> = gone
            .map(|ready| Rejected {
                field: ready.field.clone(),
                reason: "lapsed".to_owned(),
            })
            .collect();
        if gone.is_empty() {
            return None;
        }
        let mut kept = prepared.clone();
        kept.values.retain(|ready| !ready.lapsed);
        kept.rejected.extend(gone);
        let values = kept
            .values
            .iter()
            .map(|ready| (ready.field.as_str(), &ready.value));
        kept.probe = Probe::new(&self.keys.known_matching_keys(), person_of(&values));
        Some(kept)
    }

    /// A keyed code of all the source said, so that the same words again change nothing, and a thief of the database
    /// cannot test guesses.
    fn content_mac(&self, errand: &Errand, input: &RecordInput) -> Vec<u8> {
        let words = serde_json::to_vec(input).unwrap_or_default();
        let property = errand.property.as_str().as_bytes();
        self.keys
            .mac(crate::keys::MacPurpose::Content)
            .mac_of(&[property, &words])
            .to_vec()
    }

    pub(super) fn checked_stays(
        &self,
        errand: &Errand,
        policy: &Snapshot,
        input: &RecordInput,
        rejected: &mut Vec<Rejected>,
    ) -> Vec<StayInput> {
        let mut good = Vec::new();
        // A stay opens the guest to the house: who may not make one with a call of its own, may not with a record.
        let allowed = policy.allows(&errand.caller.role, Right::ManageStays);
        refuse_impossible("stays", &input.stays, rejected);
        for (at, stay) in input.stays.placed() {
            let checked = if allowed {
                self.check_stay(errand, stay)
            } else {
                Err("not_permitted")
            };
            match checked {
                Err(reason) => rejected.push(Rejected {
                    field: format!("stays[{at}]"),
                    reason: reason.to_owned(),
                }),
                Ok(()) if good.len() == MOST => {
                    rejected.push(Rejected {
                        field: format!("stays[{at}]"),
                        reason: "too_many".to_owned(),
                    });
                }
                Ok(()) => good.push(stay.clone()),
            }
        }
        good
    }

    fn checked_consents(
        &self,
        errand: &Errand,
        policy: &Snapshot,
        input: &RecordInput,
        rejected: &mut Vec<Rejected>,
    ) -> Vec<(usize, consent::Statement)> {
        let mut good = Vec::new();
        let allowed = policy.allows(&errand.caller.role, Right::WriteConsent);
        refuse_impossible("consents", &input.consents, rejected);
        for (at, statement) in input.consents.placed() {
            let mut reject = |reason: &str| {
                rejected.push(Rejected {
                    field: format!("consents[{at}]"),
                    reason: reason.to_owned(),
                });
            };
            let birth = input.guest.get(BIRTH_DATE);
            let said = self.check_said(policy, errand, &heard_by(self.clock.now(), statement));
            match said.and_then(|()| self.check_birth(errand, statement, birth)) {
                _ if !allowed => reject("not_permitted"),
                Err(reason) => reject(reason.as_str()),
                // Nobody agrees for a companion: a booking's ticks are the booker's, unless it says who spoke.
                Ok(()) if statement.state.is_yes() && statement.said_by.is_none() && is_companion(input) => {
                    reject(consent::Refusal::NotByBooker.as_str());
                }
                Ok(()) if is_bundled(&input.consents, statement) => {
                    reject(consent::Refusal::Bundled.as_str());
                }
                Ok(()) if good.len() == MOST => reject("too_many"),
                Ok(()) => {
                    let mut statement = statement.clone();
                    // What a record says, was said when the source saw it; so its retry adds nothing.
                    statement.at = statement.at.or(input.observed_at);
                    good.push((at, statement));
                }
            }
        }
        good
    }
}

impl Vault {
    /// Holds the consents of a record against their notices.
    ///
    /// # Errors
    /// What the database says.
    pub(super) async fn with_notices(&self, mut prepared: Prepared) -> Result<Prepared, GuestError> {
        if !prepared.unread.is_empty() {
            let unread = std::mem::take(&mut prepared.unread);
            prepared.consents = self.check_notices(unread, &mut prepared.rejected).await?;
        }
        Ok(prepared)
    }
}

/// The fields that this caller may write; of a guest that is not its own, when it is not known whose it is. `None` for
/// nothing at all.
pub(super) fn writable(errand: &Errand, policy: &Snapshot, own: bool) -> Option<FieldSet> {
    let everything: FieldSet = policy.catalogue().iter().map(|(at, _)| at).collect();
    let (role, action) = (&errand.caller.role, Action::Write);
    let grant = policy.decide(role, &errand.property, &errand.purpose, action, &everything)?;
    let columns = if own {
        grant.columns()
    } else {
        grant.columns_of_anybody()
    };
    (!columns.is_empty()).then_some(columns)
}

/// Names what of a list cannot be.
fn refuse_impossible<T>(list: &str, heard: &Heard<T>, rejected: &mut Vec<Rejected>) {
    rejected.extend(heard.impossible().iter().map(|one| {
        let dot = if one.member.is_empty() { "" } else { "." };
        Rejected {
            field: format!("{list}[{}]{dot}{}", one.at, one.member),
            reason: one.reason.to_owned(),
        }
    }));
}

/// What finds the record of a source and its id.
pub(super) fn source_token(index: &IndexKey, source: &str, id: &str) -> [u8; 16] {
    index.token("source", format!("{source}\u{1f}{id}").as_bytes())
}

/// Whether a yes of the record rests on the same evidence as another of its yeses, and one is a separate consent.
fn is_bundled(all: &[consent::Statement], one: &consent::Statement) -> bool {
    let matter = |s: &consent::Statement| (s.purpose.clone(), s.recipient.clone(), s.separate);
    let shared = |other: &&consent::Statement| {
        other.state.is_yes()
            && other.evidence_ref == one.evidence_ref
            && matter(other) != matter(one)
            && (other.separate.is_some() || one.separate.is_some())
    };
    one.state.is_yes() && one.evidence_ref.is_some() && all.iter().any(|other| shared(&other))
}

/// What counts from now is said by now, whatever clock dated it.
fn heard_by(now: DateTime<Utc>, statement: &consent::Statement) -> consent::Statement {
    let heard = |at: DateTime<Utc>| {
        if statement.counts_from_now(now) {
            at.min(now)
        } else {
            at
        }
    };
    consent::Statement {
        at: statement.at.map(heard),
        ..statement.clone()
    }
}

/// Whether the record knows its person only as somebody's company.
fn is_companion(input: &RecordInput) -> bool {
    !input.stays.is_empty() && input.stays.iter().all(|stay| stay.role == StayRole::Accompanying)
}

/// The version that a value's seal is bound to.
pub(crate) fn seal_version(version: i64) -> u64 {
    version.unsigned_abs()
}

/// Whether the input is older than what is there. What is said now, by staff or by a source that does not say when it saw it
/// so, is not, whatever a clock that was ahead dated before.
pub(super) fn is_older(prepared: &Prepared, stored_at: i64) -> bool {
    let now = prepared.is_pinned() || prepared.input.observed_at.is_none();
    !now && micros(prepared.observed_at) < stored_at
}
