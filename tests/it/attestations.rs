//! A role is usable only while its holder is attested, a partner only for the recipient its contract names.

use std::sync::Arc;

use guest_vault::{
    access::{Attestations, Holder, operator},
    config::AttestationsConfig,
};
use serde_json::json;

use crate::{
    consent::{Scene, yes},
    support::database::both,
};

/// Switches attestations on for the desk and for partners.
fn switch_on(scene: &mut Scene) {
    let config = AttestationsConfig {
        roles: vec!["front_desk".parse().unwrap()],
        partners: vec!["partner".parse().unwrap()],
        ..AttestationsConfig::default()
    };
    let app = &mut scene.app.app;
    let register = (
        app.vault.store.clone(),
        app.vault.log.clone(),
        app.vault.clock.clone(),
    );
    app.access.attestations = Arc::new(Attestations::new(config, true, register));
}

async fn attest(scene: &Scene, holder: Holder, kind: &str, until: &str) {
    let register = &scene.app.app.access.attestations;
    let by = operator().unwrap();
    register
        .attest(&holder, kind, until.parse().unwrap(), &by)
        .await
        .unwrap();
}

both!(a_role_is_usable_while_its_holder_is_attested, async |database| {
    let mut scene = Scene::new(database).await;
    let path = format!("/v1/guests/{}", scene.guest);
    let desk = scene.app.role("front_desk").await.with("vault-actor", "s-17");
    assert_eq!(
        scene.app.get(&desk, &path).await.status,
        200,
        "off unless configured"
    );
    switch_on(&mut scene);
    let refused = scene.app.get(&desk, &path).await;
    assert_eq!(
        (refused.status, refused.problem()),
        (403, "not-attested"),
        "{refused:?}"
    );
    assert!(
        refused.body["detail"]
            .as_str()
            .unwrap()
            .contains("confidentiality")
    );
    let staff = Holder::Staff("s-17".parse().unwrap());
    attest(&scene, staff.clone(), "confidentiality", "2027-01-01T00:00:00Z").await;
    let refused = scene.app.get(&desk, &path).await;
    assert!(
        refused.body["detail"].as_str().unwrap().contains("training"),
        "{refused:?}"
    );
    attest(&scene, staff, "training", "2026-03-06T00:00:00Z").await;
    assert_eq!(scene.app.get(&desk, &path).await.status, 200);
    let other = scene.app.role("front_desk").await.with("vault-actor", "s-18");
    assert_eq!(
        scene.app.get(&other, &path).await.status,
        403,
        "one's training is not another's"
    );
    let nobody = scene.app.role("front_desk").await;
    assert_eq!(scene.app.get(&nobody, &path).await.status, 403, "nor the post's");
    scene.app.set_clock("2026-03-06T00:00:00Z");
    let lapsed = scene.app.get(&desk, &path).await;
    assert_eq!((lapsed.status, lapsed.problem()), (403, "not-attested"));
    assert_eq!(
        scene.app.get(&scene.crm, &path).await.status,
        200,
        "other roles are not asked"
    );

    let log = scene
        .app
        .get(&scene.officer, "/v1/audit/entries?action=call&decision=denied")
        .await;
    let leaf = &log.body["items"][0]["leaf"];
    assert_eq!(
        (&leaf["outcome"], &leaf["basis"]),
        (&json!("attestation"), &json!("attestation:training"))
    );
    scene.app.finish().await;
});

both!(a_partner_is_good_for_its_own_recipient_only, async |database| {
    let mut scene = Scene::new(database).await;
    let path = format!("/v1/guests/{}", scene.guest);
    let lisbon = scene.app.errand("crm", "marketing_direct").await;
    scene.say(&lisbon, yes("third_party:spa_partner")).await;
    let partner = scene.app.errand("partner", "third_party:spa_partner").await;
    switch_on(&mut scene);
    assert_eq!(scene.app.get(&partner, &path).await.problem(), "not-attested");
    let principals = scene.app.app.access.principals.list().await.unwrap();
    let id = principals
        .iter()
        .find(|p| p.role.as_str() == "partner")
        .unwrap()
        .id;
    attest(
        &scene,
        Holder::Principal(id),
        "recipient:laundry",
        "2027-01-01T00:00:00Z",
    )
    .await;
    assert_eq!(
        scene.app.get(&partner, &path).await.problem(),
        "not-attested",
        "another's contract"
    );
    attest(
        &scene,
        Holder::Principal(id),
        "recipient:spa_partner",
        "2027-01-01T00:00:00Z",
    )
    .await;
    assert_eq!(scene.app.get(&partner, &path).await.value("name.surname"), "Wang");
    scene.app.finish().await;
});
