//! What must not get in, and that revocation holds on the next request.

mod http;
mod issuer;
mod jwks;
mod jwt;
mod openid;
mod principals;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use tempfile::TempDir;

use super::{ApiKey, NewPrincipal, Principals};
use crate::{
    audit::Log,
    base::{Clock, PropertyKind, PropertyNode, PropertyTree},
    crypto::{KeyMaterial, MacKey},
    store::{Store, StoreUrl, Which},
};

fn noon() -> DateTime<Utc> {
    "2026-03-04T12:00:00Z".parse().unwrap()
}

/// A migrated SQLite database in a folder of its own.
struct House {
    folder: TempDir,
    store: Store,
    log: Log,
    hash_key: Arc<MacKey>,
    clock: Clock,
}

impl House {
    async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let store = Self::open(&folder).await;
        store.migrate(Which::Data).await.unwrap();
        let log = Log::start(store.clone());
        let hash_key = Arc::new(MacKey::new(KeyMaterial::random()));
        Self {
            folder,
            store,
            log,
            hash_key,
            clock: Clock::fixed(noon()),
        }
    }

    async fn open(folder: &TempDir) -> Store {
        Store::open(&StoreUrl::Sqlite(folder.path().join("vault.db")), 4)
            .await
            .unwrap()
    }

    fn principals(&self) -> Principals {
        Principals::new(
            self.store.clone(),
            self.log.clone(),
            self.hash_key.clone(),
            self.clock.clone(),
        )
    }

    /// Another program on the same database.
    async fn another(&self) -> Principals {
        let store = Self::open(&self.folder).await;
        let log = Log::start(store.clone());
        Principals::new(store, log, self.hash_key.clone(), self.clock.clone())
    }
}

fn front_desk() -> NewPrincipal {
    NewPrincipal {
        name: "front desk Lisbon".to_owned(),
        role: "front_desk".parse().unwrap(),
        scope: vec!["LIS01".parse().unwrap()],
        expires_at: None,
    }
}

#[expect(clippy::disallowed_methods, reason = "keys of this test's own vault")]
fn shown(key: &ApiKey) -> String {
    key.text().expose_secret().to_owned()
}

/// A group with two brands, three hotels.
fn tree() -> PropertyTree {
    let node = |code: &str, kind, parent: Option<&str>| PropertyNode {
        code: code.parse().unwrap(),
        kind,
        parent: parent.map(|p| p.parse().unwrap()),
        name: String::new(),
        region: None,
        province: None,
        timezone: chrono_tz::UTC,
    };
    PropertyTree::new(vec![
        node("GROUP", PropertyKind::Group, None),
        node("CITY", PropertyKind::Brand, Some("GROUP")),
        node("SPA", PropertyKind::Brand, Some("GROUP")),
        node("LIS01", PropertyKind::Property, Some("CITY")),
        node("OPO01", PropertyKind::Property, Some("CITY")),
        node("FAO01", PropertyKind::Property, Some("SPA")),
    ])
    .unwrap()
}
