//! What happens to every request, around everything else: it gets an id, a time limit, security headers, a line
//! in the access log and a place in the metrics; whatever goes wrong inside leaves as a problem document.
//!
//! The access log knows the route's template, never the path, the query, a header or a body.

use std::{
    net::IpAddr,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::{
    Error, HttpMessage as _, HttpRequest, HttpResponse, ResponseError as _,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{Method, header},
    middleware::Next,
};
use futures_util::FutureExt as _;

use super::{Kind, Problem, RateLimits, headers, metrics, peer};
use crate::base::{AddressRange, Caller, RequestId};

/// The most bytes of address and headers together.
const MAX_HEAD: usize = 16 * 1024;

/// What balancers and monitors ask for beside `/v1`.
const PROBED: [&str; 5] = ["/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"];

/// How a server treats every request; see [`through`].
#[derive(Clone)]
pub struct Door {
    /// How long an answer may take to begin.
    pub timeout: Duration,
    /// Whether connections come by TLS, so that browsers are told to come no other way.
    pub tls: bool,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Arc<[AddressRange]>,
    /// Calls per second.
    pub rates: Arc<RateLimits>,
}

/// The caller's address, for the audit log's deletable detail; in the request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// The request's id, as the answer, the access log and the audit log name it.
#[must_use]
pub fn request_id(request: &HttpRequest) -> RequestId {
    // Without the middleware, as in tests of single handlers, an id that nobody else knows.
    request
        .extensions()
        .get::<RequestId>()
        .copied()
        .unwrap_or_else(RequestId::random)
}

/// The outermost middleware: `App::wrap(from_fn(move |request, next| request::through(door.clone(), request, next)))`.
///
/// # Errors
/// A [`Problem`] naming the request, when something inside gave an error instead of an answer.
pub async fn through<B: MessageBody + 'static>(
    door: Door,
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let id = RequestId::random();
    let method = known(request.method());
    request.extensions_mut().insert(id);
    let on_v1 = request.path().starts_with("/v1");
    if request.method() == Method::HEAD && (on_v1 || PROBED.contains(&request.path())) {
        // RFC 9110 §9.1: what answers GET answers HEAD. The connection knows the method as it came, and sends no body.
        // Pages are left out: programs that look at links in mails ask so.
        request.head_mut().method = Method::GET;
    }
    let answer = match admit(&door, &request) {
        Err(problem) => Ok(problem.refuse(request)),
        Ok(()) => guarded(&door, request, next).await,
    };
    match answer {
        Ok(response) => {
            let response = match elsewhere(response.request(), response.response().error()) {
                Some(location) => response.into_response(
                    HttpResponse::PermanentRedirect()
                        .insert_header((header::LOCATION, location))
                        .finish()
                        .map_into_boxed_body(),
                ),
                None => as_problem(response, id),
            };
            let mut response = response;
            headers::secure(response.headers_mut(), Some(id));
            if on_v1 {
                headers::never_store(response.headers_mut());
            }
            if door.tls {
                headers::only_tls(response.headers_mut());
            }
            log(id, method, &response, started.elapsed());
            Ok(response)
        }
        Err(error) => {
            let problem = problem_of(&error).instance(id);
            line(
                id,
                method,
                "-",
                problem.status_code().as_u16(),
                started.elapsed(),
                None,
            );
            Err(problem.into())
        }
    }
}

/// The same address with the id under which the thing lies now.
fn elsewhere(request: &HttpRequest, error: Option<&Error>) -> Option<String> {
    let moved = error?.as_error::<Problem>()?.moved()?;
    // The only things that move are guests.
    request
        .match_pattern()
        .filter(|at| at.starts_with("/v1/guests/{id}"))?;
    let id = request.match_info().get("id")?;
    Some(request.uri().to_string().replacen(id, &moved.to_string(), 1))
}

/// Looks at the head of a request before anybody else does.
fn admit(door: &Door, request: &ServiceRequest) -> Result<(), Problem> {
    let connection = request.peer_addr().map(|peer| peer.ip());
    if let Some(connection) = connection {
        let client = peer::client(connection, request.headers(), &door.trusted_proxies);
        request.extensions_mut().insert(ClientAddress(client));
        // Whoever calls from this very machine is not a stranger, and proxies on it say who calls.
        if !client.is_loopback() {
            door.rates.address(client)?;
        }
    }
    let uri = request.uri().path_and_query().map_or(0, |p| p.as_str().len());
    let head = request
        .headers()
        .iter()
        .fold(uri, |sum, (name, value)| sum + name.as_str().len() + value.len());
    if head > MAX_HEAD {
        Err(Problem::new(Kind::HeadersTooLarge))
    } else {
        Ok(())
    }
}

/// Runs what lies inside, within the time limit; a panic is a fault of the vault, not the end of a connection.
async fn guarded<B: MessageBody + 'static>(
    door: &Door,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let inside = AssertUnwindSafe(next.call(request)).catch_unwind();
    match tokio::time::timeout(door.timeout, inside).await {
        Ok(Ok(answer)) => answer.map(ServiceResponse::map_into_boxed_body),
        Ok(Err(_panic)) => Err(Problem::new(Kind::Internal).into()),
        Err(_elapsed) => Err(Problem::new(Kind::Timeout).retry_after(1).into()),
    }
}

/// The problem behind an error; the framework's own errors keep their status but not their words.
fn problem_of(error: &Error) -> Problem {
    error
        .as_error::<Problem>()
        .cloned()
        .unwrap_or_else(|| Problem::new(Kind::of_status(error.as_response_error().status_code())))
}

/// Gives a problem its request's id, and turns what the framework refuses by itself into a problem.
fn as_problem(response: ServiceResponse<BoxBody>, id: RequestId) -> ServiceResponse<BoxBody> {
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let typed = response.headers().get(header::CONTENT_TYPE);
    let own_words = typed.is_some_and(|t| !t.as_bytes().starts_with(b"text/plain"));
    let problem = match response.response().error() {
        Some(error) => problem_of(error),
        None if own_words => return response,
        None => Problem::new(Kind::of_status(status)),
    };
    let allow = response.headers().get(header::ALLOW).cloned();
    let mut answer = problem.instance(id).error_response();
    if let Some(allow) = allow {
        answer.headers_mut().insert(header::ALLOW, allow);
    }
    response.into_response(answer)
}

fn log(id: RequestId, method: &'static str, response: &ServiceResponse<BoxBody>, took: Duration) {
    let request = response.request();
    let route = request.match_pattern();
    let principal = request
        .extensions()
        .get::<Caller>()
        .map(|caller| caller.principal.to_string());
    let status = response.status().as_u16();
    line(
        id,
        method,
        route.as_deref().unwrap_or("-"),
        status,
        took,
        principal.as_deref(),
    );
}

fn line(
    id: RequestId,
    method: &'static str,
    route: &str,
    status: u16,
    took: Duration,
    principal: Option<&str>,
) {
    metrics::answered(method, route, status, took);
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    tracing::info!(request_id = %id, method, route, status, duration_ms, principal, "answered");
}

/// A method may be any word that a caller makes up; only known ones are written down.
fn known(method: &Method) -> &'static str {
    const KNOWN: [(&Method, &str); 7] = [
        (&Method::GET, "GET"),
        (&Method::POST, "POST"),
        (&Method::PUT, "PUT"),
        (&Method::PATCH, "PATCH"),
        (&Method::DELETE, "DELETE"),
        (&Method::HEAD, "HEAD"),
        (&Method::OPTIONS, "OPTIONS"),
    ];
    KNOWN
        .iter()
        .find(|(known, _)| *known == method)
        .map_or("OTHER", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use actix_web::{
        App, HttpResponse,
        body::to_bytes,
        http::StatusCode,
        middleware::from_fn,
        test::{TestRequest, init_service, try_call_service},
        web,
    };

    use super::*;
    use crate::web::ProblemDocument;

    fn door() -> Door {
        Door {
            timeout: Duration::from_millis(100),
            tls: true,
            trusted_proxies: Arc::new([]),
            rates: Arc::new(RateLimits::new(0, 0)),
        }
    }

    async fn answers() -> Result<HttpResponse, Problem> {
        Err(Problem::new(Kind::Conflict).detail("because"))
    }

    async fn send(door: Door, request: TestRequest) -> (StatusCode, header::HeaderMap, ProblemDocument) {
        let app = init_service(
            App::new()
                .wrap(from_fn(move |request, next| through(door.clone(), request, next)))
                .route(
                    "/v1/good",
                    web::get().to(|| async {
                        HttpResponse::Ok()
                            .insert_header(("cache-control", "public"))
                            .finish()
                    }),
                )
                .route("/v1/bad", web::get().to(answers))
                .route(
                    "/v1/panics",
                    web::get().to(|| async { HttpResponse::Ok().json("x".parse::<u8>().expect("SECRET")) }),
                )
                .route(
                    "/v1/slow",
                    web::get().to(|| async {
                        tokio::time::sleep(Duration::from_secs(5)).await;
                        HttpResponse::Ok().finish()
                    }),
                )
                .route(
                    "/v1/json",
                    web::get().to(|_: HttpRequest, _: web::Json<u8>| async { HttpResponse::Ok().finish() }),
                )
                .service(web::resource("/v1/only-get").route(web::get().to(HttpResponse::Ok))),
        )
        .await;
        let response = match try_call_service(&app, request.to_request()).await {
            Ok(response) => response.into_parts().1.map_into_boxed_body(),
            Err(error) => error.error_response(),
        };
        let (status, headers) = (response.status(), response.headers().clone());
        let body = to_bytes(response.into_body()).await.unwrap();
        let empty = Problem::new(Kind::Internal).document();
        (
            status,
            headers,
            if body.is_empty() {
                empty
            } else {
                serde_json::from_slice(&body).unwrap()
            },
        )
    }

    async fn told(door: Door, request: TestRequest) -> (u16, String) {
        let (status, headers, document) = send(door, request).await;
        assert_eq!(headers.get("content-type").unwrap(), "application/problem+json");
        assert_eq!(headers.get("cache-control").unwrap(), "no-store");
        let id = headers.get("vault-request-id").unwrap().to_str().unwrap();
        assert_eq!(document.instance, Some(format!("urn:uuid:{id}")));
        assert_eq!(document.status, status.as_u16());
        assert!(!format!("{document:?}").contains("SECRET"));
        (document.status, document.kind)
    }

    #[actix_web::test]
    async fn whatever_goes_wrong_leaves_as_a_problem_with_the_requests_id() {
        let get = |path| TestRequest::get().uri(path);
        let cases = [
            (get("/v1/bad"), 409, "/problems/conflict"),
            (get("/v1/panics"), 500, "/problems/internal"),
            (get("/v1/slow"), 503, "/problems/timeout"),
            (
                get("/v1/json").set_payload("SECRET"),
                400,
                "/problems/invalid-request",
            ),
            (get("/nowhere/SECRET"), 404, "/problems/not-found"),
            (
                get("/v1/good").insert_header(("x", "x".repeat(20_000))),
                431,
                "/problems/headers-too-large",
            ),
        ];
        for (request, status, kind) in cases {
            assert_eq!(told(door(), request).await, (status, kind.to_owned()));
        }
    }

    #[actix_web::test]
    async fn a_wrong_method_is_told_the_right_ones() {
        let (status, headers, document) = send(door(), TestRequest::delete().uri("/v1/only-get")).await;
        assert_eq!(
            (status.as_u16(), document.kind.as_str()),
            (405, "/problems/method-not-allowed")
        );
        assert_eq!(headers.get("allow").unwrap(), "GET");
    }

    #[actix_web::test]
    async fn a_good_answer_carries_every_security_header() {
        let (status, headers, _) = send(door(), TestRequest::get().uri("/v1/good")).await;
        assert_eq!(status, StatusCode::OK);
        let header = |name: &str| headers.get(name).map(|v| v.to_str().unwrap()).unwrap_or_default();
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert!(header("content-security-policy").starts_with("default-src 'none'"));
        assert!(header("strict-transport-security").starts_with("max-age=31536000"));
        assert_eq!(header("vault-request-id").len(), 36);
    }

    #[actix_web::test]
    async fn an_address_that_calls_too_often_waits() {
        let door = Door {
            rates: Arc::new(RateLimits::new(0, 1)),
            ..door()
        };
        let call = || {
            TestRequest::get()
                .uri("/v1/bad")
                .peer_addr("192.0.2.1:1234".parse().unwrap())
        };
        for _ in 0..2 {
            assert_eq!(told(door.clone(), call()).await.0, 409);
        }
        assert_eq!(
            told(door, call()).await,
            (429, "/problems/rate-limited".to_owned())
        );
    }

    #[test]
    fn made_up_methods_are_not_written_down() {
        assert_eq!(known(&Method::from_bytes(b"WANGXIAOMING").unwrap()), "OTHER");
        assert_eq!(known(&Method::PATCH), "PATCH");
    }
}
