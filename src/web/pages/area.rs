//! A set of pages with one sign-in: the guest's, the officer's.

use std::sync::Arc;

/// A link of the navigation.
#[derive(Debug, Clone, Copy)]
pub struct Item {
    /// Where it leads.
    pub path: &'static str,
    /// The key of its text.
    pub text: &'static str,
}

/// A set of pages. Cheap to clone.
#[derive(Clone)]
pub struct Area {
    /// The first page, such as `/privacy`; all others lie beneath it.
    pub home: &'static str,
    /// Where a visitor is led who must sign in.
    pub sign_in: &'static str,
    /// Where the form that ends a session goes.
    pub sign_out: &'static str,
    /// What its cookie is called, without prefix.
    pub cookie: &'static str,
    /// The key of its name.
    pub name: &'static str,
    /// The navigation, for who is signed in.
    pub items: &'static [Item],
    /// Whose pages these are, as people know the house; shown beside the name.
    pub brand: Arc<str>,
    /// Whether browsers come by TLS: then the cookie is `__Host-…` and `Secure`. Only a loopback address goes without.
    pub secure: bool,
    /// Where browsers reach the vault (`https://host`), when it is configured; otherwise what `Host` says counts.
    pub origin: Option<Arc<str>>,
}

impl Area {
    /// The cookie's whole name: the prefix binds it to this host, the whole host and TLS (RFC 6265bis §4.1.3.2).
    #[must_use]
    pub fn cookie_name(&self, what: &str) -> String {
        let prefix = if self.secure { "__Host-" } else { "" };
        format!("{prefix}gv-{}{what}", self.cookie)
    }

    /// The path to go on with after a sign-in: one of this area's own pages, or its first. Never another site.
    #[must_use]
    pub fn own_path(&self, asked: Option<&str>) -> String {
        let own = asked.filter(|path| {
            let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.?=&%".contains(c);
            let beneath = path
                .strip_prefix(self.home)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
            beneath && path.len() <= 500 && path.chars().all(plain) && !path.contains("//")
        });
        own.unwrap_or(self.home).to_owned()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::web::pages) fn area(secure: bool) -> Area {
        Area {
            home: "/privacy",
            sign_in: "/privacy/sign-in",
            sign_out: "/privacy/sign-out",
            cookie: "guest",
            name: "common.skip",
            items: &[],
            brand: "Test".into(),
            secure,
            origin: None,
        }
    }

    #[test]
    fn nobody_is_led_away_from_the_area() {
        let area = area(true);
        for own in [
            "/privacy",
            "/privacy/data",
            "/privacy?lang=zh",
            "/privacy/requests/1?x=2&y=%20",
        ] {
            assert_eq!(area.own_path(Some(own)), own);
        }
        for other in [
            "https://evil.example",
            "//evil.example/privacy",
            "/privacy//evil.example",
            "/privacyx",
            "/privacy/\\evil",
            "/privacy@evil.example",
            "/console",
            "javascript:alert(1)",
            "/privacy/\r\nSet-Cookie: a=b",
            "",
        ] {
            assert_eq!(area.own_path(Some(other)), "/privacy", "{other}");
        }
        assert_eq!(area.own_path(None), "/privacy");
    }

    #[test]
    fn only_loopback_goes_without_the_prefix() {
        assert_eq!(area(true).cookie_name(""), "__Host-gv-guest");
        assert_eq!(area(false).cookie_name("-flash"), "gv-guest-flash");
    }
}
