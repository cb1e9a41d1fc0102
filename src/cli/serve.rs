//! `guest-vault serve`: opens the vault and serves it until told to stop.

use std::{
    io::{self, Write},
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use clap::Args;
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::{
    log_keeper::{LogKeeper, alarmed},
    scratch,
    server::{self, ServerError, Shared},
};
use crate::{
    access::{AccessError, NewPrincipal, operator},
    app::{App, AppError},
    audit::tlog::mirror::MirrorError,
    base::{Clock, InvalidName, RequestId},
    config::{Config, ServerFlags},
    jobs::{Keeper, Teller},
    routes,
    web::{Check, Contract, Readiness},
};

/// How often a folder of policies is looked at.
const POLICY_LOOK: Duration = Duration::from_secs(2);

/// Serves the vault.
#[derive(Debug, Args)]
pub struct Serve {
    /// Where and how to listen.
    #[command(flatten)]
    pub server: ServerFlags,
    /// A folder that is kept a copy of the log, best on a disk of somebody else
    #[arg(long, value_name = "DIR")]
    pub log_mirror: Option<PathBuf>,
    /// Prints one line of JSON once it serves: `{"url","first_key"?}`.
    #[arg(long)]
    pub json: bool,
}

/// Why it does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The vault does not open.
    #[error(transparent)]
    App(#[from] AppError),
    /// The server does not run.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The first principal cannot be made.
    #[error("the first administrator could not be made: {0}")]
    Access(#[from] AccessError),
    /// A word of this program is not one of its own alphabet.
    #[error(transparent)]
    Word(#[from] InvalidName),
    /// Log and mirror disagree.
    #[error(transparent)]
    Mirror(#[from] MirrorError),
    /// The same, found while serving.
    #[error("{0}")]
    Alarm(String),
    /// Made for a bench: it records no read, so it keeps nobody's data.
    #[error(
        "this program was built with the feature `bench-unrecorded` and records no read: it runs `demo` only"
    )]
    Unrecorded,
    /// Agents cannot be told of their requests.
    #[error("agents cannot be called: {0}")]
    Teller(#[source] reqwest::Error),
    /// The contract cannot be written down.
    #[error("the contract cannot be written as JSON: {0}")]
    Contract(#[from] serde_json::Error),
}

/// Serves until SIGTERM or SIGINT, then leaves clean databases.
///
/// # Errors
/// With what to do about it.
pub async fn run(arguments: &Serve, config: &Config) -> Result<(), ServeError> {
    if cfg!(feature = "bench-unrecorded") {
        return Err(ServeError::Unrecorded);
    }
    if let Some(folder) = scratch::of_restores(config) {
        scratch::sweep(&folder);
    }
    let app = App::open(config, Clock::system()).await?;
    let outcome = first_and_serve(arguments, config, &app).await;
    app.close().await;
    outcome
}

async fn first_and_serve(arguments: &Serve, config: &Config, app: &App) -> Result<(), ServeError> {
    let (tls, json) = (config.server.tls(), arguments.json);
    let told = async |address| {
        // Last of all: it is shown once, so a start that fails must not have made it.
        let first_key = first_administrator(app).await?;
        // Whoever started it may have stopped listening; the vault serves all the same.
        let _ = tell(address, tls, first_key.as_deref(), json, &mut io::stdout().lock());
        Ok(())
    };
    serve(app, config, told).await
}

/// Serves an open vault until SIGTERM or SIGINT and lets running requests finish; `ready` is told the real address,
/// before anything is answered. The caller closes the vault.
///
/// # Errors
/// When the address or TLS cannot be had, `ready` fails, or the server breaks.
pub async fn serve(
    app: &App,
    config: &Config,
    ready: impl AsyncFnOnce(SocketAddr) -> Result<(), ServeError>,
) -> Result<(), ServeError> {
    let keeper = LogKeeper::start(app, &config.audit).await?;
    let shared = Shared {
        readiness: readiness(app, &keeper),
        contract: Contract::new(&routes::contract())?,
        clock: app.vault.clock.clone(),
    };
    let operator = operator()?;
    let follow = config
        .policies
        .reload
        .then(|| tokio::spawn(app.desk().follow(operator, POLICY_LOOK)));
    let courier = Arc::clone(&app.courier);
    let courier = tokio::spawn(async move { courier.run().await });
    let promises = Arc::new(Keeper::new(app.requests()));
    let kept = {
        let promises = Arc::clone(&promises);
        tokio::spawn(async move { promises.run().await })
    };
    let teller = match &app.agents {
        Some(_) => {
            let teller = Teller::new(app.agent_desk(), &config.drp.allow).map_err(ServeError::Teller)?;
            Some(tokio::spawn(async move { teller.run().await }))
        }
        None => None,
    };
    let stop = {
        let (alarm, told) = (keeper.alarm(), server::told_to_stop());
        async move {
            tokio::select! {
                () = told => {}
                () = alarmed(alarm) => {}
            }
        }
    };
    let outcome = server::serve_until(&config.server, shared, routes::configure(app), ready, stop).await;
    if let Some(follow) = follow {
        follow.abort();
    }
    if let Some(teller) = teller {
        teller.abort();
    }
    // What is cut off here goes on at the next start, as after a crash.
    kept.abort();
    promises.leave().await;
    courier.abort();
    if let Err(error) = app.courier.leave().await {
        tracing::debug!(%error, "the right to send events ends by itself");
    }
    let alarm = keeper.alarm().borrow().clone();
    keeper.stop().await;
    outcome?;
    alarm.map_or(Ok(()), |told| Err(ServeError::Alarm(told)))
}

/// Makes the key of the first administrator of a new vault, to be shown once.
async fn first_administrator(app: &App) -> Result<Option<String>, ServeError> {
    let new = NewPrincipal {
        name: "first administrator".to_owned(),
        role: "admin".parse()?,
        scope: app.vault.properties.whole(),
        expires_at: None,
    };
    let made = app
        .access
        .principals
        .create_first(&new, &operator()?, RequestId::random())
        .await?;
    #[expect(
        clippy::disallowed_methods,
        reason = "the one time that the first key is shown to who started the vault"
    )]
    let text = made.map(|key| key.text().expose_secret().to_owned());
    Ok(text)
}

fn tell(
    address: SocketAddr,
    tls: bool,
    first_key: Option<&str>,
    as_json: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    let url = format!("{}://{address}", if tls { "https" } else { "http" });
    if as_json {
        let mut line = json!({ "url": url });
        if let (Some(key), Some(line)) = (first_key, line.as_object_mut()) {
            line.insert("first_key".to_owned(), key.into());
        }
        writeln!(out, "{line}")?;
        return out.flush();
    }
    if let Some(key) = first_key {
        writeln!(
            out,
            "The first administrator's key, shown this once:\n\n    {key}\n"
        )?;
    }
    writeln!(out, "guest-vault serves at {url} (documentation at {url}/docs)")?;
    out.flush()
}

/// What must be in order before anything is served.
fn readiness(app: &App, keeper: &LogKeeper) -> Readiness {
    let (alarm, sequencer) = (keeper.alarm(), Arc::clone(&app.sequencer));
    let (data, key_store, keys) = (
        app.vault.store.clone(),
        app.key_store.clone(),
        Arc::clone(&app.vault.keys),
    );
    Readiness::new(vec![
        Check::new("database", move || {
            let store = data.clone();
            async move { store.answers().await }
        }),
        Check::new("key_store", move || {
            let store = key_store.clone();
            async move { store.answers().await }
        }),
        Check::new("keys", move || {
            let keys = Arc::clone(&keys);
            async move { keys.health().await.is_ok() }
        }),
        Check::new("log", move || {
            std::future::ready(alarm.borrow().is_none() && !sequencer.is_stalled())
        }),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(tls: bool, key: Option<&str>, json: bool) -> String {
        let mut out = Vec::new();
        tell("127.0.0.1:8650".parse().unwrap(), tls, key, json, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn it_tells_where_it_serves_and_the_first_key_only_when_there_is_one() {
        assert!(told(false, Some("gv_x"), false).contains("gv_x"));
        assert!(told(true, None, false).contains("https://127.0.0.1:8650"));
        assert!(!told(true, None, false).contains("key"));
        let line: serde_json::Value = serde_json::from_str(&told(false, Some("gv_x"), true)).unwrap();
        assert_eq!(line, json!({"url": "http://127.0.0.1:8650", "first_key": "gv_x"}));
        assert_eq!(
            told(false, None, true).trim(),
            r#"{"url":"http://127.0.0.1:8650"}"#
        );
    }
}
