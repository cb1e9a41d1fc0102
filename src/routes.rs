//! Floor 8: the whole route table.

use std::sync::{Arc, LazyLock};

use actix_web::{
    Resource, Scope,
    middleware::from_fn,
    web::{self, Data, ServiceConfig, delete, get, patch, post, put},
};

use utoipa::{
    OpenApi as _,
    openapi::{
        ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder,
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

use crate::{
    access::authenticate,
    app::App,
    connect::{api as connect, house},
    console::{self, ConsoleCalls},
    erasure::api as erasure,
    guest::{api as guest, consent_api as consent, log_api, report_api},
    identity::api as identity,
    jobs::api as jobs,
    policy::api as policy,
    portal,
    requests::{agents_api, api as requests},
    retention::{api as retention, quality_api},
    web::{Calls as operation, QueryNames, describe_refusals, join_objects, only_known, pages::asset},
};

/// Which query parameters each call has, as the contract tells.
static QUERIES: LazyLock<QueryNames> = LazyLock::new(|| QueryNames::of(&contract()));

/// Mounts the vault's calls; the server and the tests both use this.
pub fn configure(app: &App) -> impl Fn(&mut ServiceConfig) + Clone + Send + 'static {
    let vault = Data::new(app.vault.clone());
    let access = Data::new(app.access.clone());
    let known = Data::new(app.known());
    let desk = Data::new(app.desk());
    let cases = Data::new(app.requests());
    let events = Data::new(app.event_desk());
    let portal = app.portal.clone().map(Data::new);
    let secure = app.pages.secure;
    let eraser = Data::new(app.requests().eraser);
    let agents = Data::new(app.agent_desk());
    let rules = Data::from(Arc::clone(&app.retention));
    let console = Data::new(app.console());
    let area = app.console.area.clone();
    move |config| {
        let parts = [guests, consents, persons, log, rights, systems];
        let v1 = parts
            .into_iter()
            .fold(web::scope("/v1"), |v1, part| part(v1))
            .wrap(from_fn(|request, next| only_known(&QUERIES, request, next)))
            .wrap(from_fn(authenticate));
        config
            .service(at("/assets/{name}").route(get().to(asset)))
            .app_data(vault.clone())
            .app_data(access.clone())
            .app_data(known.clone())
            .app_data(desk.clone())
            .app_data(cases.clone())
            .app_data(events.clone())
            .app_data(rules.clone())
            .app_data(eraser.clone())
            .app_data(agents.clone())
            .app_data(console.clone())
            .service(
                at("/u/{token}")
                    .route(get().to(consent::get_unsubscribe))
                    .route(post().to(consent::post_unsubscribe)),
            )
            .service(drp())
            .service(v1)
            .service(console::pages(area.clone()));
        if let Some(portal) = &portal {
            config.app_data(portal.clone());
            portal::pages(config, portal.clone(), portal::area(portal, secure));
        }
    }
}

/// One resource a path: a wrong method is then told the right ones.
fn at(path: &str) -> Resource {
    web::resource(path)
}

/// Guests: said, shown, corrected, looked for.
fn guests(v1: Scope) -> Scope {
    v1.service(at("/records/{source_system}/{source_id}").route(put().to(guest::put_record)))
        .service(
            at("/guests/{id}")
                .route(get().to(guest::get_guest))
                .route(patch().to(guest::patch_guest)),
        )
        .service(at("/guests/{id}/reveal").route(post().to(guest::reveal)))
        .service(at("/guests/{id}/break-glass").route(post().to(guest::post_break_glass)))
        .service(at("/guests/{id}/portal-sessions").route(post().to(portal::api::post_portal_session)))
        .service(at("/guests/{id}/records").route(get().to(guest::get_records)))
        .service(at("/guests/{id}/stays/{reservation}").route(put().to(guest::put_stay)))
        .service(at("/guests/{id}/observations").route(post().to(guest::post_observation)))
        .service(at("/guests/{id}/observations/{observation_id}").route(post().to(guest::decide_observation)))
        .service(at("/observations").route(get().to(guest::get_observations)))
        .service(at("/occasions").route(post().to(guest::post_occasions)))
        .service(
            at("/exports")
                .route(post().to(guest::post_export))
                .route(get().to(guest::get_exports)),
        )
        .service(at("/exports/{id}").route(get().to(guest::get_export)))
        .service(at("/exports/{id}/decision").route(post().to(guest::decide_export)))
        .service(at("/exports/{id}/guests").route(get().to(guest::get_export_guests)))
        .service(at("/lookups").route(post().to(guest::post_lookup)))
        .service(at("/stay-lists").route(post().to(guest::post_stay_list)))
}

/// What guests were told and agreed to, and who got what.
fn consents(v1: Scope) -> Scope {
    v1.service(
        at("/guests/{id}/consents")
            .route(post().to(guest::post_consent))
            .route(get().to(guest::get_consents)),
    )
    .service(
        at("/notices")
            .route(post().to(consent::post_notice))
            .route(get().to(consent::get_notices)),
    )
    .service(at("/notices/{id}").route(get().to(consent::get_notice)))
    .service(at("/notices/{id}/text").route(get().to(consent::get_notice_text)))
    .service(at("/consents/check").route(post().to(consent::post_check)))
    .service(at("/consents/counts").route(get().to(console::calls::get_consent_counts)))
    .service(at("/consents/withdrawals").route(get().to(console::calls::get_withdrawals)))
    .service(at("/consents/record-key").route(get().to(consent::get_record_key)))
    .service(at("/consents/{id}/record").route(get().to(consent::get_record)))
    .service(at("/disclosures").route(get().to(consent::get_disclosures)))
    .service(at("/disclosures/export").route(get().to(consent::export_disclosures)))
    .service(at("/suppressions").route(post().to(consent::post_suppression)))
}

/// Who is whom.
fn persons(v1: Scope) -> Scope {
    v1.service(at("/guests/{id}/merges").route(post().to(identity::post_merge)))
        .service(at("/merges/{id}/undo").route(post().to(identity::post_undo)))
        .service(at("/guests/{id}/pseudonyms").route(post().to(identity::post_pseudonym)))
        .service(at("/pseudonyms/resolve").route(post().to(identity::post_pseudonym_owner)))
        .service(at("/guests/{id}/constraints").route(get().to(identity::get_constraints)))
        .service(at("/constraints").route(post().to(identity::post_constraint)))
        .service(at("/resolve").route(post().to(identity::post_resolve)))
        .service(at("/resolve/batch").route(post().to(identity::post_resolve_batch)))
        .service(
            at("/reviews")
                .route(get().to(identity::get_reviews))
                .route(post().to(identity::post_reviews)),
        )
        .service(at("/reviews/{id}").route(post().to(identity::post_review)))
}

/// What was done, and what the policy allows.
fn log(v1: Scope) -> Scope {
    v1.service(at("/guests/{id}/access-report").route(get().to(report_api::get_access_report)))
        .service(at("/audit/entries").route(get().to(guest::get_entries)))
        .service(at("/audit/entries/{id}").route(get().to(guest::get_entry)))
        .service(at("/audit/entries/{id}/judgement").route(post().to(console::calls::post_judgement)))
        .service(at("/audit/volume").route(get().to(console::calls::get_volume)))
        .service(at("/processing-register").route(get().to(console::calls::get_processing_register)))
        .service(at("/attestations/lapsing").route(get().to(console::calls::get_lapses)))
        .service(at("/audit/exposure").route(post().to(report_api::post_exposure)))
        .service(at("/policy/replay").route(post().to(crate::policy::replay_api::replay)))
        .service(at("/audit/export").route(get().to(report_api::get_export)))
        .service(at("/audit/log/checkpoint").route(get().to(log_api::get_checkpoint)))
        .service(at("/audit/log/cosigned").route(get().to(log_api::get_cosigned)))
        .service(at("/audit/log/minimum").route(get().to(log_api::get_minimum)))
        .service(at("/audit/log/tile/{path:.*}").route(get().to(log_api::get_tile)))
        .service(at("/audit/proofs/inclusion").route(get().to(log_api::get_inclusion)))
        .service(at("/audit/proofs/receipt").route(get().to(log_api::get_receipt)))
        .service(at("/audit/proofs/consistency").route(get().to(log_api::get_consistency)))
        .service(at("/policy").route(get().to(policy::get_policy)))
        .service(at("/policy/explain").route(post().to(consent::explain)))
}

/// What guests ask for, and what the law asks for.
fn rights(v1: Scope) -> Scope {
    v1.service(
        at("/guests/{id}/holds")
            .route(get().to(retention::get_holds))
            .route(post().to(retention::post_hold)),
    )
    .service(at("/guests/{id}/holds/{hold_id}").route(delete().to(retention::delete_hold)))
    .service(
        at("/holds")
            .route(get().to(console::calls::get_hold_register))
            .route(post().to(retention::post_holds)),
    )
    .service(at("/holds/approval").route(post().to(retention::approve_holds)))
    .service(at("/holds/lifting").route(post().to(retention::lift_holds)))
    .service(at("/guests/{id}/holds/{hold_id}/approval").route(post().to(retention::approve_hold)))
    .service(at("/guests/{id}/register").route(get().to(requests::get_register)))
    .service(
        at("/requests")
            .route(post().to(requests::post_request))
            .route(get().to(requests::get_requests)),
    )
    .service(at("/requests/{id}").route(get().to(requests::get_request)))
    .service(at("/requests/{id}/verify").route(post().to(requests::verify_request)))
    .service(at("/requests/{id}/preview").route(get().to(requests::preview_request)))
    .service(at("/requests/{id}/certificate").route(get().to(requests::get_certificate)))
    .service(
        at("/requests/{id}/package")
            .route(get().to(requests::get_package))
            .route(post().to(requests::post_package)),
    )
    .service(at("/requests/{id}/decision").route(post().to(requests::decide_request)))
    .service(
        at("/retention/runs")
            .route(post().to(erasure::post_run))
            .route(get().to(erasure::get_runs)),
    )
    .service(at("/erasures/{id}/acknowledgements").route(post().to(erasure::post_acknowledgement)))
    .service(at("/requests/{id}/lift").route(post().to(requests::lift_restriction)))
    .service(at("/retention/runs/{id}").route(get().to(erasure::get_run)))
    .service(at("/retention/runs/{id}/decision").route(post().to(erasure::decide_run)))
    .service(
        at("/quality/reviews")
            .route(post().to(quality_api::post_review))
            .route(get().to(quality_api::get_review)),
    )
    .service(at("/quality/findings").route(get().to(quality_api::get_findings)))
    .service(at("/guests/{id}/findings/{field}").route(post().to(quality_api::settle_finding)))
    .service(at("/retention/plan").route(get().to(retention::get_plan)))
}

/// Agents that bring requests of guests (Data Rights Protocol 1.0); each message is signed.
fn drp() -> Scope {
    web::scope("/drp/v1")
        .service(
            at("/agent/{id}")
                .route(post().to(agents_api::post_agent))
                .route(get().to(agents_api::get_agent)),
        )
        .service(at("/data-rights-request").route(post().to(agents_api::post_data_rights)))
        .service(
            at("/data-rights-request/{id}")
                .route(get().to(agents_api::get_data_rights))
                .route(delete().to(agents_api::delete_data_rights)),
        )
}

/// Other systems: what they bring, and what they are told.
fn systems(v1: Scope) -> Scope {
    v1.service(at("/properties").route(get().to(house::get_properties)))
        .service(at("/imports").route(post().to(connect::post_import)))
        .service(at("/imports/{id}").route(get().to(connect::get_import)))
        .service(at("/imports/{id}/end").route(post().to(connect::end_import)))
        .service(at("/imports/{id}/rollback").route(post().to(connect::roll_back_import)))
        .service(at("/events").route(get().to(jobs::get_events)))
        .service(at("/webhooks").route(get().to(jobs::get_webhooks)))
        .service(at("/webhooks/{name}/dead-letters").route(get().to(jobs::get_dead_letters)))
        .service(at("/webhooks/{name}/redeliveries").route(post().to(jobs::post_redeliveries)))
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
    for calls in vec![
        guest::Calls::openapi(),
        consent::ConsentCalls::openapi(),
        identity::Calls::openapi(),
        log_api::LogCalls::openapi(),
        report_api::ReportCalls::openapi(),
        ConsoleCalls::openapi(),
        crate::policy::replay_api::ReplayCalls::openapi(),
        policy::Calls::openapi(),
        retention::Calls::openapi(),
        quality_api::QualityCalls::openapi(),
        requests::Calls::openapi(),
        agents_api::AgentCalls::openapi(),
        erasure::Calls::openapi(),
        jobs::Calls::openapi(),
        connect::Calls::openapi(),
        portal::api::Calls::openapi(),
        operation::openapi(),
    ] {
        api.merge(calls);
    }
    join_objects(&mut api);
    describe_refusals(&mut api);
    api
}
