//! Everything that can go wrong at WeChat or on the way there, by name.

use super::locks::lock;
use super::wire::Errcode;
use serde::{Deserialize, Serialize};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// The longest delay that may be asked for.
const MAX_LATENCY_MS: u64 = 120_000;

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FaultKind {
    /// A failure in WeChat's own words.
    Errcode(Errcode),
    /// The errcode as text instead of a number.
    ErrcodeString(Errcode),
    /// The wording of errmsg until 2021, with `hints: [ req_id: … ]`.
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
    /// The connection closes without an answer.
    Reset,
    /// No answer at all.
    Timeout,
    /// The right answer, late.
    Latency,
    /// The right answer, a few bytes at a time.
    SlowBody,
    /// The right answer, cut in half, its length declared so.
    Truncated,
    /// The right answer, but the connection closes in its middle.
    CutBody,
    /// The right answer and more than 64 KiB of padding.
    Huge,
    /// The right answer without `openid`.
    NoOpenid,
    /// The right answer without `session_key`.
    NoSessionKey,
    /// The right answer without `access_token`.
    NoAccessToken,
    /// The right answer with a `session_key` that is not 16 bytes.
    BadSessionKey,
    /// The right answer with numbers for texts and texts for numbers.
    WrongTypes,
    /// The right answer with `"errcode":0,"errmsg":"ok"` added.
    ErrcodeZero,
    /// The right answer with fields nobody has heard of.
    ExtraFields,
}

/// The names without a number in them, and whether the call is carried out before the fault.
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

/// A fault and its circumstances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    /// What goes wrong.
    pub(super) kind: FaultKind,
    /// Is the call carried out (a code used up, a token made) before it goes wrong?
    pub(super) after: bool,
    /// How long it takes.
    pub(super) latency: Duration,
}

impl Fault {
    /// Reads a fault's name: one of the table, an errcode, `http<status>` or `latency-<milliseconds>`.
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

    /// Does the fault change the true answer, rather than stand in its place?
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

fn milliseconds_of(number: u64) -> Duration {
    Duration::from_millis(number.min(MAX_LATENCY_MS))
}

/// A fault as the control API is told of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FaultOrder {
    /// A fault's name, or `errcode`.
    pub(super) fault: String,
    /// The errcode, for `errcode`, `errcode-string` and `old-errmsg`.
    #[serde(skip_serializing_if = "Option::is_none")]
    errcode: Option<Errcode>,
    /// A delay in milliseconds; for `slow-body`, the pause between pieces.
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_ms: Option<u64>,
    /// How many calls it hits; all until cleared where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) times: Option<u32>,
    /// Which share of the calls it hits, in percent; all where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) percent: Option<u8>,
    /// Which endpoint it hits; all where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) endpoint: Option<String>,
    /// Which app it hits; all where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) appid: Option<String>,
    /// Is the call carried out before it goes wrong?
    #[serde(skip_serializing_if = "Option::is_none")]
    after_consuming: Option<bool>,
}

impl FaultOrder {
    /// The fault that is wanted, or what is wrong with the order.
    fn fault(&self) -> Result<Fault, String> {
        let name = self.fault.as_str();
        let plain = |kind| Fault { kind, after: false, latency: Duration::ZERO };
        let mut fault = match (name, self.errcode) {
            (_, None) => Fault::named(name).ok_or_else(|| format!("there is no fault `{name}`"))?,
            ("errcode", Some(errcode)) => plain(FaultKind::Errcode(errcode)),
            ("errcode-string", Some(errcode)) => plain(FaultKind::ErrcodeString(errcode)),
            ("old-errmsg", Some(errcode)) => plain(FaultKind::OldErrmsg(errcode)),
            _ => return Err("`errcode` is of `errcode`, `errcode-string` and `old-errmsg` alone".to_owned()),
        };
        if fault.needs_true_answer() && self.after_consuming == Some(false) {
            return Err(format!("`{name}` spoils the true answer, for which the call is carried out"));
        }
        fault.latency = self.latency_ms.map_or(fault.latency, milliseconds_of);
        fault.after = self.after_consuming.unwrap_or(fault.after);
        Ok(fault)
    }
}

/// A fault that lies in wait.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Rule {
    id: u64,
    #[serde(flatten)]
    order: FaultOrder,
    #[serde(skip)]
    fault: Fault,
}

/// All faults that lie in wait.
pub(super) struct Faults {
    rules: Mutex<Vec<Rule>>,
    /// As many as there are rules, so that a call without faults takes no lock.
    active: AtomicUsize,
    next_id: AtomicU64,
}

impl Faults {
    pub(super) fn new() -> Self {
        Self { rules: Mutex::default(), active: AtomicUsize::new(0), next_id: AtomicU64::new(1) }
    }

    /// Adds a fault, or says what is wrong with it.
    pub(super) fn add(&self, order: FaultOrder) -> Result<Rule, String> {
        let fault = order.fault()?;
        let rule = Rule { id: self.next_id.fetch_add(1, Ordering::Relaxed), order, fault };
        self.change(|rules| rules.push(rule.clone()));
        Ok(rule)
    }

    /// The faults, oldest first.
    pub(super) fn list(&self) -> Vec<Rule> {
        lock(&self.rules).clone()
    }

    /// Takes one fault away; says whether it was there.
    pub(super) fn remove(&self, id: u64) -> bool {
        self.change(|rules| {
            let before = rules.len();
            rules.retain(|rule| rule.id != id);
            rules.len() < before
        })
    }

    /// Takes all faults away.
    pub(super) fn clear(&self) {
        self.change(Vec::clear);
    }

    /// The fault that hits this call, if any. `dice` is any number; `appid` is asked for only when needed.
    pub(super) fn strike(
        &self,
        endpoint: &str,
        dice: u64,
        appid: impl FnOnce() -> Option<String>,
    ) -> Option<Fault> {
        if self.active.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let appid = appid();
        let hits = |rule: &Rule| {
            let order = &rule.order;
            order.endpoint.as_deref().is_none_or(|wanted| wanted == endpoint)
                && (order.appid.is_none() || order.appid == appid)
                && order.percent.is_none_or(|percent| dice % 100 < u64::from(percent))
                && order.times != Some(0)
        };
        self.change(|rules| {
            let rule = rules.iter_mut().find(|rule| hits(rule))?;
            if let Some(times) = &mut rule.order.times {
                *times -= 1;
            }
            let fault = rule.fault;
            rules.retain(|rule| rule.order.times != Some(0));
            Some(fault)
        })
    }

    fn change<T>(&self, act: impl FnOnce(&mut Vec<Rule>) -> T) -> T {
        let mut rules = lock(&self.rules);
        let result = act(&mut rules);
        self.active.store(rules.len(), Ordering::Relaxed);
        result
    }
}
