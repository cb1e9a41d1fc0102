//! What stands behind handing a guest all that is stored about it: no view and no mask, because it is its own.

use crate::base::GuestId;

/// Leave to open all values of one guest for the guest itself, or its register's copy for the law. Whoever makes one
/// has checked that the call may: a decided request, or a lawful purpose and right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handover {
    guest: GuestId,
}

impl Handover {
    /// Of this guest.
    #[must_use]
    pub const fn of(guest: GuestId) -> Self {
        Self { guest }
    }

    /// Whose.
    #[must_use]
    pub const fn guest(&self) -> GuestId {
        self.guest
    }
}
