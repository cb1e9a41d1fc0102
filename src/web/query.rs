//! Query parameters and ids in paths, with problems instead of the framework's own words.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::{Kind, Problem, reason};

/// Query parameters of a call. `T` refuses unknown ones with `deny_unknown_fields`.
pub struct StrictQuery<T>(pub T);

/// Reads a query string.
///
/// # Errors
/// [`Kind::InvalidRequest`] or [`Kind::UnknownField`], without the value.
pub fn parse<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    match web::Query::<T>::from_query(query) {
        Ok(read) => Ok(read.into_inner()),
        Err(error) => {
            let told = match &error {
                actix_web::error::QueryPayloadError::Deserialize(cause) => cause.to_string(),
                _ => String::new(),
            };
            Err(reason::problem("the query", &told))
        }
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
    use serde::Deserialize;

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
