//! `cases.toml`: what the policy says of itself. A policy that decides otherwise is refused as a whole.

use serde::Deserialize;
use toml::Spanned;

use super::{ConsentAnswer, Facts, PolicyError, Right, Snapshot, rules::VIEWS, words::line_of};
use crate::base::{Action, ConsentId, FieldSet, PropertyCode, Purpose, Role, StayState, View};

const FILE: &str = "cases.toml";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    case: Vec<Spanned<Case>>,
    #[serde(default)]
    right: Vec<Spanned<RightCase>>,
}

/// What one role sees of some fields: every combination of the lists is one case.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    role: Vec<Role>,
    /// The first hotel of the tree where none is named.
    property: Option<PropertyCode>,
    purpose: Vec<Purpose>,
    stay: Option<Vec<StayState>>,
    field: Vec<String>,
    #[serde(default = "read")]
    action: Action,
    /// Whether the guest is the caller's own.
    #[serde(default)]
    own: bool,
    /// Whether the guest consented, where the purpose asks.
    #[serde(default = "yes")]
    consent: bool,
    /// `withheld` for nothing; for write and search `plain` says yes.
    view: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RightCase {
    role: Vec<Role>,
    right: Vec<Right>,
    allowed: bool,
}

const fn read() -> Action {
    Action::Read
}

const fn yes() -> bool {
    true
}

/// How a policy's own cases went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CaseReport {
    /// How many decisions were compared.
    pub decisions: usize,
    /// What went otherwise: where, what was asked, what was expected and decided.
    pub failures: Vec<String>,
}

/// Runs the cases of a policy.
///
/// # Errors
/// When the file has another shape, or a case fails.
pub(super) fn run(snapshot: &Snapshot) -> Result<(), PolicyError> {
    let report = report(snapshot)?;
    match report.failures.first() {
        None => Ok(()),
        Some(first) => Err(PolicyError::Cases {
            count: report.failures.len(),
            first: first.clone(),
        }),
    }
}

/// Runs the cases of a policy and tells all that fail.
///
/// # Errors
/// When the file has another shape.
pub fn report(snapshot: &Snapshot) -> Result<CaseReport, PolicyError> {
    let text = &snapshot.files.cases;
    let file: File = toml::from_str(text).map_err(|e| {
        wrong(
            line_of(text, e.span().map_or(0, |at| at.start)),
            e.message().to_owned(),
        )
    })?;
    let mut report = CaseReport::default();
    for case in &file.case {
        let line = line_of(text, case.span().start);
        report.case(snapshot, case.get_ref(), line)?;
    }
    for case in &file.right {
        let line = line_of(text, case.span().start);
        report.right(snapshot, case.get_ref(), line)?;
    }
    Ok(report)
}

impl CaseReport {
    fn case(&mut self, snapshot: &Snapshot, case: &Case, line: u32) -> Result<(), PolicyError> {
        let asked = Asked::new(snapshot, case).map_err(|problem| wrong(line, problem))?;
        for (role, purpose) in case
            .role
            .iter()
            .flat_map(|role| case.purpose.iter().map(move |p| (role, p)))
        {
            let grant = snapshot.decide(role, asked.property, purpose, case.action, &asked.fields);
            for stay in case.stay.as_deref().unwrap_or(&StayState::ALL) {
                let grant = grant.clone().map(|grant| grant.narrow(&case.facts(*stay)));
                for at in asked.fields.iter() {
                    self.decisions += 1;
                    let decided = grant.as_ref().map_or(View::None, |grant| grant.view(at));
                    if decided != asked.expected {
                        self.failures.push(format!(
                            "{FILE}:{line}: {role} {} {} at {} for {purpose}, stay {}: expected {}, decided {}",
                            case.action.as_str(),
                            snapshot.catalogue.get(at).map_or("", |field| field.path.as_str()),
                            asked.property,
                            stay.as_str(),
                            asked.expected.as_str(),
                            decided.as_str(),
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    fn right(&mut self, snapshot: &Snapshot, case: &RightCase, line: u32) -> Result<(), PolicyError> {
        for (role, right) in case
            .role
            .iter()
            .flat_map(|role| case.right.iter().map(move |right| (role, right)))
        {
            if !snapshot.has_role(role) {
                return Err(wrong(line, format!("there is no role `{role}`")));
            }
            self.decisions += 1;
            if snapshot.allows(role, *right) != case.allowed {
                let word = if case.allowed { "lacks" } else { "has" };
                self.failures.push(format!(
                    "{FILE}:{line}: {role} {word} the right {}",
                    right.as_str()
                ));
            }
        }
        Ok(())
    }
}

impl Case {
    fn facts(&self, stay: StayState) -> Facts {
        Facts {
            stay,
            portfolio: self.own,
            consent: if self.consent {
                ConsentAnswer::Given(ConsentId(uuid::Uuid::nil()))
            } else {
                ConsentAnswer::Missing
            },
        }
    }
}

/// A case whose words are all known; an unknown one would pass as a denial.
struct Asked<'a> {
    property: &'a PropertyCode,
    fields: FieldSet,
    expected: View,
}

impl<'a> Asked<'a> {
    fn new(snapshot: &'a Snapshot, case: &'a Case) -> Result<Self, String> {
        let role = case.role.iter().find(|role| !snapshot.has_role(role));
        let purpose = case
            .purpose
            .iter()
            .find(|purpose| snapshot.purpose(purpose).is_none());
        if let Some(unknown) = role.map(Role::as_str).or(purpose.map(Purpose::as_str)) {
            return Err(format!("there is no role or purpose `{unknown}`"));
        }
        let property = case.property.as_ref().unwrap_or(&snapshot.property);
        if !snapshot.table.knows(property) {
            return Err(format!("property `{property}` is not configured"));
        }
        let mut fields = FieldSet::new();
        for word in &case.field {
            let found = snapshot.select(word);
            if found.is_empty() {
                return Err(format!("there is no field `{word}` in fields.toml"));
            }
            fields = fields.union(&found);
        }
        let expected = view_of(&case.view).ok_or_else(|| format!("there is no view `{}`", case.view))?;
        Ok(Self {
            property,
            fields,
            expected,
        })
    }
}

fn view_of(word: &str) -> Option<View> {
    VIEWS
        .into_iter()
        .chain([View::None])
        .find(|view| view.as_str() == word)
}

fn wrong(line: u32, problem: String) -> PolicyError {
    PolicyError::Line {
        file: FILE,
        line,
        problem,
    }
}
