//! `weauth users`: what it prints, what it refuses, and its exit codes.

use crate::harness::{Builder, Database, TestApp, on_both, on_sqlite};
use serde_json::{Value, json};

on_both!(
    a_user_is_listed_and_shown_as_the_api_would_show_them,
    what_stands_already_is_said_and_is_no_failure,
    a_user_who_is_not_there_is_named,
    roles_are_those_of_the_configuration,
);
on_sqlite!(
    a_deletion_asks_and_without_a_terminal_refuses,
    wrong_usage_ends_with_two,
    what_strangers_wrote_is_shown_and_not_obeyed,
);

const ROLES: &str = "[roles.editor]\npermissions = [\"notes:write\"]\n";

#[track_caller]
fn done(app: &TestApp, arguments: &[&str]) -> String {
    let finished = app.weauth(&[&["users"], arguments].concat());
    assert_eq!(finished.status.code(), Some(0), "{arguments:?}: {}", finished.said);
    finished.printed
}

#[track_caller]
fn refused(app: &TestApp, arguments: &[&str], code: i32) -> String {
    let finished = app.weauth(&[&["users"], arguments].concat());
    assert_eq!(finished.status.code(), Some(code), "{arguments:?}: {}", finished.said);
    assert_eq!(finished.printed, "", "errors go to standard error");
    finished.said
}

async fn a_user_is_listed_and_shown_as_the_api_would_show_them(db: Database) {
    let app = Builder::new(db).file(ROLES).start().await;
    let login = app.login("alice").await;
    let id = login.user_id();
    done(&app, &["grant", id, "editor"]);

    let listed: Value = serde_json::from_str(&done(&app, &["list", "--json"])).unwrap();
    let item = &listed["items"][0];
    let me = app.me(&app.login("alice").await.access_token).await.ok();
    for field in me.as_object().unwrap().keys().filter(|field| *field != "last_login_at") {
        assert_eq!(item[field], me[field], "{field}");
    }
    assert_eq!(item["permissions"], json!(["notes:write"]));
    assert_eq!((&listed["next_cursor"], &listed["total"]), (&Value::Null, &json!(1)));
    assert_eq!(listed["total_is_estimate"], false);

    let shown: Value = serde_json::from_str(&done(&app, &["show", id, "--json"])).unwrap();
    assert_eq!((&shown["id"], &shown["roles"]), (&json!(id), &json!(["editor"])));
    assert_eq!(shown["identities"][0]["appid"], app.app().appid.as_str());
    let mut fields: Vec<&str> =
        shown["identities"][0].as_object().unwrap().keys().map(String::as_str).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["appid", "created_at", "openid", "unionid"], "no session key");
    assert_eq!(shown["sessions"].as_array().unwrap().len(), 2);
    assert!(shown["sessions"].as_array().unwrap().iter().any(|session| session["id"] == login.sid()));

    let table = done(&app, &["list"]);
    assert!(table.starts_with("ID") && table.lines().nth(1).unwrap().starts_with(id), "{table}");
    let openid = shown["identities"][0]["openid"].as_str().unwrap();
    let page = done(&app, &["show", id]);
    assert!(page.contains(openid) && page.contains(&login.sid()) && page.contains("notes:write"), "{page}");
}

async fn what_stands_already_is_said_and_is_no_failure(db: Database) {
    let app = Builder::new(db.clone()).file(ROLES).start().await;
    let id = app.login("alice").await.user_id().to_owned();
    assert!(done(&app, &["unban", &id]).contains("was not banned"));
    assert!(done(&app, &["ban", &id]).contains("is banned; 1 session ended"));
    assert!(done(&app, &["ban", &id]).contains("banned already"));
    assert!(done(&app, &["logout", &id]).contains("0 sessions ended"));
    assert!(done(&app, &["unban", &id]).contains("may log in again"));
    assert!(done(&app, &["revoke", &id, "editor"]).contains("has no role editor"));
    assert!(done(&app, &["grant", &id, "editor"]).contains("has the role editor now"));
    assert!(done(&app, &["grant", &id, "editor"]).contains("has the role editor already"));
    assert!(done(&app, &["revoke", &id, "editor"]).contains("no longer"));
    let acts = db.texts("SELECT action AS text FROM audit WHERE action LIKE 'user.%' ORDER BY id");
    assert_eq!(
        acts,
        ["user.ban", "user.unban", "user.roles", "user.roles"],
        "what was not done is not there"
    );
}

async fn a_user_who_is_not_there_is_named(db: Database) {
    let app = Builder::new(db.clone()).file(ROLES).start().await;
    for arguments in [
        &["show", "nobody"][..],
        &["ban", "nobody"],
        &["unban", "nobody"],
        &["grant", "nobody", "editor"],
        &["revoke", "nobody", "editor"],
        &["logout", "nobody"],
        &["delete", "nobody", "--yes"],
    ] {
        let said = refused(&app, arguments, 1);
        assert!(said.contains("there is no user nobody"), "{arguments:?}: {said}");
    }
    assert_eq!(db.count("audit") + db.count("user_changes"), 0);
}

async fn roles_are_those_of_the_configuration(db: Database) {
    let app = Builder::new(db).file(ROLES).start().await;
    let id = app.login("alice").await.user_id().to_owned();
    for wrong in ["admin", "Editor", ""] {
        for verb in ["grant", "revoke"] {
            let said = refused(&app, &[verb, &id, wrong], 1);
            assert!(said.contains("editor"), "the known ones are named: {said}");
        }
    }
    done(&app, &["grant", &id, "editor"]);
    std::fs::write(app.folder().join("weauth.toml"), "").unwrap();
    let said = refused(&app, &["grant", &id, "editor"], 1);
    assert!(said.contains("none is configured"), "{said}");
    // A role granted while it was configured can be revoked.
    assert!(done(&app, &["revoke", &id, "editor"]).contains("no longer"));
}

async fn a_deletion_asks_and_without_a_terminal_refuses(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let login = app.login("alice").await;
    let said = refused(&app, &["delete", login.user_id()], 1);
    assert!(said.contains("--yes") && said.contains(login.user_id()), "{said}");
    app.me(&login.access_token).await.ok();
    assert_eq!(db.count("users"), 1);
}

async fn wrong_usage_ends_with_two(db: Database) {
    let app = TestApp::on(db).await;
    for arguments in [
        &[][..],
        &["ban"],
        &["grant", "x"],
        &["list", "--limit", "0"],
        &["list", "--limit", "201"],
        &["list", "--status", "gone"],
        &["list", "--sort", "name"],
        &["list", "--order", "up"],
        &["list", "--created-after", "yesterday"],
        &["list", "--appid", "x"],
        &["list", "--role", "No Role"],
        &["list", "--q", ""],
        &["list", "--unknown"],
    ] {
        refused(&app, arguments, 2);
    }
}

async fn what_strangers_wrote_is_shown_and_not_obeyed(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let login = app.login("alice").await;
    db.execute(
        "UPDATE users SET nickname = '小明' || char(27, 91, 50, 74, 0x9b, 0x202e), phone = '+8613800000000'",
    );
    let shown = "小明\\u001b[2J\\u009b\\u202e";
    for printed in [done(&app, &["list"]), done(&app, &["show", login.user_id()])] {
        assert!(printed.contains(shown) && printed.contains("138******00"), "{printed}");
    }
    let json = done(&app, &["show", login.user_id(), "--json"]);
    assert!(json.contains(shown), "{json}");
    let read: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(read["nickname"], "小明\u{1b}[2J\u{9b}\u{202e}", "it means what it meant");
}
