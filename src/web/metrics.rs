//! Numbers for Prometheus: kept by the process, read at `/metrics` with a token of their own.
//!
//! Labels are route templates, methods and statuses; never a path, an id or a name.

use std::{sync::OnceLock, time::Duration};

use actix_web::{HttpRequest, HttpResponse, http::header::AUTHORIZATION, web};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;

use super::{Kind, Problem};

/// How long requests take, by method, route template and status.
pub const HTTP_DURATION: &str = "guest_vault_http_request_duration_seconds";

const BUCKETS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0,
];

static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Starts recording; once per process, later calls give the same. `None` when another recorder is in place.
pub fn recorder() -> Option<PrometheusHandle> {
    RECORDER
        .get_or_init(|| {
            let builder = PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Full(HTTP_DURATION.to_owned()), &BUCKETS)
                .ok()?;
            let handle = builder.install_recorder().ok()?;
            metrics::describe_histogram!(
                HTTP_DURATION,
                metrics::Unit::Seconds,
                "How long requests took, by method, route and status"
            );
            Some(handle)
        })
        .clone()
}

/// Counts an answered request.
pub(super) fn answered(method: &'static str, route: &str, status: u16, took: Duration) {
    metrics::histogram!(
        HTTP_DURATION,
        "method" => method,
        "route" => route.to_owned(),
        "status" => status.to_string()
    )
    .record(took);
}

/// The token that reads `/metrics`; without one nobody may.
pub struct MetricsToken(pub Option<SecretString>);

/// Numbers for Prometheus.
///
/// # Errors
/// [`Kind::Unauthenticated`] without the token; [`Kind::NotFound`] when none is configured.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "operation",
    responses(
        (status = 200, description = "Prometheus text format", content_type = "text/plain", body = String),
        (status = 401, body = super::ProblemDocument, content_type = "application/problem+json"),
        (status = 404, body = super::ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("metrics_token" = []))
)]
pub async fn metrics(request: HttpRequest, token: web::Data<MetricsToken>) -> Result<HttpResponse, Problem> {
    let (Some(expected), Some(handle)) = (&token.0, recorder()) else {
        return Err(Problem::new(Kind::NotFound)
            .detail("Set metrics_token in the configuration's [server] to read the metrics."));
    };
    let given = request
        .headers()
        .get(AUTHORIZATION)
        .and_then(|v| v.as_bytes().strip_prefix(b"Bearer "));
    #[expect(
        clippy::disallowed_methods,
        reason = "compared with what the caller sent, in constant time"
    )]
    let expected = expected.expose_secret().as_bytes();
    if !given.is_some_and(|given| bool::from(given.ct_eq(expected))) {
        return Err(Problem::new(Kind::Unauthenticated));
    }
    // Many series take a while to write down; requests need not wait for them.
    let text = web::block(move || handle.render())
        .await
        .map_err(|_| Problem::new(Kind::Unavailable))?;
    Ok(HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(text))
}

#[cfg(test)]
mod tests {
    use actix_web::{
        App,
        test::{TestRequest, call_and_read_body, call_service, init_service},
    };

    use super::*;

    fn token(text: &str) -> web::Data<MetricsToken> {
        web::Data::new(MetricsToken((!text.is_empty()).then(|| text.to_owned().into())))
    }

    #[actix_web::test]
    async fn metrics_need_their_own_token() {
        let app = init_service(
            App::new()
                .app_data(token("s3cret"))
                .route("/metrics", web::get().to(metrics)),
        )
        .await;
        let ask =
            |given: &'static str| TestRequest::with_uri("/metrics").insert_header(("authorization", given));
        for wrong in [
            "",
            "Bearer ",
            "Bearer s3cre",
            "Bearer s3crett",
            "s3cret",
            "Basic s3cret",
        ] {
            assert_eq!(
                call_service(&app, ask(wrong).to_request()).await.status(),
                401,
                "{wrong}"
            );
        }
        answered("GET", "/v1/guests/{id}", 200, Duration::from_millis(3));
        let body = call_and_read_body(&app, ask("Bearer s3cret").to_request()).await;
        let text = std::str::from_utf8(&body).unwrap();
        assert!(
            text.contains("guest_vault_http_request_duration_seconds_bucket"),
            "{text}"
        );
        assert!(text.contains("route=\"/v1/guests/{id}\""), "{text}");
    }

    #[actix_web::test]
    async fn without_a_configured_token_nobody_reads_them() {
        let app = init_service(
            App::new()
                .app_data(token(""))
                .route("/metrics", web::get().to(metrics)),
        )
        .await;
        let request = TestRequest::with_uri("/metrics")
            .insert_header(("authorization", "Bearer "))
            .to_request();
        assert_eq!(call_service(&app, request).await.status(), 404);
    }
}
