//! `[policies]`: which rules hold.

use std::path::PathBuf;

use serde::Deserialize;

use super::values::lenient;

/// The section `[policies]`.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields, default)]
pub struct PoliciesConfig {
    /// A folder with the files of `policies/`; a file that is not there is taken from the built-in ones.
    pub dir: Option<PathBuf>,
    /// Whether a changed folder is loaded without a restart.
    #[serde(deserialize_with = "lenient")]
    pub reload: bool,
}

impl Default for PoliciesConfig {
    fn default() -> Self {
        Self {
            dir: None,
            reload: true,
        }
    }
}
