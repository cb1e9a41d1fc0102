//! `guest-vault policy check | test | explain`: the policy without a running vault.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use serde_json::json;

use crate::{
    base::{Action, FieldPath, PropertyCode, PropertyTree, Purpose, Role, StayState},
    consent,
    policy::{
        Decision, ExplainError, ExplainRequest, Explanation, PolicyError, PolicySource, Snapshot, cases,
    },
    retention,
};

/// What to do with the policy.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Loads the policy and says what is in it, or what is wrong and where.
    Check(Output),
    /// Runs the policy's own cases and lists every one that fails.
    Test(Output),
    /// Explains one decision: how a field is shown, and the rule that says so.
    Explain(Explain),
}

/// How to print.
#[derive(Debug, Clone, Copy, Args)]
pub struct Output {
    /// Prints one line of JSON.
    #[arg(long)]
    pub json: bool,
}

/// `policy explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// The role that asks, such as `front_desk`.
    #[arg(long)]
    pub role: Role,
    /// The property it acts for; by default the first hotel configured.
    #[arg(long, value_name = "CODE")]
    pub property: Option<PropertyCode>,
    /// What it is about, such as `check_in`.
    #[arg(long)]
    pub purpose: Purpose,
    /// The field, such as `phones`.
    #[arg(long)]
    pub field: FieldPath,
    /// The guest's stay: none, booked, arriving, `in_house`, departed or past.
    #[arg(long, default_value = "none", value_parser = stay)]
    pub stay: StayState,
    /// read, search, write or export.
    #[arg(long, default_value = "read", value_parser = action)]
    pub action: Action,
    /// The guest is the caller's own: its account manager, or the guest itself.
    #[arg(long)]
    pub own: bool,
    /// How to print.
    #[command(flatten)]
    pub output: Output,
}

/// Why the command failed.
#[derive(Debug, thiserror::Error)]
pub enum PolicyCommandError {
    /// The policy cannot be used.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// What differs from country to country cannot be used.
    #[error(transparent)]
    Consent(#[from] consent::RulesError),
    /// How long what is kept cannot be used.
    #[error(transparent)]
    Retention(#[from] retention::RulesError),
    /// The question uses a word that is not of this policy.
    #[error(transparent)]
    Unknown(#[from] ExplainError),
    /// Cases failed; they are printed already.
    #[error("{0} of the policy's cases failed")]
    Cases(usize),
    /// The answer could not be printed.
    #[error("cannot print: {0}")]
    Print(#[from] io::Error),
}

impl PolicyCommandError {
    /// The exit status: 1 failed, 2 wrong usage.
    #[must_use]
    pub const fn exit_status(&self) -> u8 {
        match self {
            Self::Unknown(_) => 2,
            _ => 1,
        }
    }
}

/// Runs a command; `out` takes what it prints.
///
/// # Errors
/// When the policy cannot be used, a case fails, or the question cannot be asked.
pub fn run(
    command: &Command,
    source: &PolicySource,
    tree: &PropertyTree,
    out: &mut impl Write,
) -> Result<(), PolicyCommandError> {
    let policy = Snapshot::without_cases(source, tree)?;
    if let (Command::Check(_), PolicySource::Folder(folder)) = (command, source) {
        consent::Rules::load(Some(folder))?;
        retention::Rules::load(Some(folder))?;
    }
    match command {
        Command::Check(output) => check(&policy, *output, out),
        Command::Test(output) => test(&policy, *output, out),
        Command::Explain(asked) => explain(&policy, asked, out),
    }
}

fn check(policy: &Snapshot, output: Output, out: &mut impl Write) -> Result<(), PolicyCommandError> {
    let report = cases::report(policy)?;
    let idle: Vec<String> = policy
        .idle_rules()
        .map(|rule| format!("{}: {}", rule.at, rule.text))
        .collect();
    let fixed: Vec<String> = policy
        .rules()
        .filter(|rule| rule.at.starts_with("fixed.csv"))
        .map(|rule| format!("{}: {}", rule.at, rule.text))
        .collect();
    let own: Vec<String> = policy
        .overrides()
        .into_iter()
        .filter(|(_, own)| *own)
        .map(|(name, _)| name)
        .collect();
    if output.json {
        let answer = json!({
            "version": policy.version(), "roles": policy.roles().len(), "purposes": policy.purposes().count(),
            "rules": policy.rules().count(), "fields": policy.catalogue().len(), "cases": report.decisions,
            "failures": report.failures, "fixed": fixed, "idle": idle, "own_files": own,
        });
        writeln!(out, "{answer}")?;
    } else {
        writeln!(
            out,
            "policy {}: {} roles, {} purposes, {} rules, {} fields; files of your own: {}",
            policy.version(),
            policy.roles().len(),
            policy.purposes().count(),
            policy.rules().count(),
            policy.catalogue().len(),
            if own.is_empty() {
                "none".to_owned()
            } else {
                own.join(", ")
            },
        )?;
        writeln!(out, "rules that always hold:")?;
        fixed.iter().try_for_each(|rule| writeln!(out, "  {rule}"))?;
        idle.iter()
            .try_for_each(|rule| writeln!(out, "warning: decides nothing: {rule}"))?;
        report
            .failures
            .iter()
            .try_for_each(|failure| writeln!(out, "failed: {failure}"))?;
    }
    finish(report.failures.len())
}

fn test(policy: &Snapshot, output: Output, out: &mut impl Write) -> Result<(), PolicyCommandError> {
    let report = cases::report(policy)?;
    if output.json {
        let answer = json!({
            "version": policy.version(), "decisions": report.decisions, "failures": report.failures,
        });
        writeln!(out, "{answer}")?;
    } else {
        report
            .failures
            .iter()
            .try_for_each(|failure| writeln!(out, "failed: {failure}"))?;
        let failed = report.failures.len();
        writeln!(
            out,
            "policy {}: {} decisions compared, {failed} failed",
            policy.version(),
            report.decisions
        )?;
    }
    finish(report.failures.len())
}

fn explain(policy: &Snapshot, asked: &Explain, out: &mut impl Write) -> Result<(), PolicyCommandError> {
    let request = ExplainRequest {
        role: asked.role.clone(),
        property: asked
            .property
            .clone()
            .unwrap_or_else(|| policy.first_property().clone()),
        purpose: asked.purpose.clone(),
        stay: asked.stay,
        field: asked.field.clone(),
        action: asked.action,
        own: asked.own,
        guest_id: None,
    };
    let explained = policy.explain(&request)?;
    if asked.output.json {
        writeln!(
            out,
            "{}",
            serde_json::to_string(&explained).map_err(io::Error::from)?
        )?;
    } else {
        print(&explained, out)?;
    }
    Ok(())
}

fn print(explained: &Explanation, out: &mut impl Write) -> io::Result<()> {
    let decision = match explained.decision {
        Decision::Allowed => "allowed",
        Decision::Denied => "denied",
    };
    writeln!(
        out,
        "{decision}, view {}: {}",
        explained.view.as_str(),
        explained.because
    )?;
    if let Some(rule) = &explained.rule {
        writeln!(out, "  {}: {}", rule.at, rule.text)?;
    }
    if let Some(consent) = &explained.needs_consent {
        let recipient = consent
            .recipient
            .as_ref()
            .map_or(String::new(), |to| format!(", to {to}"));
        writeln!(
            out,
            "  needs the guest's consent for {}{recipient}",
            consent.purpose
        )?;
    }
    writeln!(
        out,
        "  legal basis {}, policy {}",
        explained.legal_basis.as_str(),
        explained.policy_version
    )
}

const fn finish(failed: usize) -> Result<(), PolicyCommandError> {
    if failed == 0 {
        Ok(())
    } else {
        Err(PolicyCommandError::Cases(failed))
    }
}

fn stay(word: &str) -> Result<StayState, String> {
    let known = StayState::ALL.map(StayState::as_str).join(", ");
    let found = StayState::ALL.into_iter().find(|stay| stay.as_str() == word);
    found.ok_or_else(|| format!("must be one of {known}"))
}

fn action(word: &str) -> Result<Action, String> {
    let known = Action::ALL.map(Action::as_str).join(", ");
    let found = Action::ALL.into_iter().find(|action| action.as_str() == word);
    found.ok_or_else(|| format!("must be one of {known}"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::base::{PropertyKind, PropertyNode};

    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        command: Command,
    }

    fn tree() -> PropertyTree {
        PropertyTree::new(vec![PropertyNode {
            code: "LIS01".parse().unwrap(),
            kind: PropertyKind::Property,
            parent: None,
            name: String::new(),
            region: None,
            province: None,
            timezone: chrono_tz::UTC,
        }])
        .unwrap()
    }

    fn said(line: &str, source: &PolicySource) -> (Result<(), PolicyCommandError>, String) {
        let line = Line::try_parse_from(["policy"].into_iter().chain(line.split_whitespace())).unwrap();
        let mut out = Vec::new();
        let result = run(&line.command, source, &tree(), &mut out);
        (result, String::from_utf8(out).unwrap())
    }

    #[test]
    fn check_and_test_tell_what_the_shipped_policy_is() {
        let (result, text) = said("check", &PolicySource::BuiltIn);
        result.unwrap();
        assert!(text.contains("files of your own: none"), "{text}");
        assert!(text.contains("deny, admin|auditor, *, *, *, *, *, *"), "{text}");
        assert!(!text.contains("warning"), "{text}");
        let (result, text) = said("test --json", &PolicySource::BuiltIn);
        result.unwrap();
        let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert!(answer["decisions"].as_u64() > Some(1_000));
        assert_eq!(answer["failures"], json!([]));
    }

    #[test]
    fn failing_cases_and_idle_rules_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let case = "[[case]]\nrole = [\"front_desk\"]\npurpose = [\"check_in\"]\nfield = [\"phones\"]\nview = \"plain\"\n";
        std::fs::write(folder.path().join("cases.toml"), case).unwrap();
        let shipped = include_str!("../../policies/rules.csv");
        let idle = "allow, front_desk, *, check_in, phones, read, in_house, masked";
        std::fs::write(folder.path().join("rules.csv"), format!("{shipped}{idle}\n")).unwrap();
        let source = || PolicySource::Folder(folder.path().to_owned());
        let (result, text) = said("check", &source());
        assert_eq!(result.unwrap_err().exit_status(), 1);
        assert!(
            text.contains("files of your own: cases.toml, rules.csv"),
            "{text}"
        );
        assert!(
            text.contains(&format!(
                "decides nothing: rules.csv:{}: {idle}",
                shipped.lines().count() + 1
            )),
            "{text}"
        );
        let (result, text) = said("test", &source());
        assert!(matches!(result, Err(PolicyCommandError::Cases(6))), "{text}");
        assert_eq!(
            text.matches("failed: cases.toml:1: front_desk read phones at LIS01")
                .count(),
            6,
            "{text}"
        );
        std::fs::write(folder.path().join("rules.csv"), "nonsense").unwrap();
        let (result, _) = said("check", &source());
        assert!(result.unwrap_err().to_string().starts_with("rules.csv:1: "));
    }

    #[test]
    fn explain_names_the_rule_or_where_there_would_be_one() {
        let ask = |line: &str| said(&format!("explain {line}"), &PolicySource::BuiltIn);
        let (result, text) = ask("--role front_desk --purpose check_in --field phones --stay in_house");
        result.unwrap();
        assert!(text.starts_with("allowed, view reveal: rules.csv:"), "{text}");
        assert!(
            text.contains("allow, front_desk, *, $fd, phones|emails|postal_addresses, read, $in, reveal"),
            "{text}"
        );
        let (_, text) = ask("--role front_desk --purpose check_in --field phones");
        assert!(
            text.contains("no rule allows it at this stay; a rule does at arriving, in_house, departed"),
            "{text}"
        );
        let (_, text) = ask("--role account_manager --purpose loyalty --field phones");
        assert!(text.contains("unless the guest is the caller's own"), "{text}");
        let (_, text) = ask("--role marketing --purpose stay_service --field phones");
        assert!(
            text.contains("a rule does for marketing_direct, occasion_greeting, event_invitation")
                || text.contains("a rule does for occasion_greeting, marketing_direct, event_invitation"),
            "{text}"
        );
        let (_, text) = ask("--role admin --purpose check_in --field phones");
        assert!(
            text.starts_with("denied, view withheld: no rule allows it to this role"),
            "{text}"
        );
        let (_, text) =
            ask("--role front_desk --purpose billing_invoice --field preferences.room --stay in_house");
        assert!(
            text.starts_with("denied, view withheld: purposes.toml:"),
            "{text}"
        );
        let (_, text) =
            ask("--role partner --purpose third_party:spa_partner --field phones --stay booked --json");
        let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(answer["view"], "token");
        assert_eq!(
            answer["needs_consent"],
            json!({"purpose": "third_party:spa_partner", "recipient": "spa_partner"})
        );
        for wrong in [
            "--role nobody --purpose check_in --field phones",
            "--role front_desk --purpose nothing --field phones",
            "--role front_desk --purpose check_in --field phone",
            "--role front_desk --purpose check_in --field phones --property PAR01",
        ] {
            assert_eq!(ask(wrong).0.unwrap_err().exit_status(), 2, "{wrong}");
        }
    }
}
