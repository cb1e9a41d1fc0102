//! `[server]`: where the vault listens and what it takes.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use secrecy::SecretString;
use serde::Deserialize;

use super::values::{lenient, lenient_option, list, secret};
use crate::base::AddressRange;

/// The section `[server]`.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// The address to listen on: loopback unless TLS or a proxy guards the way.
    #[serde(deserialize_with = "lenient")]
    pub bind: IpAddr,
    /// The port; 0 takes a free one and tells it.
    #[serde(deserialize_with = "lenient")]
    pub port: u16,
    /// The certificate chain, PEM.
    pub tls_cert: Option<PathBuf>,
    /// Its private key, PEM.
    pub tls_key: Option<PathBuf>,
    /// A proxy ends TLS in front, and nobody else reaches this port.
    #[serde(deserialize_with = "lenient")]
    pub behind_proxy: bool,
    /// Proxies whose `X-Forwarded-For` is believed.
    #[serde(deserialize_with = "list")]
    pub trusted_proxies: Vec<AddressRange>,
    /// Worker threads; by default one per core.
    #[serde(deserialize_with = "lenient_option")]
    pub workers: Option<usize>,
    /// The largest body, in bytes.
    #[serde(deserialize_with = "lenient")]
    pub body_limit_bytes: usize,
    /// How long an answer may take to begin, in seconds.
    #[serde(deserialize_with = "lenient")]
    pub timeout_seconds: u64,
    /// How long running requests may take to finish after a stop, in seconds.
    #[serde(deserialize_with = "lenient")]
    pub drain_seconds: u64,
    /// How long new connections are still taken after a stop, in seconds, while `/readyz` already says no: time for
    /// a load balancer to notice.
    #[serde(deserialize_with = "lenient")]
    pub drain_delay_seconds: u64,
    /// The most connections at once, over all workers.
    #[serde(deserialize_with = "lenient")]
    pub max_connections: usize,
    /// Calls a second of one principal; bursts of twice that. 0 is no limit.
    #[serde(deserialize_with = "lenient")]
    pub calls_per_second_principal: u32,
    /// Calls a second from one address; bursts of twice that. 0 is no limit.
    #[serde(deserialize_with = "lenient")]
    pub calls_per_second_address: u32,
    /// Reads `/metrics`; without it nobody can.
    #[serde(deserialize_with = "secret")]
    pub metrics_token: Option<SecretString>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 8650,
            tls_cert: None,
            tls_key: None,
            behind_proxy: false,
            trusted_proxies: Vec::new(),
            workers: None,
            body_limit_bytes: 1024 * 1024,
            timeout_seconds: 30,
            drain_seconds: 30,
            drain_delay_seconds: 0,
            max_connections: 10_000,
            // Services of the group read thousands of guests a second; who wants a bound sets one.
            calls_per_second_principal: 0,
            calls_per_second_address: 2_000,
            metrics_token: None,
        }
    }
}

impl ServerConfig {
    /// The address and port to listen on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(self.bind, self.port)
    }

    /// Whether the vault itself speaks TLS.
    #[must_use]
    pub fn tls(&self) -> bool {
        self.tls_cert.is_some() && self.tls_key.is_some()
    }

    /// How long an answer may take to begin.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds)
    }

    pub(super) fn check(&self, wrong: &mut Vec<String>) {
        if self.tls_cert.is_some() != self.tls_key.is_some() {
            wrong.push("server.tls_cert and server.tls_key go together: give both, or neither".into());
        }
        if !self.bind.to_canonical().is_loopback() && !self.tls() && !self.behind_proxy {
            wrong.push(format!(
                "server.bind = {}: guests' data would cross the network in clear. Give --tls-cert and --tls-key, \
                 or --behind-proxy if a proxy ends TLS and nobody else reaches this port, or bind to 127.0.0.1",
                self.bind
            ));
        }
        if !self.behind_proxy && !self.trusted_proxies.is_empty() {
            wrong.push("server.trusted_proxies needs server.behind_proxy = true".into());
        }
        let ranges = [
            (
                "server.body_limit_bytes",
                self.body_limit_bytes,
                1_024,
                64 * 1024 * 1024,
            ),
            ("server.max_connections", self.max_connections, 1, 1_000_000),
            ("server.workers", self.workers.unwrap_or(1), 1, 1_024),
        ];
        for (key, value, least, most) in ranges {
            if !(least..=most).contains(&value) {
                wrong.push(format!("{key} must be {least} to {most}"));
            }
        }
        for (key, value) in [
            ("timeout_seconds", self.timeout_seconds),
            ("drain_seconds", self.drain_seconds),
        ] {
            if !(1..=3_600).contains(&value) {
                wrong.push(format!("server.{key} must be 1 to 3600"));
            }
        }
    }
}
