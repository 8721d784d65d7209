//! A database that answers but makes no progress: another program holds a lock.

use crate::harness::{
    Builder, Database, Login, TestApp, app_secret, appid, master_key, on_both, on_postgres, on_sqlite,
};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use std::time::{Duration, Instant};
use weauth::{Config, Settings, Sources, Weauth};

on_both!(the_grace_of_a_refresh_begins_when_it_is_done);
on_sqlite!(a_start_that_waits_for_the_database_leaves_its_thread_to_others);
on_postgres!(
    whoever_waits_for_a_stalled_database_is_told_and_what_was_given_up_is_not_done,
    writes_that_are_stuck_stop_the_others_for_a_while_only,
    a_read_that_is_stuck_leaves_its_connection_to_others,
    a_table_that_is_stuck_delays_no_news_from_others,
);

async fn the_grace_of_a_refresh_begins_when_it_is_done(db: Database) {
    let app = Builder::new(db.clone()).set("WEAUTH_REFRESH_GRACE", "1").start().await;
    let alice = app.login("alice").await;
    let presented = json!({"refresh_token": alice.refresh_token});
    let held = db.hold(Duration::from_secs(3));

    let first = app.post_json("/token/refresh", presented.clone()).await;
    let again = app.post_json("/token/refresh", presented).await;

    held.join().unwrap();
    first.ok();
    again.ok();
    assert_eq!(Login::from(&again).refresh_token, Login::from(&first).refresh_token);
    app.me(&Login::from(&first).access_token).await.ok();
}

/// A program that mounts weauth may have more to do on the thread that starts it.
async fn a_start_that_waits_for_the_database_leaves_its_thread_to_others(db: Database) {
    let environment = [
        ("DATABASE_URL", db.url()),
        ("WECHAT_APPID", appid()),
        ("WECHAT_SECRET", app_secret()),
        ("WEAUTH_MASTER_KEY", master_key()),
    ];
    let sources = Sources::new(None, environment.map(|(name, value)| (name.to_owned(), value)));
    let settings = Settings::new(Config::for_serve(&sources).unwrap(), ([127, 0, 0, 1], 0).into());
    let held = db.hold(Duration::from_secs(2));
    let (began, thread) = (Instant::now(), tokio::task::LocalSet::new());

    let starting = thread.run_until(async {
        let others = async {
            let mut longest = Duration::ZERO;
            while !held.is_finished() {
                let slept = Instant::now();
                tokio::time::sleep(Duration::from_millis(10)).await;
                longest = longest.max(slept.elapsed());
            }
            longest
        };
        let start = async {
            Weauth::start(settings).await.unwrap();
            began.elapsed()
        };
        tokio::join!(others, start) // in this order
    });
    let (longest, started) = starting.await;

    assert!(started > Duration::from_millis(1500), "the database was free after {started:?}");
    assert!(longest < Duration::from_secs(1), "the thread was stopped for {longest:?}");
    held.join().unwrap();
}

async fn whoever_waits_for_a_stalled_database_is_told_and_what_was_given_up_is_not_done(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let held = db.hold(Duration::from_secs(14));
    let began = Instant::now();
    let login = async |person: &str| {
        let answer = app.login_with(json!({"code": app.code_for(person)})).await;
        answer.problem_with_retry(503, "database_unavailable", "later");
        assert!((3..14).contains(&began.elapsed().as_secs()), "after {:?}", began.elapsed());
    };

    // Two have begun, each on one of the writers' connections, and are abandoned; the third one waits in the queue.
    tokio::join!(
        login("alice"),
        async {
            until_waiting(&db, "Lock", 1).await;
            login("bob").await;
        },
        async {
            until_waiting(&db, "Lock", 2).await;
            login("carol").await;
        }
    );
    held.join().unwrap();

    app.login("dave").await;
    assert_eq!(db.count("sessions"), 1, "what was given up is not done");
}

/// A stranger's lock on a few rows may occupy both writers.
async fn writes_that_are_stuck_stop_the_others_for_a_while_only(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let (alice, bob) = (app.login("alice").await, app.login("bob").await);
    let stranger = db.clone();
    let held = std::thread::spawn(move || {
        stranger.execute("BEGIN; SELECT 1 FROM sessions FOR UPDATE; SELECT pg_sleep(8); COMMIT");
    });
    until_waiting(&db, "Timeout", 1).await;

    let refresh =
        |login: Login| app.post_json("/token/refresh", json!({"refresh_token": login.refresh_token}));
    let other = async {
        until_waiting(&db, "Lock", 2).await;
        let began = Instant::now();
        app.login("carol").await;
        began.elapsed()
    };
    let (first, second, stopped) = tokio::join!(
        refresh(alice),
        async {
            until_waiting(&db, "Lock", 1).await;
            refresh(bob).await
        },
        other
    );

    for stuck in [first, second] {
        stuck.problem_with_retry(503, "database_unavailable", "later");
    }
    assert!(stopped < Duration::from_secs(5), "{stopped:?}");
    held.join().unwrap();
}

/// Waits until so many connections wait for an event of this kind.
async fn until_waiting(db: &Database, kind: &str, count: i64) {
    let waiting = format!(
        "pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'
             AND wait_event_type = '{kind}'"
    );
    let began = Instant::now();
    while db.count(&waiting) < count {
        assert!(began.elapsed() < Duration::from_secs(5), "nobody waits");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A table that an operator locks must not stop the reads of all others.
async fn a_read_that_is_stuck_leaves_its_connection_to_others(db: Database) {
    let app = Builder::new(db.clone()).set("WEAUTH_DATABASE_CONNECTIONS", "4").start().await;
    let alice = app.login("alice").await;
    let held = db.hold_table("sessions", Duration::from_secs(10));
    let began = Instant::now();

    let list = || app.send(app.request(Method::GET, "/me/sessions").bearer_auth(&alice.access_token));
    for answer in join_all((0..4).map(|_| list())).await {
        answer.problem_with_retry(503, "database_unavailable", "later");
    }
    let ready = app.get("/readyz").await;

    assert_eq!(ready.status, 200, "{}", ready.text);
    assert!(began.elapsed() < Duration::from_secs(9), "the lock is still held: {:?}", began.elapsed());
    held.join().unwrap();
    list().await.ok();
}

/// Those who follow other nodes do not wait for one another.
async fn a_table_that_is_stuck_delays_no_news_from_others(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let alice = app.login("alice").await;
    app.me(&alice.access_token).await.ok(); // from now on from memory
    let held = db.hold_table("api_keys", Duration::from_secs(6));
    until_waiting(&db, "Lock", 1).await;

    let banned = app.weauth(&["users", "ban", alice.user_id()]);
    assert!(banned.status.success(), "{}", banned.said);
    let began = Instant::now();
    while app.me(&alice.access_token).await.status == 200 {
        assert!(began.elapsed() < Duration::from_secs(1), "the ban is not known here");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    assert!(!held.is_finished(), "the table was free already");
    held.join().unwrap();
}
