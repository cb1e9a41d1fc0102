//! Query parameters and ids in paths, with problems instead of the framework's own words.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::{Ready, ready},
};

use actix_web::{
    Error, FromRequest, HttpRequest,
    body::{EitherBody, MessageBody},
    dev::{Payload, ServiceRequest, ServiceResponse},
    middleware::Next,
    web,
};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_path_to_error::Segment;
use utoipa::openapi::{
    OpenApi, RefOr,
    path::{Operation, ParameterIn},
};
use uuid::Uuid;

use super::{
    Kind, Problem,
    reason::{self, safe_name},
};

/// The query parameters of every call of a contract: by path, then by method.
pub struct QueryNames(BTreeMap<String, Vec<(&'static str, BTreeSet<String>)>>);

impl QueryNames {
    /// Those of this contract.
    #[must_use]
    pub fn of(api: &OpenApi) -> Self {
        let mut all: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for (path, item) in &api.paths.paths {
            let calls = [
                ("GET", &item.get),
                ("POST", &item.post),
                ("PUT", &item.put),
                ("PATCH", &item.patch),
                ("DELETE", &item.delete),
            ];
            for (method, call) in calls {
                if let Some(call) = call {
                    all.entry(path.clone()).or_default().push((method, names(call)));
                }
            }
        }
        Self(all)
    }

    /// Refuses a parameter that this call does not have; what is no call of the contract is answered elsewhere.
    fn check(&self, method: &str, pattern: &str, query: &str) -> Result<(), Problem> {
        // A pattern may say what a segment looks like, which the contract leaves out.
        let path = pattern.replace(":.*}", "}");
        let call = self
            .0
            .get(&path)
            .and_then(|calls| calls.iter().find(|(of, _)| *of == method));
        let Some((_, known)) = call else { return Ok(()) };
        let given: Vec<(String, String)> = parse(query)?;
        match given.iter().find(|(name, _)| !known.contains(name)) {
            Some((name, _)) => Err(reason::unknown(name, known)),
            None => Ok(()),
        }
    }
}

fn names(call: &Operation) -> BTreeSet<String> {
    let all = call.parameters.iter().flatten();
    all.filter_map(|parameter| match parameter {
        RefOr::T(own) if own.parameter_in == ParameterIn::Query => Some(own.name.clone()),
        _ => None,
    })
    .collect()
}

/// Refuses query parameters that a call does not have, so that no handler can forget it: a misspelt one would silently
/// change nothing.
///
/// # Errors
/// What the handlers behind it give.
pub async fn only_known<B: MessageBody + 'static>(
    names: &QueryNames,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let checked = match (request.query_string(), request.match_pattern()) {
        ("", _) | (_, None) => Ok(()),
        (query, Some(pattern)) => names.check(request.method().as_str(), &pattern, query),
    };
    match checked {
        Ok(()) => Ok(next.call(request).await?.map_into_left_body()),
        Err(problem) => Ok(problem.refuse(request).map_into_right_body()),
    }
}

/// Query parameters of a call. `T` refuses unknown ones with `deny_unknown_fields`.
pub struct StrictQuery<T>(pub T);

/// Reads a query string.
///
/// # Errors
/// [`Kind::InvalidRequest`] or [`Kind::UnknownField`], without the value.
pub fn parse<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    let (place, told) = match web::Query::<Placed<T>>::from_query(query) {
        Ok(web::Query(Placed(Ok(read)))) => return Ok(read),
        Ok(web::Query(Placed(Err(wrong)))) => wrong,
        Err(_) => ("the query".to_owned(), String::new()),
    };
    let problem = reason::problem(&place, &told);
    let first = problem.document().errors.into_iter().next();
    Err(match first {
        Some(wrong) => problem.detail(format!("The parameter {}: {}.", wrong.field, wrong.reason)),
        None => problem,
    })
}

/// What was read, or which parameter is wrong and what the decoder says: the framework's own error has no place.
struct Placed<T>(Result<T, (String, String)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Placed<T> {
    fn deserialize<D: Deserializer<'de>>(decoder: D) -> Result<Self, D::Error> {
        Ok(Self(serde_path_to_error::deserialize(decoder).map_err(|error| {
            let place = match error.path().iter().next() {
                Some(Segment::Map { key }) => safe_name(key),
                _ => "the query".to_owned(),
            };
            (place, error.inner().to_string())
        })))
    }
}

impl<T: DeserializeOwned> FromRequest for StrictQuery<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(parse(request.query_string()).map(Self))
    }
}

/// An id of a path, such as `{id}`: a text that is no id is answered like an id that does not exist.
///
/// # Errors
/// [`Kind::NotFound`].
pub fn path_id<T: From<Uuid>>(text: &str) -> Result<T, Problem> {
    // Only the hyphenated form, so that one thing has one address.
    if text.len() != 36 {
        return Err(Problem::new(Kind::NotFound));
    }
    Uuid::try_parse(text)
        .map(T::from)
        .map_err(|_| Problem::new(Kind::NotFound))
}

/// The id in the path segment `{id}`.
#[derive(Debug, Clone, Copy)]
pub struct PathId<T>(pub T);

impl<T: From<Uuid>> FromRequest for PathId<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(path_id(request.match_info().get("id").unwrap_or_default()).map(Self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::GuestId;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Filter {
        from: u32,
        #[expect(dead_code, reason = "only its name matters")]
        kind: Option<crate::base::Action>,
    }

    #[test]
    fn wrong_parameters_are_named_without_their_value() {
        let cases = [
            ("from=wangxiaoming", Kind::InvalidRequest),
            ("from=1&other=wangx", Kind::UnknownField),
            ("kind=read", Kind::InvalidRequest),
            ("from=1&kind=wangx", Kind::InvalidRequest),
            ("from=1&from=2", Kind::InvalidRequest),
        ];
        for (query, kind) in cases {
            let problem = parse::<Filter>(query).unwrap_err();
            assert_eq!(problem.kind(), kind, "{query}");
            let text = serde_json::to_string(&problem.document()).unwrap();
            assert!(!text.contains("wangx"), "{text}");
        }
        assert_eq!(parse::<Filter>("from=1").unwrap().from, 1);
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only their names and types matter")]
    struct Typed {
        count: Option<u32>,
        guest: Option<GuestId>,
        since: Option<chrono::DateTime<chrono::Utc>>,
        day: Option<chrono::NaiveDate>,
        all: Option<bool>,
        action: Option<crate::base::Action>,
        role: Option<crate::base::Role>,
    }

    #[test]
    fn a_wrong_value_is_told_by_its_parameter_and_what_is_expected() {
        for (parameter, expected) in [
            ("count", "must be a whole number in range"),
            ("guest", "must be an id: a UUID"),
            (
                "since",
                "must be a moment such as 2026-03-04T12:00:00Z, or a day such as 2026-03-04",
            ),
            (
                "day",
                "must be a moment such as 2026-03-04T12:00:00Z, or a day such as 2026-03-04",
            ),
            ("all", "must be true or false"),
            ("action", "must be one of "),
            ("role", "a role must be 1 to "),
        ] {
            let problem = parse::<Typed>(&format!("{parameter}=Wangx+42")).unwrap_err();
            let document = problem.document();
            let told = &document.errors[0];
            assert_eq!(told.field, parameter);
            assert!(told.reason.starts_with(expected), "{parameter}: {}", told.reason);
            let detail = document.detail.unwrap();
            assert!(
                detail.contains(parameter) && detail.contains(expected),
                "{detail}"
            );
            assert!(!detail.contains("Wangx"), "{detail}");
        }
    }

    #[test]
    fn what_is_no_id_is_not_found() {
        let id = GuestId::random();
        assert_eq!(path_id::<GuestId>(&id.to_string()).unwrap(), id);
        for text in [
            "",
            "1",
            &id.0.simple().to_string(),
            &format!("{{{id}}}"),
            "' OR 1=1 --0000000000000000000000000",
        ] {
            assert_eq!(
                path_id::<GuestId>(text).unwrap_err().kind(),
                Kind::NotFound,
                "{text}"
            );
        }
    }
}
