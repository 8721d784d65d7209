//! What ended stays ended: over a restart, an outage of the database, and time.

use super::{ROLES, users, within_a_second};
use crate::harness::{Builder, Database, Proxy, TestApp, on_both, on_postgres};
use reqwest::Method;
use serde_json::json;
use std::time::{Duration, Instant};

on_both!(after_a_restart_nothing_that_ended_comes_back, a_token_is_good_for_no_longer_than_endings_are_kept,);
on_postgres!(while_the_database_is_away_tokens_stay_good_and_what_ended_stays_ended);

async fn after_a_restart_nothing_that_ended_comes_back(db: Database) {
    let app = Builder::new(db).file(ROLES).start().await;
    let [banned, unbanned, out, deleted, editor] = [
        app.login("a").await,
        app.login("b").await,
        app.login("c").await,
        app.login("d").await,
        app.login("e").await,
    ];
    users(&app, &["ban", banned.user_id()]);
    users(&app, &["ban", unbanned.user_id()]);
    users(&app, &["unban", unbanned.user_id()]);
    users(&app, &["logout", out.user_id()]);
    users(&app, &["delete", deleted.user_id(), "--yes"]);
    users(&app, &["grant", editor.user_id(), "editor"]);
    app.kill();

    let app = app.restart().await;

    app.me(&banned.access_token).await.problem(403, "user_banned");
    for login in [&unbanned, &out, &deleted] {
        app.me(&login.access_token).await.problem(401, "token_revoked");
    }
    assert_eq!(app.me(&editor.access_token).await.ok()["roles"], json!(["editor"]));
}

async fn a_token_is_good_for_no_longer_than_endings_are_kept(db: Database) {
    let app = TestApp::on(db).await;
    let login = app.login("alice").await;
    tokio::time::sleep(Duration::from_millis(2100)).await;

    let short = app.second_node_with("WEAUTH_ACCESS_TTL", "1").await;

    short.me(&login.access_token).await.problem(401, "token_expired");
    app.me(&login.access_token).await.ok();
}

async fn while_the_database_is_away_tokens_stay_good_and_what_ended_stays_ended(db: Database) {
    let proxy = Proxy::to(db.address()).await;
    let url = db.url_through(proxy.address);
    let app = Builder::new(db).database_url(url).start().await;
    let [stays, ended, ends] = [app.login("a").await, app.login("b").await, app.login("c").await];
    for login in [&stays, &ends] {
        app.me(&login.access_token).await.ok();
    }
    app.send(app.request(Method::POST, "/logout").bearer_auth(&ended.access_token)).await;

    proxy.cut();

    app.me(&stays.access_token).await.ok();
    users(&app, &["logout", ends.user_id()]); // through another connection to the database
    app.wait_for_line("no word from other nodes");
    app.get("/readyz").await.problem(503, "database_unavailable");
    for _ in 0..2 {
        app.me(&ended.access_token).await.problem(401, "token_revoked");
        // The logout needs the database, so it fails; but the token's user is known.
        let logout = app.request(Method::POST, "/logout").bearer_auth(&stays.access_token);
        app.send(logout).await.problem(503, "database_unavailable");
    }
    assert_eq!(app.warnings_with("no word from other nodes"), 1, "once, and not at every look");

    proxy.mend();

    let deadline = Instant::now() + Duration::from_secs(30);
    while app.get("/readyz").await.status != 200 {
        assert!(Instant::now() < deadline, "the server never became ready again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    within_a_second([&app, &app], &ends.access_token, |answer| answer.code() == "token_revoked").await;
    app.wait_for_line("is known here again");
    app.me(&ended.access_token).await.problem(401, "token_revoked");
    app.me(&stays.access_token).await.ok();
}
