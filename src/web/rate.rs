//! How often anybody may call: a bucket per principal and one per peer address, in memory.

use std::{
    hash::Hash,
    net::IpAddr,
    num::NonZeroU32,
    sync::atomic::{AtomicU32, Ordering},
};

use governor::{
    Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
    state::keyed::DashMapStateStore,
};

use super::{Kind, Problem};
use crate::base::PrincipalId;

/// After how many checks full buckets are swept out, so that the table holds only those who called lately.
const SWEEP_EVERY: u32 = 4096;

/// A bucket per key.
struct Buckets<K: Hash + Eq + Clone> {
    limiter: RateLimiter<K, DashMapStateStore<K>, DefaultClock>,
    checks: AtomicU32,
}

impl<K: Hash + Eq + Clone> Buckets<K> {
    fn new(per_second: NonZeroU32) -> Self {
        let burst = per_second.saturating_mul(NonZeroU32::MIN.saturating_add(1));
        Self {
            limiter: RateLimiter::dashmap(Quota::per_second(per_second).allow_burst(burst)),
            checks: AtomicU32::new(0),
        }
    }

    fn check(&self, key: &K) -> Result<(), Problem> {
        if self.checks.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            self.limiter.retain_recent();
        }
        self.limiter.check_key(key).map_err(|early| {
            let wait = early.wait_time_from(DefaultClock::default().now());
            let seconds = u32::try_from(wait.as_secs())
                .unwrap_or(u32::MAX)
                .saturating_add(1);
            Problem::new(Kind::RateLimited).retry_after(seconds)
        })
    }
}

/// The buckets of a server; shared by its workers.
pub struct RateLimits {
    principals: Option<Buckets<PrincipalId>>,
    addresses: Option<Buckets<Network>>,
}

/// Who an address stands for: IPv4 by address, IPv6 by /64, which is what one customer is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Network(u64);

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(u64::from(v4.to_bits())),
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                let top = [a, b, c, d]
                    .into_iter()
                    .fold(0, |bits, s| bits << 16 | u64::from(s));
                Self(top)
            }
        }
    }
}

impl RateLimits {
    /// Limits in calls a second, with bursts of twice that; zero is no limit.
    #[must_use]
    pub fn new(per_principal: u32, per_address: u32) -> Self {
        Self {
            principals: NonZeroU32::new(per_principal).map(Buckets::new),
            addresses: NonZeroU32::new(per_address).map(Buckets::new),
        }
    }

    /// Counts a call of a principal; for whoever authenticates.
    ///
    /// # Errors
    /// [`Kind::RateLimited`] with the time to wait.
    pub fn principal(&self, principal: PrincipalId) -> Result<(), Problem> {
        self.principals
            .as_ref()
            .map_or(Ok(()), |buckets| buckets.check(&principal))
    }

    /// Counts a call from an address.
    ///
    /// # Errors
    /// [`Kind::RateLimited`] with the time to wait.
    pub fn address(&self, address: IpAddr) -> Result<(), Problem> {
        self.addresses
            .as_ref()
            .map_or(Ok(()), |buckets| buckets.check(&address.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(mut call: impl FnMut() -> Result<(), Problem>) -> usize {
        (0..100).take_while(|_| call().is_ok()).count()
    }

    #[test]
    fn a_burst_of_twice_the_rate_passes_then_no_more() {
        let limits = RateLimits::new(5, 0);
        let one = PrincipalId::random();
        let calls = passed(|| limits.principal(one));
        assert!((10..=11).contains(&calls), "{calls}");
        let problem = limits.principal(one).unwrap_err();
        assert_eq!(problem.kind(), Kind::RateLimited);
        assert!(
            limits.principal(PrincipalId::random()).is_ok(),
            "another principal is not touched"
        );
        assert_eq!(
            passed(|| limits.address([127, 0, 0, 1].into())),
            100,
            "zero is no limit"
        );
    }

    #[test]
    fn one_ipv6_customer_is_one_key_whatever_address_it_takes() {
        let limits = RateLimits::new(0, 5);
        let from = |text: &str| limits.address(text.parse().unwrap());
        assert!(passed(|| from("2001:db8::1")) <= 11);
        assert!(from("2001:db8::ffff").is_err());
        assert!(from("2001:db8:0:1::1").is_ok());
        assert!(passed(|| from("10.0.0.1")) <= 11);
        assert!(
            from("::ffff:10.0.0.1").is_err(),
            "the same address, written for IPv6"
        );
    }
}
