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

impl Caller {
    /// Who calls, as [`same_person`] compares.
    #[must_use]
    pub fn person(&self) -> (PrincipalId, Option<&str>) {
        (self.principal, self.actor.as_deref())
    }
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

/// Whether two acts may have been one person's: the same principal, unless two different people stand behind it.
#[must_use]
pub fn same_person(one: (PrincipalId, Option<&str>), other: (PrincipalId, Option<&str>)) -> bool {
    match (one.1, other.1) {
        // One person may hold two keys: what counts is who gave the order.
        // Staff ids come from systems that do not tell letters apart by case.
        (Some(one), Some(other)) => one.to_lowercase() == other.to_lowercase(),
        _ => one.0 == other.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_person_with_two_keys_is_one_person() {
        let (a, b) = (PrincipalId::random(), PrincipalId::random());
        assert!(same_person((a, None), (a, None)) && !same_person((a, None), (b, None)));
        assert!(same_person((a, Some("s-1")), (b, Some("s-1"))));
        assert!(same_person((a, Some("same.one")), (b, Some("Same.One"))));
        assert!(!same_person((a, Some("s-1")), (a, Some("s-2"))));
        assert!(same_person((a, Some("s-1")), (a, None)));
    }
}
