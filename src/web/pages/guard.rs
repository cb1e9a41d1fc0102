//! What happens to every request of an area: see [`guard`].

use actix_web::{
    Error, HttpMessage as _, HttpResponse,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method, StatusCode,
        header::{
            CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, REFERRER_POLICY,
            SET_COOKIE,
        },
    },
    middleware::Next,
};
use askama::Template;

use super::{Area, Browser, Shell, form, shell::page_with};
use crate::web::{Kind, Problem};

/// What a page may load and do: its own files, forms to itself, and no text as script.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
     frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
);
const OPENER: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const PERMISSIONS: HeaderName = HeaderName::from_static("permissions-policy");

/// A refusal as a page.
#[derive(Template)]
#[template(path = "web/pages/error.html", config = ".askama.toml")]
struct Refusal {
    page: Shell,
    text: String,
    reference: String,
}

/// The middleware of an area's scope: `scope.wrap(from_fn(move |request, next| guard(area.clone(), request, next)))`.
/// Leaves the [`Browser`] for handlers; refuses what other sites send; leads to the sign-in whoever must; makes pages
/// of problems; sets the headers and cookies of pages.
///
/// # Errors
/// What lies inside gives, when it is no problem.
pub async fn guard<B: MessageBody + 'static>(
    area: Area,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let browser = Browser::of(request.request(), &area);
    request.extensions_mut().insert(browser.clone());
    let reads = [Method::GET, Method::HEAD].contains(request.method());
    let asked = request
        .uri()
        .path_and_query()
        .map_or("", |asked| asked.as_str())
        .to_owned();
    let answer = if reads || form::from_our_own_page(request.headers(), &area) {
        next.call(request).await?.map_into_boxed_body()
    } else {
        Problem::new(Kind::Forbidden).refuse(request)
    };
    let mut answer = shown(answer, &browser, &area, reads.then_some(asked.as_str()));
    dress(&mut answer, &browser);
    Ok(answer)
}

/// Turns a problem into a page, or into the way to the sign-in.
fn shown(
    answer: ServiceResponse<BoxBody>,
    browser: &Browser,
    area: &Area,
    asked: Option<&str>,
) -> ServiceResponse<BoxBody> {
    let status = answer.status();
    let is_page = answer
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|media| media.as_bytes().starts_with(b"text/html"));
    if !(status.is_client_error() || status.is_server_error()) || is_page {
        return answer;
    }
    if status == StatusCode::UNAUTHORIZED {
        let mut way = area.sign_in.to_owned();
        if let Some(asked) = asked.filter(|asked| *asked != area.home) {
            way.push_str("?next=");
            way.push_str(&escaped(&area.own_path(Some(asked))));
        }
        let led = HttpResponse::SeeOther().insert_header((LOCATION, way)).finish();
        return answer.into_response(led);
    }
    match refusal(status, browser) {
        Ok(page) => answer.into_response(page),
        Err(_) => answer,
    }
}

/// A path as the value of a query parameter. Paths of [`Area::own_path`] hold nothing else that has a meaning there.
fn escaped(path: &str) -> String {
    path.replace('%', "%25")
        .replace('&', "%26")
        .replace('?', "%3F")
        .replace('=', "%3D")
}

fn refusal(status: StatusCode, browser: &Browser) -> Result<HttpResponse, Problem> {
    let language = browser.language();
    let key = format!("error.s{}", status.as_u16());
    let like = if status.is_server_error() {
        "error.s500"
    } else {
        "error.s400"
    };
    let text = language
        .find(&key)
        .unwrap_or_else(|| language.text(like))
        .to_owned();
    let template = Refusal {
        reference: language.filled("error.reference", &[("id", &browser.request().to_string())]),
        page: Shell::new(browser, "error.title"),
        text,
    };
    page_with(status, &template)
}

fn dress(answer: &mut ServiceResponse<BoxBody>, browser: &Browser) {
    let was_page = !answer.status().is_redirection();
    let own = browser.area().cookie_name("") + "=";
    let sets_own = answer
        .headers()
        .get_all(SET_COOKIE)
        .any(|cookie| cookie.as_bytes().starts_with(own.as_bytes()));
    let cookies = browser.cookies(sets_own, was_page);
    let headers = answer.headers_mut();
    for (name, cookie) in cookies {
        if let Ok(value) = HeaderValue::from_str(&cookie) {
            headers.append(name, value);
        }
    }
    if !headers.contains_key(CONTENT_SECURITY_POLICY) {
        headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    }
    headers.insert(OPENER, HeaderValue::from_static("same-origin"));
    // With `no-referrer` browsers would not say from where a form comes; addresses of pages hold no personal data.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(
        PERMISSIONS,
        HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    );
}

#[cfg(test)]
mod tests {
    use actix_web::{
        App,
        middleware::from_fn,
        test::{TestRequest, call_service, init_service, read_body},
        web,
    };

    use super::*;
    use crate::web::pages::area::tests::area;

    async fn send(request: TestRequest) -> (StatusCode, actix_web::http::header::HeaderMap, String) {
        let scope = web::scope("/privacy")
            .route(
                "/sign-out",
                web::post().to(|| async { HttpResponse::Ok().finish() }),
            )
            .route(
                "/mine",
                web::get().to(|| async { Err::<&str, _>(Problem::new(Kind::Unauthenticated)) }),
            )
            .route(
                "/busy",
                web::get().to(|| async { Err::<&str, _>(Problem::new(Kind::Unavailable)) }),
            )
            .default_service(web::to(|| async { Err::<&str, _>(Problem::new(Kind::NotFound)) }))
            .wrap(from_fn(|request, next| guard(area(true), request, next)));
        let app = init_service(App::new().service(scope)).await;
        let answer = call_service(&app, request.to_request()).await;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = String::from_utf8(read_body(answer).await.to_vec()).unwrap();
        (status, headers, body)
    }

    #[actix_web::test]
    async fn problems_are_pages_in_the_browsers_language() {
        let (status, headers, body) = send(TestRequest::with_uri("/privacy/nowhere?lang=zh")).await;
        assert_eq!(status, 404);
        assert!(
            body.contains("<html lang=\"zh\"") && body.contains("没有这个页面"),
            "{body}"
        );
        let policy = headers.get("content-security-policy").unwrap().to_str().unwrap();
        assert!(
            policy.contains("require-trusted-types-for 'script'")
                && policy.contains("frame-ancestors 'none'")
        );
        assert!(!policy.contains("unsafe"));
        let cookies: Vec<_> = headers
            .get_all("set-cookie")
            .map(|c| c.to_str().unwrap())
            .collect();
        assert!(cookies.iter().any(|c| c.starts_with("gv-lang=zh")), "{cookies:?}");
        assert!(
            cookies.iter().any(|c| c.starts_with("__Host-gv-guest=")),
            "{cookies:?}"
        );
        let (status, _, body) = send(TestRequest::with_uri("/privacy/busy")).await;
        assert_eq!(status, 503);
        assert!(body.contains("cannot answer safely"), "{body}");
    }

    #[actix_web::test]
    async fn whoever_must_sign_in_is_led_there_and_back() {
        let (status, headers, _) = send(TestRequest::with_uri("/privacy/mine?x=1")).await;
        assert_eq!(status, 303);
        assert_eq!(
            headers.get("location").unwrap(),
            "/privacy/sign-in?next=/privacy/mine%3Fx%3D1"
        );
    }

    #[actix_web::test]
    async fn forms_of_other_sites_do_not_come_in() {
        let post = || {
            TestRequest::post()
                .uri("/privacy/sign-out")
                .insert_header(("host", "v.example"))
        };
        assert_eq!(send(post()).await.0, 403);
        assert_eq!(
            send(post().insert_header(("origin", "https://evil.example")))
                .await
                .0,
            403
        );
        assert_eq!(
            send(post().insert_header(("origin", "https://v.example")))
                .await
                .0,
            200
        );
    }
}
