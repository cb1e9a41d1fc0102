//! Floor 3: the record of every look, change, refusal and act of administration.
//!
//! Promise P2: nothing is shown without a durable record. The types carry it: what may be shown is a grant;
//! [`Log::record`] turns a grant into a [`Receipt`] once its event is durable; only a receipt opens values.
//! Changes record their event inside their own transaction: see [`Change`].
//!
//! The [`Event`] is shaped as the leaf of the provable log: ids, field names and verdicts, never a value, a
//! name, an address or free text. What is free text goes into a sealed detail that can be deleted; the leaf
//! holds a commitment to it.

mod change;
mod event;
pub mod leaf;
pub mod search;
mod shown;
pub mod siem;
pub mod sql;
pub mod tlog;
mod writer;

pub use change::{Change, CommitError};
pub use event::{Act, Decision, Detail, Erasure, Event, GuestRefusal, RESTORED, Subject, Who};
pub use shown::{Fresh, Observer, Shown};
pub use writer::{AuditError, Log, Receipt};
