//! Logs and witnesses elsewhere, over HTTPS.

use std::time::Duration;

use reqwest::{Client, StatusCode, Url, header, redirect};

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// So often a busy server is asked, with a pause between.
const TRIES: u32 = 30;
const PAUSE: Duration = Duration::from_secs(1);
/// No honest answer is longer: a full bundle of the longest entries has 16 MiB.
const LARGEST: usize = 17 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// The address is not one that may be asked.
    #[error("the address must be https (http only on 127.0.0.1, [::1] or localhost), without a user name")]
    Address,
    /// No answer came.
    #[error("no answer: {0}")]
    Unreachable(#[source] reqwest::Error),
    /// The answer is too long.
    #[error("the answer is longer than {LARGEST} bytes")]
    TooLarge,
}

/// An answer.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) kind: String,
    pub(super) body: Vec<u8>,
}

/// Something that answers below an address.
pub struct Remote {
    base: Url,
    client: Client,
    key: Option<String>,
}

impl Remote {
    /// Below this address, with a bearer key where one is needed.
    ///
    /// # Errors
    /// [`RemoteError::Address`].
    pub fn new(address: &str, key: Option<String>) -> Result<Self, RemoteError> {
        let slashed = format!("{}/", address.trim_end_matches('/'));
        let base = Url::parse(&slashed).map_err(|_| RemoteError::Address)?;
        let local = matches!(base.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        let plain = base.scheme() == "http" && local;
        let named = !base.username().is_empty() || base.password().is_some();
        if !(plain || base.scheme() == "https") || named || base.host_str().is_none() {
            return Err(RemoteError::Address);
        }
        // An error only says that one was installed before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .https_only(!plain)
            // A redirect could lead from the checked address to any other.
            .redirect(redirect::Policy::none())
            .timeout(TIMEOUT)
            .referer(false);
        let client = if local { client.no_proxy() } else { client };
        let client = client.build().map_err(RemoteError::Unreachable)?;
        Ok(Self { base, client, key })
    }

    /// The address.
    #[must_use]
    pub fn address(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// What lies at a path; `None` when nothing does. A busy server is asked again.
    pub(super) async fn fetch(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
        let mut tries = 0;
        loop {
            let answer = self.get(path).await.map_err(|error| error.to_string())?;
            tries += 1;
            match answer.status {
                StatusCode::OK => return Ok(Some(answer.body)),
                StatusCode::NOT_FOUND => return Ok(None),
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE if tries < TRIES => {
                    tokio::time::sleep(PAUSE).await;
                }
                other => return Err(format!("status {}", other.as_u16())),
            }
        }
    }

    async fn get(&self, path: &str) -> Result<Answer, RemoteError> {
        let address = self.base.join(path).map_err(|_| RemoteError::Address)?;
        let request = self.client.get(address);
        self.send(match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        })
        .await
    }

    pub(super) async fn post(&self, path: &str, body: String) -> Result<Answer, RemoteError> {
        let address = self.base.join(path).map_err(|_| RemoteError::Address)?;
        self.send(self.client.post(address).body(body)).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Answer, RemoteError> {
        let failed = |error: reqwest::Error| RemoteError::Unreachable(error.without_url());
        let mut answer = request.send().await.map_err(failed)?;
        let kind = answer.headers().get(header::CONTENT_TYPE);
        let kind = kind
            .and_then(|kind| kind.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let status = answer.status();
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(failed)? {
            if body.len().saturating_add(part.len()) > LARGEST {
                return Err(RemoteError::TooLarge);
            }
            body.extend_from_slice(&part);
        }
        Ok(Answer { status, kind, body })
    }
}
