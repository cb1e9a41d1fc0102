//! The proof bundle of the console, checked with nothing but the log's key.

use guest_vault::{
    audit::tlog::note::Signer,
    console::check,
    crypto::{KeyMaterial, SigningKey},
};

use crate::{
    rights::lin,
    support::{app::TestApp, browser::Browser, database::both},
};

/// The same bytes with one thing written over another of the same length, and the checksums of a careful forger.
fn replaced(bytes: &[u8], what: &[u8], with: &[u8]) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    let places: Vec<usize> = (0..bytes.len() - what.len())
        .filter(|at| bytes[*at..].starts_with(what))
        .collect();
    assert!(!places.is_empty(), "{}", String::from_utf8_lossy(what));
    for at in places {
        changed[at..at + with.len()].copy_from_slice(with);
    }
    changed
}

both!(
    the_proof_bundle_is_signed_and_its_files_are_as_it_says,
    async |database| {
        let app = TestApp::start(database).await;
        app.guest("pms/l-1", lin("R-1", "2026-01-10", "2026-01-12", "checked_out"))
            .await;
        app.app.settle_log().await;
        let mut browser = Browser::signed_in(&app, "auditor").await;
        let bundle = browser.post("/console/processing", "/console/bundle", "").await;
        assert_eq!(
            (bundle.status, bundle.headers["content-type"].as_str()),
            (200, "application/zip")
        );
        let text = bundle.text();
        for name in [
            "MANIFEST.note",
            "log/checkpoint",
            "log/first.tlog-proof",
            "policy.json",
            "processing.json",
        ] {
            assert!(text.contains(name), "{name}");
        }
        assert!(
            !text.contains("\"in_force\""),
            "an auditor has no right to the holds"
        );
        assert!(!text.contains("guests.example"), "no guest in it");
        // Whoever has the key checks it: all of it, and nothing that was changed.
        let (bytes, verifier) = (bundle.bytes.clone(), app.app.sequencer.signer().verifier());
        let proven = check(&bytes, verifier).unwrap();
        assert!(
            proven.entries > 1 && proven.proven == [0, proven.entries - 1],
            "{proven:?}"
        );
        assert_eq!(proven.disclosures["spa_partner"], 0);
        for at in (0..bytes.len()).step_by(97) {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            if let Ok(other) = check(&changed, verifier) {
                assert_eq!(other, proven, "byte {at} changes nothing that is believed");
            }
        }
        for (what, with) in [
            ("\"unused\": true", "\"unused\": null"),
            ("processing.json", "processing.jsom"),
        ] {
            let changed = replaced(&bytes, what.as_bytes(), with.as_bytes());
            assert!(check(&changed, verifier).is_err(), "{what}");
        }
        let other = SigningKey::new(KeyMaterial::from_slice(&[7; 32]).unwrap());
        let stranger = Signer::new(Some(verifier.name().to_owned()), other).unwrap();
        assert!(
            check(&bytes, stranger.verifier()).is_err(),
            "another key of the same name"
        );
        app.finish().await;
    }
);
