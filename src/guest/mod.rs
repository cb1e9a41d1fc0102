//! Floor 5: guests. Sources say what they know ([`Vault::put_record`]), callers see what the policy lets them
//! ([`Vault::read_guest`]), staff correct and pin ([`Vault::correct`]).
//!
//! A guest is a cluster of source records; nothing is overwritten across sources: which value is shown is chosen
//! at reading ([`survivor`]), so that clusters can be taken apart again.

mod access_report;
pub mod api;
mod approach;
mod compound;
pub mod consent_api;
mod consents;
mod cores;
mod correct;
mod detail;
pub mod disclosures;
mod error;
mod evidence;
pub mod export;
mod export_fetch;
mod exposure;
mod gather;
pub(crate) mod glass;
mod gone;
mod handles;
mod heard;
mod holders;
mod houses;
mod idempotency;
mod import;
pub(crate) mod import_job;
mod inspect;
pub mod kinds;
mod lapsing;
mod ledger_line;
pub(crate) mod likeness;
mod link;
pub mod log_api;
mod log_export;
mod looks;
mod lookup;
mod minors;
mod notices;
mod observation;
mod occasion;
pub(crate) mod places;
mod portfolio;
mod prepare;
mod proofs;
mod put;
mod question;
mod reached_by;
pub(crate) mod read;
mod records;
pub mod report_api;
mod report_page;
pub(crate) mod resembling;
mod sensitive;
mod several;
pub mod sql;
mod stay;
mod stay_index;
mod stay_list;
pub(crate) mod stay_words;
mod survivor;
mod take_back;
mod together;
mod unsubscribe;
mod values;
mod vault;
mod why;
mod window;
pub(crate) mod words;
mod writing;

pub(crate) use self::{
    consents::evidence_place, idempotency::once, ledger_line::Beside, observation::stands_for,
    prepare::seal_version, put::source_id_place, read::STAY_LINKS, stay::path as stay_path,
};

pub use access_report::{Access, AccessReport, REPORT_KIND, YearProof, report_digest};
pub use approach::{Approach, Channel, CheckAnswer, CheckInput, SuppressionAnswer, SuppressionInput};
pub use consents::{ConsentAnswer, ConsentLine, ConsentsAnswer, StandingAnswer};
pub use disclosures::{Disclosure, KEPT_YEARS, Wanted};
pub use error::GuestError;
pub use evidence::RecordFormat;
pub use export::{ExportAnswer, ExportInput, ExportState};
pub use export_fetch::{Export, ExportEnd, ExportLine};
pub use exposure::{Exposed, Exposure, ExposureQuestion, LeafRange, LogBegins};
pub use glass::BreakGlassAnswer;
pub use heard::Heard;
pub use import::{Checked, Incoming, Manner, Preview};
pub use import_job::{Counts, Job};
pub use inspect::Inspection;
pub use lapsing::Lapsing;
pub use log_export::LogExport;
pub use looks::Entry;
pub use lookup::{By, Candidate, DocumentBy, ExternalIdBy, LookupAnswer, MembershipBy, ReservationBy};
pub use notices::Published;
pub use observation::{ObservationAnswer, ObservationDecision, ObservationInput, WaitingObservation};
pub use occasion::{Occasion, OccasionKind, OccasionPlace, OccasionsInput};
pub use records::{RecordView, RecordsAnswer};
pub use resembling::{Matcher, Thresholds};
pub use stay_list::{DayList, StayListAnswer, StayListInput};
pub use take_back::RolledBack;
pub use vault::{Overdue, Parts, Vault};
pub use why::{ConsentSaid, NoticeSaid, WhyAnswer};
pub use words::{
    AuditAnswer, FieldAnswer, GuestAnswer, LinkReason, Outcome, Party, Provenance, RecordAnswer, RecordInput,
    Rejected, Resolution, Stay, StayInput, StayRole,
};
