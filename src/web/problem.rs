//! Every refusal is one of these: RFC 9457 problem documents with stable types.
//!
//! A problem never carries personal data: not the value that was wrong, not who was looked for, not the cause's
//! own words. Causes go to the log by the code that maps them.

use std::{borrow::Cow, fmt};

use actix_web::{
    HttpResponse, ResponseError,
    dev::{ServiceRequest, ServiceResponse},
    http::{
        StatusCode,
        header::{self, HeaderValue},
    },
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::headers;
use crate::base::RequestId;

/// The media type of RFC 9457.
pub const PROBLEM_JSON: &str = "application/problem+json";

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $slug:literal, $status:literal, $title:literal, $advice:literal;)*) => {
        /// What kind of refusal; stable, documented in `docs/errors.md`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Kind {
            $($(#[$doc])* $name,)*
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The last part of `type`: `/problems/<slug>`.
            #[must_use]
            pub const fn slug(self) -> &'static str {
                match self { $(Self::$name => $slug,)* }
            }

            /// One short sentence, the same every time.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// What to do about it, where nothing more is known.
            #[must_use]
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$name => $advice,)* }
            }

            const fn code(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }
        }
    };
}

kinds! {
    /// No credential, or one that is not valid (any more).
    Unauthenticated = "unauthenticated", 401, "This call needs a valid credential",
        "Check the key with `guest-vault principal list`; make a new one with `guest-vault principal create`. For a token: issuer, audience, expiry and algorithm must be those of the configuration.";
    /// The caller may not do this at all.
    Forbidden = "forbidden", 403, "This caller may not do this",
        "`POST /v1/policy/explain` names the rule that is missing. A rate of refusals is worth a look: somebody may be trying doors.";
    /// The property lies outside the caller's scope.
    PropertyOutOfScope = "property-out-of-scope", 403, "This caller may not act for this property",
        "Use a code within the scope of the credential (`guest-vault principal list`).";
    /// What the holder of the role must have current is not.
    NotAttested = "not-attested", 403, "An attestation of this caller is missing or has lapsed",
        "Renew it and have it written down (`guest-vault principal attest`), or get a token that says so.";
    /// The guest is kept for the law and for its own requests only.
    Restricted = "restricted", 403, "This guest is kept for the law only",
        "The case tells until when: `GET /v1/requests/{id}`.";
    /// The purpose is for emergencies, and the guest was not opened for it.
    BreakGlass = "break-glass", 403, "For this purpose the guest has to be opened first",
        "Send `POST /v1/guests/{id}/break-glass` with the same headers and a `Vault-Reason`, then repeat the call. Another person will judge it within 72 hours.";
    /// Missing, or hidden from this caller: the two are not told apart.
    NotFound = "not-found", 404, "There is nothing here for this caller",
        "Check the address and the id; an id is a UUID with hyphens. Then check the property and the purpose: they decide which guests a caller can see.";
    /// The path exists, the method does not.
    MethodNotAllowed = "method-not-allowed", 405, "This path does not know this method",
        "See `/docs`.";
    /// It was there and has been erased.
    Gone = "gone", 410, "This has been erased",
        "Forget the id, and whatever was stored beside it.";
    /// The request is not understood.
    InvalidRequest = "invalid-request", 400, "The request is not valid",
        "Compare with `/docs`. JSON must be UTF-8, with each key once, without NUL characters and with nothing behind its end.";
    /// A field is named that does not exist.
    UnknownField = "unknown-field", 400, "The request names a field that does not exist",
        "Correct the spelling: `errors` and `/docs` tell what the call has, `GET /v1/policy` lists the catalogue. A hotel adds fields of its own in `policies/fields.toml`.";
    /// `Vault-Purpose` is missing.
    MissingPurpose = "missing-purpose", 400, "This call needs the header Vault-Purpose",
        "Send the purpose of the work being done, such as `Vault-Purpose: check_in`.";
    /// `Vault-Purpose` names no configured purpose.
    UnknownPurpose = "unknown-purpose", 400, "Vault-Purpose names no configured purpose",
        "Use one of the configured purposes (`GET /v1/policy`).";
    /// `Vault-Property` is missing.
    MissingProperty = "missing-property", 400, "This call needs the header Vault-Property",
        "Send its code, such as `Vault-Property: LIS01`; for the whole chain, the code of the group.";
    /// `Vault-Reason` is missing where it must be given.
    ReasonRequired = "reason-required", 400, "This call needs the header Vault-Reason",
        "Send `Vault-Reason` with at most 200 characters. Do not write personal data into it.";
    /// The body is nested too deeply.
    TooDeep = "too-deep", 400, "The body is nested too deeply",
        "Send flatter JSON.";
    /// The body is too large.
    TooLarge = "too-large", 413, "The body is too large",
        "Send less per call; use the import for many records.";
    /// The request line and headers are too large.
    HeadersTooLarge = "headers-too-large", 431, "The headers are too large",
        "Send shorter headers; filters with many values belong into the body of a POST.";
    /// The body is not of the type this call takes.
    UnsupportedMediaType = "unsupported-media-type", 415, "The body is not of the type this call takes",
        "Set `Content-Type: application/json` and send no `Content-Encoding`.";
    /// The thing is in a state in which this cannot be done.
    Conflict = "conflict", 409, "This cannot be done in the present state",
        "Read it again, then decide anew.";
    /// `If-Match` names another version than the present one.
    PreconditionFailed = "precondition-failed", 412, "This has been changed since it was read",
        "Read it again, look at the changes, and send the new `ETag`.";
    /// The same `Idempotency-Key` came with another body.
    IdempotencyConflict = "idempotency-conflict", 422, "The Idempotency-Key was used for another request",
        "Use a new key for a new request, and the old one only for a retry of the very same.";
    /// A value cannot be valid, so all of it was refused.
    RecordRejected = "record-rejected", 422, "The record holds values that cannot be valid",
        "Correct the values that `errors` names, or leave them out. A source's record that is sent without `strict` is kept as far as it is valid.";
    /// Too many calls in a short time.
    RateLimited = "rate-limited", 429, "Too many calls",
        "Wait for the seconds in `Retry-After`.";
    /// The caller's access budget is used up.
    BudgetExceeded = "budget-exceeded", 429, "The access budget is used up",
        "Wait for the seconds in `Retry-After`, or ask the officer to raise the budget.";
    /// A fault of the vault.
    Internal = "internal", 500, "The vault failed to answer",
        "Give the operator the `instance`: the log has the cause under this request id.";
    /// Stored bytes do not open.
    Damaged = "damaged", 500, "Stored data is damaged",
        "Run `guest-vault doctor`: it names the row. Restore it from a backup.";
    /// The database, the keys or the audit log cannot be reached, so nothing may be shown.
    Unavailable = "unavailable", 503, "The vault cannot serve at the moment",
        "Try again after `Retry-After`; `/readyz` and `guest-vault doctor` tell the operator what is missing.";
    /// The answer took too long.
    Timeout = "timeout", 503, "The answer took too long",
        "Try again; with the same `Idempotency-Key` a change is not made twice.";
}

impl Kind {
    /// The HTTP status.
    #[must_use]
    pub fn status(self) -> StatusCode {
        StatusCode::from_u16(self.code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The kind that says best what a bare status says; for answers that the framework makes by itself.
    #[must_use]
    pub fn of_status(status: StatusCode) -> Self {
        match status.as_u16() {
            401 => Self::Unauthenticated,
            403 => Self::Forbidden,
            404 => Self::NotFound,
            405 => Self::MethodNotAllowed,
            409 => Self::Conflict,
            410 => Self::Gone,
            412 => Self::PreconditionFailed,
            413 => Self::TooLarge,
            415 => Self::UnsupportedMediaType,
            408 | 504 => Self::Timeout,
            429 => Self::RateLimited,
            431 => Self::HeadersTooLarge,
            503 => Self::Unavailable,
            400..=499 => Self::InvalidRequest,
            _ => Self::Internal,
        }
    }
}

/// What is wrong with one field of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FieldProblem {
    /// The field, header or parameter.
    #[schema(max_length = 200)]
    pub field: String,
    /// What is wrong, without the value.
    #[schema(max_length = 1000)]
    pub reason: String,
}

/// A refusal.
#[derive(Debug, Clone)]
pub struct Problem {
    kind: Kind,
    detail: Option<Cow<'static, str>>,
    errors: Vec<FieldProblem>,
    instance: Option<RequestId>,
    retry_after: Option<u32>,
    moved_to: Option<Uuid>,
}

impl Problem {
    /// What was asked for lies at the same address under another id: the answer is 308 (RFC 9110 §15.4.9) where the id
    /// is part of the address, and this problem elsewhere.
    #[must_use]
    pub const fn moved_to(mut self, id: Uuid) -> Self {
        self.moved_to = Some(id);
        self
    }

    /// The id under which it lies now.
    #[must_use]
    pub const fn moved(&self) -> Option<Uuid> {
        self.moved_to
    }

    /// A problem of this kind, saying no more than its kind does.
    #[must_use]
    pub const fn new(kind: Kind) -> Self {
        Self {
            kind,
            detail: None,
            errors: Vec::new(),
            instance: None,
            retry_after: None,
            moved_to: None,
        }
    }

    /// Says what to do about it. Must not hold personal data or any value of the request.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Names the fields that are wrong.
    #[must_use]
    pub fn errors(mut self, errors: Vec<FieldProblem>) -> Self {
        self.errors = errors;
        self
    }

    /// Names one more field that is wrong.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>, reason: impl Into<String>) -> Self {
        self.errors.push(FieldProblem {
            field: field.into(),
            reason: reason.into(),
        });
        self
    }

    /// Says after how many seconds a new try may succeed (`Retry-After`).
    #[must_use]
    pub const fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Names the request; the outermost middleware does it for every problem.
    #[must_use]
    pub const fn instance(mut self, request: RequestId) -> Self {
        self.instance = Some(request);
        self
    }

    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The document that goes out.
    #[must_use]
    pub fn document(&self) -> ProblemDocument {
        ProblemDocument {
            kind: format!("/problems/{}", self.kind.slug()),
            title: self.kind.title().to_owned(),
            status: self.kind.code(),
            detail: Some(self.detail.as_deref().unwrap_or(self.kind.advice()).to_owned()),
            instance: self.instance.map(|id| format!("urn:uuid:{id}")),
            errors: self.errors.clone(),
        }
    }

    /// Answers a request with this problem from within a middleware, so that the request's route stays known
    /// to the access log (an `Err` would lose it).
    #[must_use]
    pub fn refuse(self, request: ServiceRequest) -> ServiceResponse {
        request.error_response(self)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.title())
    }
}

impl std::error::Error for Problem {}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.kind.status()
    }

    fn error_response(&self) -> HttpResponse {
        let body = serde_json::to_vec(&self.document()).unwrap_or_default();
        let mut response = HttpResponse::build(self.status_code());
        response.content_type(PROBLEM_JSON);
        if self.kind == Kind::Unauthenticated {
            response.insert_header((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        }
        if let Some(seconds) = self.retry_after {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        let mut response = response.body(body);
        headers::secure(response.headers_mut(), self.instance);
        response
    }
}

/// The wire form of a [`Problem`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDocument {
    /// A stable relative reference, documented in the list of errors.
    #[serde(rename = "type")]
    #[schema(example = "/problems/not-found", max_length = 60)]
    pub kind: String,
    /// The same sentence for every problem of this type.
    #[schema(max_length = 100)]
    pub title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1000)]
    pub detail: Option<String>,
    /// The request, as the access log names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "urn:uuid:0198c5a0-0000-7000-8000-000000000000", max_length = 45)]
    pub instance: Option<String>,
    /// The fields that are wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 1000)]
    pub errors: Vec<FieldProblem>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_errors_documents_every_kind_with_its_status_and_no_other() {
        let text = include_str!("../../docs/errors.md");
        let documented: Vec<&str> = text.lines().filter(|l| l.starts_with("## `")).collect();
        let expected: Vec<String> = Kind::ALL
            .iter()
            .map(|k| format!("## `/problems/{}` · {}", k.slug(), k.code()))
            .collect();
        assert_eq!(documented, expected);
        for kind in Kind::ALL {
            assert!(
                text.contains(&format!("*{}.*", kind.title())),
                "title of {}",
                kind.slug()
            );
        }
    }

    #[test]
    fn the_list_of_errors_gives_the_advice_of_the_answers() {
        let text = include_str!("../../docs/errors.md");
        let words: Vec<&str> = text.split_whitespace().collect();
        let text = words.join(" ");
        for kind in Kind::ALL {
            assert!(text.contains(kind.advice()), "{}", kind.slug());
        }
    }

    #[test]
    fn slugs_are_unique_and_statuses_are_errors() {
        let slugs: std::collections::HashSet<_> = Kind::ALL.iter().map(|k| k.slug()).collect();
        assert_eq!(slugs.len(), Kind::ALL.len());
        assert!(Kind::ALL.iter().all(|k| (400..600).contains(&k.code())));
    }

    #[actix_web::test]
    async fn the_answer_is_a_problem_document_with_the_security_headers() {
        let id = RequestId::random();
        let problem = Problem::new(Kind::RateLimited)
            .detail("wait")
            .field("limit", "too large")
            .retry_after(3)
            .instance(id);
        let response = problem.error_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        let header = |name: &str| response.headers().get(name).unwrap().to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), PROBLEM_JSON);
        assert_eq!(header("retry-after"), "3");
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("vault-request-id"), id.to_string());
        let body = actix_web::body::to_bytes(response.into_body()).await.unwrap();
        let document: ProblemDocument = serde_json::from_slice(&body).unwrap();
        assert_eq!(document, problem.document());
        assert_eq!(document.instance, Some(format!("urn:uuid:{id}")));
        assert_eq!(document.kind, "/problems/rate-limited");
    }
}
