//! What the doctor found.

use std::fmt::Display;

use serde::Serialize;

/// How serious a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// As it should be.
    Ok,
    /// Works, but not as it should.
    Warn,
    /// The vault cannot serve like this, or should not.
    Fail,
}

impl State {
    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub check: &'static str,
    /// How it is.
    pub state: State,
    /// In words; never a secret or a guest's value.
    pub told: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// All of them, in the order they were looked at.
#[derive(Debug, Default)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// All is well with this.
    pub fn ok(&mut self, check: &'static str, told: impl Display) {
        self.0.push(Finding {
            check,
            state: State::Ok,
            told: told.to_string(),
            advice: None,
        });
    }

    /// This works, but not as it should.
    pub fn warn(&mut self, check: &'static str, told: impl Display, advice: impl Display) {
        self.add(check, State::Warn, &told, &advice);
    }

    /// The vault should not serve like this.
    pub fn fail(&mut self, check: &'static str, told: impl Display, advice: impl Display) {
        self.add(check, State::Fail, &told, &advice);
    }

    fn add(&mut self, check: &'static str, state: State, told: &dyn Display, advice: &dyn Display) {
        self.0.push(Finding {
            check,
            state,
            told: told.to_string(),
            advice: Some(advice.to_string()),
        });
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[Finding] {
        &self.0
    }

    /// The most serious state.
    #[must_use]
    pub fn worst(&self) -> State {
        self.0
            .iter()
            .map(|finding| finding.state)
            .max()
            .unwrap_or(State::Ok)
    }
}
