//! What the integration tests share: databases, canaries, the running binary.

pub(crate) mod app;
pub(crate) mod browser;
pub(crate) mod canaries;
pub(crate) mod database;
pub(crate) mod guests;
pub(crate) mod http;
pub(crate) mod judge;
pub(crate) mod lossy;
pub(crate) mod pg;
pub(crate) mod pooler;
pub(crate) mod process;
pub(crate) mod promised;
pub(crate) mod served;
pub(crate) mod table;

/// What the table's words are here.
mod vocabulary {
    pub(super) use guest_vault::base::{Action, Category, Purpose, Role, StayState, View};
}
