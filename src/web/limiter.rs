//! How often strangers may ask: so many requests for each address, more for each network, and so many of all of them.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderValue, StatusCode, header};

use super::problem::Problem;

/// So many requests are free at once, and they come back one by one over a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    pub(super) requests: u32,
    pub(super) per: Duration,
}

/// Addresses that are remembered: beyond these those that asked longest ago are forgotten.
const MOST_ADDRESSES: usize = 10_000;

/// Counts requests.
#[derive(Debug)]
pub(super) struct Limiter {
    of_one: Allowance,
    of_network: Allowance,
    of_all: Allowance,
    buckets: Mutex<Buckets>,
}

#[derive(Debug, Default)]
struct Buckets {
    all: Option<Bucket>,
    by_address: HashMap<IpAddr, Bucket>,
    /// Of IPv6, by their first 48 bits: what one subscriber is given at most.
    by_network: HashMap<IpAddr, Bucket>,
}

/// What is left, and when that was so.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Allowance {
    fn per_second(self) -> f64 {
        f64::from(self.requests) / self.per.as_secs_f64()
    }

    /// What is left now.
    fn refill(self, bucket: Option<Bucket>, now: Instant) -> Bucket {
        let most = f64::from(self.requests);
        let left = bucket.map_or(most, |bucket| {
            let since = now.saturating_duration_since(bucket.at).as_secs_f64();
            (bucket.left + since * self.per_second()).min(most)
        });
        Bucket { left, at: now }
    }

    /// How long until one is free.
    fn wait(self, bucket: Bucket) -> Option<Duration> {
        (bucket.left < 1.0).then(|| Duration::from_secs_f64((1.0 - bucket.left) / self.per_second()))
    }
}

/// Whoever asks too often is told how long to wait.
pub(super) fn too_many(wait: Duration) -> Problem {
    let seconds = wait.as_secs() + 1;
    let detail = format!("too many requests; try again in {seconds} s");
    let detail_zh = format!("查询过于频繁，请{seconds}秒后再试。");
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", detail, detail_zh)
        .with(header::RETRY_AFTER, HeaderValue::from(seconds))
}

impl Limiter {
    pub(super) fn new(of_one: Allowance, of_network: Allowance, of_all: Allowance) -> Self {
        Self { of_one, of_network, of_all, buckets: Mutex::default() }
    }

    /// Takes one request of an address; else how long it is to wait.
    pub(super) fn take(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let (address, network) = (network_of(address, 64), network_of(address, 48));
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let mut own = self.of_one.refill(buckets.by_address.get(&address).copied(), now);
        let mut around = self.of_network.refill(buckets.by_network.get(&network).copied(), now);
        let mut all = self.of_all.refill(buckets.all, now);
        // of IPv4 an address is its own network
        let around_wait = network.is_ipv6().then(|| self.of_network.wait(around)).flatten();
        let wait = self.of_one.wait(own).max(around_wait).max(self.of_all.wait(all));
        if wait.is_none() {
            own.left -= 1.0;
            around.left -= 1.0;
            all.left -= 1.0;
        }
        buckets.all = Some(all);
        remember(&mut buckets.by_address, address, own, self.of_one);
        if network.is_ipv6() {
            remember(&mut buckets.by_network, network, around, self.of_network);
        }
        wait.map_or(Ok(()), Err)
    }
}

fn remember(buckets: &mut HashMap<IpAddr, Bucket>, address: IpAddr, bucket: Bucket, allowance: Allowance) {
    if buckets.len() >= MOST_ADDRESSES && !buckets.contains_key(&address) {
        forget(buckets, allowance, bucket.at);
    }
    buckets.insert(address, bucket);
}

/// The network of so many bits; who has IPv6 has a whole one of 64, or many of them.
fn network_of(address: IpAddr, bits: u32) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> (128 - bits) << (128 - bits))),
    }
}

/// Those that may ask as if they never had; and if that is not enough, the half that asked longest ago.
fn forget(buckets: &mut HashMap<IpAddr, Bucket>, of_one: Allowance, now: Instant) {
    buckets.retain(|_, bucket| of_one.refill(Some(*bucket), now).left < f64::from(of_one.requests));
    if buckets.len() >= MOST_ADDRESSES {
        let mut times: Vec<Instant> = buckets.values().map(|bucket| bucket.at).collect();
        let middle = times.len() / 2;
        let (_, median, _) = times.select_nth_unstable(middle);
        let median = *median;
        buckets.retain(|_, bucket| bucket.at > median);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn limiter() -> Limiter {
        let of = |requests| Allowance { requests, per: MINUTE };
        Limiter::new(of(3), of(4), of(6))
    }

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn one_address_waits_and_another_does_not_until_all_do() {
        let (limiter, now) = (limiter(), Instant::now());
        for _ in 0..3 {
            assert_eq!(limiter.take(address(1), now), Ok(()));
        }
        assert_eq!(limiter.take(address(1), now), Err(Duration::from_secs(20)));
        assert_eq!(limiter.take(address(2), now), Ok(()));
        assert_eq!(limiter.take(address(3), now), Ok(()));
        assert_eq!(limiter.take(address(3), now), Ok(()));
        assert_eq!(limiter.take(address(4), now), Err(Duration::from_secs(10)), "all of them together");
        let later = now + Duration::from_secs(20);
        assert_eq!(limiter.take(address(1), later), Ok(()), "one came back");
        assert!(limiter.take(address(1), later).is_err());
    }

    #[test]
    fn a_network_of_ipv6_is_one_address_and_a_mapped_one_is_its_own() {
        let of = |text: &str| network_of(text.parse().expect("an address"), 64);
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), address(1));
    }

    #[test]
    fn whoever_has_many_networks_of_ipv6_closes_the_door_for_nobody_else() {
        let (limiter, now) = (limiter(), Instant::now());
        let of = |text: &str| text.parse::<IpAddr>().expect("an address");
        for number in 0..4 {
            assert_eq!(limiter.take(of(&format!("2001:db8:1:{number}::1")), now), Ok(()));
        }
        assert!(limiter.take(of("2001:db8:1:9::1"), now).is_err(), "its neighbours asked for it");
        assert_eq!(limiter.take(of("2001:db8:2::1"), now), Ok(()));
        assert_eq!(limiter.take(address(1), now), Ok(()));
    }

    #[test]
    fn many_addresses_take_bounded_memory() {
        let of = |requests| Allowance { requests, per: MINUTE };
        let limiter = Limiter::new(of(1), of(1), of(u32::MAX));
        let begin = Instant::now();
        for number in 0..30_000_u32 {
            let now = begin + Duration::from_micros(u64::from(number));
            let _taken = limiter.take(IpAddr::from(number.to_be_bytes()), now);
        }
        let buckets = limiter.buckets.lock().expect("unharmed");
        assert!(buckets.by_address.len() <= MOST_ADDRESSES);
    }
}
