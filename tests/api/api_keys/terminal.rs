//! Keys at the terminal: `weauth keys api add`, `list`, `revoke`.

use super::{SCOPE, ask, ask_with, await_last_use, basic, listed, revoke};
use crate::harness::{Database, TestApp, on_both, on_sqlite};
use serde_json::{Value, json};

on_both!(
    a_key_is_printed_alone_listed_without_itself_and_revoked,
    a_name_is_for_one_key_at_a_time,
    of_two_who_add_one_name_at_once_one_does,
);
on_sqlite!(wrong_usage_is_named);

async fn a_key_is_printed_alone_listed_without_itself_and_revoked(db: Database) {
    let app = TestApp::on(db.clone()).await;
    assert_eq!(listed(&app), Vec::<Value>::new());

    let key = app.add_api_key("shop.backend-1", &["users:read", SCOPE, SCOPE]);

    assert!(key.starts_with("weauth_") && key.len() == 50 && !key.contains(char::is_whitespace), "{key}");
    ask(&app, &key).await.ok();
    let items = listed(&app);
    assert_eq!(items.len(), 1);
    assert_eq!(items[0]["name"], "shop.backend-1");
    assert_eq!(items[0]["scopes"], json!(["users:read", SCOPE]));
    assert_eq!(items[0]["hint"], key[..11]);
    assert!(items[0]["created_at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(items[0]["revoked_at"], Value::Null);
    let table = app.weauth(&["keys", "api", "list"]).printed;
    assert!(table.starts_with("NAME") && table.contains("shop.backend-1"), "{table}");
    for stored in db.texts("SELECT hash || name || hint || scopes AS text FROM api_keys") {
        assert!(!stored.contains(&key), "only a digest is stored");
    }

    revoke(&app, "shop.backend-1");

    assert!(listed(&app)[0]["revoked_at"].as_str().unwrap().ends_with('Z'));
    await_last_use(&app).await;
    let audit = db.texts("SELECT action || ' ' || target || ' ' || actor AS text FROM audit ORDER BY id");
    let expected = ["api_key.add shop.backend-1 terminal", "api_key.revoke shop.backend-1 terminal"];
    assert_eq!(audit, expected);
}

async fn wrong_usage_is_named(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let long = "x".repeat(65);
    for (arguments, named) in [
        (&["keys", "api", "add", "shop"][..], "--scope"),
        (&["keys", "api", "add", "shop", "--scope", "users:*"][..], "users:read"),
        (&["keys", "api", "add", "shop", "--scope", "users:read,users:write"][..], "users:read"),
        (&["keys", "api", "add", "--scope", SCOPE][..], "NAME"),
        (&["keys", "api", "add", "a shop", "--scope", SCOPE][..], "letters"),
        (&["keys", "api", "add", &long, "--scope", SCOPE][..], "64"),
        (&["keys", "api", "revoke"][..], "NAME"),
    ] {
        let wrong = app.weauth(arguments);
        assert_eq!(wrong.status.code(), Some(2), "{arguments:?}: {}", wrong.said);
        assert!(wrong.printed.is_empty() && wrong.said.contains(named), "{arguments:?}: {}", wrong.said);
    }
    assert_eq!(db.count("api_keys"), 0);
}

async fn a_name_is_for_one_key_at_a_time(db: Database) {
    let app = TestApp::on(db).await;
    let first = app.add_api_key("shop", &[SCOPE]);

    let taken = app.weauth(&["keys", "api", "add", "shop", "--scope", SCOPE]);
    assert_eq!(taken.status.code(), Some(1));
    assert!(taken.printed.is_empty() && taken.said.contains("shop"), "{}", taken.said);
    assert_eq!(taken.said.lines().count(), 1, "{}", taken.said);
    ask(&app, &first).await.ok();

    revoke(&app, "shop");
    revoke(&app, "shop"); // again is no error
    let unknown = app.weauth(&["keys", "api", "revoke", "shoe"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(unknown.said.contains("shoe"), "{}", unknown.said);

    let second = app.add_api_key("shop", &[SCOPE]);
    assert_ne!(first, second);
    ask_with(&app, &basic("shop", &second)).await.ok();
    ask_with(&app, &basic("shop", &first)).await.problem(401, "token_invalid");
    assert_eq!(listed(&app).len(), 2);
}

async fn of_two_who_add_one_name_at_once_one_does(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let add = || app.weauth(&["keys", "api", "add", "shop", "--scope", SCOPE]).status.code();
    let codes = std::thread::scope(|scope| {
        let adding: Vec<_> = (0..4).map(|_| scope.spawn(add_in_runtime(&add))).collect();
        adding.into_iter().map(|adding| adding.join().unwrap()).collect::<Vec<_>>()
    });
    let done = codes.iter().filter(|code| **code == Some(0)).count();
    assert_eq!((done, db.count("api_keys")), (1, 1), "{codes:?}");
    assert!(codes.iter().all(|code| matches!(code, Some(0 | 1))), "{codes:?}");
}

/// The harness waits for its commands with `block_in_place`, so a thread must enter the runtime.
fn add_in_runtime<'a, T: Send>(work: &'a (impl Fn() -> T + Sync)) -> impl FnOnce() -> T + Send + 'a {
    let runtime = tokio::runtime::Handle::current();
    move || {
        let _inside = runtime.enter();
        work()
    }
}
