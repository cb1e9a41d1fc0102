//! Serving an open vault: what `serve` and `demo` have in common.

use std::net::SocketAddr;

use crate::{
    app::App,
    config::Config,
    routes,
    store::Store,
    web::{Check, Contract, Readiness},
};

use super::server::{self, ServerError, Shared};

/// Could not serve, because …
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The contract cannot be written as JSON: a fault of this program.
    #[error("the contract cannot be written: {0}")]
    Contract(#[from] serde_json::Error),
    /// The server does not run.
    #[error(transparent)]
    Server(#[from] ServerError),
}

/// Serves the vault until SIGTERM or SIGINT and lets running requests finish; `ready` is told the real address. The
/// caller closes the vault.
///
/// # Errors
/// When the address or TLS cannot be had, or the server breaks.
pub async fn serve(app: &App, config: &Config, ready: impl FnOnce(SocketAddr)) -> Result<(), ServeError> {
    let shared = Shared {
        readiness: readiness(app),
        contract: Contract::new(&routes::openapi())?,
        clock: app.vault.clock.clone(),
    };
    Ok(server::serve(&config.server, shared, routes::configure(app), ready).await?)
}

/// The vault may serve when both databases answer and the keys open.
fn readiness(app: &App) -> Readiness {
    let (data, keys) = (app.vault.store.clone(), app.key_store.clone());
    let keyring = app.vault.keys.clone();
    Readiness::new(vec![
        Check::new("database", move || answers(data.clone())),
        Check::new("key_store", move || answers(keys.clone())),
        Check::new("keys", move || {
            let keyring = keyring.clone();
            async move { keyring.status().await.is_ok() }
        }),
    ])
}

async fn answers(store: Store) -> bool {
    store.read().await.is_ok()
}
