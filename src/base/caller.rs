//! Who asks, for whom and why.

use super::{PrincipalId, PropertyCode, Purpose, RequestId, Role};

/// How a caller proved who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// An API key of this vault.
    ApiKey,
    /// A token of a configured issuer.
    Jwt,
    /// The operator at the command line.
    Operator,
    /// A signed link that lets its holder do one thing.
    Link,
    /// A browser that is signed in.
    Session,
}

/// An authenticated caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The principal behind the credential.
    pub principal: PrincipalId,
    /// How it was proved.
    pub credential: Credential,
    /// The one role it acts in.
    pub role: Role,
    /// The property, brand and group codes it may act for.
    pub scope: Vec<PropertyCode>,
    /// The human on whose orders a service calls: a staff id, never a name.
    pub actor: Option<String>,
}

/// A caller with what it is about: the headers of one request that touches guest data.
#[derive(Debug, Clone)]
pub struct Errand {
    /// Who.
    pub caller: Caller,
    /// For which property; within the caller's scope.
    pub property: PropertyCode,
    /// Why.
    pub purpose: Purpose,
    /// Why, in words; kept only in the deletable audit detail.
    pub reason: Option<String>,
    /// Which request.
    pub request: RequestId,
}
