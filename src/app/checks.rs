//! What the configuration says in words that only the policy, the deadlines and the tree know; and whether the two
//! databases are of one vault, and of one time. The start and the doctor look alike.

use std::fmt::Display;

use super::AppError;
use crate::{
    audit::tlog::{
        LogError, Stored,
        note::{NoteError, Signer, Verifier},
    },
    base::{Category, PropertyCode, PropertyTree, Role},
    config::Config,
    keys::Keyring,
    policy::Snapshot,
    requests::Deadlines,
    store::Store,
};

/// Guests of whom the start asks whether they have keys.
const NEWEST: i64 = 64;

/// Roles, properties and laws that the configuration names and that there are none of, each with those that there are.
#[must_use]
pub fn strange_words(config: &Config, policy: &Snapshot, tree: &PropertyTree) -> Vec<String> {
    let mut strange = Vec::new();
    let mut role = |place: &str, role: &Role| {
        if !policy.has_role(role) {
            let known = listed(policy.roles().iter().map(|entry| &entry.code));
            strange.push(format!("{place}: the policy has no role {role}; it has {known}"));
        }
    };
    for one in &config.attestations.roles {
        role("[attestations] roles", one);
    }
    for one in &config.attestations.partners {
        role("[attestations] partners", one);
    }
    for one in config.budgets.roles.keys() {
        role("[budgets.roles]", one);
    }
    for issuer in &config.issuers {
        for one in issuer.roles.values() {
            role(&format!("[[issuers]] {} roles", issuer.issuer), one);
        }
    }
    let sign_in = config.console.sign_in.as_ref();
    for one in sign_in.iter().flat_map(|sign_in| sign_in.roles.values()) {
        role("[console.sign_in] roles", one);
    }
    let mut property = |place: &str, code: &PropertyCode| {
        if tree.get(code).is_none() {
            let known = listed(tree.iter().map(|node| &node.code));
            strange.push(format!(
                "{place}: there is no [[property]] {code}; there are {known}"
            ));
        }
    };
    if let Some(code) = &config.drp.property {
        property("[drp] property", code);
    }
    for issuer in &config.issuers {
        for code in issuer.properties.values() {
            property(&format!("[[issuers]] {} properties", issuer.issuer), code);
        }
    }
    for code in sign_in.iter().flat_map(|sign_in| sign_in.properties.values()) {
        property("[console.sign_in] properties", code);
    }
    let laws = Deadlines::shipped();
    if config.portal.enabled && laws.regime(&config.portal.regime).is_none() {
        let known = listed(laws.regimes().map(|regime| &regime.id));
        let regime = &config.portal.regime;
        strange.push(format!(
            "[portal] regime: there are no deadlines of {regime:?}; there are {known}"
        ));
    }
    strange
}

fn listed(words: impl Iterator<Item = impl Display>) -> String {
    let words: Vec<String> = words.map(|word| word.to_string()).collect();
    words.join(", ")
}

/// Whether the log in the database is signed by the key of this key store; tells that key's verifier, once the log was
/// begun. Changes nothing.
///
/// # Errors
/// [`AppError::OtherVault`] when it is not; [`LogError::Origin`] when it is called otherwise; [`LogError::Head`] and
/// [`LogError::Headless`] when its head was changed by hand.
pub async fn examine_log(
    config: &Config,
    store: &Store,
    keys: &Keyring,
) -> Result<Option<Verifier>, AppError> {
    let log = Stored::new(store.clone());
    let (Some(stored), Some((size, checkpoint))) = (log.origin().await?, log.checkpoint().await?) else {
        return if log.lacks_head().await? {
            Err(LogError::Headless.into())
        } else {
            Ok(None)
        };
    };
    if let Some(configured) = config.audit.origin.clone().filter(|name| *name != stored) {
        return Err(LogError::Origin { stored, configured }.into());
    }
    let signer = Signer::new(Some(stored), keys.log_key(false).await?).map_err(LogError::from)?;
    match signer.verifier().open(checkpoint.as_bytes()) {
        Err(NoteError::Signature) => Err(AppError::OtherVault),
        Err(other) => Err(LogError::Head(other).into()),
        Ok(checkpoint) if checkpoint.size != size => Err(LogError::Head(NoteError::Checkpoint).into()),
        Ok(_) => Ok(Some(signer.verifier().clone())),
    }
}

/// Whether the newest guests have keys: a key store that is older than the data lacks theirs, and would be given new ones
/// over what the right one opens. Changes nothing.
///
/// # Errors
/// [`AppError::OlderKeys`] when one of them has none; what database and key store say.
pub async fn examine_guests(store: &Store, keys: &Keyring) -> Result<(), AppError> {
    let newest = async { store.read().await?.newest_guests(NEWEST).await };
    let newest = newest.await.map_err(AppError::Data)?;
    // Each guest has this key from its first record on.
    let found = keys.many_guest_keys(&newest, &[Category::Audit]).await?;
    let lost = found.values().filter(|keys| !keys.has(Category::Audit)).count();
    if lost > 0 {
        return Err(AppError::OlderKeys(lost, newest.len()));
    }
    Ok(())
}
