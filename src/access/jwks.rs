//! An issuer's public keys: where they come from, when they are fetched again, and which one a token may use.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse},
};
use reqwest::{Client, Url, redirect};
use tokio::sync::Mutex;

use crate::{base::Clock, config::JwksSource};

/// A set larger than this is refused; a large one has a few dozen kilobytes.
const LARGEST: usize = 256 * 1024;
/// More keys than this are refused.
const MOST_KEYS: usize = 64;
/// An unknown key id asks the issuer at most this often, however many tokens name one.
const PAUSE: TimeDelta = TimeDelta::seconds(30);
/// A key that the issuer withdrew is forgotten after about this long.
const OLD: TimeDelta = TimeDelta::minutes(10);
const TIMEOUT: Duration = Duration::from_secs(5);

/// Why an issuer's keys could not be had.
#[derive(Debug, thiserror::Error)]
pub enum JwksError {
    /// The address is not one that keys may come from.
    #[error(
        "the key set's address must be https (http only on 127.0.0.1, [::1] or localhost), without a user name"
    )]
    Address,
    /// The file cannot be read.
    #[error("the key set {path} cannot be read: {cause}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// The issuer did not answer.
    #[error("the issuer's key set cannot be fetched")]
    Fetch(#[source] reqwest::Error),
    /// The issuer answered with something else than success; redirects are not followed.
    #[error("the issuer answered {0} when asked for its key set")]
    Status(u16),
    /// The answer is too long.
    #[error("the key set is larger than {LARGEST} bytes or has more than {MOST_KEYS} keys")]
    TooLarge,
    /// It is not a JSON Web Key Set.
    #[error("the key set is not a JSON Web Key Set (RFC 7517)")]
    Malformed,
    /// It holds a secret or private key, which no longer is one once it lies here.
    #[error("the key set holds a private or symmetric key; publish public keys only and replace that key")]
    Private,
    /// There is no key to check a signature with.
    #[error("the key set holds no usable public key with a key id (RSA, P-256, P-384 or Ed25519)")]
    Empty,
}

/// The usable keys of one set.
pub(super) struct KeySet(Vec<(Jwk, DecodingKey)>);

impl KeySet {
    /// Reads a set; keys of kinds that the vault does not know, or without a key id, are left out.
    pub(super) fn parse(text: &[u8]) -> Result<Self, JwksError> {
        if text.len() > LARGEST {
            return Err(JwksError::TooLarge);
        }
        let json: serde_json::Value = serde_json::from_slice(text).map_err(|_| JwksError::Malformed)?;
        let keys = json
            .get("keys")
            .and_then(|k| k.as_array())
            .ok_or(JwksError::Malformed)?;
        if keys.len() > MOST_KEYS {
            return Err(JwksError::TooLarge);
        }
        if keys
            .iter()
            .any(|key| key.get("d").is_some() || key.get("k").is_some())
        {
            return Err(JwksError::Private);
        }
        let set: JwkSet = serde_json::from_value(json).map_err(|_| JwksError::Malformed)?;
        let usable: Vec<_> = set.keys.into_iter().filter_map(usable).collect();
        Ok(Self(usable))
    }

    /// Whether there is no key to check a signature with.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The key with this id, if it may be used with this algorithm.
    pub(super) fn find(&self, id: &str, algorithm: Algorithm) -> Option<&DecodingKey> {
        self.0
            .iter()
            .find(|(jwk, _)| jwk.common.key_id.as_deref() == Some(id) && fits(jwk, algorithm))
            .map(|(_, key)| key)
    }
}

fn usable(jwk: Jwk) -> Option<(Jwk, DecodingKey)> {
    let signs = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
    let named = jwk.common.key_id.as_deref().is_some_and(|id| !id.is_empty());
    let known = matches!(
        jwk.algorithm,
        AlgorithmParameters::RSA(_)
            | AlgorithmParameters::EllipticCurve(_)
            | AlgorithmParameters::OctetKeyPair(_)
    );
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    (signs && named && known).then_some((jwk, key))
}

/// Whether the key's type and curve, and its own `alg` if it has one, agree with the algorithm.
fn fits(jwk: &Jwk, algorithm: Algorithm) -> bool {
    let kind = match (&jwk.algorithm, algorithm) {
        (AlgorithmParameters::RSA(_), Algorithm::RS256 | Algorithm::PS256) => true,
        (AlgorithmParameters::EllipticCurve(key), Algorithm::ES256) => key.curve == EllipticCurve::P256,
        (AlgorithmParameters::EllipticCurve(key), Algorithm::ES384) => key.curve == EllipticCurve::P384,
        (AlgorithmParameters::OctetKeyPair(key), Algorithm::EdDSA) => key.curve == EllipticCurve::Ed25519,
        _ => false,
    };
    kind && jwk
        .common
        .key_algorithm
        .is_none_or(|own| own == KeyAlgorithm::from(algorithm))
}

/// The current set of one issuer, fetched again when it is old or a token names a key that is not in it.
pub(super) struct Keys {
    place: Place,
    clock: Clock,
    current: ArcSwapOption<KeySet>,
    generation: AtomicU64,
    fetching: Mutex<Attempts>,
}

#[derive(Default)]
struct Attempts {
    last: Option<DateTime<Utc>>,
    text: Vec<u8>,
}

enum Place {
    File(PathBuf),
    Url { address: Url, client: Client },
}

impl Keys {
    /// Looks at the source, fetches nothing yet.
    pub(super) fn new(source: &JwksSource, clock: Clock) -> Result<Self, JwksError> {
        Ok(Self {
            place: Place::new(source)?,
            clock,
            current: ArcSwapOption::empty(),
            generation: AtomicU64::new(0),
            fetching: Mutex::default(),
        })
    }

    /// The set now, if there ever was one.
    pub(super) fn current(&self) -> Option<Arc<KeySet>> {
        self.current.load_full()
    }

    /// Grows with every change of the set: what was verified under an older one is to be verified again.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Fetches the set, unless that was tried less than [`PAUSE`] ago; those who wait share one fetch.
    /// The last good set stays when it fails.
    pub(super) async fn refetch(&self) -> Result<(), JwksError> {
        let mut attempts = self.fetching.lock().await;
        self.fetch_after(PAUSE, &mut attempts).await
    }

    /// Fetches the set if it is old and nobody is doing so.
    pub(super) async fn refresh_if_old(&self) -> Result<(), JwksError> {
        match self.fetching.try_lock() {
            Ok(mut attempts) => self.fetch_after(OLD, &mut attempts).await,
            Err(_) => Ok(()),
        }
    }

    /// Whether the last attempt is so long ago that [`Keys::refresh_if_old`] would fetch.
    pub(super) fn is_old(&self) -> bool {
        self.fetching
            .try_lock()
            .is_ok_and(|attempts| self.due(OLD, &attempts))
    }

    fn due(&self, pause: TimeDelta, attempts: &Attempts) -> bool {
        // The absolute value: a clock that was set back must not stop fetching.
        attempts
            .last
            .is_none_or(|last| (self.clock.now() - last).abs() >= pause)
    }

    async fn fetch_after(&self, pause: TimeDelta, attempts: &mut Attempts) -> Result<(), JwksError> {
        if !self.due(pause, attempts) {
            return Ok(());
        }
        attempts.last = Some(self.clock.now());
        let text = self.place.read().await?;
        let set = KeySet::parse(&text)?;
        let is_empty = set.is_empty();
        if text != attempts.text {
            attempts.text = text;
            // Also by an empty one: whose last key is taken away is cut off.
            self.current.store(Some(Arc::new(set)));
            self.generation.fetch_add(1, Ordering::Release);
        }
        if is_empty { Err(JwksError::Empty) } else { Ok(()) }
    }
}

impl Place {
    fn new(source: &JwksSource) -> Result<Self, JwksError> {
        let text = match source {
            JwksSource::File(path) => return Ok(Self::File(path.clone())),
            JwksSource::Url(text) => text,
        };
        let address = Url::parse(text).map_err(|_| JwksError::Address)?;
        let local = matches!(address.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        let plain = address.scheme() == "http" && local;
        let named = !address.username().is_empty() || address.password().is_some();
        if !(plain || address.scheme() == "https") || named || address.host_str().is_none() {
            return Err(JwksError::Address);
        }
        // An error only says that one was installed before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .https_only(!plain)
            // A redirect could lead from the checked address to any other.
            .redirect(redirect::Policy::none())
            .connect_timeout(TIMEOUT)
            .timeout(TIMEOUT)
            .referer(false);
        // A proxy must not see, and so be able to change, what goes to this machine in clear.
        let client = if local { client.no_proxy() } else { client };
        Ok(Self::Url {
            address,
            client: client.build().map_err(JwksError::Fetch)?,
        })
    }

    async fn read(&self) -> Result<Vec<u8>, JwksError> {
        match self {
            Self::File(path) => read_file(path).await,
            Self::Url { address, client } => read_url(address, client).await,
        }
    }
}

async fn read_file(path: &PathBuf) -> Result<Vec<u8>, JwksError> {
    let failed = |cause| JwksError::File {
        path: path.clone(),
        cause,
    };
    let length = tokio::fs::metadata(path).await.map_err(failed)?.len();
    if usize::try_from(length).map_or(true, |n| n > LARGEST) {
        return Err(JwksError::TooLarge);
    }
    tokio::fs::read(path).await.map_err(failed)
}

async fn read_url(address: &Url, client: &Client) -> Result<Vec<u8>, JwksError> {
    // Errors of the client repeat the address; it is configuration, but may hold a key of the issuer's in its query.
    let failed = |e: reqwest::Error| JwksError::Fetch(e.without_url());
    let mut answer = client.get(address.clone()).send().await.map_err(failed)?;
    if !answer.status().is_success() {
        return Err(JwksError::Status(answer.status().as_u16()));
    }
    let mut text = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(failed)? {
        if text.len() + part.len() > LARGEST {
            return Err(JwksError::TooLarge);
        }
        text.extend_from_slice(&part);
    }
    Ok(text)
}
