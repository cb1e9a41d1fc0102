//! Floor 2: the words of HTTP. Nothing here knows a guest, a policy or a database.

pub mod etag;
pub mod headers;
pub mod json;
mod limits;
pub mod metrics;
pub mod page;
pub mod peer;
mod problem;
pub mod query;
mod rate;
mod reason;
pub mod request;
pub mod scan;

pub use etag::{ETag, IfMatch};
pub use json::{JsonBytes, MergePatch, StrictJson};
pub use limits::Limits;
pub use page::{Listing, Page};
pub use problem::{FieldProblem, Kind, PROBLEM_JSON, Problem, ProblemDocument};
pub use query::{PathId, StrictQuery, path_id};
pub use rate::RateLimits;
pub use request::{ClientAddress, Door};
