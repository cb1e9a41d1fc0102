//! Why: one decision, the rule that made it, the consent it asks for, and where the answer would be another.

use serde::{Deserialize, Serialize};

use super::{Because, ConsentAnswer, Elsewhere, Facts, LegalBasis, RuleId, Snapshot};
use crate::base::{
    Action, ConsentId, FieldIndex, FieldPath, GuestId, PropertyCode, Purpose, Role, StayState, View,
};

/// What to explain.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExplainRequest {
    /// The role that asks.
    pub role: Role,
    /// The property it acts for.
    pub property: PropertyCode,
    /// What it is about.
    pub purpose: Purpose,
    /// The guest's stay at the property.
    pub stay: StayState,
    /// The field.
    pub field: FieldPath,
    /// What it wants to do.
    pub action: Action,
    /// Whether the guest is the caller's own.
    #[serde(default)]
    pub own: bool,
    /// A guest, to learn also what its consents say: record, notice and clause.
    #[serde(default)]
    pub guest_id: Option<GuestId>,
}

/// Whether anything is shown (or, for write and search, done).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Something.
    Allowed,
    /// Nothing.
    Denied,
}

/// A rule, by place and text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct RuleText {
    /// Such as `rules.csv:42`.
    pub at: String,
    /// The line as it is written.
    pub text: String,
}

/// The consent a purpose asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ConsentAsked {
    /// For which purpose.
    pub purpose: Purpose,
    /// To whom the data may go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
}

/// One decision, explained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Explanation {
    /// The outcome, given the consent in `needs_consent`, if any.
    pub decision: Decision,
    /// How the field is shown; for write and search `plain` says yes.
    pub view: View,
    /// The rule that decided; left out when no rule speaks of it, which is a denial.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleText>,
    /// The consent without which nothing is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs_consent: Option<ConsentAsked>,
    /// The ground of the purpose.
    pub legal_basis: LegalBasis,
    /// In words.
    pub because: String,
    /// The same for whoever says it in another language.
    #[serde(skip)]
    #[schema(ignore)]
    pub reason: Because,
    /// The version of the policy that decided.
    pub policy_version: String,
}

/// Why something cannot be explained: the word is not of this policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExplainError {
    /// No such role.
    #[error("there is no role `{0}` in this policy")]
    Role(Role),
    /// No such property.
    #[error("property `{0}` is not configured")]
    Property(PropertyCode),
    /// No such purpose.
    #[error("there is no purpose `{0}` in this policy")]
    Purpose(Purpose),
    /// No such field.
    #[error("there is no field `{0}` in the catalogue")]
    Field(FieldPath),
}

impl Snapshot {
    /// Explains one decision, by the same look-up that decides.
    ///
    /// # Errors
    /// When a word is not of this policy.
    pub fn explain(&self, asked: &ExplainRequest) -> Result<Explanation, ExplainError> {
        if !self.has_role(&asked.role) {
            return Err(ExplainError::Role(asked.role.clone()));
        }
        if !self.table.knows(&asked.property) {
            return Err(ExplainError::Property(asked.property.clone()));
        }
        let purpose = self
            .purpose(&asked.purpose)
            .ok_or_else(|| ExplainError::Purpose(asked.purpose.clone()))?;
        let (at, _) = self
            .catalogue
            .find(asked.field.as_str())
            .ok_or_else(|| ExplainError::Field(asked.field.clone()))?;
        let (view, rule) = self.ask(asked, at);
        let decision = if view == View::None {
            Decision::Denied
        } else {
            Decision::Allowed
        };
        let reason = self.because(asked, at, view, rule);
        Ok(Explanation {
            decision,
            view,
            because: reason.to_string(),
            reason,
            rule: rule.map(|rule| self.rule_text(rule)),
            needs_consent: purpose.needs_consent.then(|| ConsentAsked {
                purpose: purpose.code.clone(),
                recipient: purpose.recipient.clone(),
            }),
            legal_basis: purpose.legal_basis,
            policy_version: self.version().to_owned(),
        })
    }

    /// A rule's place and text.
    pub(super) fn rule_text(&self, rule: RuleId) -> RuleText {
        RuleText {
            at: rule.to_string(),
            text: self.texts.get(&rule).cloned().unwrap_or_default(),
        }
    }

    fn ask(&self, asked: &ExplainRequest, field: FieldIndex) -> (View, Option<RuleId>) {
        let wanted = std::iter::once(field).collect();
        let grant = self.decide(
            &asked.role,
            &asked.property,
            &asked.purpose,
            asked.action,
            &wanted,
        );
        let grant = grant.map(|grant| {
            grant.narrow(&Facts {
                stay: asked.stay,
                portfolio: asked.own,
                consent: ConsentAnswer::Given(ConsentId(uuid::Uuid::nil())),
            })
        });
        grant.map_or((View::None, None), |grant| (grant.view(field), grant.rule(field)))
    }

    fn because(
        &self,
        asked: &ExplainRequest,
        field: FieldIndex,
        view: View,
        rule: Option<RuleId>,
    ) -> Because {
        match (view, rule) {
            (View::None, Some(rule)) => Because::Denied(rule),
            (View::None, None) => Because::Unspoken(self.elsewhere(asked, field)),
            (_, rule) => Because::Allowed(rule),
        }
    }

    /// Where the same role would see the field: at another stay, for its own guests, for another purpose.
    fn elsewhere(&self, asked: &ExplainRequest, field: FieldIndex) -> Elsewhere {
        let shown = |change: &dyn Fn(&mut ExplainRequest)| {
            let mut other = asked.clone();
            change(&mut other);
            self.ask(&other, field).0 != View::None
        };
        let stays: Vec<StayState> = StayState::ALL
            .into_iter()
            .filter(|stay| shown(&|other| other.stay = *stay))
            .collect();
        if !stays.is_empty() {
            return Elsewhere::Stays(stays);
        }
        if shown(&|other| other.own = true) {
            return Elsewhere::Own;
        }
        let purposes: Vec<Purpose> = self
            .purposes()
            .filter(|purpose| shown(&|other| other.purpose = purpose.code.clone()))
            .map(|purpose| purpose.code.clone())
            .collect();
        if purposes.is_empty() {
            Elsewhere::Nowhere
        } else {
            Elsewhere::Purposes(purposes)
        }
    }
}
