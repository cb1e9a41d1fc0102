//! `guest-vault doctor`: looks at everything a vault needs, and says what is wrong and what to do. Changes nothing.

mod databases;
mod files;
mod findings;
mod settings;
#[cfg(test)]
mod tests;

use std::{
    io::{self, Write},
    sync::Arc,
};

use clap::Args;
use serde_json::json;

use crate::{
    base::Clock,
    config::{Config, ConfigError},
    policy::{Policies, PolicyError, PolicySource},
};

pub use findings::{Finding, Findings, State};

/// Looks at everything the vault needs and says what to do.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Prints one line of JSON: `{"state","findings":[…]}`.
    #[arg(long)]
    pub json: bool,
    /// Leaves out what takes long: opening every stored value.
    #[arg(long)]
    pub quick: bool,
}

/// Looks at everything. With a configuration that is not valid, at nothing else.
pub async fn examine(config: Result<&Config, &ConfigError>, quick: bool, clock: &Clock) -> Findings {
    let mut findings = Findings::default();
    let config = match config {
        Ok(config) => config,
        Err(error) => {
            for line in error.wrong() {
                findings.fail(
                    "configuration",
                    line,
                    "correct the configuration; see docs/operations.md",
                );
            }
            return findings;
        }
    };
    findings.ok("configuration", "every key is known");
    let policies = policies(config, &mut findings);
    let tree = config.properties().ok();
    let known = policies.as_ref().map(|policies| policies.current());
    let known = known.as_deref().zip(tree.as_ref());
    settings::examine(config, known, clock, &mut findings).await;
    let policies = policies.filter(|_| !quick);
    files::examine(config, clock, &mut findings);
    databases::examine(config, policies, clock, &mut findings).await;
    findings
}

fn policies(config: &Config, findings: &mut Findings) -> Option<Arc<Policies>> {
    let source = config
        .policies
        .dir
        .clone()
        .map_or(PolicySource::BuiltIn, PolicySource::Folder);
    // Checked with the rest of the configuration.
    let tree = config.properties().ok()?;
    match Policies::load(source, &tree) {
        Ok(policies) => {
            findings.ok("policies", format!("version {}", policies.current().version()));
            Some(Arc::new(policies))
        }
        Err(error) => {
            let advice = match &error {
                PolicyError::Cases { .. } => "`guest-vault policy test` lists every case that failed",
                _ => "correct the policy files; `guest-vault policy check` says where",
            };
            findings.fail("policies", error, advice);
            None
        }
    }
}

/// Prints the findings.
///
/// # Errors
/// When the output cannot be written.
pub fn print(arguments: &Doctor, findings: &Findings, out: &mut dyn Write) -> io::Result<()> {
    if arguments.json {
        return writeln!(
            out,
            "{}",
            json!({"state": findings.worst(), "findings": findings.all()})
        );
    }
    for finding in findings.all() {
        writeln!(
            out,
            "{:<5} {:<14} {}",
            finding.state.as_str(),
            finding.check,
            finding.told
        )?;
        if let Some(advice) = &finding.advice {
            writeln!(out, "{:<20} → {advice}", "")?;
        }
    }
    Ok(())
}
