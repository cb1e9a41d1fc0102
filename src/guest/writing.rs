//! A change that is put together before its transaction begins: SQLite has one writer, and sealing needs none.

use crate::audit::{Change, Event};

use super::{GuestError, Vault};

/// A change that begins when it must.
pub(super) struct Later<'v> {
    vault: &'v Vault,
    change: Option<Change>,
    events: Vec<Event>,
}

/// Where the statements and events of a record go.
pub(super) enum Writing<'w, 'v> {
    /// Into a change that goes on.
    Begun(&'w mut Change),
    /// Into one that begins with its first statement.
    Later(&'w mut Later<'v>),
}

impl Writing<'_, '_> {
    /// The change, begun.
    pub(super) async fn change(&mut self) -> Result<&mut Change, GuestError> {
        match self {
            Self::Begun(change) => Ok(change),
            Self::Later(later) => later.change().await,
        }
    }

    /// Records an event with the change.
    pub(super) fn record(&mut self, event: Event) {
        match self {
            Self::Begun(change) => {
                change.record(event);
            }
            Self::Later(later) => later.events.push(event),
        }
    }
}

impl<'v> Later<'v> {
    pub(super) const fn of(vault: &'v Vault) -> Self {
        Self {
            vault,
            change: None,
            events: Vec::new(),
        }
    }

    async fn change(&mut self) -> Result<&mut Change, GuestError> {
        let change = match self.change.take() {
            Some(change) => change,
            None => self.vault.log.begin(&self.vault.store).await?,
        };
        Ok(self.change.insert(change))
    }

    /// The change with its events, begun at last.
    pub(super) async fn begun(mut self) -> Result<Change, GuestError> {
        self.change().await?;
        let mut change = self.change.ok_or(GuestError::Unanswered)?;
        for event in self.events {
            change.record(event);
        }
        Ok(change)
    }
}
