//! E-mail addresses and phones: what is lent by a channel or shared by an office is nobody's.

use super::{relays, text::distance, weights::Cell};

/// An e-mail address that may be a person's.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Email {
    pub(super) local: String,
    pub(super) domain: String,
}

/// Local parts of offices, and of nobody.
const ROLES: [&str; 34] = [
    "info",
    "office",
    "mail",
    "email",
    "contact",
    "booking",
    "bookings",
    "reservation",
    "reservations",
    "reserve",
    "group",
    "groups",
    "travel",
    "sales",
    "admin",
    "service",
    "reception",
    "frontdesk",
    "hotel",
    "guest",
    "none",
    "noemail",
    "noreply",
    "no-reply",
    "donotreply",
    "test",
    "unknown",
    "na",
    "nomail",
    "agency",
    "agent",
    "tours",
    "ticketing",
    "accounts",
];

const NO_DOMAINS: [&str; 7] = [
    "none.com",
    "guest.com",
    "test.com",
    "noemail.com",
    "nomail.com",
    "email.com.invalid",
    "na.com",
];

pub(super) fn email(given: &str) -> Option<Email> {
    let text = super::text::nfkc(given).trim().to_lowercase();
    let (local, domain) = text.rsplit_once('@')?;
    let local = local.split('+').next().unwrap_or_default();
    let role = local.trim_end_matches(|c: char| c.is_ascii_digit());
    if relays::is_nobodys(domain)
        || NO_DOMAINS.contains(&domain)
        || ROLES.contains(&role)
        || local.contains('*')
        || !domain.contains('.')
    {
        return None;
    }
    let gmail = matches!(domain, "gmail.com" | "googlemail.com");
    let local = if gmail {
        local.replace('.', "")
    } else {
        local.to_owned()
    };
    let domain = if gmail { "gmail.com" } else { domain };
    (!local.is_empty()).then(|| Email {
        local,
        domain: domain.to_owned(),
    })
}

pub(super) fn compare_emails(a: &Email, b: &Email) -> Cell {
    if a == b {
        return Cell::EmailExact;
    }
    let long = a.local.len().min(b.local.len()) >= 5;
    let near = (a.domain == b.domain && long && distance(&a.local, &b.local, 1) <= 1)
        || (a.local == b.local && long && distance(&a.domain, &b.domain, 2) <= 2);
    if near { Cell::EmailNear } else { Cell::EmailDiffers }
}

/// A phone's digits within its country; stars where a channel masked them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Phone(pub(super) String);

/// Country codes (ITU-T E.164) of two digits, and the longer ones whose guests write them without a plus.
const TWO: [&str; 44] = [
    "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47", "48",
    "49", "51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65", "66", "81",
    "82", "84", "86", "90", "91", "92", "93", "94", "95", "98",
];

/// `american`: the guest comes from where the country code is 1.
pub(super) fn phone(given: &str, american: bool) -> Option<Phone> {
    let text = super::text::nfkc(given);
    let text = text.trim();
    let plus = text.contains('+');
    let mut digits: String = text
        .replace("(0)", "")
        .chars()
        .filter_map(|c| match c {
            '＊' | '*' | 'x' | 'X' => Some('*'),
            c => c.is_ascii_digit().then_some(c),
        })
        .collect();
    let mut abroad = plus;
    if let Some(rest) = digits.strip_prefix("00") {
        digits = rest.to_owned();
        abroad = true;
    }
    let national = if abroad {
        without_code(&digits)
    } else {
        at_home(&digits, american)
    };
    let national = national.trim_start_matches('0').to_owned();
    let plain = national.chars().filter(char::is_ascii_digit).count();
    let masked = national.contains('*');
    if plain < 6 || national.len() > 15 || (!masked && is_filler(&national)) {
        return None;
    }
    Some(Phone(national))
}

fn without_code(digits: &str) -> &str {
    let two = digits.get(..2).unwrap_or_default();
    let length = if digits.starts_with(['1', '7']) {
        1
    } else if TWO.contains(&two) {
        2
    } else {
        3
    };
    digits.get(length..).unwrap_or_default()
}

/// A number without plus: some are written with their country code all the same.
fn at_home(digits: &str, american: bool) -> &str {
    const LENGTHS: [(&str, usize); 12] = [
        ("86", 13),
        ("886", 12),
        ("81", 12),
        ("34", 11),
        ("1", 11),
        ("971", 12),
        ("966", 12),
        ("965", 11),
        ("974", 11),
        ("852", 11),
        ("853", 11),
        ("82", 12),
    ];
    if digits.starts_with('0') {
        return digits;
    }
    for (code, length) in LENGTHS {
        // Eleven digits that begin with 13 to 19 are a Chinese mobile, not a North American number.
        let mobile = code == "1"
            && !american
            && !digits.starts_with("10")
            && digits.chars().nth(1).is_some_and(|c| matches!(c, '3'..='9'));
        if digits.len() == length && digits.starts_with(code) && !mobile {
            return digits.get(code.len()..).unwrap_or(digits);
        }
    }
    match digits.strip_prefix("49") {
        Some(rest) if (11..=13).contains(&digits.len()) && rest.starts_with('1') => rest,
        _ => digits,
    }
}

/// One digit over and over, steps up or down, and the number that manuals print.
fn is_filler(digits: &str) -> bool {
    let bytes = digits.as_bytes();
    let same = bytes.iter().all(|b| Some(b) == bytes.first());
    let tail_same = bytes.len() > 7
        && bytes
            .iter()
            .skip(bytes.len() - 7)
            .all(|b| Some(b) == bytes.last());
    let steps = |up: bool| {
        bytes.iter().zip(bytes.iter().skip(1)).all(|(a, b)| {
            if up {
                *b == a.wrapping_add(1)
            } else {
                *a == b.wrapping_add(1)
            }
        })
    };
    same || tail_same
        || steps(true)
        || steps(false)
        || matches!(digits, "13800138000" | "13900139000" | "1234567890")
}

pub(super) fn compare_phones(a: &Phone, b: &Phone) -> Cell {
    let masked = |phone: &Phone| phone.0.contains('*');
    if masked(a) || masked(b) {
        let fits = a.0.len() == b.0.len()
            && a.0
                .chars()
                .zip(b.0.chars())
                .all(|(x, y)| x == y || x == '*' || y == '*');
        return if fits {
            Cell::PhoneMasked
        } else {
            Cell::PhoneDiffers
        };
    }
    if a == b {
        Cell::PhoneExact
    } else if a.0.len() >= 8 && a.0.len() == b.0.len() && in_a_row(&a.0, &b.0) {
        Cell::PhoneNeighbour
    } else if a.0.len() >= 8 && distance(&a.0, &b.0, 1) <= 1 {
        Cell::PhoneEdit
    } else {
        Cell::PhoneDiffers
    }
}

/// Whether two numbers differ in one of their last two digits only.
fn in_a_row(a: &str, b: &str) -> bool {
    let head = a.len().saturating_sub(2);
    let (a, b) = (a.as_bytes(), b.as_bytes());
    a.get(..head) == b.get(..head) && a.iter().zip(b).filter(|(one, other)| one != other).count() == 1
}
