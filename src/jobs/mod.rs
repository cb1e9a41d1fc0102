//! Floor 7: what the vault does by itself, beside answering: numbering events and telling receivers of them.
//!
//! What only one instance may do is done under a lease: a row that names its holder and when it ends.

pub mod api;
mod courier;
mod desk;
mod hook;
mod keeper;
mod lease;
mod outgoing;
mod receiver;
pub mod sql;
mod teller;

pub use courier::{Courier, CourierError, Done};
pub use desk::{DeadLetter, EventDesk, EventsAnswer, EventsError, WebhookAnswer};
pub use hook::{Hook, HookError, Outcome};
pub use keeper::Keeper;
pub use lease::Lease;
pub use outgoing::is_public;
pub use receiver::{Receiver, ReceiverError};
pub use teller::Teller;
