//! `[attestations]`: what the holder of a role must have current before the role is of any use.

use serde::Deserialize;

use crate::base::Role;

/// The section `[attestations]`. Without it nothing is asked.
#[derive(Deserialize, Debug, Clone, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct AttestationsConfig {
    /// Roles whose holders must have every one of `kinds` current: the member of staff named in a call, or the
    /// principal where none is named.
    pub roles: Vec<Role>,
    /// What must be current.
    pub kinds: Vec<String>,
    /// Roles of third parties: usable only for the recipient that an attestation `recipient:<name>` of the principal
    /// names.
    pub partners: Vec<Role>,
}

impl Default for AttestationsConfig {
    fn default() -> Self {
        Self {
            roles: Vec::new(),
            kinds: vec!["confidentiality".to_owned(), "training".to_owned()],
            partners: Vec::new(),
        }
    }
}

impl AttestationsConfig {
    pub(super) fn check(&self, wrong: &mut Vec<String>) {
        if self.kinds.is_empty() && !self.roles.is_empty() {
            wrong.push("[attestations] kinds must name at least one, such as \"training\"".to_owned());
        }
    }
}
