//! Signing in without a password: a code to a contact on file.
//!
//! Whoever asks learns nothing about whether a contact is on file: the same is looked up, written and answered, and the
//! message goes out after the answer.

use std::net::IpAddr;

use chrono::{Duration, NaiveDate};
use futures_util::future;
use uuid::Uuid;

use crate::{
    audit::{Act, Event},
    base::{ASTRAY, Category, GuestId, RequestId, latest_end, micros},
    crypto::{random, same},
    guest::{By, GuestError},
    keys::MacPurpose,
    retention::facts,
    web::{Kind, Problem, pages::Browser},
};

use super::{
    Message, Portal, Way,
    sql::{CodeRow, Ticket},
};

/// How long a code is good.
const CODE: Duration = Duration::minutes(10);
/// How often a code may be tried.
const TRIES: i64 = 5;
/// Codes to one contact within [`WINDOW`].
const PER_CONTACT: i64 = 5;
/// Codes asked for from one network within [`WINDOW`]: a hotel's lobby is one.
const PER_NETWORK: i64 = 60;
/// Guests who may share a contact: a couple, a family.
const SHARED: usize = 3;
/// What an answer takes at least: several times what the work does.
const AT_LEAST: std::time::Duration = std::time::Duration::from_millis(100);
/// How long asked-for codes are counted.
const WINDOW: Duration = Duration::hours(1);

/// Why no code was sent.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// What was typed is neither an e-mail address nor a telephone number.
    #[error("this is no contact")]
    NoContact,
    /// The house has no way to bring codes to such a contact.
    #[error("codes cannot be brought there")]
    NoWay,
    /// Too many, for this contact or from there.
    #[error("too many codes")]
    TooMany,
    /// What the vault says.
    #[error(transparent)]
    Guest(#[from] GuestError),
}

impl From<SignInError> for Problem {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::NoContact | SignInError::NoWay => Self::new(Kind::InvalidRequest),
            SignInError::TooMany => Self::new(Kind::RateLimited).retry_after(600),
            SignInError::Guest(error) => error.into(),
        }
    }
}

impl From<crate::store::StoreError> for SignInError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Guest(error.into())
    }
}

fn way_of(contact: &str) -> Way {
    if contact.contains('@') {
        Way::Mail
    } else {
        Way::Phone
    }
}

/// What two spellings of a contact have in common, for counting.
fn plain(contact: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, '@' | '+' | '.');
    contact.to_lowercase().chars().filter(kept).collect()
}

/// Who an address stands for: IPv6 by /64, which is what one customer is given. This machine's own proxies are nobody.
fn network(address: Option<IpAddr>) -> Option<String> {
    match address?.to_canonical() {
        own if own.is_loopback() => None,
        IpAddr::V4(v4) => Some(v4.to_string()),
        IpAddr::V6(v6) => v6.segments().get(..4).map(|net| format!("{net:x?}")),
    }
}

impl Portal {
    fn keyed(&self, label: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        let all: Vec<&[u8]> = [label].into_iter().chain(parts.iter().copied()).collect();
        self.vault.keys.mac(MacPurpose::Token).mac_of(&all)
    }

    /// Whether codes can be brought at all, and how.
    pub(super) fn ways(&self) -> (bool, bool) {
        (
            self.delivery.reaches(Way::Mail),
            self.delivery.reaches(Way::Phone),
        )
    }

    /// Sends a code to a contact, when it is one guest's, or a few share it; `only` is the guest it must be. The code is
    /// good in this browser alone.
    ///
    /// # Errors
    /// [`SignInError::NoContact`], [`SignInError::NoWay`] and [`SignInError::TooMany`], none of which depends on what
    /// is on file; what the vault says.
    pub(super) async fn send_code(
        &self,
        browser: &Browser,
        contact: &str,
        only: Option<GuestId>,
    ) -> Result<(), SignInError> {
        evenly(self.send_code_now(browser, contact, only)).await
    }

    async fn send_code_now(
        &self,
        browser: &Browser,
        contact: &str,
        only: Option<GuestId>,
    ) -> Result<(), SignInError> {
        let contact = contact.trim();
        let way = way_of(contact);
        if contact.chars().count() > 254 || contact.is_empty() {
            return Err(SignInError::NoContact);
        }
        if !self.delivery.reaches(way) {
            return Err(SignInError::NoWay);
        }
        let now = self.now();
        let contact_mac = self.keyed(b"portal contact\0", &[plain(contact).as_bytes()]);
        let from = network(browser.address());
        let network_mac = from
            .as_ref()
            .map(|net| self.keyed(b"portal network\0", &[net.as_bytes()]));
        let since = micros(now - WINDOW);
        let counted = network_mac.unwrap_or_default();
        let (of_contact, of_network) = self
            .vault
            .store
            .read()
            .await?
            .tickets_since(&contact_mac, &counted, (since, micros(now + ASTRAY)))
            .await?;
        if of_contact >= PER_CONTACT || of_network >= PER_NETWORK {
            return Err(SignInError::TooMany);
        }
        let mut guests = self.holders(browser.request(), contact).await?;
        guests.retain(|found| only.is_none_or(|only| only == *found));
        let code = six_digits();
        // As many tickets for nobody's contact as for one that is shared; the first is the one that is counted.
        let ticket = |at: usize| {
            let token: [u8; 32] = random();
            let first = at == 0;
            Ticket {
                token,
                kind: "code",
                guest: guests.get(at).map(|guest| guest.0),
                browser: Some(browser.binding()),
                contact: first.then_some(contact_mac),
                network: network_mac.filter(|_| first),
                code: Some(self.keyed(b"portal code\0", &[&token, code.as_bytes()])),
                created_at: micros(now),
                ends_at: micros(now + CODE),
            }
        };
        let tickets: Vec<Ticket> = (0..SHARED).map(ticket).collect();
        let event = self
            .sign_in_event(browser, only_one(&guests), "code_sent")
            .await?;
        let mut change = self
            .vault
            .log
            .begin(&self.vault.store)
            .await
            .map_err(GuestError::from)?;
        change.tx.add_tickets(&tickets, since).await?;
        change.record(event);
        change.commit().await.map_err(GuestError::from)?;
        if !guests.is_empty() {
            let language = browser.language();
            let filled = |key| language.filled(key, &[("code", &code), ("brand", &self.brand)]);
            self.delivery.send(Message {
                way,
                to: contact.to_owned(),
                subject: filled("message.subject"),
                text: filled(if way == Way::Mail {
                    "message.mail"
                } else {
                    "message.sms"
                }),
                at: now,
            });
        }
        Ok(())
    }

    /// Whether a contact is one guest's and no other's, so that a code sent there is enough. For the demonstration, which
    /// says whom to sign in as.
    ///
    /// # Errors
    /// As for sending a code.
    pub async fn is_on_file(&self, contact: &str) -> Result<bool, SignInError> {
        let holders = self.holders(RequestId::random(), contact).await?;
        Ok(only_one(&holders).is_some())
    }

    /// Whose contact this is: one guest's, or a few share it. What more guests have is somebody else's, such as an
    /// agency's, and lets nobody in. What staff alone say is a guest's lets in only a guest who has no other contact:
    /// else whoever may correct a guest could write an address of their own, and read as the guest what they may not read
    /// themselves. As much is looked up when it is nobody's.
    async fn holders(&self, request: RequestId, contact: &str) -> Result<Vec<GuestId>, SignInError> {
        let errand = self.errand(None, request).map_err(|_| GuestError::Forbidden)?;
        let by = By::contact(contact);
        let (found, tokens) = match self.vault.who_are(&errand, &by).await {
            Ok(found) => (found, self.vault.tokens_of(&errand, &by)?),
            Err(GuestError::BadQuestion { .. }) => return Err(SignInError::NoContact),
            Err(error) => return Err(error.into()),
        };
        let few = found.len() <= SHARED;
        let mut holders = Vec::new();
        let mut conn = self.vault.store.read().await?;
        for at in 0..SHARED {
            let known = found.get(at).copied().filter(|_| few);
            let whose = known.unwrap_or_else(GuestId::random);
            let head = conn.guest_head(whose).await?;
            let holder = match head {
                Some((_, _, Some(survivor))) => Some(GuestId(survivor)),
                Some((_, status, None)) if ["active", "restricted"].contains(&status.as_str()) => known,
                _ => None,
            };
            let contacts = conn.contacts_said(whose, holder.unwrap_or(whose)).await?;
            let vouched = contacts
                .iter()
                .any(|(token, pinned)| !pinned && tokens.iter().any(|one| one[..] == token[..]));
            let only_by_staff = contacts.iter().all(|(_, pinned)| *pinned);
            let holder = holder.filter(|_| vouched || only_by_staff);
            holders.extend(holder.filter(|holder| !holders.contains(holder)));
        }
        Ok(holders)
    }

    /// Of those who share a contact the one who was born on this day; who has it alone needs to say nothing.
    async fn which(&self, guests: &[GuestId], born: &str) -> Result<Option<GuestId>, GuestError> {
        if let [one] = guests {
            return Ok(Some(*one));
        }
        let Ok(born) = born.trim().parse::<NaiveDate>() else {
            return Ok(None);
        };
        let mut fitting = Vec::new();
        for guest in guests {
            let house = facts(&self.vault, *guest).await?;
            if house.is_some_and(|house| house.facts.born == Some(born)) {
                fitting.push(*guest);
            }
        }
        Ok(only_one(&fitting))
    }

    /// The guest whose code this browser typed, if it is the right one; each code once. Where guests share the contact,
    /// the day of birth says which of them it is. It lets them in where a renewed browser is given.
    ///
    /// # Errors
    /// What the vault says.
    pub(super) async fn check_code(
        &self,
        browser: &Browser,
        (typed, born): (&str, &str),
        into: Option<&Browser>,
    ) -> Result<Option<GuestId>, SignInError> {
        evenly(self.check_code_now(browser, (typed, born), into)).await
    }

    async fn check_code_now(
        &self,
        browser: &Browser,
        (typed, born): (&str, &str),
        into: Option<&Browser>,
    ) -> Result<Option<GuestId>, SignInError> {
        let latest = micros(latest_end(self.now(), CODE));
        let now = micros(self.now());
        let mut conn = self.vault.store.read().await?;
        let rows = conn.codes_of_browser(&browser.binding(), (now, latest)).await?;
        drop(conn);
        let Some((counted, ..)) = rows.first() else {
            return Ok(None);
        };
        let digits: String = typed.chars().filter(char::is_ascii_digit).take(7).collect();
        let mut tx = self.vault.store.begin().await?;
        let may = tx.try_ticket(counted, TRIES, now).await?;
        tx.commit().await?;
        let right = |(token, _, stored): &CodeRow| {
            let given = self.keyed(b"portal code\0", &[token, digits.as_bytes()]);
            same(&given, stored.as_deref().unwrap_or_default())
        };
        let fits = may && rows.iter().all(right);
        let guests: Vec<GuestId> = rows.iter().filter_map(|row| row.1).map(GuestId).collect();
        let guest = if fits {
            self.which(&guests, born).await?
        } else {
            None
        };
        let outcome = if guest.is_some() {
            "signed_in"
        } else {
            "wrong_code"
        };
        let about = guest.or_else(|| only_one(&guests));
        let mut event = self.sign_in_event(browser, about, outcome).await?;
        if guest.is_none() {
            event = event.denied(outcome);
        }
        let mut change = self
            .vault
            .log
            .begin(&self.vault.store)
            .await
            .map_err(GuestError::from)?;
        let used = match (guest, into) {
            (Some(guest), Some(into)) => {
                let entered = self.let_in(&mut change, (guest, counted), (into.key(), true));
                entered.await.map_err(GuestError::from)?
            }
            (Some(_), None) => change.tx.use_ticket(counted, now).await?,
            (None, _) => false,
        };
        if used {
            change.tx.end_codes(&browser.binding(), now).await?;
        }
        change.record(event);
        change.commit().await.map_err(GuestError::from)?;
        Ok(guest.filter(|_| used))
    }

    /// The event of a sign-in: about the guest, if there is one.
    pub(super) async fn sign_in_event(
        &self,
        browser: &Browser,
        guest: Option<GuestId>,
        outcome: &'static str,
    ) -> Result<Event, GuestError> {
        let errand = self
            .errand(guest, browser.request())
            .map_err(|_| GuestError::Forbidden)?;
        let mut event = Event::of(&errand, Act::SignIn, self.now());
        event.outcome = Some(outcome);
        if let Some(guest) = guest {
            let keys = self.vault.keys.guest_keys(guest, &[Category::Audit]).await?;
            if keys.has(Category::Audit) {
                event.subject = Some(self.vault.subject(guest, Some(&keys)));
            }
        }
        Ok(event)
    }
}

/// Takes as long whatever there is to do: what is cached or found for a guest and not for nobody would tell.
async fn evenly<T>(work: impl Future<Output = T>) -> T {
    future::join(work, tokio::time::sleep(AT_LEAST)).await.0
}

/// The one guest, when it is one.
const fn only_one(guests: &[GuestId]) -> Option<GuestId> {
    match guests {
        [one] => Some(*one),
        _ => None,
    }
}

/// Six digits, each number as likely as any other but for one part in ten billion.
fn six_digits() -> String {
    format!("{:06}", u64::from_be_bytes(random()) % 1_000_000)
}

/// A secret for a link.
pub(super) fn link_secret() -> [u8; 32] {
    random()
}

/// Under what a link is kept.
pub(super) fn link_token(secret: &[u8]) -> [u8; 32] {
    crate::crypto::sha256(&[b"guest-vault portal link 1".as_slice(), secret].concat())
}

/// A ticket for a link.
pub(super) fn link_ticket(guest: GuestId, secret: &[u8], now: i64, end: i64) -> Ticket {
    let guest: Option<Uuid> = Some(guest.0);
    Ticket {
        token: link_token(secret),
        kind: "link",
        guest,
        browser: None,
        contact: None,
        network: None,
        code: None,
        created_at: now,
        ends_at: end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contact_is_counted_in_any_spelling() {
        assert_eq!(plain(" Wang@Example.CN "), "wang@example.cn");
        assert_eq!(plain("+86 138-1234 5678"), plain("+8613812345678"));
    }

    #[test]
    fn a_customer_is_one_network_and_this_machine_none() {
        let of = |text: &str| network(Some(text.parse().unwrap()));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("127.0.0.1"), None);
        assert_eq!(of("::ffff:203.0.113.9"), of("203.0.113.9"));
    }

    #[test]
    fn codes_have_six_digits() {
        assert!(
            (0..100)
                .map(|_| six_digits())
                .all(|c| c.len() == 6 && c.bytes().all(|b| b.is_ascii_digit()))
        );
    }
}
