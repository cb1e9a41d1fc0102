//! The calls that every server has, and what is answered where there is none.

use actix_web::{
    HttpRequest,
    web::{self, FormConfig, JsonConfig, PathConfig, QueryConfig, ServiceConfig},
};

use super::{Kind, Problem, health, metrics, openapi};

/// The calls of this folder.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    health::healthz,
    health::readyz,
    metrics::metrics,
    openapi::openapi_json,
    openapi::docs
))]
pub struct Calls;

/// Adds `/healthz`, `/readyz`, `/metrics`, `/openapi.json` and `/docs`. They need `web::Data` of
/// [`Readiness`](super::Readiness), [`MetricsToken`](metrics::MetricsToken) and [`Contract`](openapi::Contract).
pub fn operation(config: &mut ServiceConfig) {
    // Resources, not routes: a wrong method is then told the right ones.
    config
        .service(web::resource("/healthz").route(web::get().to(health::healthz)))
        .service(web::resource("/readyz").route(web::get().to(health::readyz)))
        .service(web::resource("/metrics").route(web::get().to(metrics::metrics)))
        .service(web::resource("/openapi.json").route(web::get().to(openapi::openapi_json)))
        .service(web::resource("/docs").route(web::get().to(openapi::docs)));
}

/// Answers whatever is not routed, and whatever the framework refuses by itself, with problems.
pub fn refusals(config: &mut ServiceConfig) {
    config
        .app_data(
            PathConfig::default().error_handler(|_, _: &HttpRequest| Problem::new(Kind::NotFound).into()),
        )
        .app_data(QueryConfig::default().error_handler(|_, _| Problem::new(Kind::InvalidRequest).into()))
        .app_data(FormConfig::default().error_handler(|_, _| Problem::new(Kind::InvalidRequest).into()))
        .app_data(JsonConfig::default().error_handler(|_, _| Problem::new(Kind::InvalidRequest).into()))
        .default_service(web::to(nothing_here));
}

async fn nothing_here() -> Result<&'static str, Problem> {
    tokio::task::yield_now().await;
    Err(Problem::new(Kind::NotFound))
}

#[cfg(test)]
mod tests {
    use actix_web::{
        App, HttpResponse,
        test::{TestRequest, call_service, init_service, read_body_json},
    };

    use super::*;
    use crate::web::ProblemDocument;

    #[actix_web::test]
    async fn what_the_framework_refuses_is_a_problem_too() {
        let app = init_service(
            App::new()
                .configure(refusals)
                .route(
                    "/n/{n}",
                    web::get().to(|n: web::Path<u8>| async move { HttpResponse::Ok().json(*n) }),
                )
                .route(
                    "/q",
                    web::get().to(|q: web::Query<(u8,)>| async move { HttpResponse::Ok().json(q.0.0) }),
                ),
        )
        .await;
        for (path, status) in [("/n/SECRET", 404), ("/q?SECRET", 400), ("/SECRET", 404)] {
            let response = call_service(&app, TestRequest::with_uri(path).to_request()).await;
            assert_eq!(response.status(), status, "{path}");
            let problem: ProblemDocument = read_body_json(response).await;
            assert!(!format!("{problem:?}").contains("SECRET"));
        }
    }
}
