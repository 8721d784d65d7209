//! A ban, role change, logout or deletion made at the terminal takes effect on every server within a second, for good.

use crate::harness::{Answer, Builder, Database, Login, Proxy, TestApp, on_both, on_postgres};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

on_both!(
    a_ban_holds_everywhere_within_a_second_and_unbanning_revives_nothing,
    a_login_right_after_an_unban_is_good_at_once,
    roles_change_for_tokens_that_are_out,
    a_logout_by_an_operator_ends_every_device,
    a_deleted_user_is_gone_and_comes_back_as_somebody_new,
    after_a_restart_nothing_that_ended_comes_back,
    bans_among_logins_let_nobody_through,
    a_token_is_good_for_no_longer_than_endings_are_kept,
);
on_postgres!(
    while_the_database_is_away_tokens_stay_good_and_what_ended_stays_ended,
    a_login_that_meets_a_deletion_makes_a_new_user,
);

/// How long another process may take to learn of it.
const A_SECOND: Duration = Duration::from_secs(1);

const ROLES: &str = "[roles.editor]\npermissions = [\"notes:write\", \"notes:read\"]\n\
                     [roles.reader]\npermissions = [\"notes:read\"]\n";

/// Runs `weauth users …`, which must succeed; returns what it printed.
#[track_caller]
fn users(app: &TestApp, arguments: &[&str]) -> String {
    let finished = app.weauth(&[&["users"], arguments].concat());
    assert!(finished.status.success(), "{arguments:?}: {}", finished.said);
    finished.printed
}

/// The same, while the test continues.
async fn beside(app: &Arc<TestApp>, arguments: &[&str]) {
    let (app, arguments) = (app.clone(), arguments.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>());
    let run = move || users(&app, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
    tokio::task::spawn_blocking(run).await.unwrap();
}

/// Requests `/me` from the nodes until both answers match; they have a second.
async fn within_a_second(nodes: [&TestApp; 2], token: &str, so: impl Fn(&Answer) -> bool) {
    let began = Instant::now();
    for node in nodes {
        loop {
            let answer = node.me(token).await;
            if so(&answer) {
                break;
            }
            assert!(began.elapsed() < A_SECOND, "after a second still {} {}", answer.status, answer.text);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn refresh(app: &TestApp, login: &Login) -> Answer {
    app.post_json("/token/refresh", json!({"refresh_token": login.refresh_token})).await
}

async fn a_ban_holds_everywhere_within_a_second_and_unbanning_revives_nothing(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let two = app.second_node().await;
    let (phone, tablet, bob) = (app.login("alice").await, two.login("alice").await, app.login("bob").await);
    for node in [&app, &two] {
        node.me(&phone.access_token).await.ok();
    }

    users(&app, &["ban", phone.user_id()]);

    for login in [&phone, &tablet] {
        within_a_second([&app, &two], &login.access_token, |answer| answer.code() == "user_banned").await;
        app.me(&login.access_token).await.problem_with_retry(403, "user_banned", "none");
        assert!([401, 403].contains(&refresh(&app, login).await.status.as_u16()));
    }
    let code = app.code_for("alice");
    app.login_with(json!({"code": code})).await.problem(403, "user_banned");
    app.me(&bob.access_token).await.ok();

    users(&app, &["unban", phone.user_id()]);

    let again = app.login("alice").await;
    assert_eq!(again.user_id(), phone.user_id());
    within_a_second([&app, &two], &phone.access_token, |answer| answer.code() == "token_revoked").await;
    for node in [&app, &two] {
        within_a_second([node, node], &again.access_token, |answer| answer.status == 200).await;
        node.me(&tablet.access_token).await.problem(401, "token_revoked");
        refresh(node, &phone).await.problem(401, "refresh_token_invalid");
    }
    let audited = db.texts("SELECT action || ' ' || actor || ' ' || target AS text FROM audit ORDER BY id");
    for act in ["user.ban", "user.unban"] {
        assert!(audited.contains(&format!("{act} terminal {}", phone.user_id())), "{audited:?}");
    }
}

async fn a_login_right_after_an_unban_is_good_at_once(db: Database) {
    let app = TestApp::on(db).await;
    let before = app.login("alice").await;
    for _ in 0..3 {
        users(&app, &["ban", before.user_id()]);
        within_a_second([&app, &app], &before.access_token, |answer| answer.status != 200).await;
        users(&app, &["unban", before.user_id()]);

        let after = app.login("alice").await;

        app.me(&after.access_token).await.ok();
        assert_ne!(app.me(&before.access_token).await.status, 200);
    }
}

async fn roles_change_for_tokens_that_are_out(db: Database) {
    let app = Builder::new(db.clone()).file(ROLES).start().await;
    let two = app.second_node().await;
    let login = app.login("alice").await;
    let id = login.user_id().to_owned();
    let roles_are = |roles: Value, permissions: Value| {
        move |answer: &Answer| answer.json()["roles"] == roles && answer.json()["permissions"] == permissions
    };
    within_a_second([&app, &two], &login.access_token, roles_are(json!([]), json!([]))).await;

    users(&app, &["grant", &id, "editor"]);
    let editor = roles_are(json!(["editor"]), json!(["notes:read", "notes:write"]));
    within_a_second([&app, &two], &login.access_token, editor).await;
    assert_eq!(app.login("alice").await.claims()["scope"], "notes:read notes:write");

    users(&app, &["grant", &id, "reader"]);
    users(&app, &["revoke", &id, "editor"]);
    let reader = roles_are(json!(["reader"]), json!(["notes:read"]));
    within_a_second([&app, &two], &login.access_token, reader).await;

    let details = db.texts("SELECT detail AS text FROM audit WHERE action = 'user.roles' ORDER BY id");
    assert_eq!(details, ["+editor", "+reader", "-editor"]);
}

async fn a_logout_by_an_operator_ends_every_device(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let two = app.second_node().await;
    let (phone, tablet) = (app.login("alice").await, two.login("alice").await);

    let said = users(&app, &["logout", phone.user_id()]);

    assert!(said.contains("2 sessions ended"), "{said}");
    for login in [&phone, &tablet] {
        within_a_second([&app, &two], &login.access_token, |answer| answer.code() == "token_revoked").await;
        refresh(&two, login).await.problem(401, "refresh_token_invalid");
    }
    app.me(&app.login("alice").await.access_token).await.ok();
    assert_eq!(db.texts("SELECT detail AS text FROM audit WHERE action = 'user.logout'"), ["everywhere"]);
    // A user's own logout is recorded there too.
    let login = app.login("alice").await;
    app.send(app.request(Method::POST, "/logout").bearer_auth(&login.access_token)).await;
    let own = db.texts(
        "SELECT actor || ' ' || COALESCE(ip, '') || ' ' || detail AS text
         FROM audit WHERE action = 'user.logout' ORDER BY id DESC",
    );
    assert_eq!(own[0], format!("{} 127.0.0.1 {}", login.user_id(), login.sid()));
}

async fn a_deleted_user_is_gone_and_comes_back_as_somebody_new(db: Database) {
    let app = Builder::new(db.clone()).file(ROLES).start().await;
    let two = app.second_node().await;
    let login = app.login("alice").await;
    users(&app, &["grant", login.user_id(), "editor"]);
    two.me(&login.access_token).await.ok();

    users(&app, &["delete", login.user_id(), "--yes"]);

    within_a_second([&app, &two], &login.access_token, |answer| answer.code() == "token_revoked").await;
    refresh(&two, &login).await.problem(401, "refresh_token_invalid");
    for table in ["users", "identities", "sessions", "user_roles", "exchanges"] {
        assert_eq!(db.count(table), 0, "{table}");
    }
    assert_eq!(db.texts("SELECT target AS text FROM audit WHERE action = 'user.delete'"), [login.user_id()]);
    let again = app.login("alice").await;
    assert_ne!(again.user_id(), login.user_id());
    assert_eq!(again.user["created"], true);
    two.me(&again.access_token).await.ok();
}

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

async fn bans_among_logins_let_nobody_through(db: Database) {
    let app = Arc::new(TestApp::on(db.clone()).await);
    let two = Arc::new(app.second_node().await);
    let id = app.login("alice").await.user_id().to_owned();
    for _ in 0..3 {
        let logins = async {
            let logins = (0..12).map(|n| {
                let node = [&app, &two][n % 2];
                node.login_with(json!({"code": node.code_for("alice")}))
            });
            join_all(logins).await
        };
        let arguments = ["ban", &id];
        let (answers, ()) = tokio::join!(logins, beside(&app, &arguments));

        assert_eq!(db.count("sessions"), 0, "a ban leaves no session, whoever was logging in");
        let tokens: Vec<String> = answers
            .iter()
            .filter(|answer| answer.status == 200)
            .map(|a| Login::from(a).access_token)
            .collect();
        for token in &tokens {
            within_a_second([&app, &two], token, |answer| answer.status != 200).await;
        }
        users(&app, &["unban", &id]);
        assert_eq!(app.login("alice").await.user_id(), id);
        for (token, node) in tokens.iter().flat_map(|token| [(token, &app), (token, &two)]) {
            assert_ne!(node.me(token).await.status, 200, "a token from before the ban");
        }
    }
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
    app.wait_for_line("could not be heard");
    app.get("/readyz").await.problem(503, "database_unavailable");
    for _ in 0..2 {
        app.me(&ended.access_token).await.problem(401, "token_revoked");
        // The logout needs the database, so it fails; but the token's user is known.
        let logout = app.request(Method::POST, "/logout").bearer_auth(&stays.access_token);
        app.send(logout).await.problem(503, "database_unavailable");
    }
    assert_eq!(app.warnings_with("could not be heard"), 1, "once, and not at every look");

    proxy.mend();

    let deadline = Instant::now() + Duration::from_secs(30);
    while app.get("/readyz").await.status != 200 {
        assert!(Instant::now() < deadline, "the server never became ready again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    within_a_second([&app, &app], &ends.access_token, |answer| answer.code() == "token_revoked").await;
    app.wait_for_line("is heard again");
    app.me(&ended.access_token).await.problem(401, "token_revoked");
    app.me(&stays.access_token).await.ok();
}

async fn a_login_that_meets_a_deletion_makes_a_new_user(db: Database) {
    let app = Arc::new(TestApp::on(db.clone()).await);
    let two = Arc::new(app.second_node().await);
    for _ in 0..5 {
        let id = app.login("alice").await.user_id().to_owned();
        let logins = (0..8).map(|n| {
            let node = [&app, &two][n % 2];
            node.login_with(json!({"code": node.code_for("alice")}))
        });
        let arguments = ["delete", &id, "--yes"];
        let (answers, ()) = tokio::join!(join_all(logins), beside(&app, &arguments));
        assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
        assert_eq!(db.count("users"), db.count("identities"));
        assert!(db.count("users") <= 1);
    }
}
