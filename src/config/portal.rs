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

/// Whether what follows `://` is an address of this machine.
fn is_local(rest: &str) -> bool {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    ["localhost", "127.0.0.1", "[::1]"].iter().any(|own| {
        host.strip_prefix(own)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
    })
}

/// An origin: scheme and host, no path.
fn is_origin(text: &str) -> bool {
    let Some((scheme, host)) = text.split_once("://") else {
        return false;
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    let carried = scheme == "https" || scheme == "http" && is_local(host);
    carried && !host.is_empty() && host.chars().all(plain)
}

#[expect(clippy::disallowed_methods, reason = "only the way of carrying is looked at")]
fn is_guarded(url: &SecretString) -> bool {
    match url.expose_secret().split_once("://") {
        Some(("smtps", _)) => true,
        Some(("smtp", rest)) => {
            let query = rest.split_once('?').map_or("", |(_, query)| query);
            query.split('&').any(|part| part == "tls=required") || is_local(rest)
        }
        _ => false,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_cross_no_network_in_clear() {
        let guarded = |url: &str| is_guarded(&SecretString::from(url));
        for good in [
            "smtps://user:password@mail.example:465",
            "smtp://mail.example:587?tls=required",
            "smtp://127.0.0.1:25",
            "smtp://localhost",
        ] {
            assert!(guarded(good), "{good}");
        }
        for bad in [
            "smtp://mail.example:25",
            "smtp://localhost.evil.example",
            "smtp://127.0.0.1@mail.example",
            "smtp://mail.example/?to=@localhost",
            "smtp://tls=required@mail.example",
            "http://localhost",
        ] {
            assert!(!guarded(bad), "{bad}");
        }
    }

    #[test]
    fn only_this_machine_goes_without_tls() {
        assert!(is_origin("https://privacy.hotel.example") && is_origin("http://localhost:8650"));
        for bad in [
            "http://localhost.evil.example",
            "http://privacy.hotel.example",
            "https://x.example/y",
            "https://",
        ] {
            assert!(!is_origin(bad), "{bad}");
        }
    }
}
