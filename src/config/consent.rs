//! `[consent]`: what a yes must be able to show.

use serde::Deserialize;

/// The section `[consent]`.
#[derive(Deserialize, Debug, Clone, Default, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct ConsentConfig {
    /// Takes a yes without a notice for what rests on consent, as long as its purpose has none: for what was agreed to
    /// before there was a vault. It is marked, and has no record to show. Without it such a yes is refused.
    pub bare_yes: bool,
}
