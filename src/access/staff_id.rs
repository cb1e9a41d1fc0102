//! On whose orders: a staff id.

use std::str::FromStr;

/// A staff id of 1 to 64 ASCII letters, digits, `.`, `_` and `-`. Without `@` and spaces there is little room for an
/// e-mail address or a full name, because it stands in the log for years.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaffId(String);

/// Why a text is not a staff id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a staff id is 1 to 64 ASCII letters, digits, '.', '_' and '-'; not an e-mail address and not a name"
)]
pub struct InvalidStaffId;

impl FromStr for StaffId {
    type Err = InvalidStaffId;

    fn from_str(text: &str) -> Result<Self, InvalidStaffId> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if text.is_empty() || text.len() > 64 || !text.chars().all(allowed) {
            return Err(InvalidStaffId);
        }
        Ok(Self(text.to_owned()))
    }
}

impl From<StaffId> for String {
    fn from(id: StaffId) -> Self {
        id.0
    }
}
