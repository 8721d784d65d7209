//! Everything that can go wrong at WeChat or on the way there, by name.

use super::wire::Errcode;
use std::time::Duration;

/// The longest delay that can be requested.
pub(super) const MAX_LATENCY_MS: u64 = 120_000;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FaultKind {
    /// An error in WeChat's format.
    Errcode(Errcode),
    /// The errcode as a string instead of a number.
    ErrcodeString(Errcode),
    /// An errmsg in the format until 2021, with `hints: [ req_id: … ]`.
    OldErrmsg(Errcode),
    /// An HTTP status with a short HTML page.
    Http(u16),
    /// Status 200 and an HTML error page.
    Html,
    /// Status 200 and no body.
    Empty,
    /// `{}`.
    EmptyObject,
    /// A JSON array.
    NotAnObject,
    /// Bytes that are not UTF-8.
    NotUtf8,
    /// Thousands of nested JSON arrays.
    DeepNesting,
    /// A redirect to another host.
    Redirect,
    /// A body that never ends.
    Endless,
    /// The connection is closed without a response.
    Reset,
    /// No response at all.
    Timeout,
    /// The correct response, late.
    Latency,
    /// The correct response, a few bytes at a time.
    SlowBody,
    /// The correct response, cut in half, with a matching length.
    Truncated,
    /// The correct response, but the connection is closed half-way.
    CutBody,
    /// The correct response and more than 64 KiB of padding.
    Huge,
    /// The correct response without `openid`.
    NoOpenid,
    /// The correct response without `session_key`.
    NoSessionKey,
    /// The correct response without `access_token`.
    NoAccessToken,
    /// The correct response with a `session_key` that is not 16 bytes.
    BadSessionKey,
    /// The correct response with numbers and strings exchanged.
    WrongTypes,
    /// The correct response with `"errcode":0,"errmsg":"ok"` added.
    ErrcodeZero,
    /// The correct response with unknown fields.
    ExtraFields,
}

/// The names without a number, and whether the call is executed before the fault.
const NAMES: [(&str, FaultKind, bool); 26] = [
    ("errcode-string", FaultKind::ErrcodeString(40029), false),
    ("old-errmsg", FaultKind::OldErrmsg(40029), false),
    ("html", FaultKind::Html, false),
    ("empty", FaultKind::Empty, false),
    ("empty-object", FaultKind::EmptyObject, false),
    ("not-an-object", FaultKind::NotAnObject, false),
    ("not-utf8", FaultKind::NotUtf8, false),
    ("deep-nesting", FaultKind::DeepNesting, false),
    ("redirect", FaultKind::Redirect, false),
    ("endless", FaultKind::Endless, false),
    ("reset-before", FaultKind::Reset, false),
    ("reset-after", FaultKind::Reset, true),
    ("timeout", FaultKind::Timeout, false),
    ("timeout-after", FaultKind::Timeout, true),
    ("latency", FaultKind::Latency, false),
    ("slow-body", FaultKind::SlowBody, false),
    ("truncated", FaultKind::Truncated, false),
    ("cut-body", FaultKind::CutBody, false),
    ("huge", FaultKind::Huge, false),
    ("no-openid", FaultKind::NoOpenid, false),
    ("no-session-key", FaultKind::NoSessionKey, false),
    ("no-access-token", FaultKind::NoAccessToken, false),
    ("bad-session-key", FaultKind::BadSessionKey, false),
    ("wrong-types", FaultKind::WrongTypes, false),
    ("errcode-zero", FaultKind::ErrcodeZero, false),
    ("extra-fields", FaultKind::ExtraFields, false),
];

/// A fault with its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    /// Its kind.
    pub(super) kind: FaultKind,
    /// Is the call executed (a code used up, a token issued) before the fault?
    pub(super) after: bool,
    /// The delay.
    pub(super) latency: Duration,
}

impl Fault {
    /// Parses a fault's name: one of the table, an errcode, `http<status>` or `latency-<milliseconds>`.
    pub(super) fn named(name: &str) -> Option<Self> {
        let mut latency = Duration::ZERO;
        let known = NAMES.iter().find(|(known, ..)| *known == name).map(|(_, kind, after)| (*kind, *after));
        let (kind, after) = if let Some(known) = known {
            known
        } else if let Some(status) = name.strip_prefix("http") {
            let status = status.parse().ok().filter(|status| (400..600).contains(status))?;
            (FaultKind::Http(status), false)
        } else if let Some(milliseconds) = name.strip_prefix("latency-") {
            latency = milliseconds_of(milliseconds.parse().ok()?);
            (FaultKind::Latency, false)
        } else {
            (FaultKind::Errcode(name.parse().ok()?), false)
        };
        if kind == FaultKind::Latency && latency.is_zero() {
            latency = Duration::from_secs(1);
        }
        Some(Self { kind, after, latency })
    }

    /// Does the fault modify the correct response, rather than replace it?
    pub(super) fn needs_true_answer(&self) -> bool {
        use FaultKind::{
            BadSessionKey, CutBody, ErrcodeZero, ExtraFields, Huge, Latency, NoAccessToken, NoOpenid,
            NoSessionKey, SlowBody, Truncated, WrongTypes,
        };
        matches!(
            self.kind,
            Latency
                | SlowBody
                | Truncated
                | CutBody
                | Huge
                | NoOpenid
                | NoSessionKey
                | NoAccessToken
                | BadSessionKey
                | WrongTypes
                | ErrcodeZero
                | ExtraFields
        )
    }
}

pub(super) fn milliseconds_of(number: u64) -> Duration {
    Duration::from_millis(number.min(MAX_LATENCY_MS))
}
