//! Floor 8: the whole route table.

use actix_web::{
    middleware::from_fn,
    web::{self, Data, ServiceConfig, get, patch, post, put},
};

use utoipa::{
    OpenApi as _,
    openapi::{
        ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder,
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

use crate::{
    access::authenticate, app::App, guest::api as guest, policy::api as policy, web::Calls as operation,
};

/// Mounts the vault's calls; the server and the tests both use this.
pub fn configure(app: &App) -> impl Fn(&mut ServiceConfig) + Clone + Send + 'static {
    let vault = Data::new(app.vault.clone());
    let access = Data::new(app.access.clone());
    let known = Data::new(app.known());
    let desk = Data::new(app.desk());
    move |config| {
        let v1 = web::scope("/v1")
            .wrap(from_fn(authenticate))
            .route(
                "/records/{source_system}/{source_id}",
                put().to(guest::put_record),
            )
            .route("/guests/{id}", get().to(guest::get_guest))
            .route("/guests/{id}", patch().to(guest::patch_guest))
            .route("/guests/{id}/reveal", post().to(guest::reveal))
            .route("/guests/{id}/records", get().to(guest::get_records))
            .route("/guests/{id}/stays/{reservation}", put().to(guest::put_stay))
            .route("/guests/{id}/consents", post().to(guest::post_consent))
            .route("/guests/{id}/consents", get().to(guest::get_consents))
            .route("/audit/entries", get().to(guest::get_entries))
            .route("/audit/entries/{id}", get().to(guest::get_entry))
            .route("/policy", get().to(policy::get_policy))
            .route("/policy/explain", post().to(policy::explain));
        config
            .app_data(vault.clone())
            .app_data(access.clone())
            .app_data(known.clone())
            .app_data(desk.clone())
            .service(v1);
    }
}

/// The contract of all calls, as OpenAPI 3.1.
#[must_use]
pub fn contract() -> OpenApi {
    let info = InfoBuilder::new()
        .title("guest-vault")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Keeps hotel guests' personal data sealed and shows each caller exactly what it may see, for a purpose, \
             with a durable record of every look.\n\nEvery refusal is an `application/problem+json` document.",
        ))
        .build();
    let bearer = |description: &str| {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some(description));
        SecurityScheme::Http(scheme.build())
    };
    let schemes = ComponentsBuilder::new()
        .security_scheme(
            "bearer",
            bearer("An API key of this vault, or an access token of a configured issuer"),
        )
        .security_scheme(
            "metrics_token",
            bearer("`server.metrics_token` of the configuration"),
        )
        .build();
    let mut api = OpenApiBuilder::new()
        .info(info)
        .components(Some(schemes))
        .security(Some([SecurityRequirement::new("bearer", [""; 0])]))
        .build();
    for calls in [
        guest::Calls::openapi(),
        policy::Calls::openapi(),
        operation::openapi(),
    ] {
        api.merge(calls);
    }
    api
}
