//! Each act of an operator, and what it does to the tokens that are out.

use super::{ROLES, refresh, users, within_a_second};
use crate::harness::{Answer, Builder, Database, Login, TestApp, on_both};
use reqwest::Method;
use serde_json::{Value, json};

on_both!(
    a_ban_holds_everywhere_within_a_second_and_unbanning_revives_nothing,
    a_login_right_after_an_unban_is_good_at_once,
    roles_change_for_tokens_that_are_out,
    a_logout_by_an_operator_ends_every_device,
    the_addresses_of_a_deleted_user_go_from_the_audit_log,
    a_deleted_user_is_gone_and_comes_back_as_somebody_new,
);

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
    let failed = "SELECT actor || ' ' || target || ' ' || ip || ' ' || detail AS text \
                  FROM audit WHERE action = 'login.failure'";
    let (id, appid) = (phone.user_id(), &app.app().appid);
    assert_eq!(db.texts(failed), [format!("{id} {id} 127.0.0.1 {appid}: user_banned")]);
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

async fn the_addresses_of_a_deleted_user_go_from_the_audit_log(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let (alice, bob) = (app.login("alice").await, app.login("bob").await);
    app.send(app.request(Method::POST, "/logout").bearer_auth(&alice.access_token)).await;
    // So many rows, over so long a time, that they are walked through in several bites. Some are about Alice.
    db.execute(&format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 25000)
         INSERT INTO audit (id, at, actor, action, target, ip, detail)
         SELECT 'ffff' || CAST(100000000 + i * 1000 AS TEXT), '2026-01-01 00:00:00',
             CASE WHEN i % 3000 = 0 THEN 'terminal' ELSE '{bob}' END, 'test',
             CASE WHEN i % 3000 = 0 THEN '{alice}' ELSE '{bob}' END, '192.0.2.1', NULL FROM n",
        alice = alice.user_id(),
        bob = bob.user_id()
    ));
    let of = |login: &Login| {
        let id = login.user_id();
        format!("audit WHERE (actor = '{id}' OR target = '{id}')")
    };
    let with_address = |login: &Login| db.count(&format!("{} AND ip IS NOT NULL", of(login)));
    assert_eq!((with_address(&alice), with_address(&bob)), (10, 24_993));

    users(&app, &["delete", alice.user_id(), "--yes"]);

    assert_eq!((with_address(&alice), with_address(&bob)), (0, 24_993));
    assert_eq!(db.count(&of(&alice)), 11, "the rows stay, and tell of the deletion");
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
    for table in ["users", "identities", "sessions", "user_roles"] {
        assert_eq!(db.count(table), 0, "{table}");
    }
    assert_eq!(db.exchanges_of(login.user_id()), 0);
    assert_eq!(db.texts("SELECT target AS text FROM audit WHERE action = 'user.delete'"), [login.user_id()]);
    let again = app.login("alice").await;
    assert_ne!(again.user_id(), login.user_id());
    assert_eq!(again.user["created"], true);
    two.me(&again.access_token).await.ok();
}
