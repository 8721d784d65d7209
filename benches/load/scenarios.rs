//! The measured scenarios.

use crate::client::{Connection, Load, Write, find, load, post_json};
use crate::processes::Process;
use crate::report::{Row, print};
use crate::seed::end_sessions;
use std::cell::Cell;
use std::io::Write as _;
use std::time::Duration;

/// Connections in the throughput scenarios, unless `--connections` gives another number.
const CONNECTIONS: u64 = 64;

/// Users who log in, again and again.
const USERS: u64 = 10_000;

/// Ended sessions whose tokens have not expired, held in memory by the server that answers `/me`.
const ENDED_SESSIONS: u32 = 100_000;

/// The benchmark's arguments.
struct Plan {
    chosen: Vec<String>,
    rounds: usize,
    seconds: u64,
    connections: usize,
}

impl Plan {
    fn read(arguments: &[String]) -> Self {
        let number = |name: &str, default| {
            let at = arguments.iter().position(|argument| argument == name);
            at.and_then(|at| arguments.get(at + 1)?.parse().ok()).unwrap_or(default)
        };
        let chosen = arguments.iter().filter(|a| a.chars().all(char::is_alphabetic)).cloned().collect();
        Self {
            chosen,
            rounds: number("--rounds", 5) as usize,
            seconds: number("--seconds", 4),
            connections: number("--connections", CONNECTIONS) as usize,
        }
    }

    fn wants(&self, scenario: &str) -> bool {
        self.chosen.is_empty() || self.chosen.iter().any(|chosen| chosen == scenario)
    }
}

/// The servers under load, the bare one first.
struct Servers {
    simulator: Process,
    list: Vec<(&'static str, Process)>,
}

pub(crate) async fn run(arguments: &[String]) {
    let plan = Plan::read(arguments);
    let folder = tempfile::tempdir().expect("a folder");
    if plan.wants("start") {
        start(folder.path());
    }
    if plan.wants("login") {
        let servers = servers(folder.path(), "login", |url| end_sessions(url, 0));
        throughput("Durable login", &plan, &servers, |_| write_login).await;
    }
    if plan.wants("refresh") {
        let servers = servers(folder.path(), "refresh", |url| end_sessions(url, 0));
        throughput("Durable refresh", &plan, &servers, |_| write_refresh).await;
    }
    if plan.wants("me") {
        let servers = servers(folder.path(), "me", |url| end_sessions(url, ENDED_SESSIONS));
        me(&plan, &servers).await;
    }
    if plan.wants("inflight") {
        let servers = servers(folder.path(), "inflight", |url| end_sessions(url, 0));
        in_flight(&servers).await;
    }
}

/// Starts all servers; `prepare` is called with each database once it has its tables.
fn servers(folder: &std::path::Path, scenario: &str, prepare: impl Fn(&str)) -> Servers {
    let simulator = Process::simulator();
    let mut list = vec![("bare actix handler", Process::bare(&simulator))];
    let weauth = |url: &str| {
        drop(Process::weauth(url, &simulator, folder));
        prepare(url);
        Process::weauth(url, &simulator, folder)
    };
    list.push(("weauth, SQLite", weauth(&format!("sqlite://{}/{scenario}.db", folder.display()))));
    match std::env::var("TEST_DATABASE_URL") {
        Ok(url) => list.push(("weauth, Postgres", weauth(&url))),
        Err(_) => println!("TEST_DATABASE_URL is not set: Postgres is left out"),
    }
    Servers { simulator, list }
}

thread_local! {
    static NONCE: Cell<u64> = const { Cell::new(0) };
}

/// Writes a login of one of [`USERS`], with a fresh code.
fn write_login(out: &mut Vec<u8>, _: &[u8]) {
    let nonce = NONCE.get() + 1;
    NONCE.set(nonce);
    let user = nonce.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    post_json(
        out,
        "/login",
        &format!(r#"{{"code":"sim.u{}.{}-{nonce}"}}"#, user % USERS, std::process::id()),
    );
}

/// Writes a refresh with the token of the last response, or a login if there is none.
fn write_refresh(out: &mut Vec<u8>, last: &[u8]) {
    const NAME: &[u8] = br#""refresh_token":""#;
    let token = find(last, NAME).and_then(|at| last[at + NAME.len()..].split(|byte| *byte == b'"').next());
    match token.and_then(|token| std::str::from_utf8(token).ok()) {
        Some(token) => post_json(out, "/token/refresh", &format!(r#"{{"refresh_token":"{token}"}}"#)),
        None => write_login(out, last),
    }
}

async fn throughput<R: Write + Clone + 'static>(
    title: &str,
    plan: &Plan,
    servers: &Servers,
    request_for: impl Fn(usize) -> R,
) {
    let mut rows: Vec<Row> = servers.list.iter().map(|(name, _)| Row { name, ..Row::default() }).collect();
    for (index, (_, process)) in servers.list.iter().enumerate() {
        load(&process.address, plan.connections, Duration::from_secs(2), request_for(index)).await;
    }
    for round in 0..plan.rounds {
        // The order alternates, so that the work a server leaves behind affects each of them.
        let mut order: Vec<usize> = (0..servers.list.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for index in order {
            let process = &servers.list[index].1;
            let cpu = process.cpu();
            let duration = Duration::from_secs(plan.seconds);
            let result = load(&process.address, plan.connections, duration, request_for(index)).await;
            let cpu = process.cpu() - cpu;
            let rate = result.answered as f64 / result.seconds;
            note(&mut rows[index], &result, rate, cpu);
        }
        let baseline = rows[0].rates[round];
        for row in &mut rows {
            row.ratios.push(row.rates[round] / baseline);
        }
        print!("\r{title}: round {} of {}", round + 1, plan.rounds);
        let _shown = std::io::stdout().flush();
    }
    for (row, (_, process)) in rows.iter_mut().zip(&servers.list) {
        row.memory_mb = process.memory("VmHWM:");
    }
    print(&format!("{title}, {} connections", plan.connections), &rows);
}

fn note(row: &mut Row, result: &Load, rate: f64, cpu: Duration) {
    row.rates.push(rate);
    row.p50_ms.push(result.latency.value_at_quantile(0.5) as f64 / 1000.0);
    row.p99_ms.push(result.latency.value_at_quantile(0.99) as f64 / 1000.0);
    row.cpu_us.push(cpu.as_secs_f64() * 1e6 / result.answered.max(1) as f64);
    row.failed += result.failed;
}

/// `/me` for a thousand users, each with their own token, while many sessions have ended.
async fn me(plan: &Plan, servers: &Servers) {
    let mut requests: Vec<std::rc::Rc<Vec<Vec<u8>>>> = Vec::new();
    for (name, process) in &servers.list[1..] {
        let mut connection = Connection::open(&process.address).await;
        let mut list = Vec::new();
        for _ in 0..1000 {
            assert_eq!(connection.exchange(&write_login).await, 200, "{name}");
            let answer: serde_json::Value = serde_json::from_slice(connection.body()).expect("JSON");
            let token = answer["access_token"].as_str().expect("a token");
            list.push(
                format!("GET /me HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n")
                    .into_bytes(),
            );
        }
        requests.push(std::rc::Rc::new(list));
    }
    // The bare handler reads requests of the same length, and ignores the token.
    requests.insert(0, requests[0].clone());
    let next = std::rc::Rc::new(Cell::new(0));
    throughput("GET /me, 1,000 users, 100,000 ended sessions", plan, servers, |index| {
        let (list, next) = (requests[index].clone(), next.clone());
        move |out: &mut Vec<u8>, _: &[u8]| {
            next.set((next.get() + 1) % list.len());
            out.extend_from_slice(&list[next.get()]);
        }
    })
    .await;
}

/// 5,000 logins at once while WeChat takes a second for each.
async fn in_flight(servers: &Servers) {
    const IN_FLIGHT: usize = 5000;
    let mut control = Connection::open(&servers.simulator.address).await;
    let latency = |out: &mut Vec<u8>, _: &[u8]| {
        post_json(
            out,
            "/simulator/faults",
            r#"{"fault":"latency","latency_ms":1000,"endpoint":"jscode2session"}"#,
        );
    };
    assert_eq!(control.exchange(&latency).await / 100, 2, "the fault is on");
    println!("\n### {IN_FLIGHT} logins in flight, 1 s latency at WeChat\n");
    println!(
        "| server | answered | failed | p50 over 1 s, ms | p99 over 1 s, ms | peak memory MB | idle memory MB |"
    );
    println!("|---|---|---|---|---|---|---|");
    for (name, process) in &servers.list {
        let idle = process.memory("VmRSS:");
        let result = load(&process.address, IN_FLIGHT, Duration::from_secs(8), write_login).await;
        let over = |quantile| result.latency.value_at_quantile(quantile) as f64 / 1000.0 - 1000.0;
        println!(
            "| {name} | {} | {} | {:.0} | {:.0} | {:.1} | {idle:.1} |",
            result.answered,
            result.failed,
            over(0.5),
            over(0.99),
            process.memory("VmHWM:"),
        );
    }
}

/// Startup time to the listening line on an existing database, and idle memory.
fn start(folder: &std::path::Path) {
    let simulator = Process::simulator();
    let url = format!("sqlite://{}/start.db", folder.display());
    drop(Process::weauth(&url, &simulator, folder));
    let times: Vec<f64> = (0..7)
        .map(|_| Process::weauth(&url, &simulator, folder).ready_after.as_secs_f64() * 1000.0)
        .collect();
    let spread = crate::report::Spread::of(times);
    let idle = Process::weauth(&url, &simulator, folder);
    std::thread::sleep(Duration::from_millis(500));
    println!("\n### Start\n");
    println!("ready after {:.0} ms (median of 7; {:.0}–{:.0}), ", spread.median, spread.min, spread.max);
    println!("idle memory {:.1} MB, ", idle.memory("VmRSS:"));
    let size = std::fs::metadata(env!("CARGO_BIN_EXE_weauth")).map_or(0, |file| file.len());
    println!("binary {:.1} MB", size as f64 / 1e6);
}
