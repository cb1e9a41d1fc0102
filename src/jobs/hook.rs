//! A signed call to another system, as Standard Webhooks 1.0 says: where it goes, and what signs it.

use std::path::{Path, PathBuf};

use reqwest::{Client, Url, header::CONTENT_TYPE};

use crate::{
    base::AddressRange,
    crypto::{HookKey, InvalidHookKey},
};

use super::outgoing::{Forbidden, Reach, is_forbidden};

/// Why a system cannot be called.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// Its address is none.
    #[error("{0}: url is not an address, or holds a user name")]
    Address(String),
    /// Its address is inside.
    #[error("{0}: {1}")]
    Forbidden(String, #[source] ForbiddenAddress),
    /// Its secret cannot be read.
    #[error("{name}: {path} cannot be read: {cause}")]
    Unreadable {
        /// Which.
        name: String,
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// Its secret is none.
    #[error("{0}: a line of secret_file {1}")]
    Secret(String, #[source] InvalidHookKey),
    /// No client can be made.
    #[error("{0}: {1}")]
    Client(String, #[source] reqwest::Error),
}

/// The address is loopback, private or otherwise special.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ForbiddenAddress(#[from] Forbidden);

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was taken.
    Taken,
    /// It was not, and may be later: a word or a status.
    NotNow(String),
    /// It never will be.
    Never(String),
}

/// A system that is called, ready.
pub struct Hook {
    url: Url,
    reach: Reach,
    client: Client,
    keys: Vec<HookKey>,
}

impl Hook {
    /// Checks the address and reads the secrets, one a line; `name` is for messages.
    ///
    /// # Errors
    /// With what is wrong in the configuration.
    pub fn new(name: &str, url: &str, secret_file: &Path, allow: &[AddressRange]) -> Result<Self, HookError> {
        let url = Url::parse(url).map_err(|_| HookError::Address(name.to_owned()))?;
        if !url.username().is_empty() || url.password().is_some() || url.host_str().is_none() {
            return Err(HookError::Address(name.to_owned()));
        }
        let reach = Reach::new(allow);
        reach
            .check(&url)
            .map_err(|e| HookError::Forbidden(name.to_owned(), e.into()))?;
        Ok(Self {
            url,
            client: reach
                .client()
                .map_err(|e| HookError::Client(name.to_owned(), e))?,
            reach,
            keys: keys(name, secret_file)?,
        })
    }

    /// Sends a body, signed now (`now` in seconds).
    pub async fn call(&self, id: &str, now: i64, (media, body): (&'static str, Vec<u8>)) -> Outcome {
        if self.reach.check(&self.url).is_err() {
            return Outcome::NotNow("address_refused".to_owned());
        }
        let signatures: Vec<String> = self.keys.iter().map(|key| key.sign(id, now, &body)).collect();
        let answer = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, media)
            .header("webhook-id", id)
            .header("webhook-timestamp", now.to_string())
            .header("webhook-signature", signatures.join(" "))
            .body(body)
            .send()
            .await;
        match answer {
            Ok(answer) if answer.status().is_success() => Outcome::Taken,
            Ok(answer) => match answer.status().as_u16() {
                gone @ 410 => Outcome::Never(gone.to_string()),
                other => Outcome::NotNow(other.to_string()),
            },
            Err(error) => Outcome::NotNow(word(&error).to_owned()),
        }
    }
}

/// What failed, in a word: the client's own words repeat the address.
fn word(error: &reqwest::Error) -> &'static str {
    if is_forbidden(error) {
        "address_refused"
    } else if error.is_timeout() {
        "timeout"
    } else if error.is_connect() {
        "not_connected"
    } else {
        "failed"
    }
}

fn keys(name: &str, path: &Path) -> Result<Vec<HookKey>, HookError> {
    let text = std::fs::read_to_string(path).map_err(|cause| HookError::Unreadable {
        name: name.to_owned(),
        path: path.to_owned(),
        cause,
    })?;
    let text = zeroize::Zeroizing::new(text);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let keys: Result<Vec<_>, _> = lines.map(HookKey::parse).collect();
    match keys {
        Ok(keys) if keys.is_empty() => Err(HookError::Secret(name.to_owned(), InvalidHookKey)),
        Ok(keys) => Ok(keys),
        Err(error) => Err(HookError::Secret(name.to_owned(), error)),
    }
}
