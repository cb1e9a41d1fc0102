//! What the configuration names: words of the policy, files, keys.

use std::path::Path;

use super::{Findings, files};
use crate::{
    access::Issuers,
    app::{AppError, strange_words, witnesses},
    base::{Clock, PropertyTree},
    config::{Config, JwksSource},
    consent,
    policy::Snapshot,
    retention,
};

/// Looks at what a start would refuse beside the files and the databases.
pub(super) async fn examine(
    config: &Config,
    known: Option<(&Snapshot, &PropertyTree)>,
    clock: &Clock,
    findings: &mut Findings,
) {
    if let Some((policy, tree)) = known {
        for told in strange_words(config, policy, tree) {
            findings.fail(
                "configuration",
                told,
                "correct the configuration; see docs/operations.md",
            );
        }
    }
    rules(config.policies.dir.as_deref(), findings);
    // Addresses are asked while serving; a file that cannot be read stops the start.
    let on_disk = |issuer: &&crate::config::IssuerConfig| matches!(issuer.jwks, JwksSource::File(_));
    let issuers: Vec<_> = config.issuers.iter().filter(on_disk).cloned().collect();
    if let Err(error) = Issuers::open(&issuers, clock.clone()).await {
        findings.fail(
            "issuers",
            error,
            "correct [[issuers]]; `jwks.file` is a JSON Web Key Set",
        );
    }
    if let Err(error) = witnesses(config) {
        findings.fail("witnesses", error, "correct [[audit.witness]]");
    }
    if let Some(folder) = &config.audit.mirror
        && let Err(error) = files::could_write(folder)
    {
        let told = format!("{} cannot be written: {error}", folder.display());
        findings.fail(
            "mirror",
            told,
            "give the vault's user the right to write audit.mirror",
        );
    }
}

fn rules(folder: Option<&Path>, findings: &mut Findings) {
    let consent = consent::Rules::load(folder).map(drop).map_err(AppError::from);
    let retention = retention::Rules::load(folder).map(drop).map_err(AppError::from);
    for error in [consent, retention].into_iter().filter_map(Result::err) {
        findings.fail("policies", error, "correct the file");
    }
}
