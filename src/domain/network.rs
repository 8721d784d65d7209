//! Network ranges, the real client address of a request, and which hosts are this machine.

use std::net::{IpAddr, SocketAddr};

/// Why a text is not a network range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCidr {
    /// The text is not an address with an optional prefix length.
    #[error("a range is an address and a prefix length, like `10.0.0.0/8` or `fd00::/8`")]
    Form,
    /// The prefix is longer than the address.
    #[error("a prefix length is at most 32 for IPv4 and 128 for IPv6")]
    Prefix,
}

/// A CIDR range: a network address and the number of leading bits that its addresses share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    network: IpAddr,
    prefix: u32,
}

impl Cidr {
    /// Parses `ADDRESS/PREFIX`, or an address alone, which is a range of one.
    ///
    /// IPv4-mapped IPv6 (`::ffff:10.0.0.0/104`) is converted to IPv4.
    pub fn parse(text: &str) -> Result<Self, InvalidCidr> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(parse_prefix(prefix)?)),
            None => (text, None),
        };
        let written: IpAddr = address.parse().map_err(|_| InvalidCidr::Form)?;
        let prefix = prefix.unwrap_or_else(|| bits(written));
        if prefix > bits(written) {
            return Err(InvalidCidr::Prefix);
        }
        let network = written.to_canonical();
        let unwrapped = bits(written) - bits(network);
        let prefix = prefix.checked_sub(unwrapped).ok_or(InvalidCidr::Prefix)?;
        Ok(Self { network, prefix })
    }

    /// Is this address in the range? IPv4-mapped IPv6 addresses count as IPv4.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.leading_zeros() >= self.prefix
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.leading_zeros() >= self.prefix
            }
            _ => false,
        }
    }
}

impl std::fmt::Display for Cidr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

/// The address of the client behind a connection from `socket`.
///
/// This is the socket's own address, unless that belongs to one of the `trusted` proxies; then it is the last
/// entry of `X-Forwarded-For` that is not trusted. `x_forwarded_for` yields the header's values in order of
/// arrival. Each proxy appends, so whatever precedes an untrusted or malformed entry may be forged and is
/// ignored. If all entries are trusted, the first one is the client.
pub fn client_address<'a>(
    socket: IpAddr,
    x_forwarded_for: impl Iterator<Item = &'a [u8]>,
    trusted: &[Cidr],
) -> IpAddr {
    let socket = socket.to_canonical();
    let is_trusted = |address| trusted.iter().any(|range| range.contains(address));
    if !is_trusted(socket) {
        return socket;
    }
    // The result that a scan from the right would have, computed while walking from the left.
    let mut client = None;
    for entry in x_forwarded_for.flat_map(|value| value.split(|&b| b == b',')) {
        match entry.trim_ascii() {
            b"" => {}
            entry => match parse_entry(entry) {
                Some(address) if is_trusted(address) => client = client.or(Some(address)),
                Some(address) => client = Some(address),
                None => client = None,
            },
        }
    }
    client.unwrap_or(socket)
}

/// Is this host, a name or an IP address in brackets or without, the machine itself?
pub fn is_this_machine(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    bare == "localhost" || bare.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

fn bits(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn parse_prefix(text: &str) -> Result<u32, InvalidCidr> {
    let digits_only = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits_only {
        return Err(InvalidCidr::Form);
    }
    text.parse().map_err(|_| InvalidCidr::Prefix)
}

/// Parses `1.2.3.4`, `1.2.3.4:80`, `::1`, `[::1]` or `[::1]:80`.
fn parse_entry(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry).ok()?;
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address = match bare {
        Some(inside) => IpAddr::V6(inside.parse().ok()?),
        None => text.parse().or_else(|_| text.parse().map(|socket: SocketAddr| socket.ip())).ok()?,
    };
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn client(socket: &str, headers: &[&str], trusted: &[&str]) -> IpAddr {
        let trusted: Vec<Cidr> = trusted.iter().map(|text| Cidr::parse(text).unwrap()).collect();
        client_address(ip(socket), headers.iter().map(|value| value.as_bytes()), &trusted)
    }

    #[test]
    fn a_range_contains_what_shares_its_prefix() {
        let ten = Cidr::parse("10.0.0.0/8").unwrap();
        assert!(ten.contains(ip("10.255.1.2")) && ten.contains(ip("::ffff:10.1.1.1")));
        assert!(!ten.contains(ip("11.0.0.0")) && !ten.contains(ip("::10.0.0.1")));
        assert!(Cidr::parse("0.0.0.0/0").unwrap().contains(ip("203.0.113.9")));
        assert!(!Cidr::parse("::/0").unwrap().contains(ip("203.0.113.9")));
        assert!(Cidr::parse("fd00::/8").unwrap().contains(ip("fdab::1")));
        assert!(Cidr::parse("192.0.2.1").unwrap().contains(ip("192.0.2.1")));
        assert!(!Cidr::parse("192.0.2.1/32").unwrap().contains(ip("192.0.2.2")));
        assert!(Cidr::parse("::ffff:10.0.0.0/104").unwrap().contains(ip("10.9.9.9")));
    }

    #[test]
    fn this_machine_is_localhost_or_a_loopback_address() {
        for own in ["localhost", "127.0.0.1", "127.1.2.3", "::1", "[::1]"] {
            assert!(is_this_machine(own), "{own}");
        }
        for other in ["", "10.0.0.1", "::2", "[::2]", "localhost.example.com", "127.0.0.1.example.com"] {
            assert!(!is_this_machine(other), "{other}");
        }
    }

    #[test]
    fn malformed_ranges_are_refused() {
        for wrong in ["", "/", "10.0.0.0/", "10.0.0/8", "10.0.0.0/+8", "10.0.0.0/8/8", "localhost", "*"] {
            assert_eq!(Cidr::parse(wrong), Err(InvalidCidr::Form), "{wrong}");
        }
        for wrong in ["10.0.0.0/33", "::/129", "10.0.0.0/99999999999", "::ffff:10.0.0.0/64"] {
            assert_eq!(Cidr::parse(wrong), Err(InvalidCidr::Prefix), "{wrong}");
        }
    }

    #[test]
    fn nobody_is_believed_without_a_trusted_proxy() {
        assert_eq!(client("203.0.113.9", &["1.1.1.1"], &[]), ip("203.0.113.9"));
        assert_eq!(client("203.0.113.9", &["1.1.1.1"], &["10.0.0.0/8"]), ip("203.0.113.9"));
        assert_eq!(client("::ffff:203.0.113.9", &[], &[]), ip("203.0.113.9"));
    }

    #[test]
    fn the_last_untrusted_entry_is_the_client() {
        let trusted = &["10.0.0.0/8"];
        assert_eq!(client("10.0.0.1", &["6.6.6.6, 203.0.113.9, 10.0.0.2"], trusted), ip("203.0.113.9"));
        assert_eq!(client("::ffff:10.0.0.1", &["6.6.6.6", "203.0.113.9"], trusted), ip("203.0.113.9"));
        assert_eq!(client("10.0.0.1", &["10.0.0.3,10.0.0.2"], trusted), ip("10.0.0.3"));
        assert_eq!(client("10.0.0.1", &[], trusted), ip("10.0.0.1"));
        assert_eq!(client("10.0.0.1", &["", " , "], trusted), ip("10.0.0.1"));
    }

    #[test]
    fn entries_may_carry_ports_and_brackets() {
        let trusted = &["10.0.0.0/8"];
        for (entry, address) in [
            ("203.0.113.9:4711", "203.0.113.9"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
        ] {
            assert_eq!(client("10.0.0.1", &[entry], trusted), ip(address), "{entry}");
        }
    }

    #[test]
    fn garbage_ends_the_scan_at_the_last_good_entry() {
        let trusted = &["10.0.0.0/8"];
        assert_eq!(client("10.0.0.1", &["6.6.6.6, unknown, 10.0.0.2"], trusted), ip("10.0.0.2"));
        assert_eq!(client("10.0.0.1", &["6.6.6.6, [10.0.0.9"], trusted), ip("10.0.0.1"));
        assert_eq!(client("10.0.0.1", &["unknown, 203.0.113.9"], trusted), ip("203.0.113.9"));
        let trusted = [Cidr::parse("10.0.0.0/8").unwrap()];
        let headers: [&[u8]; 2] = [b"6.6.6.6", b"\xff\xfe"];
        assert_eq!(client_address(ip("10.0.0.1"), headers.into_iter(), &trusted), ip("10.0.0.1"));
    }
}
