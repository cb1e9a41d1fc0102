//! Floor 7: the pages of the compliance console at `/console`.
//!
//! ```text
//! officer.rs    a browser's session → who looks, in which role; nothing of it is believed from the page
//! <page>.rs     the facts of a page, asked of the same use cases as the API: policy-checked and recorded
//! <page>.html   what is shown of them
//! calls.rs      the same facts as calls of the API, where no other folder gives them
//! ```
//!
//! A page shows what its role may see over the API, no more: each part asks for its own right, and a part whose right
//! the role has not is not there. Every look is in the log, like any other.

mod audit;
mod bundle;
pub(crate) mod calls;
mod check;
mod consent;
mod disclosures;
mod due;
mod exports;
mod exposure;
mod frame;
mod holds;
mod intake;
mod logs;
mod officer;
mod processing;
mod requests;
mod retention;
mod reviews;
mod routes;
mod sign_in;
pub mod sql;
mod today;
mod volume;
mod why;
mod withdrawals;

use std::{path::PathBuf, sync::Arc};

pub use calls::ConsoleCalls;
pub use check::{Proven, check};
pub use consent::Standings;
pub use routes::{area, pages};

use crate::{
    access::{Attestations, OpenId, Sessions},
    audit::tlog::{Sequencer, note::Verifier},
    guest::Vault,
    jobs::Courier,
    policy::{Desk, Right},
    requests::Requests,
    web::pages::Item,
};

/// What the pages need. Cheap to clone.
#[derive(Clone)]
pub struct Console {
    /// Guests, log and policy.
    pub vault: Vault,
    /// Requests of guests.
    pub requests: Requests,
    /// The policy, for those who may read it.
    pub desk: Desk,
    /// Who is signed in.
    pub sessions: Sessions,
    /// What holders of roles must have current.
    pub attestations: Arc<Attestations>,
    /// Where people sign in; without it nobody can, but in a demonstration.
    pub provider: Option<Arc<OpenId>>,
    /// Whether anybody may choose a role and be it: in a demonstration.
    pub anybody: bool,
    /// What signs the log, and by what it is checked.
    pub sequencer: Arc<Sequencer>,
    /// How consents stand, as last counted.
    pub standings: Arc<Standings>,
    /// Who keeps a copy of the log, and who cosigns it.
    pub keepers: Arc<Keepers>,
    /// Who is told of what happens.
    pub courier: Arc<Courier>,
}

impl Console {
    /// By what the log is checked.
    fn verifier(&self) -> &Verifier {
        self.sequencer.signer().verifier()
    }
}

/// Who keeps a copy of the log, and who cosigns it.
#[derive(Debug, Clone, Default)]
pub struct Keepers {
    /// The folder of the mirror.
    pub mirror: Option<PathBuf>,
    /// The names of the witnesses.
    pub witnesses: Vec<String>,
    /// For how many days entries are kept; for ever without it.
    pub retention_days: Option<u32>,
}

/// A page of the navigation, and the rights of which one opens it.
struct Section {
    item: Item,
    rights: &'static [Right],
}

macro_rules! sections {
    ($($path:literal $text:literal: $($right:ident)|+;)*) => {
        /// The pages, in the order of the navigation.
        const SECTIONS: &[Section] = &[$(Section {
            item: Item { path: $path, text: $text },
            rights: &[$(Right::$right),+],
        }),*];
    };
}

sections! {
    "/console" "console.nav.today": ReadAudit | ManageRequests | ApproveRequests | MergeGuests;
    "/console/requests" "console.nav.requests": ManageRequests | ApproveRequests;
    "/console/reviews" "console.nav.reviews": MergeGuests;
    "/console/audit" "console.nav.audit": ReadAudit;
    "/console/exposure" "console.nav.exposure": ReadAudit;
    "/console/why" "console.nav.why": ReadPolicy;
    "/console/consent" "console.nav.consent": ReadAudit;
    "/console/retention" "console.nav.retention": ManageRetention | ManageHolds;
    "/console/exports" "console.nav.exports": ApproveRequests;
    "/console/disclosures" "console.nav.disclosures": ReadAudit;
    "/console/processing" "console.nav.processing": ReadAudit;
    "/console/log" "console.nav.log": ReadAudit;
}
