//! The routes of the console's pages.

use std::sync::Arc;

use actix_web::{
    Scope,
    middleware::from_fn,
    web::{self, get, post, resource},
};

use super::{
    audit, bundle, consent, disclosures, exports, exposure, intake, logs, processing, requests, retention,
    reviews, sign_in, today, why,
};
use crate::web::pages::{Area, guard};

/// The area of these pages. `origin` is where browsers find the vault, when it is configured.
#[must_use]
pub fn area(brand: Arc<str>, secure: bool, origin: Option<Arc<str>>) -> Area {
    Area {
        home: "/console",
        sign_in: "/console/sign-in",
        sign_out: "/console/sign-out",
        cookie: "staff",
        name: "console.name",
        // Each role has its own: see `Officer::frame`.
        items: &[],
        brand,
        secure,
        origin,
    }
}

/// All pages of the console.
pub fn pages(
    area: Area,
) -> Scope<
    impl actix_web::dev::ServiceFactory<
        actix_web::dev::ServiceRequest,
        Config = (),
        Response = actix_web::dev::ServiceResponse,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    web::scope("/console")
        .service(
            resource("/sign-in")
                .route(get().to(sign_in::show))
                .route(post().to(sign_in::choose)),
        )
        .service(resource("/provider").route(get().to(sign_in::begin)))
        .service(resource("/callback").route(get().to(sign_in::finish)))
        .service(resource("/sign-out").route(post().to(sign_in::leave)))
        .service(resource("").route(get().to(today::show)))
        .service(resource("/requests").route(get().to(requests::queue)))
        .service(
            resource("/requests/new")
                .route(get().to(intake::show))
                .route(post().to(intake::take)),
        )
        .service(resource("/requests/{id}").route(get().to(requests::show)))
        .service(resource("/requests/{id}/verify").route(post().to(requests::verify)))
        .service(resource("/requests/{id}/decision").route(post().to(requests::decide)))
        .service(resource("/reviews").route(get().to(reviews::show)))
        .service(resource("/reviews/{id}").route(post().to(reviews::answer)))
        .service(resource("/audit").route(get().to(audit::search)))
        .service(resource("/audit/{id}").route(get().to(audit::show)))
        .service(resource("/audit/{id}/receipt").route(get().to(audit::receipt)))
        .service(resource("/audit/{id}/judgement").route(post().to(audit::judge)))
        .service(resource("/guests/{id}/access").route(get().to(audit::access)))
        .service(resource("/guests/{id}/access/file").route(get().to(audit::access_file)))
        .service(resource("/exposure").route(get().to(exposure::show)))
        .service(resource("/exposure/file").route(get().to(exposure::file)))
        .service(resource("/why").route(get().to(why::show)))
        .service(resource("/consent").route(get().to(consent::show)))
        .service(resource("/retention").route(get().to(retention::show)))
        .service(resource("/retention/{id}").route(get().to(retention::plan)))
        .service(resource("/retention/runs/simulation").route(post().to(retention::simulate)))
        .service(resource("/retention/runs/{id}").route(post().to(retention::decide)))
        .service(resource("/retention/{id}/holds").route(post().to(retention::put)))
        .service(resource("/retention/{id}/holds/{hold}").route(post().to(retention::change)))
        .service(resource("/exports").route(get().to(exports::show)))
        .service(resource("/exports/{id}").route(post().to(exports::decide)))
        .service(resource("/disclosures").route(get().to(disclosures::show)))
        .service(resource("/disclosures/file").route(get().to(disclosures::file)))
        .service(resource("/processing").route(get().to(processing::show)))
        .service(resource("/bundle").route(post().to(bundle::make)))
        .service(resource("/log").route(get().to(logs::show)))
        .service(resource("/log/checkpoint").route(get().to(logs::checkpoint)))
        .service(resource("/log/tile/{path:.*}").route(get().to(logs::tile)))
        .wrap(from_fn(move |request, next| guard(area.clone(), request, next)))
}
