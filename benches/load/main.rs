//! The load benchmark: weauth over HTTP next to a bare actix-web handler, in the same run, in alternating rounds.
//!
//! `cargo bench --bench load` starts everything itself: the simulator, the bare server, weauth on SQLite and, if
//! `TEST_DATABASE_URL` names a Postgres, weauth on Postgres. It prints ratios; absolute figures mean little on a
//! shared machine. Arguments: `login`, `refresh`, `me`, `inflight`, `start` choose scenarios (default all);
//! `--rounds N`, `--seconds N`, `--connections N`.

#![expect(clippy::expect_used, reason = "that is how a bench fails")]

mod bare;
mod client;
mod processes;
mod report;
mod scenarios;
mod seed;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let Some(["--bare-server", simulator]) =
        arguments.iter().map(String::as_str).collect::<Vec<_>>().get(..2)
    {
        bare::serve(simulator);
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(scenarios::run(&arguments));
}
