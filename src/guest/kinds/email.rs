//! E-mail addresses: RFC 5321 and 6531 as far as mail is really delivered.

use std::{collections::HashSet, sync::LazyLock};

use serde_json::Value;
use unicode_normalization::UnicodeNormalization;

use super::{
    Context, Reason, TokenKind, card, date,
    item::{Checked, Item},
    relay,
    scalar::{flag, word},
    text,
};
use crate::{
    base::{Field, IndexKind},
    matching::relays,
};

static LOCALS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| text::placeholders("local"));
static DOMAINS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| text::placeholders("domain"));
static ADDRESSES: LazyLock<HashSet<&'static str>> = LazyLock::new(|| text::placeholders("email"));

/// `{address, kind?, primary?, verified_at?, bounce?, relay?, raw?}`.
pub(super) fn email(field: &Field, value: &Value, context: &Context<'_>) -> Checked {
    let mut item = Item::open(value)?;
    let mut parsed = None;
    item.need("address", |given| {
        let address = parse(given)?;
        let stored = address.address();
        parsed = Some(address);
        Ok(stored)
    });
    item.may("kind", |given| word(given, &["home", "work", "other"]));
    item.may("primary", flag);
    item.may("verified_at", date::moment);
    item.may("bounce", |given| {
        word(given, &["none", "soft", "hard", "complaint"])
    });
    item.may("raw", |given| raw(given, parsed.as_ref()));
    let lent = relay::take(&mut item);
    let Some(parsed) = parsed else { return item.close() };
    if let (Some(raw), None) = (&parsed.raw, item.text("raw")) {
        item.put("raw", raw.as_str());
    }
    let provider = relays::of_domain(&parsed.domain);
    if provider.is_some() || lent {
        relay::complete(&mut item, provider, context);
    }
    if provider.is_none() && !lent && field.index.contains(&IndexKind::Exact) {
        item.token(
            TokenKind::Email,
            &[&format!("{}@{}", parsed.local.to_lowercase(), parsed.domain)],
        );
    }
    item.close()
}

struct Parsed {
    local: String,
    domain: String,
    raw: Option<String>,
}

impl Parsed {
    fn address(&self) -> String {
        format!("{}@{}", self.local, self.domain)
    }
}

fn parse(value: &Value) -> Result<Parsed, Reason> {
    let given = text::unscreened_line(value, 254)?;
    if given.chars().any(text::is_mask) || given.to_lowercase().contains("xxx@") {
        return Err(Reason::Masked);
    }
    if text::is_placeholder(&given) {
        return Err(Reason::Placeholder);
    }
    if holds_card(&given) {
        return Err(Reason::CardNumber);
    }
    let (local, domain) = given.rsplit_once('@').ok_or(Reason::InvalidEmail)?;
    let local: String = local.nfkc().collect();
    if !is_local(&local) {
        return Err(Reason::InvalidEmail);
    }
    let domain = domain_of(domain).ok_or(Reason::InvalidEmail)?;
    if is_filler(&local, &domain) {
        return Err(Reason::Placeholder);
    }
    let mut parsed = Parsed {
        local,
        domain,
        raw: None,
    };
    let address = parsed.address();
    if address.len() > 254 {
        return Err(Reason::TooLong);
    }
    // Once more in its normal form: `⁴¹¹¹…` is a number only there.
    if holds_card(&address) {
        return Err(Reason::CardNumber);
    }
    parsed.raw = (given != address).then_some(given);
    Ok(parsed)
}

/// Whether an address holds a card number. Letters end one and say nothing else: `cvc123@…` is a name, and no code.
fn holds_card(address: &str) -> bool {
    let numbers: String = address
        .chars()
        .map(|c| if c.is_alphabetic() { '@' } else { c })
        .collect();
    card::is_in(&numbers)
}

/// A dot-atom (RFC 5322 §3.2.3) of ASCII or other letters; no quoted strings.
fn is_local(local: &str) -> bool {
    let atom = |c: char| {
        c.is_ascii_alphanumeric()
            || "!#$%&'+/=?^_`{|}~-".contains(c)
            || (!c.is_ascii() && c.is_alphanumeric())
    };
    (1..=64).contains(&local.len())
        && local
            .split('.')
            .all(|part| !part.is_empty() && part.chars().all(atom))
}

/// The domain in ASCII and lower case, with a name of its own below a top-level domain.
fn domain_of(domain: &str) -> Option<String> {
    let ascii = idna::domain_to_ascii_cow(domain.as_bytes(), idna::AsciiDenyList::URL)
        .ok()?
        .to_lowercase();
    let ascii = ascii.trim_end_matches('.');
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    let top = ascii.rsplit('.').next()?;
    let named = ascii.contains('.') && top.len() >= 2 && !top.bytes().all(|b| b.is_ascii_digit());
    (ascii.len() <= 253 && named && ascii.split('.').all(label)).then(|| ascii.to_owned())
}

fn is_filler(local: &str, domain: &str) -> bool {
    let local = local.to_lowercase();
    LOCALS.contains(local.as_str())
        || DOMAINS.contains(domain)
        || ADDRESSES.contains(format!("{local}@{domain}").as_str())
}

/// The address as the source wrote it, kept for showing: it must mean the same address.
fn raw(value: &Value, parsed: Option<&Parsed>) -> Result<String, Reason> {
    let again = parse(value)?;
    if parsed.is_some_and(|p| p.address() == again.address()) {
        text::unscreened_line(value, 254)
    } else {
        Err(Reason::Inconsistent)
    }
}
