//! The pages, one file a subject; templates lie beside.

mod agreements;
mod data;
mod entry;
mod looks;
mod requests;

use actix_web::{
    HttpResponse, Resource,
    http::header::LOCATION,
    middleware::from_fn,
    web::{self, Data, ServiceConfig, get, post},
};

use super::Portal;
use crate::web::{
    Kind, Problem,
    pages::{Area, Browser, Item, Language, guard},
};

const ITEMS: &[Item] = &[
    Item {
        path: "/privacy",
        text: "portal.home.nav",
    },
    Item {
        path: "/privacy/data",
        text: "portal.data.nav",
    },
    Item {
        path: "/privacy/agreements",
        text: "portal.agreements.nav",
    },
    Item {
        path: "/privacy/looks",
        text: "portal.looks.nav",
    },
    Item {
        path: "/privacy/requests",
        text: "portal.requests.nav",
    },
];

/// The guests' pages as a set; `secure` says whether browsers come by TLS.
#[must_use]
pub fn area(portal: &Portal, secure: bool) -> Area {
    Area {
        home: "/privacy",
        sign_in: "/privacy/sign-in",
        sign_out: "/privacy/sign-out",
        cookie: "guest",
        name: "portal.name",
        items: ITEMS,
        brand: portal.brand.clone(),
        secure,
        origin: portal.base_url.clone(),
    }
}

/// Adds the scope `/privacy`.
pub fn pages(config: &mut ServiceConfig, portal: Data<Portal>, area: Area) {
    let at = |path: &str| -> Resource { web::resource(path) };
    let both = |path: &str, shown, sent| at(path).route(shown).route(sent);
    let scope = web::scope("/privacy")
        .app_data(portal)
        .service(at("").route(get().to(entry::home)))
        .service(both(
            "/sign-in",
            get().to(entry::sign_in),
            post().to(entry::ask_code),
        ))
        .service(both(
            "/sign-in/code",
            get().to(entry::code),
            post().to(entry::give_code),
        ))
        .service(at("/sign-out").route(post().to(entry::sign_out)))
        .service(both(
            "/enter/{link}",
            get().to(entry::link),
            post().to(entry::follow_link),
        ))
        .service(both(
            "/proof",
            get().to(entry::proof),
            post().to(entry::ask_proof),
        ))
        .service(both(
            "/proof/code",
            get().to(entry::proof_code),
            post().to(entry::give_proof),
        ))
        .service(at("/outbox").route(get().to(entry::outbox)))
        .service(at("/data").route(get().to(data::overview)))
        .service(both(
            "/data/correct",
            get().to(data::form),
            post().to(data::correct),
        ))
        .service(at("/data/{category}").route(get().to(data::drawer)))
        .service(both(
            "/agreements",
            get().to(agreements::list),
            post().to(agreements::turn),
        ))
        .service(at("/looks").route(get().to(looks::list)))
        .service(at("/looks/report.json").route(get().to(looks::report)))
        .service(both(
            "/requests",
            get().to(requests::list),
            post().to(requests::open),
        ))
        .service(both(
            "/requests/erase",
            get().to(requests::preview),
            post().to(requests::erase),
        ))
        .service(at("/requests/{id}").route(get().to(requests::one)))
        .service(at("/requests/{id}/package").route(get().to(requests::package)))
        .service(at("/certificates/{id}").route(get().to(requests::certificate)))
        .default_service(web::to(nothing_here))
        .wrap(from_fn(move |request, next| guard(area.clone(), request, next)));
    config.service(scope);
}

async fn nothing_here() -> Result<&'static str, Problem> {
    tokio::task::yield_now().await;
    Err(Problem::new(Kind::NotFound))
}

/// On to another page, after a form (RFC 9110 §15.4.4).
fn onto(path: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, path)).finish()
}

/// The same, with word of what was done.
fn done(browser: &Browser, told: &'static str, path: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((LOCATION, path))
        .append_header(browser.told(told))
        .finish()
}

/// See [`Language::word`].
fn word(language: &Language, kind: &str, code: &str) -> String {
    language.word(kind, code)
}

/// A file to keep.
fn file(name: &str, media: &'static str, bytes: Vec<u8>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(media)
        .insert_header(("content-disposition", format!("attachment; filename=\"{name}\"")))
        .body(bytes)
}
