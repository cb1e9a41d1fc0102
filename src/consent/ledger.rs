//! What the ledger says now. Pure: lines and a question in, a standing out.

use crate::{
    base::{ConsentId, PropertyCode, PropertyTree},
    policy::{ConsentAnswer, PurposeRule, Separate},
};

use super::State;

/// Where a guest stands on a purpose and recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Never asked.
    Unknown,
    /// Asked, not answered.
    Requested(ConsentId),
    /// Agreed, by this line.
    Given(ConsentId),
    /// Agreed once, but the time is over.
    Expired(ConsentId),
    /// Agreed once, but to other terms than those of today, or not in a way that counts.
    Invalidated(ConsentId),
    /// Objected, by this line.
    Objected(ConsentId),
    /// Said no, by this line.
    Refused(ConsentId),
    /// Took it back, by this line.
    Withdrawn(ConsentId),
}

impl Standing {
    /// The line that lets data be used, if one does.
    #[must_use]
    pub const fn given(self) -> Option<ConsentId> {
        match self {
            Self::Given(id) => Some(id),
            _ => None,
        }
    }

    /// The line that decided.
    #[must_use]
    pub const fn line(self) -> Option<ConsentId> {
        match self {
            Self::Unknown => None,
            Self::Requested(id)
            | Self::Given(id)
            | Self::Expired(id)
            | Self::Invalidated(id)
            | Self::Objected(id)
            | Self::Refused(id)
            | Self::Withdrawn(id) => Some(id),
        }
    }

    /// The word of the contract.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Requested(_) => "requested",
            Self::Given(_) => "given",
            Self::Expired(_) => "expired",
            Self::Invalidated(_) => "invalidated",
            Self::Objected(_) => "objected",
            Self::Refused(_) => "refused",
            Self::Withdrawn(_) => "withdrawn",
        }
    }

    /// The more it forbids, the higher.
    #[must_use]
    pub const fn strictness(self) -> u8 {
        match self {
            Self::Given(_) => 0,
            Self::Unknown => 1,
            Self::Requested(_) => 2,
            Self::Expired(_) => 3,
            Self::Invalidated(_) => 4,
            Self::Objected(_) => 5,
            Self::Refused(_) => 6,
            Self::Withdrawn(_) => 7,
        }
    }
}

/// What of a line decides. Times in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spoken<'l> {
    /// The line.
    pub id: ConsentId,
    /// What was said.
    pub state: State,
    /// To whom; empty when nobody else.
    pub recipient: &'l str,
    /// For which property, brand or group; empty: everywhere.
    pub scope: &'l str,
    /// The kind of separate consent; empty: an ordinary one.
    pub separate: &'l str,
    /// When it was said.
    pub at: i64,
    /// When it ends.
    pub until: Option<i64>,
    /// When a notice with other terms came into force.
    pub superseded: Option<i64>,
}

/// What is asked of the ledger: may this recipient have it, at this property, now?
#[derive(Clone, Copy)]
pub struct Question<'q> {
    /// Who would get it; empty when nobody outside.
    pub recipient: &'q str,
    /// For which property, brand or group.
    pub property: &'q PropertyCode,
    /// The group's tree.
    pub tree: &'q PropertyTree,
    /// The separate consents it takes; empty: one ordinary consent.
    pub separate: &'q [Separate],
    /// Now, in microseconds.
    pub now: i64,
}

/// The standing that lines of one purpose amount to.
///
/// A yes counts where it covers what is asked: its very recipient, a scope that holds the property, its kind of
/// consent. A no counts wherever it touches what is asked: also one that names no recipient, or a part of the scope.
/// Of all that count the newest holds; of two said at the same moment the stricter. Where several separate consents
/// are needed, the strictest standing is the answer.
#[must_use]
pub fn decide<'l>(lines: impl IntoIterator<Item = Spoken<'l>>, question: &Question<'_>) -> Standing {
    let lines: Vec<Spoken<'l>> = lines.into_iter().collect();
    if lines.is_empty() {
        return Standing::Unknown;
    }
    let needs = question.separate.iter().map(|kind| kind.as_str());
    let ordinary = question.separate.is_empty().then_some("");
    needs
        .chain(ordinary)
        .map(|kind| one(&lines, question, kind))
        .max_by_key(|standing| standing.strictness())
        .unwrap_or(Standing::Unknown)
}

fn one(lines: &[Spoken<'_>], question: &Question<'_>, kind: &str) -> Standing {
    let counts = |line: &&Spoken<'_>| {
        if line.state.is_no() {
            (line.recipient.is_empty() || line.recipient == question.recipient)
                && (line.separate.is_empty() || line.separate == kind)
                && touches(line.scope, question)
        } else {
            line.recipient == question.recipient && line.separate == kind && covers(line.scope, question)
        }
    };
    let newest = lines
        .iter()
        .filter(counts)
        // To ask again takes nothing back.
        .max_by_key(|line| {
            let asked = line.state == State::Requested;
            (!asked, line.at, line.state.strictness(), line.id)
        });
    newest.map_or(Standing::Unknown, |line| line.standing(question.now))
}

impl Spoken<'_> {
    /// What the line alone amounts to.
    #[must_use]
    pub fn standing(&self, now: i64) -> Standing {
        let over = |end: Option<i64>| end.is_some_and(|end| end <= now);
        match self.state {
            State::Requested => Standing::Requested(self.id),
            State::Refused => Standing::Refused(self.id),
            State::Withdrawn => Standing::Withdrawn(self.id),
            State::Objected => Standing::Objected(self.id),
            State::Expired => Standing::Expired(self.id),
            State::Invalidated => Standing::Invalidated(self.id),
            State::Given | State::Renewed if over(self.superseded) => Standing::Invalidated(self.id),
            State::Given | State::Renewed if over(self.until) => Standing::Expired(self.id),
            State::Given | State::Renewed => Standing::Given(self.id),
        }
    }
}

/// Whether a scope holds the whole of what is asked for.
fn covers(scope: &str, question: &Question<'_>) -> bool {
    scope.is_empty()
        || scope == question.property.as_str()
        || question
            .tree
            .ancestors(question.property)
            .iter()
            .any(|above| above.as_str() == scope)
}

/// Whether a scope and what is asked for have anything in common. A scope nobody knows any more may have been anything.
fn touches(scope: &str, question: &Question<'_>) -> bool {
    if covers(scope, question) {
        return true;
    }
    let known = scope
        .parse()
        .ok()
        .filter(|code| question.tree.get(code).is_some());
    known.is_none_or(|code| question.tree.within(&code, question.property))
}

/// What the ledger answers to a purpose of the policy. `property` gives the separate consents its country asks for.
#[must_use]
pub fn answer<'l>(
    purpose: &PurposeRule,
    lines: impl IntoIterator<Item = Spoken<'l>>,
    (property, tree, now): (&PropertyCode, &PropertyTree, i64),
) -> ConsentAnswer {
    if !purpose.asks_the_ledger() {
        return ConsentAnswer::NotNeeded;
    }
    let region = tree.get(property).and_then(|node| node.region.as_deref());
    let separate = region.map_or(&[][..], |region| purpose.separate_in(region));
    let question = Question {
        recipient: purpose.recipient.as_deref().unwrap_or_default(),
        property,
        tree,
        separate,
        now,
    };
    match decide(lines, &question) {
        Standing::Given(id) => ConsentAnswer::Given(id),
        Standing::Objected(id) | Standing::Refused(id) | Standing::Withdrawn(id) => {
            ConsentAnswer::Objected(id)
        }
        _ => ConsentAnswer::Missing,
    }
}
