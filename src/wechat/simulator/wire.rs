//! WeChat's response formats: errcodes, errmsg texts and the request ids in them.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number from WeChat's table of return codes.
pub(super) type Errcode = i64;

/// The result of an endpoint: the JSON of a success, or the errcode of a failure.
pub(super) type Outcome = Result<String, Errcode>;

/// The families of URLs, which differ in how they join errmsg and request id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// `/sns/…`: a comma before the rid, and `text/plain`.
    Sns,
    /// `/cgi-bin/…` and `/wxa/…`: a space before the rid.
    Cgi,
    /// `/wxa/business/…`: a hint and the rid.
    Business,
}

impl Family {
    /// The `Content-Type` of its responses.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Family::Sns => "text/plain",
            Family::Cgi | Family::Business => "application/json; encoding=utf-8",
        }
    }
}

/// A source of numbers that only need to look random.
pub(super) struct Noise(AtomicU64);

impl Noise {
    /// Starts at a random number.
    pub(super) fn new() -> Self {
        Self(AtomicU64::new(u64::from_ne_bytes(crate::crypto::random_bytes())))
    }

    /// The next number (the splitmix64 sequence).
    pub(super) fn next(&self) -> u64 {
        let mut z = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A request id: the Unix time in hex, then two meaningless groups.
    fn rid(&self, now: i64) -> String {
        let random = self.next();
        format!("{:08x}-{:08x}-{:08x}", now, random >> 32, random & 0xffff_ffff)
    }

    /// Random groups of characters: 6-4-6 for a business hint, 8-6-1 for an old `req_id`.
    fn letters(&self, groups: &[usize]) -> String {
        const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        let letter = |_| LETTERS[(self.next() % 62) as usize] as char;
        let groups: Vec<String> = groups.iter().map(|&length| (0..length).map(letter).collect()).collect();
        groups.join("-")
    }
}

/// The caller and the time, for errmsg.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    /// Unix seconds.
    pub(super) now: i64,
    /// The caller's address.
    pub(super) peer: Option<IpAddr>,
}

/// The JSON of a failure.
pub(super) fn failure(family: Family, errcode: Errcode, asked: Asked, noise: &Noise) -> String {
    let errmsg = errmsg(family, errcode, asked, noise);
    format!(r#"{{"errcode":{errcode},"errmsg":"{errmsg}"}}"#)
}

/// The JSON of a failure in the `/sns/…` format until 2021.
pub(super) fn old_failure(errcode: Errcode, noise: &Noise) -> String {
    let hint = noise.letters(&[8, 6, 1]);
    let text = text_of(errcode);
    format!(r#"{{"errcode":{errcode},"errmsg":"{text}, hints: [ req_id: {hint} ]"}}"#)
}

/// The errmsg alone.
pub(super) fn errmsg(family: Family, errcode: Errcode, asked: Asked, noise: &Noise) -> String {
    let rid = noise.rid(asked.now);
    let text = match errcode {
        40164 => not_in_whitelist(asked.peer),
        _ => text_of(errcode).to_owned(),
    };
    match family {
        Family::Sns => format!("{text}, rid: {rid}"),
        Family::Cgi => format!("{text} rid: {rid}"),
        Family::Business => format!("{text} hint: [{}] rid: {rid}", noise.letters(&[6, 4, 6])),
    }
}

/// WeChat shows both the IPv4 and the IPv6 form of the address.
fn not_in_whitelist(peer: Option<IpAddr>) -> String {
    match peer {
        Some(IpAddr::V6(ip)) => format!("invalid ip {ip} ipv6 {ip}, not in whitelist"),
        Some(IpAddr::V4(ip)) => format!("invalid ip {ip} ipv6 ::ffff:{ip}, not in whitelist"),
        None => "invalid ip, not in whitelist".to_owned(),
    }
}

/// The English texts of errcodes, as observed in real responses where known.
const TEXTS: &[(Errcode, &str)] = &[
    (-1, "system error"),
    (0, "ok"),
    (1, "no such data"),
    (
        40001,
        "invalid credential, access_token is invalid or not latest, could get access_token by getStableAccessToken, more details at https://mmbizurl.cn/s/JtxxFh33r",
    ),
    (40002, "invalid grant_type"),
    (40003, "invalid openid"),
    (40013, "invalid appid"),
    (40014, "invalid access_token"),
    (40029, "invalid code"),
    (40066, "invalid url"),
    (40097, "invalid args"),
    (40125, "invalid appsecret, view more at http://t.cn/RAEkdVq"),
    (40163, "code been used"),
    (40226, "code blocked"),
    (40243, "appsecret is frozen"),
    (41001, "access_token missing"),
    (41002, "appid missing"),
    (41004, "appsecret missing"),
    (41008, "missing code"),
    (42001, "access_token expired"),
    (43002, "require POST method"),
    (43003, "require https"),
    (44002, "empty post data"),
    (44991, "api minute-quota reach limit, must slower, retry next minute"),
    (45011, "api minute-quota reach limit, must slower, retry next minute"),
    (45009, "reach max api daily quota limit"),
    (47001, "data format error"),
    (48001, "api unauthorized"),
    (50002, "user limited"),
    (50004, "forbid to use token interface"),
    (50007, "account freeze"),
    (87007, "session_key is not exist or expired"),
    (87008, "invalid sig_method"),
    (87009, "invalid signature"),
    (89503, "this ip is waiting for the administrator's confirmation"),
    (89506, "this ip was refused by the administrator, retry after 24 hours"),
    (89507, "this ip was refused by the administrator, retry after 1 hour"),
];

fn text_of(errcode: Errcode) -> &'static str {
    let known = TEXTS.iter().find(|(known, _)| *known == errcode);
    known.map_or("unknown error", |(_, text)| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_group_of_a_rid_is_the_time() {
        let asked = Asked { now: 0x6645_4a60, peer: None };
        let errmsg = errmsg(Family::Sns, 40029, asked, &Noise::new());
        assert!(errmsg.starts_with("invalid code, rid: 66454a60-"), "{errmsg}");
        assert_eq!(errmsg.len(), "invalid code, rid: 6166f719-6cb5d09c-633ab469".len());
    }

    #[test]
    fn each_family_joins_text_and_rid_in_its_own_way() {
        let asked = Asked { now: 0x6645_4a60, peer: Some(IpAddr::from([112, 97, 80, 6])) };
        let noise = Noise::new();
        let of = |family, errcode| errmsg(family, errcode, asked, &noise);
        assert!(of(Family::Cgi, 45009).starts_with("reach max api daily quota limit rid: 66454a60-"));
        let business = of(Family::Business, 40029);
        assert!(business.starts_with("invalid code hint: ["), "{business}");
        assert_eq!(
            business.len(),
            "invalid code hint: [XfmcTVNre-vGNNia-123456] rid: 628da727-52e5b3c7-79315d09".len() - 5
        );
        let ip = of(Family::Sns, 40164);
        assert!(ip.starts_with("invalid ip 112.97.80.6 ipv6 ::ffff:112.97.80.6, not in whitelist, rid: "));
        assert!(old_failure(40029, &noise).contains("invalid code, hints: [ req_id: "));
    }
}
