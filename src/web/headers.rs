//! Headers that every answer carries.

use actix_web::http::header::{
    self, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};

use crate::base::RequestId;

/// Names the request in the answer, in the access log and in the audit log.
pub const VAULT_REQUEST_ID: HeaderName = HeaderName::from_static("vault-request-id");

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// What a page may load that says nothing else: nothing.
const NOTHING: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
);

/// Adds the headers that the answer does not set itself, and the request's id.
pub fn secure(headers: &mut HeaderMap, request: Option<RequestId>) {
    let defaults = [
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (CONTENT_SECURITY_POLICY, NOTHING),
        (
            CROSS_ORIGIN_RESOURCE_POLICY,
            HeaderValue::from_static("same-origin"),
        ),
    ];
    for (name, value) in defaults {
        if !headers.contains_key(&name) {
            headers.insert(name, value);
        }
    }
    if let Some(id) = request
        && let Ok(value) = HeaderValue::from_str(&id.to_string())
    {
        headers.insert(VAULT_REQUEST_ID, value);
    }
}

/// On `/v1` nothing is ever kept by a cache, whatever the handler said.
pub fn never_store(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// Tells browsers to come by TLS only, for a year (RFC 6797).
pub fn only_tls(headers: &mut HeaderMap) {
    headers.insert(
        STRICT_TRANSPORT_SECURITY,
        HeaderValue::from_static("max-age=31536000; includeSubDomains"),
    );
}

/// The media type of a `Content-Type` header, in lower case and without parameters; `None` when it is missing,
/// is given twice or asks for another charset than UTF-8.
#[must_use]
pub fn media_type(headers: &HeaderMap) -> Option<String> {
    let mut given = headers.get_all(header::CONTENT_TYPE);
    let text = given.next()?.to_str().ok()?;
    if given.next().is_some() {
        return None;
    }
    let mut parts = text.split(';').map(str::trim);
    let media = parts.next()?.to_ascii_lowercase();
    for parameter in parts {
        let (name, value) = parameter.split_once('=')?;
        if name.eq_ignore_ascii_case("charset") && !value.trim_matches('"').eq_ignore_ascii_case("utf-8") {
            return None;
        }
    }
    Some(media)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_str(text).unwrap());
        media_type(&headers)
    }

    #[test]
    fn media_types_are_read_without_parameters_and_only_in_utf_8() {
        assert_eq!(
            typed("Application/JSON; charset=UTF-8").as_deref(),
            Some("application/json")
        );
        assert_eq!(typed("application/json").as_deref(), Some("application/json"));
        assert_eq!(typed("application/json; charset=utf-16"), None);
        assert_eq!(typed("application/json; charset"), None);
        assert_eq!(media_type(&HeaderMap::new()), None);
    }

    #[test]
    fn two_content_types_are_none() {
        let mut headers = HeaderMap::new();
        headers.append(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.append(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        assert_eq!(media_type(&headers), None);
    }

    #[test]
    fn a_pages_own_policy_is_kept_but_v1_is_never_stored() {
        let mut headers = HeaderMap::new();
        headers.insert(
            CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'self'"),
        );
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("public"));
        secure(&mut headers, None);
        assert_eq!(
            headers.get(CONTENT_SECURITY_POLICY).unwrap(),
            "default-src 'self'"
        );
        assert_eq!(headers.get(X_CONTENT_TYPE_OPTIONS).unwrap(), "nosniff");
        never_store(&mut headers);
        assert_eq!(headers.get(CACHE_CONTROL).unwrap(), "no-store");
    }
}
