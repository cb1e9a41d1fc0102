//! Floor 5: guests. Sources say what they know ([`Vault::put_record`]), callers see what the policy lets them
//! ([`Vault::read_guest`]), staff correct and pin ([`Vault::correct`]).
//!
//! A guest is a cluster of source records; nothing is overwritten across sources: which value is shown is chosen
//! at reading ([`survivor`]), so that clusters can be taken apart again.

mod access_report;
pub mod api;
mod compound;
mod consents;
mod correct;
mod detail;
mod error;
mod exposure;
mod gather;
pub(crate) mod idempotency;
mod import;
mod inspect;
pub mod kinds;
pub(crate) mod likeness;
mod link;
pub mod log_api;
mod looks;
mod lookup;
pub(crate) mod places;
mod prepare;
mod proofs;
mod put;
mod question;
pub(crate) mod read;
mod records;
pub mod report_api;
mod report_page;
pub(crate) mod resembling;
pub mod sql;
mod stay;
mod stay_index;
mod stay_list;
mod survivor;
mod together;
mod vault;
mod window;
pub(crate) mod words;

pub(crate) use self::{idempotency::once, prepare::seal_version, stay::path as stay_path};

pub use access_report::{Access, AccessReport, YearProof};
pub use consents::{ConsentAnswer, ConsentLine, ConsentsAnswer, StandingAnswer};
pub use error::GuestError;
pub use exposure::{Exposed, Exposure, ExposureQuestion, LeafRange};
pub use import::{Incoming, Preview};
pub use inspect::Inspection;
pub use looks::Entry;
pub use lookup::{By, Candidate, DocumentBy, ExternalIdBy, LookupAnswer, MembershipBy, ReservationBy};
pub use records::{RecordView, RecordsAnswer};
pub use resembling::{Matcher, Thresholds};
pub use stay_list::{DayList, StayListAnswer, StayListInput};
pub use vault::{Parts, Vault};
pub use words::{
    AuditAnswer, FieldAnswer, GuestAnswer, LinkReason, Outcome, Party, Provenance, RecordAnswer, RecordInput,
    Rejected, Resolution, Stay, StayInput, StayRole,
};
