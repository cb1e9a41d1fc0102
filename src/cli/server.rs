//! The server: listens, serves, and stops without losing a request.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use actix_web::{
    App, HttpServer,
    middleware::from_fn,
    web::{Data, ServiceConfig},
};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    base::Clock,
    config::ServerConfig,
    web::{Contract, Door, Limits, RateLimits, Readiness, metrics, operation, refusals, request, tls},
};

/// How long a connection without a request is kept; longer than the usual 60 s of proxies in front, so that it is
/// the proxy that closes.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// How long the head of a request may take to come in: a slow one holds a connection, not a worker.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// Why the server does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address cannot be had.
    #[error("cannot listen on {address}: {cause}; another program may use the port, try --port 0")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// TLS cannot be offered.
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
    /// It broke while running.
    #[error("the server stopped: {0}")]
    Broken(#[source] io::Error),
}

/// What all requests share, beside what `configure` adds.
pub struct Shared {
    /// What must be in order to serve.
    pub readiness: Readiness,
    /// What `/openapi.json` and `/docs` show.
    pub contract: Contract,
    /// Where the time comes from.
    pub clock: Clock,
}

/// Serves what `configure` routes until SIGTERM or SIGINT: see [`serve_until`].
///
/// # Errors
/// When the address or TLS cannot be had, or the server breaks.
pub async fn serve<F, E>(
    config: &ServerConfig,
    shared: Shared,
    configure: F,
    on_ready: impl AsyncFnOnce(SocketAddr) -> Result<(), E>,
) -> Result<(), E>
where
    F: Fn(&mut ServiceConfig) + Clone + Send + 'static,
    E: From<ServerError>,
{
    serve_until(config, shared, configure, on_ready, told_to_stop()).await
}

/// Serves what `configure` routes until `stop` ends, then lets running requests finish. `on_ready` is told the real
/// address, once it is had and TLS is in order and before anything is answered; its error ends the start. When this
/// returns, nothing is running any more: the caller closes its databases.
///
/// `configure` is run in each worker, after the calls that every server has.
///
/// # Errors
/// When the address or TLS cannot be had, or the server breaks.
pub async fn serve_until<F, E>(
    config: &ServerConfig,
    shared: Shared,
    configure: F,
    on_ready: impl AsyncFnOnce(SocketAddr) -> Result<(), E>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), E>
where
    F: Fn(&mut ServiceConfig) + Clone + Send + 'static,
    E: From<ServerError>,
{
    let readiness = Data::new(shared.readiness);
    let contract = Data::new(shared.contract);
    let token = Data::new(metrics::MetricsToken(config.metrics_token.clone()));
    let rates = Arc::new(RateLimits::new(
        config.calls_per_second_principal,
        config.calls_per_second_address,
    ));
    let limits = Limits {
        body_bytes: config.body_limit_bytes,
        timeout: config.timeout(),
    };
    let door = Door {
        timeout: config.timeout(),
        tls: config.tls(),
        trusted_proxies: config.trusted_proxies.clone().into(),
        rates: Arc::clone(&rates),
    };
    let numbers = metrics::recorder();
    let draining = readiness.clone();
    let server = HttpServer::new(move || {
        let (door, configure) = (door.clone(), configure.clone());
        App::new()
            .app_data(limits.clone())
            .app_data(readiness.clone())
            .app_data(contract.clone())
            .app_data(token.clone())
            .configure(operation)
            .configure(refusals)
            .configure(configure)
            .wrap(from_fn(move |request, next| {
                request::through(door.clone(), request, next)
            }))
    })
    .keep_alive(KEEP_ALIVE)
    .client_request_timeout(HEAD_TIMEOUT)
    .client_disconnect_timeout(Duration::from_secs(1))
    .tls_handshake_timeout(HANDSHAKE_TIMEOUT)
    .shutdown_timeout(config.drain_seconds)
    .shutdown_signal(drained(
        stop,
        draining,
        Duration::from_secs(config.drain_delay_seconds),
    ));
    let workers = config.workers.unwrap_or_else(cores);
    let server = server
        .workers(workers)
        .max_connections((config.max_connections / workers).max(1));

    let address = config.address();
    let refused = |cause| ServerError::Bind { address, cause };
    let server = match (&config.tls_cert, &config.tls_key) {
        (Some(cert), Some(key)) => {
            let tls = tls::server_config(cert, key, shared.clock.now()).map_err(ServerError::from)?;
            server.bind_rustls_0_23(address, tls).map_err(refused)?
        }
        _ => server.bind(address).map_err(refused)?,
    };
    let real = server.addrs().first().copied().unwrap_or(address);
    on_ready(real).await?;
    let upkeep = tokio::spawn(upkeep(numbers));
    let outcome = server.run().await.map_err(ServerError::Broken);
    upkeep.abort();
    Ok(outcome?)
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// Ends at SIGTERM or SIGINT; they are caught from this call on, not only once somebody waits.
pub(super) fn told_to_stop() -> impl Future<Output = ()> + Send + 'static {
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    async move {
        let (Ok(mut terminate), Ok(mut interrupt)) = signals else {
            // Without handlers the signals end the process at once, which loses nothing that was acknowledged.
            return std::future::pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}

/// Once told to stop, the vault says that it is not ready; after `delay` it takes no new connection.
async fn drained(stop: impl Future<Output = ()> + Send, readiness: Data<Readiness>, delay: Duration) {
    stop.await;
    tracing::info!("stopping: running requests finish, new ones are refused");
    readiness.drain();
    tokio::time::sleep(delay).await;
}

/// Folds recorded durations into their buckets, so that they do not pile up while nobody reads them.
async fn upkeep(numbers: Option<metrics_exporter_prometheus::PrometheusHandle>) {
    let Some(numbers) = numbers else { return };
    let mut tick = tokio::time::interval(Duration::from_secs(5));
    loop {
        tick.tick().await;
        numbers.run_upkeep();
    }
}

#[cfg(test)]
mod tests;
