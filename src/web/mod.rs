//! Floor 2: the words of HTTP. Nothing here knows a guest, a policy or a database.

pub mod etag;
pub mod headers;
pub mod health;
mod html;
pub mod json;
mod limits;
pub mod metrics;
pub mod openapi;
mod operation;
mod optional;
pub mod page;
pub mod pages;
pub mod peer;
mod problem;
pub mod query;
mod rate;
mod reason;
mod reference;
pub mod request;
pub mod scan;
pub mod tls;

pub use etag::{ETag, IfMatch};
pub use health::{Check, Readiness};
pub use html::escaped;
pub use json::{JsonBytes, MergePatch, StrictJson};
pub use limits::Limits;
pub use openapi::{Contract, describe_refusals, join_objects};
pub use operation::{Calls, operation, refusals};
pub use optional::OptionalJson;
pub use page::{Listing, Page, PageParameters};
pub use problem::{FieldProblem, Kind, PROBLEM_JSON, Problem, ProblemDocument};
pub use query::{PathId, QueryNames, StrictQuery, only_known, path_id};
pub use rate::RateLimits;
pub use request::{ClientAddress, Door, request_id};
