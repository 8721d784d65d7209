//! Rate limit on logins per address: each code costs a call to WeChat, and a client may make codes up.

use crate::domain::{Clock, Rate, Time};
use crate::shared::Sharded;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

/// The default limit of logins per minute from one address. It leaves room for a proxy that is not trusted, behind
/// which everybody has the proxy's address.
const DEFAULT_PER_MINUTE: u32 = 60_000;

/// The maximum number of addresses remembered.
const CAPACITY: usize = 65_536;

/// Counts logins by address. Cheap to clone; one for all workers.
#[derive(Debug, Clone)]
pub struct LoginBrake {
    rate: Option<Rate>,
    /// Whether logins from this machine count. They come from a proxy or a test.
    counts_loopback: bool,
    used: Sharded<HashMap<String, Time>>,
    clock: Clock,
}

impl LoginBrake {
    /// `per_minute`: logins per minute from one address; 0 is unlimited; `None` is 60,000, and unlimited from this
    /// machine itself.
    pub fn new(per_minute: Option<u32>, clock: Clock) -> Self {
        let rate = Rate::per_minute(per_minute.unwrap_or(DEFAULT_PER_MINUTE));
        Self { rate, counts_loopback: per_minute.is_some(), used: Sharded::default(), clock }
    }

    /// Counts a login; if over the limit, returns the seconds until there is room for one again.
    pub fn take(&self, address: Option<IpAddr>) -> Result<(), u32> {
        let (Some(rate), Some(address)) = (self.rate, address) else { return Ok(()) };
        if address.is_loopback() && !self.counts_loopback {
            return Ok(());
        }
        let (key, now) = (key_of(address), self.clock.now());
        let mut used = self.used.write(&key);
        if let Some(used_until) = used.get_mut(&key) {
            *used_until = rate.take(*used_until, now)?;
            return Ok(());
        }
        if used.len() >= CAPACITY / Sharded::<()>::PARTS {
            forget_half(&mut used, now);
        }
        used.insert(key, rate.take(now, now)?);
        Ok(())
    }
}

/// Evicts the addresses that have used none of their limit or, if those are few, the half that has used least of
/// it. So a client with many addresses can't free one that has used up its limit.
fn forget_half(used: &mut HashMap<String, Time>, now: Time) {
    let mut ends: Vec<Time> = used.values().copied().collect();
    let middle = ends.len() / 2;
    let (_, median, _) = ends.select_nth_unstable(middle);
    let least = now.max(*median);
    used.retain(|_, used_until| *used_until > least);
}

/// Groups IPv6 addresses by /64 network: whoever has one address of it has all 2^64.
fn key_of(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let network = u128::from(address) >> 64 << 64;
            Ipv6Addr::from(network).to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_of_one_ipv6_network_are_counted_together() {
        let brake = LoginBrake::new(Some(1), Clock::system());
        let take = |address: &str| brake.take(Some(address.parse().unwrap())).is_ok();
        assert!(take("2001:db8::1") && !take("2001:db8::2") && take("2001:db8:0:1::1"));
        assert!(take("::ffff:192.0.2.1") && !take("192.0.2.1"));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let brake = LoginBrake::new(Some(1), Clock::system());
        for number in 0..2 * CAPACITY as u32 {
            brake.take(Some(IpAddr::V4(number.into()))).ok();
        }
        assert!(brake.used.write_each().map(|part| part.len()).sum::<usize>() <= CAPACITY);
    }

    #[test]
    fn whoever_has_many_addresses_frees_nobody_who_has_used_up_theirs() {
        let brake = LoginBrake::new(Some(2), Clock::system());
        let take = |number: u32| brake.take(Some(IpAddr::V4(number.into()))).is_ok();
        assert!(take(7) && take(7) && !take(7));
        for number in 1000..1000 + 2 * CAPACITY as u32 {
            assert!(take(number));
        }
        assert!(!take(7));
    }

    #[test]
    fn this_machine_itself_is_counted_only_where_a_number_is_set() {
        let take = |brake: &LoginBrake| brake.take(Some(IpAddr::V4([127, 0, 0, 1].into()))).is_ok();
        let unset = LoginBrake::new(None, Clock::system());
        assert!((0..100_000).all(|_| take(&unset)));
        let off = LoginBrake::new(Some(0), Clock::system());
        assert!((0..100_000).all(|_| take(&off)));
        let one = LoginBrake::new(Some(1), Clock::system());
        assert!(take(&one) && !take(&one));
    }
}
