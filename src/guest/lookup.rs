//! Finding guests by what they say of themselves: one strong identifier, or two attributes. At most five candidates,
//! each in the caller's own view, each on record; a guest that the caller may not know of is not among them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    audit::{Act, Event},
    base::{Action, Errand, FieldIndex, FieldSet, GuestId, PropertyCode, View},
    policy::{Grant, Snapshot},
};

use super::{
    AuditAnswer, GuestAnswer, GuestError, Vault,
    compound::Weak,
    question::Question,
    read::{Fetched, Looked},
};

/// Candidates shown at most.
pub(super) const MOST_SHOWN: usize = 5;
/// Guests looked at to find them: the others are hidden from this caller.
const MOST_LOOKED_AT: usize = 20;
/// Rows of the index read at most: a number that more share is no person's.
const MOST_ROWS: i64 = 256;

/// What is known of the guest: one of `phone`, `email`, `document`, `membership`, `external_id`, `reservation`; or two
/// of `name`, `birth_date`, `phone_tail`, `postal_code`. Strong identifiers given together must all agree.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct By {
    /// A phone in any spelling; without a country code it is read as one of the property's country.
    #[schema(max_length = 60)]
    pub phone: Option<String>,
    /// An e-mail address.
    #[schema(max_length = 254)]
    pub email: Option<String>,
    /// A government document.
    pub document: Option<DocumentBy>,
    /// A membership.
    pub membership: Option<MembershipBy>,
    /// An id in another system.
    pub external_id: Option<ExternalIdBy>,
    /// A reservation.
    pub reservation: Option<ReservationBy>,
    /// The name, its parts in any order, in any script.
    #[schema(max_length = 200)]
    pub name: Option<String>,
    /// The whole birthday: `1987-05-17`.
    #[schema(max_length = 10)]
    pub birth_date: Option<String>,
    /// The last digits of a phone, four to eight.
    #[schema(min_length = 4, max_length = 8)]
    pub phone_tail: Option<String>,
    /// The postal code of the home.
    #[schema(max_length = 20)]
    pub postal_code: Option<String>,
}

impl By {
    /// By an e-mail address, or by a telephone number.
    #[must_use]
    pub fn contact(text: &str) -> Self {
        let mail = text.contains('@');
        Self {
            email: mail.then(|| text.to_owned()),
            phone: (!mail).then(|| text.to_owned()),
            ..Self::default()
        }
    }
}

/// A document to look up.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DocumentBy {
    /// Its type.
    #[serde(default, rename = "type")]
    #[schema(max_length = 40)]
    pub kind: Option<String>,
    /// Who issued it.
    #[serde(default)]
    #[schema(max_length = 3)]
    pub country: Option<String>,
    /// Its number.
    #[schema(max_length = 60)]
    pub number: String,
}

/// A membership to look up.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MembershipBy {
    /// The programme's code.
    #[schema(max_length = 60)]
    pub program: String,
    /// Its number.
    #[schema(max_length = 60)]
    pub number: String,
}

/// An id in another system to look up.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExternalIdBy {
    /// The system's code.
    #[schema(max_length = 60)]
    pub system: String,
    /// What kind of id.
    #[serde(default, rename = "type")]
    #[schema(max_length = 60)]
    pub kind: Option<String>,
    /// The id.
    #[schema(max_length = 200)]
    pub value: String,
}

/// A reservation to look up.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReservationBy {
    /// Where; anywhere within the errand's property, when absent.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 20)]
    pub property: Option<PropertyCode>,
    /// The number.
    #[schema(max_length = 100)]
    pub reference: String,
}

/// A guest that fits.
#[derive(Clone, Serialize, ToSchema)]
pub struct Candidate {
    /// What of the question agreed.
    pub matched: Vec<String>,
    /// The guest as this caller may see it.
    #[serde(flatten)]
    pub guest: GuestAnswer,
}

/// The guests that fit, best first.
#[derive(Clone, Serialize, ToSchema)]
pub struct LookupAnswer {
    /// At most five.
    #[schema(max_items = 5)]
    pub candidates: Vec<Candidate>,
    /// The record of this search; each candidate has its own besides.
    pub audit: AuditAnswer,
}

/// A guest that fits, before it is known whether this caller may see it.
struct Match {
    guest: GuestId,
    strong: BTreeSet<&'static str>,
    pairs: BTreeSet<(Weak, Weak)>,
}

impl Match {
    /// What of the question agreed.
    fn agreed(&self) -> BTreeSet<&'static str> {
        let pairs = self.pairs.iter().flat_map(|(one, other)| [*one, *other]);
        pairs
            .map(Weak::as_str)
            .chain(self.strong.iter().copied())
            .collect()
    }

    fn by_tail(&self) -> bool {
        self.pairs.iter().any(|pair| of_tail(*pair))
    }
}

fn of_tail((one, other): (Weak, Weak)) -> bool {
    [one, other].contains(&Weak::PhoneTail)
}

impl Vault {
    /// The guests that fit, as this caller may see them; `wanted` empty means every field.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`] when this caller may not search by one of these; [`GuestError::BadQuestion`] when
    /// too little is asked, or what cannot be.
    pub async fn look_up(
        &self,
        errand: &Errand,
        by: &By,
        wanted: &[FieldIndex],
    ) -> Result<LookupAnswer, GuestError> {
        let policy = self.policies.current();
        let mut event = Event::of(errand, Act::Search, self.clock.now());
        event.policy_version = Some(policy.version().to_owned());
        let searched = searched(&policy, by);
        for at in searched.iter() {
            if let Some(field) = policy.catalogue().get(at) {
                event.fields.insert(field.path.clone(), View::Token);
            }
        }
        let Some(grant) = may_search(errand, &policy, &searched) else {
            return self.refuse(event, GuestError::Forbidden).await;
        };
        let question = match self.question(errand, &policy, by, true) {
            Ok(question) => question,
            Err(error) => return self.refuse(event, error).await,
        };
        if let Err(exceeded) = self.budgets.search(&errand.caller) {
            return self.refuse(event, exceeded.into()).await;
        }
        let matches = self.matches(errand, &question).await?;
        let seen = self
            .seen(errand, &policy, (&grant, &searched), matches, wanted)
            .await?;
        if let Err(error) = self.charge(errand, seen.iter().map(|(_, fetched)| fetched.guest)) {
            return self.refuse(event, error).await;
        }
        event.count = u64::try_from(seen.len()).ok();
        event.basis = Some(grant.purpose().legal_basis.as_str().to_owned());
        // Side by side, so that all share one commit; any that fails shows nothing at all.
        let by_name = !wanted.is_empty();
        let shown = futures_util::future::try_join_all(
            seen.iter()
                .map(|(_, fetched)| self.disclose(errand, &policy, fetched, (Act::Read, by_name))),
        );
        let recorded = async { Ok::<_, GuestError>(self.log.record(event, ()).await?) };
        let (receipt, shown) = futures_util::future::try_join(recorded, shown).await?;
        let candidates = seen.into_iter().zip(shown).map(|((found, _), guest)| Candidate {
            matched: found.agreed().into_iter().map(ToOwned::to_owned).collect(),
            guest,
        });
        Ok(LookupAnswer {
            candidates: candidates.collect(),
            audit: AuditAnswer {
                entry_id: receipt.entry(),
            },
        })
    }

    /// Whom a guest's own words are about, when that is one guest and no other; for taking in its request, so that
    /// nothing of it is told to who asks.
    ///
    /// # Errors
    /// [`GuestError::BadQuestion`] when too little is said, or what cannot be.
    pub(crate) async fn who_is(&self, errand: &Errand, by: &By) -> Result<Option<GuestId>, GuestError> {
        match self.who_are(errand, by).await?.as_slice() {
            [one] => Ok(Some(*one)),
            _ => Ok(None),
        }
    }

    /// All whom a guest's own words may be about.
    ///
    /// # Errors
    /// As [`Vault::who_is`].
    pub(crate) async fn who_are(&self, errand: &Errand, by: &By) -> Result<Vec<GuestId>, GuestError> {
        let question = self.question(errand, &self.policies.current(), by, false)?;
        let matches = self.matches(errand, &question).await?;
        Ok(matches.into_iter().map(|one| one.guest).collect())
    }

    /// What a question about a contact is looked up by.
    pub(crate) fn tokens_of(&self, errand: &Errand, by: &By) -> Result<Vec<[u8; 16]>, GuestError> {
        let question = self.question(errand, &self.policies.current(), by, false)?;
        Ok(question.tokens().collect())
    }

    /// Counts the guests that will be shown against the caller's access budget.
    pub(crate) fn charge(
        &self,
        errand: &Errand,
        guests: impl Iterator<Item = GuestId>,
    ) -> Result<(), GuestError> {
        for guest in guests {
            self.budgets.look(&errand.caller, guest)?;
        }
        Ok(())
    }

    /// Who fits, best first.
    async fn matches(&self, errand: &Errand, question: &Question) -> Result<Vec<Match>, GuestError> {
        let mut found: BTreeMap<Uuid, Match> = BTreeMap::new();
        let mut note = |guest: Uuid, strong: Option<&'static str>, pair: Option<(Weak, Weak)>| {
            let entry = found.entry(guest).or_insert_with(|| Match {
                guest: GuestId(guest),
                strong: BTreeSet::new(),
                pairs: BTreeSet::new(),
            });
            entry.strong.extend(strong);
            entry.pairs.extend(pair);
        };
        let mut conn = self.store.read().await?;
        let tokens: Vec<[u8; 16]> = question.tokens().collect();
        for (token, guest) in conn.token_holders(&tokens, MOST_ROWS).await? {
            for clause in question.strong.iter().filter(|c| c.holds(&token)) {
                note(guest, Some(clause.word), None);
            }
            for (one, other, _) in question.pairs.iter().filter(|(.., t)| t[..] == token[..]) {
                note(guest, None, Some((*one, *other)));
            }
        }
        if let Some(source) = &question.source
            && let Some((guest, _)) = conn.source_record(source).await?
        {
            note(guest.0, Some("external_id"), None);
        }
        if let Some(stay) = &question.stay {
            for (guest, property) in conn.stay_holders(stay, MOST_ROWS).await? {
                let here = property
                    .parse()
                    .is_ok_and(|p| self.properties.within(&p, &errand.property));
                if here {
                    note(guest, Some("reservation"), None);
                }
            }
        }
        drop(conn);
        let fits = |m: &Match| question.asked.iter().all(|word| m.strong.contains(word));
        let mut matches: Vec<Match> = found.into_values().filter(fits).collect();
        if let Some(tail) = &question.tail {
            self.hold_to(tail, &mut matches).await?;
        }
        if question.asked.is_empty() {
            matches.retain(|m| !m.pairs.is_empty());
        }
        matches.sort_by_key(|m| (std::cmp::Reverse(m.pairs.len()), m.guest));
        matches.truncate(MOST_LOOKED_AT);
        Ok(matches)
    }

    /// Takes back what agreed by the last digits of a phone where those before them do not.
    async fn hold_to(&self, tail: &str, matches: &mut [Match]) -> Result<(), GuestError> {
        let some = matches.iter().filter(|m| m.by_tail()).take(MOST_LOOKED_AT);
        let mut guests: Vec<GuestId> = some.map(|m| m.guest).collect();
        if guests.is_empty() {
            // As long as for somebody.
            guests.push(GuestId::random());
        }
        let held = self.with_phone_ending(&guests, tail).await?;
        for one in matches.iter_mut().filter(|m| !held.contains(&m.guest)) {
            one.pairs.retain(|pair| !of_tail(*pair));
        }
        Ok(())
    }

    /// Those that this caller may see, at most five.
    async fn seen(
        &self,
        errand: &Errand,
        policy: &Arc<Snapshot>,
        (grant, searched): (&Grant, &FieldSet),
        matches: Vec<Match>,
        wanted: &[FieldIndex],
    ) -> Result<Vec<(Match, Fetched)>, GuestError> {
        let mut seen = Vec::new();
        if matches.is_empty() {
            // Nobody and somebody hidden shall take the same time: one guest is looked at in any case.
            self.look(errand, GuestId::random(), wanted, Act::Search, policy)
                .await?;
        }
        let mut rest = matches.into_iter().peekable();
        while seen.len() < MOST_SHOWN && rest.peek().is_some() {
            let some: Vec<Match> = rest.by_ref().take(MOST_SHOWN).collect();
            let looks = some
                .iter()
                .map(|m| self.look(errand, m.guest, wanted, Act::Search, policy));
            let looked = futures_util::future::try_join_all(looks).await?;
            for (found, looked) in some.into_iter().zip(looked) {
                match looked {
                    Looked::Seen(fetched) if findable(grant, searched, &fetched) => {
                        seen.push((found, *fetched));
                    }
                    Looked::Refused(event, GuestError::Damaged) => {
                        // One damaged guest is told to the operator and hides no other.
                        self.log.record(event.denied("damaged"), ()).await?;
                    }
                    _ => {}
                }
            }
        }
        seen.truncate(MOST_SHOWN);
        Ok(seen)
    }
}

/// The grant to search, when every field that is searched may be searched by.
fn may_search(errand: &Errand, policy: &Snapshot, searched: &FieldSet) -> Option<Grant> {
    let role = &errand.caller.role;
    let grant = policy.decide(role, &errand.property, &errand.purpose, Action::Search, searched)?;
    (grant.columns() == *searched).then_some(grant)
}

/// Whether this guest, at this point of its stay, may be found by these.
fn findable(grant: &Grant, searched: &FieldSet, fetched: &Fetched) -> bool {
    let grant = grant.clone().narrow(&fetched.facts);
    searched.iter().all(|at| grant.view(at) != View::None)
}

/// The fields that are searched.
fn searched(policy: &Snapshot, by: &By) -> FieldSet {
    let asked = [
        (by.phone.is_some() || by.phone_tail.is_some(), "phones"),
        (by.email.is_some(), "emails"),
        (by.document.is_some(), "id_documents"),
        (by.membership.is_some(), "memberships"),
        (by.external_id.is_some(), "external_ids"),
        (by.reservation.is_some(), "stay_links"),
        (by.name.is_some(), "name.surname"),
        (by.name.is_some(), "name.given"),
        (by.name.is_some(), "name.full"),
        (by.birth_date.is_some(), "birth_date"),
        (by.postal_code.is_some(), "postal_addresses"),
    ];
    asked
        .into_iter()
        .filter(|(asked, _)| *asked)
        .filter_map(|(_, path)| policy.catalogue().find(path))
        .map(|(at, _)| at)
        .collect()
}
