//! Clock skew is reported, and does as little harm as possible.

use crate::harness::{Database, TestApp, await_revoked, on_both, on_postgres};
use weauth::actors::{Db, DbSettings};
use weauth::domain::{Actor, Clock, DatabaseUrl, UserId};
use weauth::flows::{ClockDifference, shared_time};
use weauth::store::{Direct, EndSessions, Ending};

on_both!(a_clock_behind_all_keys_is_told_of_and_the_first_key_signs);
on_postgres!(
    a_clock_that_is_not_the_databases_is_told_of,
    what_a_node_ends_whose_clock_is_behind_is_heard_of_all_the_same,
);

async fn a_clock_behind_all_keys_is_told_of_and_the_first_key_signs(db: Database) {
    let app = TestApp::on(db.clone()).await;
    assert!(!app.log().contains("clock"), "{}", app.log());
    let alice = app.login("alice").await;
    app.stop();
    db.execute("UPDATE keys SET created_at = '2099-01-01 00:00:00', active_from = '2099-01-01 00:00:00'");

    let app = app.restart().await;

    let log = app.log();
    assert!(
        log.contains("this machine's clock is") && log.contains("behind what stands in the database"),
        "{log}"
    );
    assert_eq!(app.login("alice").await.user_id(), alice.user_id());
    app.me(&alice.access_token).await.ok();
}

async fn a_clock_that_is_not_the_databases_is_told_of(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let url = DatabaseUrl::parse(&db.url()).unwrap();
    let settings = DbSettings { readers: 1, waiting_reads: 10, waiting_writes: 10 };
    let actors = tokio::task::LocalSet::new();
    let differences = actors.run_until(async {
        let db = Db::start(&url, settings).unwrap();
        let mut differences = Vec::new();
        for seconds in [0, 3600, -3600] {
            differences.push(shared_time(&db, Clock::shifted(seconds)).await.unwrap().difference);
        }
        differences
    });

    let differences = differences.await;

    let near = |seconds: i64| (3595..=3600).contains(&seconds);
    assert_eq!(differences[0], None);
    assert!(matches!(differences[1], Some(ClockDifference::Ahead(by)) if near(by)), "{differences:?}");
    assert!(matches!(differences[2], Some(ClockDifference::Behind(by)) if near(by)), "{differences:?}");
    assert!(differences[1].unwrap().to_string().contains("ahead of the database's"));
    drop(app);
}

async fn what_a_node_ends_whose_clock_is_behind_is_heard_of_all_the_same(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let login = app.login("alice").await;
    app.me(&login.access_token).await.ok();

    let mut elsewhere = Direct::open(&DatabaseUrl::parse(&db.url()).unwrap()).unwrap();
    let user = UserId::from_stored(login.user_id().to_owned());
    let at = Clock::shifted(-3600).now();
    elsewhere.commit(&EndSessions { user, which: Ending::All, by: Actor::server(), at }).unwrap();

    await_revoked(&app, &login.access_token).await;
    app.restart().await.me(&login.access_token).await.problem(401, "token_revoked");
}
