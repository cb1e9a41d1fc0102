//! After a restore: what protects a guest and was said after the backup holds again, as far as the log tells it. Refusals
//! are said again; a restriction and a hold stand until somebody looks at them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike as _, Duration};
use data_encoding::HEXLOWER;
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    audit::{Act, Event, GuestRefusal},
    base::{Caller, Category, ConsentId, Errand, GuestId, PrincipalId, PropertyCode, RequestId, micros},
    consent::{Line, State},
    guest::{Beside, GuestError},
    keys::GuestKeys,
    policy::Separate,
    retention::{
        Ground,
        sql::{NewHold, holds},
    },
};

use super::{Eraser, ErasureError, since::Held};

/// Days after which a hold that stands in for one of the log is looked at.
const REVIEW_DAYS: i64 = 30;
/// What such a hold is about: the log does not tell the matter of the one that it stands in for.
const MATTER: &str = "put after the backup that was restored; the log tells when and by whom";

/// What of a leaf tells that a guest is protected.
#[derive(Deserialize)]
pub(super) struct Told {
    act: String,
    at: i64,
    decision: String,
    #[serde(default)]
    count: Option<u64>,
    #[serde(default)]
    outcome: Option<String>,
    #[serde(default)]
    property: Option<PropertyCode>,
    #[serde(default)]
    refusal: Option<GuestRefusal>,
    #[serde(default)]
    subject: Option<String>,
    seq: i64,
    writer: Uuid,
}

/// What the log tells of one guest.
#[derive(Default)]
struct Said {
    refusals: Vec<(GuestRefusal, Option<PropertyCode>)>,
    /// Begun, without those that were lifted since.
    restrictions: i64,
    holds: i64,
    lifted_holds: i64,
}

/// What an entry tells of a guest.
enum Word {
    Refused(GuestRefusal, Option<PropertyCode>),
    Restricted,
    LetGo,
    Held,
    Lifted,
    /// The other was taken in.
    Merged(String),
    /// Is two with the other again.
    Parted(String),
}

impl Said {
    fn add(&mut self, word: &Word) {
        match word {
            Word::Refused(refusal, property) => self.refusals.push((refusal.clone(), property.clone())),
            Word::Restricted => self.restrictions += 1,
            Word::LetGo => self.restrictions -= 1,
            Word::Held => self.holds += 1,
            Word::Lifted => self.lifted_holds += 1,
            Word::Merged(_) | Word::Parted(_) => {}
        }
    }
}

/// Whom the log means: a guest of the copy, or one that is not in it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Whom {
    Known(GuestId),
    Unknown(String),
}

/// What protects guests.
#[derive(Default)]
pub(super) struct Protections {
    of: BTreeMap<GuestId, Said>,
    /// In order, by their names in the log.
    words: Vec<(String, Word)>,
    /// Of an entry about two guests the first, until the second is read: the number of its writer's, the act, the guest.
    first: BTreeMap<Uuid, (i64, Act, String)>,
    years: Vec<i32>,
    /// With whom what got a guest of its own after the copy was made lies in the copy.
    split: BTreeMap<Whom, Whom>,
    /// Entries of the do-not-contact lists; of whom, the log does not tell.
    pub(super) suppressed: u64,
}

/// What holds again of one guest.
#[derive(Default)]
pub(super) struct Again {
    pub(super) refusals: u64,
    pub(super) restricted: bool,
    pub(super) held: bool,
}

impl Protections {
    /// Notes an entry of the log.
    pub(super) fn note(&mut self, told: Told) {
        if told.decision != "permitted" {
            return;
        }
        let outcome = told.outcome.as_deref();
        if told.act == Act::Suppress.as_str() && outcome == Some("suppressed") {
            self.suppressed += told.count.unwrap_or(1);
        }
        let Some(subject) = told.subject else { return };
        let acts = [
            Act::PutConsent,
            Act::Restrict,
            Act::Hold,
            Act::Merge,
            Act::Unmerge,
        ];
        let Some(act) = acts.into_iter().find(|act| act.as_str() == told.act) else {
            return;
        };
        let year = DateTime::from_timestamp_micros(told.at).map(|at| at.year());
        if let Some(year) = year.filter(|year| !self.years.contains(year)) {
            self.years.push(year);
        }
        let (name, word) = match (act, outcome, told.refusal) {
            (Act::PutConsent, _, Some(refusal)) => (subject, Word::Refused(refusal, told.property)),
            (Act::Restrict, None, _) => (subject, Word::Restricted),
            (Act::Restrict, Some("lifted"), _) => (subject, Word::LetGo),
            (Act::Hold, Some("put"), _) => (subject, Word::Held),
            (Act::Hold, Some("lifted"), _) => (subject, Word::Lifted),
            (Act::Merge | Act::Unmerge, None, _) => match self.first.remove(&told.writer) {
                Some((seq, of, first)) if of == act && seq + 1 == told.seq => {
                    let other = if act == Act::Merge {
                        Word::Merged
                    } else {
                        Word::Parted
                    };
                    (first, other(subject))
                }
                _ => {
                    self.first.insert(told.writer, (told.seq, act, subject));
                    return;
                }
            },
            _ => return,
        };
        self.words.push((name, word));
    }

    /// Whether the log tells of somebody who got a guest of its own out of one of the copy.
    pub(super) fn tells_of_a_split(&self) -> bool {
        !self.split.is_empty()
    }

    /// Such as tell of one.
    #[cfg(test)]
    pub(super) fn of_a_split() -> Self {
        let whom = |name: &str| Whom::Unknown(name.to_owned());
        Self {
            split: BTreeMap::from([(whom("new"), whom("old"))]),
            ..Self::default()
        }
    }

    /// Who has to be protected in the copy: what was said of one guest is said of all whom it had taken in by then.
    fn settle(&mut self, names: &BTreeMap<String, GuestId>, mut taken: BTreeMap<Whom, BTreeSet<Whom>>) {
        let whom = |name: String| match names.get(&name) {
            Some(guest) => Whom::Known(*guest),
            None => Whom::Unknown(name),
        };
        for (name, word) in std::mem::take(&mut self.words) {
            let one = whom(name);
            match word {
                Word::Merged(other) => {
                    taken.entry(one).or_default().insert(whom(other));
                }
                Word::Parted(other) => {
                    let other = whom(other);
                    let was = taken.get_mut(&other).is_some_and(|all| all.remove(&one));
                    if !was && matches!(one, Whom::Unknown(_)) {
                        self.split.insert(one, other);
                    }
                }
                said => {
                    for guest in members(&taken, one) {
                        let guest = self.split.get(&guest).unwrap_or(&guest);
                        if let Whom::Known(guest) = guest {
                            self.of.entry(*guest).or_default().add(&said);
                        }
                    }
                }
            }
        }
    }
}

/// A guest and all that it has taken in.
fn members(taken: &BTreeMap<Whom, BTreeSet<Whom>>, one: Whom) -> BTreeSet<Whom> {
    let mut all = BTreeSet::new();
    let mut open = vec![one];
    while let Some(next) = open.pop() {
        if all.insert(next.clone()) {
            open.extend(taken.get(&next).into_iter().flatten().cloned());
        }
    }
    all
}

impl Eraser {
    /// Finds out whom of the copy the log means.
    pub(super) async fn know(&self, protections: &mut Protections) -> Result<(), ErasureError> {
        if protections.words.is_empty() {
            return Ok(());
        }
        let mut meant: BTreeSet<&String> = BTreeSet::new();
        for (name, word) in &protections.words {
            meant.insert(name);
            if let Word::Merged(other) | Word::Parted(other) = word {
                meant.insert(other);
            }
        }
        let vault = &self.vault;
        let (mut names, mut taken) = (BTreeMap::new(), BTreeMap::<Whom, BTreeSet<Whom>>::new());
        let mut after = Uuid::nil();
        loop {
            let guests = self.copied(&mut after).await?;
            if guests.is_empty() {
                break;
            }
            let ids: Vec<GuestId> = guests.iter().map(|held| held.guest).collect();
            let keys = vault.keys.many_guest_keys(&ids, &[Category::Audit]).await?;
            for Held { guest, survivor } in guests {
                let own = |year: &i32| vault.keys.pseudonym(keys.get(&guest)?, *year);
                let own = protections.years.iter().filter_map(own);
                let own = own.map(|name| HEXLOWER.encode(&name));
                names.extend(own.filter(|name| meant.contains(name)).map(|name| (name, guest)));
                if let Some(survivor) = survivor.map(Whom::Known) {
                    taken.entry(survivor).or_default().insert(Whom::Known(guest));
                }
            }
        }
        protections.settle(&names, taken);
        Ok(())
    }

    /// Makes hold again what the log tells of a guest of the restored copy. Nothing of the erased.
    pub(super) async fn protect(
        &self,
        caller: &Caller,
        known: &Protections,
        guest: GuestId,
    ) -> Result<Again, ErasureError> {
        let mut again = Again::default();
        let Some(said) = known.of.get(&guest) else {
            return Ok(again);
        };
        let vault = &self.vault;
        // In the copy the guest may be taken in by another, with whom it was parted again after the backup.
        let guest = vault.goes_on_as(guest).await?;
        let head = vault.store.read().await?.guest_head(guest).await?;
        if head.is_none_or(|(_, status, _)| status == "erased") {
            return Ok(again);
        }
        let keys = vault.keys.fresh_guest_keys(guest, &[Category::Audit]).await?;
        for (refusal, property) in &said.refusals {
            let no = (refusal, property.as_ref());
            again.refusals += u64::from(self.refuse_again(caller, (guest, &keys), no).await?);
        }
        if said.restrictions > 0 {
            again.restricted = self.restrict_again(caller, (guest, &keys)).await?;
        }
        let (put, lifted) = (said.holds, said.lifted_holds);
        let standing = holds(&mut vault.store.read().await?, guest).await?;
        let stands_in = standing.iter().any(|hold| hold.author == caller.principal.0);
        // Which hold was lifted is not told: one of the copy, where it has some.
        if !stands_in && put > 0 && (put > lifted || !standing.is_empty()) {
            self.hold_again(caller, (guest, &keys)).await?;
            again.held = true;
        }
        Ok(again)
    }

    /// A refusal in the ledger, from when it was said; `false` when it is there.
    async fn refuse_again(
        &self,
        caller: &Caller,
        (guest, keys): (GuestId, &GuestKeys),
        (refusal, property): (&GuestRefusal, Option<&PropertyCode>),
    ) -> Result<bool, ErasureError> {
        let vault = &self.vault;
        let top = vault.properties.top().map(|node| &node.code);
        let said = State::from_word(&refusal.state).zip(refusal.purpose.parse().ok());
        let ((state, purpose), property) = said.zip(property.or(top)).ok_or(GuestError::Damaged)?;
        let errand = Errand {
            caller: caller.clone(),
            property: property.clone(),
            purpose: "subject_request".parse().map_err(|_| GuestError::Damaged)?,
            reason: None,
            request: RequestId::random(),
        };
        let line = Line {
            id: ConsentId::random(),
            purpose,
            recipient: refusal.recipient.clone(),
            scope: refusal.scope.clone(),
            separate: Separate::ALL
                .into_iter()
                .find(|kind| kind.as_str() == refusal.separate),
            state,
            channel: "restore".to_owned(),
            indication: "log".to_owned(),
            notice: None,
            terms: 0,
            superseded: None,
            property: property.clone(),
            captured_by: caller.principal,
            captured_actor: None,
            valid_until: None,
            at: DateTime::from_timestamp_micros(refusal.at).ok_or(GuestError::Damaged)?,
            told_at: None,
            entry: None,
        };
        let mut change = vault.log.begin(&vault.store).await?;
        if change.tx.has_consent(guest, &line).await? {
            return Ok(false);
        }
        let said = (line, Beside::default());
        vault
            .append_line(&mut change, &errand, (guest, None), said, keys)
            .await?;
        change.commit().await.map_err(GuestError::from)?;
        Ok(true)
    }

    /// Out of sight again; `false` when the guest is already.
    async fn restrict_again(
        &self,
        caller: &Caller,
        (guest, keys): (GuestId, &GuestKeys),
    ) -> Result<bool, ErasureError> {
        let vault = &self.vault;
        let now = vault.clock.now();
        let head = vault.store.read().await?.guest_head(guest).await?;
        if head.is_none_or(|(_, status, _)| status != "active") {
            return Ok(false);
        }
        let mut change = vault.log.begin(&vault.store).await?;
        change.tx.set_fate(guest, "restricted", micros(now)).await?;
        change.record(self.restored(caller, Act::Restrict, (guest, keys)));
        change.commit().await.map_err(GuestError::from)?;
        Ok(true)
    }

    /// A hold on everything, for whoever knows the matter to put its own in its place.
    async fn hold_again(
        &self,
        caller: &Caller,
        (guest, keys): (GuestId, &GuestKeys),
    ) -> Result<(), ErasureError> {
        let vault = &self.vault;
        let now = vault.clock.now();
        let id = Uuid::now_v7();
        let matter = vault.keys.seal_own("hold", id, MATTER.as_bytes())?.into_bytes();
        let review_on = (now + Duration::days(REVIEW_DAYS)).date_naive().to_string();
        let PrincipalId(author) = caller.principal;
        let hold = NewHold {
            hold: id,
            matter: &matter,
            ground: Ground::LegalClaim.as_str(),
            categories: "",
            review_on: &review_on,
            stays: (None, None),
            author,
            actor: None,
        };
        let mut change = vault.log.begin(&vault.store).await?;
        change.tx.put_hold(guest, &hold, micros(now)).await?;
        change.record(self.restored(caller, Act::Hold, (guest, keys)));
        Ok(change.commit().await.map_err(GuestError::from)?)
    }

    /// Unlike what was said by somebody, it is not done again after the next restore.
    fn restored(&self, caller: &Caller, act: Act, (guest, keys): (GuestId, &GuestKeys)) -> Event {
        let mut event = Event::by(caller, act, RequestId::random(), self.vault.clock.now());
        event.subject = Some(self.vault.subject(guest, Some(keys)));
        event.outcome = Some("restored");
        event
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(act: &str, outcome: Option<&str>, subject: &str, seq: i64) -> Told {
        serde_json::from_value(json!({
            "act": act, "at": 1_700_000_000_000_000_i64, "decision": "permitted", "outcome": outcome, "subject": subject,
            "seq": seq, "writer": Uuid::nil(),
        }))
        .unwrap()
    }

    /// The holds of each guest, after entries about the first three guests, of which the log knows the names.
    fn holds(entries: &[(&str, &str)], taken: &[(usize, usize)]) -> ([i64; 3], bool) {
        let guests = [1, 2, 3].map(|id| GuestId(Uuid::from_u128(id)));
        let mut protections = Protections::default();
        for ((act, subject), seq) in entries.iter().zip(1..) {
            let outcome = (*act == "hold").then_some("put");
            protections.note(entry(act, outcome, subject, seq));
        }
        let names = ["one", "two", "three"].map(str::to_owned);
        let mut before: BTreeMap<Whom, BTreeSet<Whom>> = BTreeMap::new();
        for (survivor, absorbed) in taken {
            let whom = |at: &usize| Whom::Known(guests[*at]);
            before.entry(whom(survivor)).or_default().insert(whom(absorbed));
        }
        protections.settle(&names.into_iter().zip(guests).collect(), before);
        let of = |guest| protections.of.get(&guest).map_or(0, |said| said.holds);
        (guests.map(of), protections.tells_of_a_split())
    }

    #[test]
    fn what_is_said_of_a_guest_is_said_of_all_it_has_taken_in_by_then() {
        let merged = [("merge", "one"), ("merge", "two")];
        let said = [("hold", "one")];
        let parted = [("unmerge", "two"), ("unmerge", "one")];
        assert_eq!(holds(&said, &[]), ([1, 0, 0], false));
        assert_eq!(holds(&[&merged[..], &said].concat(), &[]), ([1, 1, 0], false));
        assert_eq!(holds(&[&said[..], &merged].concat(), &[]), ([1, 0, 0], false));
        let all = [&merged[..], &said, &parted, &said].concat();
        assert_eq!(holds(&all, &[]), ([2, 1, 0], false));
        // Also by one that was taken in itself, and by one that the copy does not have.
        assert_eq!(holds(&said, &[(0, 1), (1, 2)]), ([1, 1, 1], false));
        let by_new = [("merge", "new"), ("merge", "one"), ("hold", "new")];
        assert_eq!(holds(&by_new, &[(0, 2)]), ([1, 0, 1], false));
    }

    #[test]
    fn what_is_said_of_a_record_with_a_guest_of_its_own_is_said_of_whom_it_lies_with() {
        let split = [("unmerge", "new"), ("unmerge", "two"), ("hold", "new")];
        assert_eq!(holds(&split, &[]), ([0, 1, 0], true));
        // Half of a pair that the backup cut in two tells nothing.
        let half = [
            ("unmerge", "two"),
            ("hold", "one"),
            ("merge", "two"),
            ("merge", "three"),
        ];
        assert_eq!(holds(&half, &[]), ([1, 0, 0], false));
    }
}
