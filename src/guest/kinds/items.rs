//! Objects of several members that need no file of their own.

use serde_json::Value;

use super::{
    Context, LONGEST_LINE, MOST_ITEMS, Reason, TokenKind, card, date,
    item::{Checked, Flaw, Good, Item, refused},
    mentioned::holds_document_number,
    name, place,
    scalar::{code, flag, number, word},
    text,
};
use crate::base::{Field, IndexKind};

fn short(value: &Value) -> Result<String, Reason> {
    text::line(value, LONGEST_LINE)
}

/// `{lines?, city?, postal_code?, region?, country?, kind?, primary?}`, with more than a country.
pub(super) fn address(value: &Value) -> Checked {
    let mut item = Item::open(value)?;
    item.may("lines", |given| texts(given, 6));
    item.may("city", short);
    item.may("postal_code", postal_code);
    item.may("region", short);
    item.may("country", place::country);
    item.may("kind", |given| word(given, &["home", "work", "billing", "other"]));
    item.may("primary", flag);
    item.close().and_then(|good| {
        let told = |name| good.value.get(name).is_some();
        let any = ["lines", "city", "postal_code", "region", "country"]
            .into_iter()
            .any(told);
        if any {
            Ok(good)
        } else {
            Err(refused(Reason::Empty))
        }
    })
}

fn postal_code(value: &Value) -> Result<String, Reason> {
    let code = text::line(value, 20)?.to_uppercase();
    if code.bytes().filter(u8::is_ascii_digit).all(|b| b == b'0') && code.contains("000") {
        return Err(Reason::Placeholder);
    }
    let fits = |c: char| c.is_alphanumeric() || c == ' ' || c == '-';
    if code.chars().all(fits) {
        Ok(code)
    } else {
        Err(Reason::Invalid)
    }
}

/// A list of lines.
fn texts(value: &Value, most: usize) -> Result<Value, Reason> {
    let given = value.as_array().ok_or(Reason::WrongType)?;
    if given.is_empty() {
        return Err(Reason::Empty);
    }
    if given.len() > most {
        return Err(Reason::TooMany);
    }
    // Together too: a card number may be written across lines.
    let lines: Vec<String> = given.iter().map(short).collect::<Result<_, _>>()?;
    if card::is_in(&lines.join(" ")) {
        Err(Reason::CardNumber)
    } else {
        Ok(lines.into())
    }
}

/// `{service, id}`.
pub(super) fn messaging_id(field: &Field, value: &Value) -> Checked {
    let mut item = Item::open(value)?;
    item.need("service", |given| Ok(code(given)?.to_lowercase()));
    item.need("id", |given| number(given, LONGEST_LINE));
    tokenise(field, &mut item, TokenKind::MessagingId, &["service", "id"]);
    item.close()
}

/// `{system, type?, value}`.
pub(super) fn external_id(field: &Field, value: &Value) -> Checked {
    let mut item = Item::open(value)?;
    item.need("system", |given| Ok(code(given)?.to_lowercase()));
    item.may("type", code);
    item.need("value", |given| number(given, LONGEST_LINE));
    tokenise(
        field,
        &mut item,
        TokenKind::ExternalId,
        &["system", "type", "value"],
    );
    item.close()
}

/// `{program, number, tier?, state?, joined_at?, expires_at?, primary?}`.
pub(super) fn membership(field: &Field, value: &Value) -> Checked {
    let mut item = Item::open(value)?;
    item.need("program", code);
    item.need("number", |given| number(given, 60));
    item.may("tier", code);
    item.may("state", |given| {
        word(
            given,
            &["active", "inactive", "pending", "suspended", "expired", "closed"],
        )
    });
    item.may("joined_at", date::moment);
    item.may("expires_at", date::moment);
    // Points lie in the programme's own system; here is only what they are asked for by.
    item.may("points_ref", |given| number(given, 60));
    item.may("primary", flag);
    if field.index.contains(&IndexKind::Exact) {
        let part = |name| item.text(name).map(text::compact);
        if let (Some(program), Some(number)) = (part("program"), part("number")) {
            item.token(TokenKind::Membership, &[&program, &number]);
        }
    }
    item.close()
}

fn tokenise(field: &Field, item: &mut Item<'_>, kind: TokenKind, members: &[&str]) {
    if !field.index.contains(&IndexKind::Exact) {
        return;
    }
    let parts: Vec<String> = members
        .iter()
        .map(|m| item.text(m).unwrap_or_default().to_owned())
        .collect();
    if parts.last().is_some_and(|last| !last.is_empty()) {
        item.token(kind, &parts.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

/// `{method, result, verifier?, at?, expires_at?}`.
pub(super) fn verification(value: &Value) -> Checked {
    let mut item = Item::open(value)?;
    item.need("method", code);
    item.need("result", code);
    item.may("verifier", code);
    item.may("at", date::moment);
    item.may("expires_at", date::moment);
    item.close()
}

/// `{name?, org_id?}`, with one of them.
pub(super) fn organisation(value: &Value) -> Checked {
    let mut item = Item::open(value)?;
    item.may("name", short);
    item.may("org_id", |given| number(given, 60));
    item.close()
}

/// `{kind, guest_id?, name?, age_band?}`: a guest of the vault, or as little as is needed.
pub(super) fn relationship(value: &Value) -> Checked {
    const KINDS: [&str; 12] = [
        "spouse",
        "partner",
        "child",
        "parent",
        "sibling",
        "relative",
        "companion",
        "assistant",
        "referrer",
        "contact_of",
        "booker_for",
        "other",
    ];
    let mut item = Item::open(value)?;
    item.need("kind", |given| word(given, &KINDS));
    item.may("guest_id", |given| {
        let id = given.as_str().ok_or(Reason::WrongType)?;
        uuid::Uuid::parse_str(id)
            .map(|id| id.to_string())
            .map_err(|_| Reason::Invalid)
    });
    item.may("name", name::component);
    item.may("age_band", code);
    item.close()
}

/// `{kind?, relation?, date}`. Another person's occasion (`relation`) keeps day and month only.
pub(super) fn occasion(value: &Value) -> Checked {
    let mut item = Item::open(value)?;
    item.may("kind", code);
    let other = item.may("relation", code).is_some();
    item.need("date", |given| {
        let date = date::partial(given)?;
        match (other, date.len()) {
            (true, 10) => Ok(format!("-{}", date.get(4..).unwrap_or_default())),
            (true, 4 | 7 | 8) if !date.starts_with("--") => Err(Reason::Invalid),
            _ => Ok(date),
        }
    });
    if !other && item.text("kind").is_none() {
        item.fail("kind", Reason::Missing);
    }
    item.close()
}

/// `{kind, reason_code?, text?, until, approver}`: nobody is shut out for ever, or by nobody.
pub(super) fn restriction(value: &Value, context: &Context<'_>) -> Checked {
    let mut item = Item::open(value)?;
    item.need("kind", |given| {
        word(
            given,
            &["blacklist", "do_not_rent", "cash_only", "watch", "other"],
        )
    });
    item.may("reason_code", code);
    item.may("text", text::note);
    item.need("until", |given| {
        let until = date::day(given)?;
        let latest = context
            .today
            .checked_add_months(chrono::Months::new(36))
            .ok_or(Reason::Invalid)?;
        if date::parse(&until).is_some_and(|day| day > latest) {
            Err(Reason::Invalid)
        } else {
            Ok(until)
        }
    });
    item.need("approver", code);
    item.close()
}

/// A document's number has its own field, behind its own rules.
fn note_text(value: &Value) -> Result<String, Reason> {
    let note = text::note(value)?;
    if holds_document_number(&note) {
        Err(Reason::InvalidDocument)
    } else {
        Ok(note)
    }
}

/// A text, or `{text, author?, visibility?, at?}`.
pub(super) fn note(value: &Value) -> Checked {
    if value.is_string() {
        return note_text(value)
            .map(|note| Good::plain(note.into()))
            .map_err(refused);
    }
    let mut item = Item::open(value)?;
    item.need("text", note_text);
    item.may("author", code);
    item.may("visibility", code);
    item.may("at", date::moment);
    item.close()
}

/// The members that the catalogue lists: a text, a flag, a number, or a list of texts each.
pub(super) fn object(field: &Field, value: &Value) -> Checked {
    let given = value.as_object().ok_or_else(|| refused(Reason::WrongType))?;
    let mut taken = serde_json::Map::new();
    let mut flaws = Vec::new();
    for (key, value) in given.iter().filter(|(_, value)| !value.is_null()) {
        let known = field.members.contains(key);
        let checked = if known {
            member(key, value)
        } else {
            Err(Reason::UnknownField)
        };
        match checked {
            Ok(value) => {
                taken.insert(key.clone(), value);
            }
            Err(reason) => {
                let word = if known { key } else { super::item::safe_word(key) };
                flaws.push(Flaw {
                    at: format!(".{word}"),
                    reason,
                });
            }
        }
    }
    match (taken.is_empty(), flaws.is_empty()) {
        (true, true) => Err(refused(Reason::Empty)),
        (true, false) => Err(flaws),
        _ => Ok(Good {
            flaws,
            ..Good::plain(Value::Object(taken))
        }),
    }
}

fn member(key: &str, value: &Value) -> Result<Value, Reason> {
    match value {
        Value::Number(number) if card::is_in(&number.to_string()) => Err(Reason::CardNumber),
        Value::Number(_) | Value::Bool(_) => Ok(value.clone()),
        Value::Array(_) => texts(value, MOST_ITEMS),
        Value::String(_) if matches!(key, "text" | "note" | "comment") => text::note(value).map(Value::from),
        Value::String(_) => text::line(value, 500).map(Value::from),
        Value::Null | Value::Object(_) => Err(Reason::WrongType),
    }
}
