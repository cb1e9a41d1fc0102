//! Signing in at an `OpenID` provider: the authorization code flow with PKCE (`OpenID` Connect Core 1.0 §3.1, RFC 7636,
//! RFC 9700), for people at a browser.
//!
//! What one sign-in must remember (state, nonce, PKCE verifier) the caller keeps bound to the browser that began it.
//! The provider's answer is believed only for the same state, from the same issuer (RFC 9207), and with an ID token
//! that passes the same checks as access tokens do.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use chrono::{DateTime, TimeDelta, Utc};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use reqwest::{Client, Url, header, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{TokenError, jwt::Issuer, signature};
use crate::{
    base::{Caller, Clock},
    config::SignInConfig,
    crypto::{random, same, sha256},
};

/// No honest answer of a provider is longer.
const LARGEST: usize = 256 * 1024;
const TIMEOUT: Duration = Duration::from_secs(5);
/// The provider's configuration is read again after this long.
const OLD: TimeDelta = TimeDelta::hours(1);

/// Why nobody could be signed in. For the log: none of these repeats anything that browser or provider says.
#[derive(Debug, thiserror::Error)]
pub enum OpenIdError {
    /// An address is not one that may be asked.
    #[error("an address of the provider must be https (http only on this machine), without a user name")]
    Address,
    /// The secret's file cannot be read.
    #[error("the file of the client's secret cannot be read: {0}")]
    Secret(#[source] std::io::Error),
    /// The provider does not answer, or not with success.
    #[error("the provider does not answer as it should: {0}")]
    Provider(String),
    /// Its configuration is of another issuer, or incomplete.
    #[error("the provider's configuration is not that of the configured issuer")]
    Discovery,
    /// The provider's keys cannot be used.
    #[error(transparent)]
    Keys(#[from] super::IssuersError),
    /// The answer belongs to another sign-in, or to none.
    #[error("the answer belongs to another sign-in")]
    State,
    /// The ID token is refused.
    #[error("the ID token is refused: {0}")]
    Token(#[from] TokenError),
}

/// What one sign-in remembers between leaving for the provider and coming back.
#[derive(Serialize, Deserialize)]
pub struct Begun {
    state: String,
    nonce: String,
    verifier: String,
    /// Until when it may come back, seconds since 1970.
    until: i64,
}

/// What the provider sent the browser back with.
pub struct Answer<'a> {
    /// The state.
    pub state: &'a str,
    /// The code.
    pub code: &'a str,
    /// Which issuer says so, where it does (RFC 9207).
    pub issuer: Option<&'a str>,
}

#[derive(Deserialize)]
struct Discovered {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
}

struct Provider {
    authorize: Url,
    token: Url,
    issuer: Issuer,
    at: DateTime<Utc>,
}

/// The provider at which people sign in.
pub struct OpenId {
    config: SignInConfig,
    secret: Option<SecretString>,
    client: Client,
    found: ArcSwapOption<Provider>,
    clock: Clock,
}

impl OpenId {
    /// Reads the secret; asks the provider nothing yet.
    ///
    /// # Errors
    /// When the secret's file cannot be read.
    pub fn new(config: SignInConfig, clock: Clock) -> Result<Self, OpenIdError> {
        signature::install();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let secret = config.client_secret_file.as_ref().map(std::fs::read_to_string);
        let secret = secret.transpose().map_err(OpenIdError::Secret)?;
        let issuer = checked(&config.issuer)?;
        let client = Client::builder()
            .https_only(issuer.scheme() == "https")
            .redirect(redirect::Policy::none())
            .connect_timeout(TIMEOUT)
            .timeout(TIMEOUT)
            .referer(false);
        let client = if issuer.scheme() == "https" {
            client
        } else {
            client.no_proxy()
        };
        Ok(Self {
            secret: secret.map(|text| text.trim_end().to_owned().into()),
            client: client.build().map_err(|error| refused(&error.without_url()))?,
            config,
            found: ArcSwapOption::empty(),
            clock,
        })
    }

    /// Where to send the browser, and what to remember until it comes back.
    ///
    /// # Errors
    /// When the provider cannot be asked for its configuration.
    pub async fn begin(&self) -> Result<(String, Begun), OpenIdError> {
        let provider = self.provider().await?;
        let begun = Begun {
            state: BASE64URL_NOPAD.encode(&random::<32>()),
            nonce: BASE64URL_NOPAD.encode(&random::<32>()),
            verifier: BASE64URL_NOPAD.encode(&random::<32>()),
            until: (self.clock.now() + TimeDelta::minutes(10)).timestamp(),
        };
        let mut scope = "openid".to_owned();
        for more in &self.config.scopes {
            scope.push(' ');
            scope.push_str(more);
        }
        let mut address = provider.authorize.clone();
        address
            .query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.config.client_id)
            .append_pair("redirect_uri", &self.config.callback())
            .append_pair("scope", &scope)
            .append_pair("state", &begun.state)
            .append_pair("nonce", &begun.nonce)
            .append_pair(
                "code_challenge",
                &BASE64URL_NOPAD.encode(&sha256(begun.verifier.as_bytes())),
            )
            .append_pair("code_challenge_method", "S256");
        Ok((address.into(), begun))
    }

    /// Who has signed in.
    ///
    /// # Errors
    /// Why nobody has; for the log, not for the browser.
    pub async fn finish(&self, begun: &Begun, answer: &Answer<'_>) -> Result<Caller, OpenIdError> {
        let now = self.clock.now();
        let elsewhere = answer.issuer.is_some_and(|issuer| issuer != self.config.issuer);
        let mine = same(begun.state.as_bytes(), answer.state.as_bytes());
        if !mine || elsewhere || now.timestamp() >= begun.until {
            return Err(OpenIdError::State);
        }
        let provider = self.provider().await?;
        let token = self.redeem(&provider.token, answer.code, &begun.verifier).await?;
        Ok(provider.issuer.signed_in(&token, &begun.nonce, now).await?)
    }

    /// The ID token for a code.
    async fn redeem(&self, at: &Url, code: &str, verifier: &str) -> Result<String, OpenIdError> {
        #[derive(Deserialize)]
        struct Tokens {
            id_token: String,
        }
        let callback = self.config.callback();
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", callback.as_str()),
            ("code_verifier", verifier),
        ];
        if self.secret.is_none() {
            form.push(("client_id", self.config.client_id.as_str()));
        }
        let body = Url::parse_with_params("http://form.invalid", &form).map_err(|_| OpenIdError::Address)?;
        let mut request = self
            .client
            .post(at.clone())
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "application/json")
            .body(body.query().unwrap_or_default().to_owned());
        if let Some(secret) = &self.secret {
            request = request.header(header::AUTHORIZATION, self.basic(secret));
        }
        let tokens: Tokens = read(request).await?;
        Ok(tokens.id_token)
    }

    /// `client_secret_basic`: id and secret, each encoded as in a form (RFC 6749 §2.3.1).
    #[expect(
        clippy::disallowed_methods,
        reason = "the provider knows the client by it, and nobody else is told"
    )]
    fn basic(&self, secret: &SecretString) -> String {
        let encoded = |text: &str| {
            let url = Url::parse_with_params("http://form.invalid", [("", text)]).ok();
            let query = url.as_ref().and_then(|url| url.query()).unwrap_or_default();
            query.trim_start_matches('=').to_owned()
        };
        let both = format!(
            "{}:{}",
            encoded(&self.config.client_id),
            encoded(secret.expose_secret())
        );
        format!("Basic {}", BASE64.encode(both.as_bytes()))
    }

    /// The provider as its configuration says; read again when it is old.
    async fn provider(&self) -> Result<Arc<Provider>, OpenIdError> {
        let now = self.clock.now();
        if let Some(known) = self.found.load_full()
            && (now - known.at).abs() < OLD
        {
            return Ok(known);
        }
        let below = format!(
            "{}/.well-known/openid-configuration",
            self.config.issuer.trim_end_matches('/')
        );
        let said: Discovered = read(self.client.get(checked(&below)?)).await?;
        if said.issuer != self.config.issuer {
            return Err(OpenIdError::Discovery);
        }
        let issuer = Issuer::open(&self.config.issuer(said.jwks_uri), self.clock.clone()).await?;
        let provider = Arc::new(Provider {
            authorize: checked(&said.authorization_endpoint)?,
            token: checked(&said.token_endpoint)?,
            issuer,
            at: now,
        });
        self.found.store(Some(Arc::clone(&provider)));
        Ok(provider)
    }
}

fn checked(address: &str) -> Result<Url, OpenIdError> {
    let url = Url::parse(address).map_err(|_| OpenIdError::Address)?;
    let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    let safe = url.scheme() == "https" || (url.scheme() == "http" && local);
    let named = !url.username().is_empty() || url.password().is_some();
    if safe && !named && url.host_str().is_some() {
        Ok(url)
    } else {
        Err(OpenIdError::Address)
    }
}

fn refused(error: &reqwest::Error) -> OpenIdError {
    OpenIdError::Provider(error.to_string())
}

async fn read<T: serde::de::DeserializeOwned>(request: reqwest::RequestBuilder) -> Result<T, OpenIdError> {
    let mut answer = request
        .send()
        .await
        .map_err(|error| refused(&error.without_url()))?;
    if !answer.status().is_success() {
        return Err(OpenIdError::Provider(format!(
            "status {}",
            answer.status().as_u16()
        )));
    }
    let mut text = Vec::new();
    while let Some(part) = answer
        .chunk()
        .await
        .map_err(|error| refused(&error.without_url()))?
    {
        if text.len() + part.len() > LARGEST {
            return Err(OpenIdError::Provider("a too long answer".to_owned()));
        }
        text.extend_from_slice(&part);
    }
    serde_json::from_slice(&text).map_err(|_| OpenIdError::Provider("not the expected JSON".to_owned()))
}
