//! Counts the calls of each endpoint and their results.

use super::endpoint::Endpoint;
use super::wire::Errcode;
use crate::shared::lock;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// The counts of one endpoint.
#[derive(Default)]
struct Counter {
    calls: AtomicU64,
    ok: AtomicU64,
    faults: AtomicU64,
    max_calls_per_code: AtomicU64,
    errcodes: Mutex<BTreeMap<Errcode, u64>>,
}

/// The counts of all endpoints.
#[derive(Default)]
pub(super) struct Counters([Counter; Endpoint::ALL.len()]);

impl Counters {
    /// Counts a call.
    pub(super) fn call(&self, endpoint: Endpoint) {
        self.of(endpoint).calls.fetch_add(1, Ordering::Relaxed);
    }

    /// Records how many times a code was tried.
    pub(super) fn code(&self, endpoint: Endpoint, calls: u32) {
        self.of(endpoint).max_calls_per_code.fetch_max(u64::from(calls), Ordering::Relaxed);
    }

    /// Counts a fault.
    pub(super) fn fault(&self, endpoint: Endpoint) {
        self.of(endpoint).faults.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a success or an error of a call.
    pub(super) fn outcome(&self, endpoint: Endpoint, errcode: Errcode) {
        let counter = self.of(endpoint);
        match errcode {
            0 => _ = counter.ok.fetch_add(1, Ordering::Relaxed),
            _ => *lock(&counter.errcodes).entry(errcode).or_default() += 1,
        }
    }

    /// Resets everything to zero.
    pub(super) fn clear(&self) {
        for counter in &self.0 {
            let numbers = [&counter.calls, &counter.ok, &counter.faults, &counter.max_calls_per_code];
            for number in numbers {
                number.store(0, Ordering::Relaxed);
            }
            lock(&counter.errcodes).clear();
        }
    }

    /// The counts as returned by the control API.
    pub(super) fn to_json(&self) -> Value {
        let of = |endpoint: Endpoint| {
            let counter = self.of(endpoint);
            let errcodes: BTreeMap<String, u64> = lock(&counter.errcodes)
                .iter()
                .map(|(errcode, count)| (errcode.to_string(), *count))
                .collect();
            let counts = json!({
                "calls": counter.calls.load(Ordering::Relaxed),
                "ok": counter.ok.load(Ordering::Relaxed),
                "faults": counter.faults.load(Ordering::Relaxed),
                "errcodes": errcodes,
                "max_calls_per_code": counter.max_calls_per_code.load(Ordering::Relaxed),
            });
            (endpoint.name().to_owned(), counts)
        };
        Endpoint::ALL.into_iter().map(of).collect()
    }

    fn of(&self, endpoint: Endpoint) -> &Counter {
        &self.0[endpoint as usize]
    }
}
