//! The scheduled faults, and the format in which the control API takes them.

use super::fault::{Fault, FaultKind, MAX_LATENCY_MS, milliseconds_of};
use super::wire::Errcode;
use crate::shared::lock;
use serde::{Deserialize, Serialize};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// A fault as given to the control API.
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
    /// How many calls it affects; if absent, all until it is removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) times: Option<u32>,
    /// The share of calls it affects, in percent; all if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) percent: Option<u8>,
    /// The endpoint it affects; all if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) endpoint: Option<String>,
    /// The app it affects; all if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) appid: Option<String>,
    /// Is the call executed before the fault?
    #[serde(skip_serializing_if = "Option::is_none")]
    after_consuming: Option<bool>,
}

impl FaultOrder {
    /// The requested fault, or what is wrong with the request.
    fn fault(&self) -> Result<Fault, String> {
        let name = self.fault.as_str();
        let plain = |kind| Fault { kind, after: false, latency: Duration::ZERO };
        let mut fault = match (name, self.errcode) {
            ("errcode", None) => return Err("`errcode` is missing".to_owned()),
            (_, None) => Fault::named(name).ok_or_else(|| format!("there is no fault `{name}`"))?,
            ("errcode", Some(errcode)) => plain(FaultKind::Errcode(errcode)),
            ("errcode-string", Some(errcode)) => plain(FaultKind::ErrcodeString(errcode)),
            ("old-errmsg", Some(errcode)) => plain(FaultKind::OldErrmsg(errcode)),
            _ => {
                return Err(
                    "`errcode` goes with `errcode`, `errcode-string` and `old-errmsg` only".to_owned()
                );
            }
        };
        if fault.needs_true_answer() && self.after_consuming == Some(false) {
            return Err(format!("`{name}` comes with the true answer, for which the call is carried out"));
        }
        if self.latency_ms.is_some_and(|latency| latency > MAX_LATENCY_MS) {
            return Err(format!("`latency_ms` is at most {MAX_LATENCY_MS}"));
        }
        fault.latency = self.latency_ms.map_or(fault.latency, milliseconds_of);
        fault.after = self.after_consuming.unwrap_or(fault.after);
        Ok(fault)
    }
}

/// A scheduled fault.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Rule {
    id: u64,
    #[serde(flatten)]
    order: FaultOrder,
    #[serde(skip)]
    fault: Fault,
}

/// All scheduled faults.
pub(super) struct Faults {
    rules: Mutex<Vec<Rule>>,
    /// The number of rules, so that a call takes no lock if there is none.
    active: AtomicUsize,
    next_id: AtomicU64,
}

impl Faults {
    pub(super) fn new() -> Self {
        Self { rules: Mutex::default(), active: AtomicUsize::new(0), next_id: AtomicU64::new(1) }
    }

    /// Adds a fault, or returns what is wrong with it.
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

    /// Removes a fault; returns whether it existed.
    pub(super) fn remove(&self, id: u64) -> bool {
        self.change(|rules| {
            let before = rules.len();
            rules.retain(|rule| rule.id != id);
            rules.len() < before
        })
    }

    /// Removes all faults.
    pub(super) fn clear(&self) {
        self.change(Vec::clear);
    }

    /// The fault that affects this call, if any. `dice` is any number; `appid` is evaluated only if needed.
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
