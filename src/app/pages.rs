//! What both sets of pages need of the configuration, decided once.

use std::sync::Arc;

use crate::{base::PropertyTree, config::Config};

/// What pages need of the configuration.
#[derive(Clone)]
pub struct Pages {
    /// Whether browsers come by TLS.
    pub secure: bool,
    /// Whose pages these are, as people know the house.
    pub brand: Arc<str>,
}

impl Pages {
    pub(super) fn of(config: &Config, properties: &PropertyTree) -> Self {
        let name = properties.top().map(|node| match node.name.as_str() {
            "" => node.code.as_str(),
            name => name,
        });
        let brand = config.portal.brand.as_deref().or(name);
        // TLS ends here or at a proxy; one on this machine may stand before a loopback address, and then the address
        // that browsers are given says so.
        let given = config.console.sign_in.as_ref().map(|sign_in| &sign_in.address);
        let mut given = given.into_iter().chain(&config.portal.base_url);
        let server = &config.server;
        Self {
            secure: server.tls()
                || server.behind_proxy
                || !server.bind.is_loopback()
                || given.any(|address| address.starts_with("https://")),
            brand: brand.unwrap_or("guest-vault").into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(text: &str) -> Pages {
        let config: Config = toml::from_str(text).unwrap();
        Pages::of(&config, &config.properties().unwrap())
    }

    #[test]
    fn both_sets_of_pages_know_alike_whether_browsers_come_by_tls() {
        assert!(!pages("").secure);
        let provider = "[console.sign_in]\nissuer = 'https://id.example'\nclient_id = 'v'\nalgorithms = ['RS256']\n\
                        roles = {}\naddress = ";
        for given in [
            "[server]\nbehind_proxy = true".to_owned(),
            "[server]\nbind = '0.0.0.0'".to_owned(),
            "[portal]\nbase_url = 'https://privacy.hotel.example'".to_owned(),
            format!("{provider}'https://vault.hotel.example'"),
        ] {
            assert!(pages(&given).secure, "{given}");
        }
        assert!(!pages(&format!("{provider}'http://localhost:8650'")).secure);
    }

    #[test]
    fn both_bear_the_same_name() {
        let tree = "[[property]]\ncode = 'P1'\nkind = 'property'\nparent = 'G'\n[[property]]\ncode = 'G'\nkind = 'group'\n";
        assert_eq!(&*pages(tree).brand, "G");
        assert_eq!(
            &*pages(&format!("{tree}name = 'Hotel Lumen'\n")).brand,
            "Hotel Lumen"
        );
        assert_eq!(
            &*pages(&format!("{tree}[portal]\nbrand = 'Lumen'\n")).brand,
            "Lumen"
        );
    }
}
