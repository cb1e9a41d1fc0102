//! Versions over HTTP: `ETag` out, `If-Match` in (RFC 9110 §8.8.3, §13.1.1).

use std::future::{Ready, ready};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header::{ETAG, HeaderName, HeaderValue, IF_MATCH, InvalidHeaderValue, TryIntoHeaderPair},
};

use super::{Kind, Problem};

/// The version of a thing, as a strong entity tag: `"7"`. Give it to `insert_header`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ETag(pub u64);

impl TryIntoHeaderPair for ETag {
    type Error = InvalidHeaderValue;

    fn try_into_pair(self) -> Result<(HeaderName, HeaderValue), InvalidHeaderValue> {
        Ok((ETAG, HeaderValue::from_str(&format!("\"{}\"", self.0))?))
    }
}

/// Which version the caller means to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IfMatch {
    /// No header: whatever is there.
    Absent,
    /// `*`: any version, but there must be one.
    Any,
    /// One of these versions; a tag that is none of ours matches nothing.
    Versions(Vec<u64>),
}

impl IfMatch {
    /// Whether the caller means what is there: this version, or nothing.
    #[must_use]
    pub fn holds(&self, current: Option<i64>) -> bool {
        match self {
            Self::Absent => true,
            Self::Any => current.is_some(),
            Self::Versions(versions) => current.is_some_and(|now| versions.contains(&now.unsigned_abs())),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        if text.trim() == "*" {
            return Some(Self::Any);
        }
        let mut versions = Vec::new();
        for tag in text.split(',').map(str::trim) {
            // A weak tag never matches in If-Match, but it is well-formed.
            let (weak, tag) = tag.strip_prefix("W/").map_or((false, tag), |t| (true, t));
            let inner = tag.strip_prefix('"')?.strip_suffix('"')?;
            if !weak && let Ok(version) = inner.parse() {
                versions.push(version);
            }
        }
        Some(Self::Versions(versions))
    }
}

impl FromRequest for IfMatch {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let given: Vec<_> = request.headers().get_all(IF_MATCH).collect();
        let read = match given.as_slice() {
            [] => Some(Self::Absent),
            [one] => one.to_str().ok().and_then(Self::parse),
            _ => None,
        };
        ready(read.ok_or_else(|| {
            Problem::new(Kind::InvalidRequest).field("If-Match", "must be * or entity tags such as \"7\"")
        }))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    async fn read(text: &str) -> Result<IfMatch, Problem> {
        IfMatch::extract(
            &TestRequest::default()
                .insert_header((IF_MATCH, text))
                .to_http_request(),
        )
        .await
    }

    #[actix_web::test]
    async fn tags_are_read_as_the_rfc_writes_them() {
        assert_eq!(read("\"7\"").await.unwrap(), IfMatch::Versions(vec![7]));
        assert_eq!(read("\"7\", \"8\"").await.unwrap(), IfMatch::Versions(vec![7, 8]));
        assert_eq!(read("*").await.unwrap(), IfMatch::Any);
        assert_eq!(
            IfMatch::extract(&TestRequest::default().to_http_request())
                .await
                .unwrap(),
            IfMatch::Absent
        );
        assert_eq!(read("7").await.unwrap_err().kind(), Kind::InvalidRequest);
        assert_eq!(read("").await.unwrap_err().kind(), Kind::InvalidRequest);
    }

    #[actix_web::test]
    async fn weak_and_foreign_tags_match_nothing() {
        for text in ["W/\"7\"", "\"abc\"", "\"-7\"", "\"99999999999999999999999\""] {
            assert!(!read(text).await.unwrap().holds(Some(7)), "{text}");
        }
        assert!(read("\"7\"").await.unwrap().holds(Some(7)));
        // RFC 9110 §13.1.1: `*` is false where there is nothing.
        let any = read("*").await.unwrap();
        assert!(any.holds(Some(7)) && !any.holds(None));
    }

    #[test]
    fn the_tag_goes_out_quoted() {
        let (_, value) = ETag(7).try_into_pair().unwrap();
        assert_eq!(value, "\"7\"");
    }
}
