//! `[portal]`: the guests' pages.

use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::values::{lenient, list, secret};
use crate::base::AddressRange;

/// The section `[portal]`.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields, default)]
pub struct PortalConfig {
    /// Whether there are any.
    #[serde(deserialize_with = "lenient")]
    pub enabled: bool,
    /// Where guests' browsers reach the vault: `https://privacy.hotel.example`. Needed for session links.
    pub base_url: Option<String>,
    /// Whose pages these are, as guests know the house; the name of the tree's top, when absent.
    pub brand: Option<String>,
    /// Under which law guests' requests are opened: a regime of `policies/deadlines.toml`.
    pub regime: String,
    /// From whom codes come by e-mail: `Hotel Lumen <privacy@hotel.example>`.
    pub mail_from: Option<String>,
    /// The mail server: `smtps://user:password@host:465`, or `smtp://host:587?tls=required`.
    #[serde(deserialize_with = "secret")]
    pub smtp_url: Option<SecretString>,
    /// Who sends codes by SMS or chat.
    pub sms: Option<SmsConfig>,
    /// Messages are shown on a page instead of being sent. Only the demonstration does that.
    #[serde(skip)]
    pub outbox: bool,
}

/// `[portal.sms]`: a signed webhook that brings a code to a telephone.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub struct SmsConfig {
    /// Where messages go.
    pub url: String,
    /// The file with its secret (`whsec_…`), as for `[[webhooks]]`.
    pub secret_file: PathBuf,
    /// Private, loopback or other special addresses that it may have.
    #[serde(default, deserialize_with = "list")]
    pub allow: Vec<AddressRange>,
}

impl Default for PortalConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            base_url: None,
            brand: None,
            regime: "gdpr".to_owned(),
            mail_from: None,
            smtp_url: None,
            sms: None,
            outbox: false,
        }
    }
}

/// An origin: scheme and host, no path.
fn is_origin(text: &str) -> bool {
    let Some((scheme, host)) = text.split_once("://") else {
        return false;
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    let local = ["localhost", "127.0.0.1", "[::1]"]
        .iter()
        .any(|own| host.starts_with(own));
    let carried = scheme == "https" || scheme == "http" && local;
    carried && !host.is_empty() && host.chars().all(plain)
}

#[expect(clippy::disallowed_methods, reason = "only the way of carrying is looked at")]
fn is_guarded(url: &SecretString) -> bool {
    let url = url.expose_secret();
    let local = ["smtp://localhost", "smtp://127.0.0.1", "smtp://[::1]"];
    url.starts_with("smtps://")
        || url.starts_with("smtp://") && url.contains("tls=required")
        || local.iter().any(|own| url.starts_with(own))
}

impl PortalConfig {
    pub(super) fn check(&self, wrong: &mut Vec<String>) {
        if self.base_url.as_deref().is_some_and(|url| !is_origin(url)) {
            wrong.push("portal.base_url must be https:// and a host, without a path".into());
        }
        if self
            .brand
            .as_ref()
            .is_some_and(|b| b.is_empty() || b.chars().count() > 80)
        {
            wrong.push("portal.brand must be 1 to 80 characters".into());
        }
        if self.smtp_url.is_some() != self.mail_from.is_some() {
            wrong.push("portal.smtp_url and portal.mail_from go together: give both, or neither".into());
        }
        if self.smtp_url.as_ref().is_some_and(|url| !is_guarded(url)) {
            wrong.push(
                "portal.smtp_url: codes would cross the network in clear; use smtps://, or smtp:// with ?tls=required"
                    .into(),
            );
        }
        if let Some(sms) = &self.sms
            && !sms.url.starts_with("https://")
            && (sms.allow.is_empty() || !sms.url.starts_with("http://"))
        {
            wrong.push("portal.sms.url must begin with https://; http:// only together with `allow`".into());
        }
    }
}
