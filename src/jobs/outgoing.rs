//! Where outgoing calls may go: to the internet, and inside only where the operator says so. Checked for what is
//! written and for every address that a name resolves to, at each call: a name can change between two.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use reqwest::{
    Client, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect,
};

use crate::base::AddressRange;

/// How long a receiver may take to answer.
pub(super) const TIMEOUT: Duration = Duration::from_secs(15);
/// How long it may take to be reached.
const CONNECT: Duration = Duration::from_secs(5);

/// The address is not one that calls may go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the address is loopback, private or otherwise special, and not allowed by `allow`")]
pub(super) struct Forbidden;

/// Special blocks of IPv4 (IANA's registry): not to be reached from outside, or not by everybody.
const SPECIAL_V4: [([u8; 4], u32); 15] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];

/// Of IPv6 only `2000::/3` is given out; of it these are special.
const SPECIAL_V6: [([u16; 3], u32); 5] = [
    // Teredo, benchmarking, ORCHID and others of IETF's protocol assignments.
    ([0x2001, 0, 0], 23),
    // Documentation.
    ([0x2001, 0xdb8, 0], 32),
    // 6to4: carries any IPv4 address.
    ([0x2002, 0, 0], 16),
    // Documentation.
    ([0x3fff, 0, 0], 20),
    // Segment routing.
    ([0x5f00, 0, 0], 16),
];

/// Whether an address is one of the public internet.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => !SPECIAL_V4
            .iter()
            .any(|(first, bits)| same(Ipv4Addr::from(*first).to_bits(), v4.to_bits(), *bits)),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn same(a: u32, b: u32, bits: u32) -> bool {
    (a ^ b).checked_shr(32 - bits).unwrap_or(0) == 0
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    // NAT64 reaches the IPv4 address that it ends with.
    if let [0x64, 0xff9b, 0, 0, 0, 0, high, low] = segments {
        let [[a, b], [c, d]] = [high.to_be_bytes(), low.to_be_bytes()];
        return is_public(IpAddr::V4(Ipv4Addr::new(a, b, c, d)));
    }
    let given_out = segments.first().is_some_and(|first| first >> 13 == 1);
    let special = SPECIAL_V6.iter().any(|([a, b, c], bits)| {
        let first = Ipv6Addr::new(*a, *b, *c, 0, 0, 0, 0, 0).to_bits();
        (first ^ address.to_bits()).checked_shr(128 - bits).unwrap_or(0) == 0
    });
    given_out && !special
}

/// Where one receiver's calls may go.
#[derive(Clone)]
pub(super) struct Reach(Arc<[AddressRange]>);

impl Reach {
    pub(super) fn new(allow: &[AddressRange]) -> Self {
        Self(allow.into())
    }

    fn allows(&self, address: IpAddr) -> bool {
        is_public(address) || self.0.iter().any(|range| range.contains(address))
    }

    /// Checks an address that is written as numbers; a name is checked when it is resolved.
    pub(super) fn check(&self, url: &Url) -> Result<(), Forbidden> {
        let host = url.host_str().ok_or(Forbidden)?;
        let literal = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<IpAddr>();
        match literal {
            Ok(address) if !self.allows(address) => Err(Forbidden),
            _ => Ok(()),
        }
    }

    /// A client that goes nowhere else: no redirect, no proxy, no name that leads inside.
    ///
    /// # Errors
    /// When the machine has no trusted certificates.
    pub(super) fn client(&self) -> Result<Client, reqwest::Error> {
        // An error only says that one was installed before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Client::builder()
            .dns_resolver(Arc::new(self.clone()))
            .redirect(redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .connect_timeout(CONNECT)
            .timeout(TIMEOUT)
            .build()
    }
}

/// Whether a call failed because its name leads inside.
pub(super) fn is_forbidden(error: &reqwest::Error) -> bool {
    let first: &dyn std::error::Error = error;
    std::iter::successors(Some(first), |e| e.source()).any(|e| e.is::<Forbidden>())
}

impl Resolve for Reach {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found.filter(|a| reach.allows(a.ip())).collect();
            if allowed.is_empty() {
                return Err(Forbidden.into());
            }
            let addresses: Addrs = Box::new(allowed.into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_inside_are_told_from_those_outside() {
        for outside in [
            "8.8.8.8",
            "1.1.1.1",
            "93.184.216.34",
            "2606:4700::1111",
            "64:ff9b::808:808",
        ] {
            assert!(is_public(outside.parse().unwrap()), "{outside}");
        }
        for inside in [
            "127.0.0.1",
            "127.8.9.1",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.0.192",
            "::1",
            "::",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2001::1",
            "100::1",
            "::7f00:1",
            "fec0::1",
        ] {
            assert!(!is_public(inside.parse().unwrap()), "{inside}");
        }
        assert!(is_public("172.32.0.1".parse().unwrap()) && is_public("100.128.0.1".parse().unwrap()));
    }

    #[test]
    fn numbers_are_checked_however_they_are_spelt() {
        let nowhere = Reach::new(&[]);
        for url in [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://[::1]/",
            "http://[::ffff:7f00:1]/",
            "http://169.254.169.254/latest/meta-data",
        ] {
            assert_eq!(nowhere.check(&url.parse().unwrap()), Err(Forbidden), "{url}");
        }
        let inside = Reach::new(&["127.0.0.0/8".parse().unwrap()]);
        assert_eq!(inside.check(&"http://127.0.0.1/".parse().unwrap()), Ok(()));
        assert_eq!(inside.check(&"http://[::1]/".parse().unwrap()), Err(Forbidden));
    }

    #[actix_web::test]
    async fn a_name_that_leads_inside_is_not_called() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://localhost:{}/", listener.local_addr().unwrap().port());
        let client = Reach::new(&[]).client().unwrap();
        let error = client.post(&url).send().await.unwrap_err();
        assert!(is_forbidden(&error), "{error:?}");
        assert!(listener.accept().is_err(), "nobody called");
    }
}
