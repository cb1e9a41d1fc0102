//! Bodies: JSON, strictly.
//!
//! The content type, the size and then the bytes themselves (see [`scan`]) are checked before a
//! decoder sees them; `T` refuses unknown fields with `deny_unknown_fields`. No problem repeats a value.

use std::fmt::Write as _;

use actix_web::{FromRequest, HttpRequest, dev::Payload, web::Bytes};
use futures_util::{StreamExt as _, future::LocalBoxFuture};
use serde::de::DeserializeOwned;

use super::{
    Kind, Limits, Problem,
    headers::media_type,
    reason::{self, safe_name},
    scan,
};

/// The media type of RFC 7396.
pub const MERGE_PATCH_JSON: &str = "application/merge-patch+json";

/// A body of `application/json`.
pub struct StrictJson<T>(pub T);

/// A body of `application/merge-patch+json` or `application/json`.
pub struct MergePatch<T>(pub T);

/// The checked bytes of an `application/json` body, not yet decoded: for calls that need them both, such as the
/// comparison behind an `Idempotency-Key`.
pub struct JsonBytes(Bytes);

impl JsonBytes {
    /// The bytes as they came.
    #[must_use]
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// Decodes them.
    ///
    /// # Errors
    /// [`Kind::InvalidRequest`] or [`Kind::UnknownField`], naming the place but no value.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        decode(&self.0)
    }
}

impl FromRequest for JsonBytes {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = read(request, payload, &["application/json"]);
        Box::pin(async move { body.await.map(Self) })
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for StrictJson<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = read(request, payload, &["application/json"]);
        Box::pin(async move { decode(&body.await?).map(Self) })
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for MergePatch<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = read(request, payload, &[MERGE_PATCH_JSON, "application/json"]);
        Box::pin(async move { decode(&body.await?).map(Self) })
    }
}

/// Checks a document and decodes it.
///
/// # Errors
/// [`Kind::InvalidRequest`], [`Kind::UnknownField`], [`Kind::TooDeep`] or [`Kind::TooLarge`], naming the place
/// but no value.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    scan::check(bytes)?;
    decode(bytes)
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // A decoder would take a list for the members of an object, by their order.
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        return Err(Problem::new(Kind::InvalidRequest).field("the body", "must be an object"));
    }
    let mut decoder = serde_json::Deserializer::from_slice(bytes);
    serde_path_to_error::deserialize(&mut decoder)
        .map_err(|error| reason::problem(&place(error.path()), &error.inner().to_string()))
}

fn place(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut place = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => {
                let _ = write!(place, "[{index}]");
            }
            Segment::Map { key: name } | Segment::Enum { variant: name } => {
                if !place.is_empty() {
                    place.push('.');
                }
                place.push_str(&safe_name(name));
            }
            Segment::Unknown => {}
        }
    }
    if place.is_empty() {
        "the body".to_owned()
    } else {
        place
    }
}

fn read(
    request: &HttpRequest,
    payload: &mut Payload,
    types: &'static [&'static str],
) -> impl Future<Output = Result<Bytes, Problem>> + use<> {
    let limit = Limits::of(request).body_bytes;
    let checked = media_type(request.headers())
        .filter(|media| types.contains(&media.as_str()))
        .map(|_| ())
        .ok_or_else(|| {
            let accepted = types.join(" or ");
            Problem::new(Kind::UnsupportedMediaType).detail(format!("Send the body as {accepted} in UTF-8."))
        });
    // Compressed bodies are refused: a small one may grow past every limit.
    let encoded = request.headers().contains_key("content-encoding");
    let announced = request
        .headers()
        .get("content-length")
        .and_then(|n| n.to_str().ok()?.parse().ok());
    let payload = payload.take();
    async move {
        checked?;
        if encoded {
            return Err(
                Problem::new(Kind::UnsupportedMediaType).detail("Send the body without a Content-Encoding.")
            );
        }
        let bytes = collect(payload, announced.unwrap_or(0), limit).await?;
        scan::check(&bytes)?;
        Ok(bytes)
    }
}

async fn collect(mut payload: Payload, announced: usize, limit: usize) -> Result<Bytes, Problem> {
    let too_large = || Problem::new(Kind::TooLarge).detail(format!("A body may have at most {limit} bytes."));
    if announced > limit {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(announced.min(64 * 1024));
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Problem::new(Kind::InvalidRequest).detail("The body broke off."))?;
        if bytes.len() + chunk.len() > limit {
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Body {
        name: String,
        #[serde(default)]
        phones: Vec<Phone>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Phone {
        number: String,
        ext: Option<u8>,
    }

    async fn send(request: TestRequest, body: impl Into<Bytes>) -> Result<Body, Problem> {
        let (request, mut payload) = request.set_payload(body).to_http_parts();
        StrictJson::<Body>::from_request(&request, &mut payload)
            .await
            .map(|json| json.0)
    }

    fn json() -> TestRequest {
        TestRequest::post().insert_header(("content-type", "application/json"))
    }

    async fn told(body: &'static str) -> (Kind, String, String) {
        let problem = send(json(), body).await.unwrap_err();
        let error = problem.document().errors.into_iter().next().unwrap();
        (problem.kind(), error.field, error.reason)
    }

    #[actix_web::test]
    async fn a_good_body_is_read() {
        let body = send(json(), r#"{"name":"Wang","phones":[{"number":"1"}]}"#)
            .await
            .unwrap();
        assert_eq!(
            body.phones[0],
            Phone {
                number: "1".into(),
                ext: None
            }
        );
    }

    #[actix_web::test]
    async fn wrong_bodies_are_told_by_place_and_never_by_value() {
        let cases = [
            (
                r#"{"name":42424242}"#,
                Kind::InvalidRequest,
                "name",
                "must be a string",
            ),
            (
                r#"{"name":"x","phones":[{"number":"1"},{"number":"2","ext":4242}]}"#,
                Kind::InvalidRequest,
                "phones[1].ext",
                "must be u8",
            ),
            (
                r#"{"name":"x","phones":{"SECRET":1}}"#,
                Kind::InvalidRequest,
                "phones",
                "must be a sequence",
            ),
            (
                r#"{"name":"x","phones":[{"number":"1","nummer":"SECRET"}]}"#,
                Kind::UnknownField,
                "phones[0].nummer",
                "is not known here; known are: number or ext",
            ),
            (r#"{"phones":[]}"#, Kind::InvalidRequest, "name", "is missing"),
            (
                r#""SECRET""#,
                Kind::InvalidRequest,
                "the body",
                "must be an object",
            ),
            (
                r#"["SECRET"]"#,
                Kind::InvalidRequest,
                "the body",
                "must be an object",
            ),
            (
                r#"{"name":"x","SECRET 1":1}"#,
                Kind::UnknownField,
                "(unnamed)",
                "is not known here; known are: name or phones",
            ),
        ];
        for (body, kind, field, reason) in cases {
            assert_eq!(
                told(body).await,
                (kind, field.to_owned(), reason.to_owned()),
                "{body}"
            );
        }
    }

    #[actix_web::test]
    async fn only_plain_utf_8_json_is_taken() {
        let body = r#"{"name":"x"}"#;
        for media in [
            "text/plain",
            "application/json; charset=latin1",
            "application/merge-patch+json",
            "",
        ] {
            let sent = send(TestRequest::post().insert_header(("content-type", media)), body).await;
            assert_eq!(sent.unwrap_err().kind(), Kind::UnsupportedMediaType, "{media}");
        }
        assert_eq!(
            send(TestRequest::post(), body).await.unwrap_err().kind(),
            Kind::UnsupportedMediaType
        );
        let packed = json().insert_header(("content-encoding", "gzip"));
        assert_eq!(
            send(packed, body).await.unwrap_err().kind(),
            Kind::UnsupportedMediaType
        );
        assert_eq!(send(json(), "").await.unwrap_err().kind(), Kind::InvalidRequest);
    }

    #[actix_web::test]
    async fn a_body_past_the_limit_is_refused_whether_announced_or_not() {
        let limits = Limits {
            body_bytes: 100,
            ..Limits::default()
        };
        let long = format!(r#"{{"name":"{}"}}"#, "x".repeat(100));
        let sent = send(json().app_data(limits.clone()), long.clone()).await;
        assert_eq!(sent.unwrap_err().kind(), Kind::TooLarge);
        let announced = json()
            .app_data(limits)
            .set_payload("{}")
            .insert_header(("content-length", "99999999"));
        let (request, mut payload) = announced.to_http_parts();
        let sent = JsonBytes::from_request(&request, &mut payload).await;
        assert_eq!(sent.map(|_| ()).unwrap_err().kind(), Kind::TooLarge);
    }

    #[actix_web::test]
    async fn merge_patches_come_in_both_types() {
        for media in [MERGE_PATCH_JSON, "application/json"] {
            let request = TestRequest::patch()
                .insert_header(("content-type", media))
                .set_payload(r#"{"a":null}"#);
            let (request, mut payload) = request.to_http_parts();
            let patch = MergePatch::<serde_json::Value>::from_request(&request, &mut payload).await;
            assert!(patch.is_ok());
        }
    }
}
