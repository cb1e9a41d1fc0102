//! Floor 8: the whole route table.

use actix_web::{
    middleware::from_fn,
    web::{self, Data, ServiceConfig, get, patch, post, put},
};

use crate::{access::authenticate, app::App, guest::api as guest};

/// Mounts the vault's calls; the server and the tests both use this.
pub fn configure(app: &App) -> impl Fn(&mut ServiceConfig) + Clone + Send + 'static {
    let vault = Data::new(app.vault.clone());
    let access = Data::new(app.access.clone());
    let known = Data::new(app.known());
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
            .route("/lookups", post().to(guest::post_lookup))
            .route("/stay-lists", post().to(guest::post_stay_list))
            .route("/audit/entries", get().to(guest::get_entries))
            .route("/audit/entries/{id}", get().to(guest::get_entry));
        config
            .app_data(vault.clone())
            .app_data(access.clone())
            .app_data(known.clone())
            .service(v1);
    }
}
