//! `weauth users list`: filters, order, pages.

use crate::harness::{Builder, Database, Login, TestApp, on_both};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

on_both!(
    a_walk_through_five_hundred_users_misses_none_and_repeats_none_while_others_come,
    people_are_found_by_what_is_known_of_them,
    filters_and_orders_do_what_they_say,
    a_cursor_is_good_as_it_was_given_and_for_its_own_question,
);

/// What `weauth users list` prints with these arguments, as JSON.
#[track_caller]
fn list(app: &TestApp, arguments: &[&str]) -> Value {
    let finished = app.weauth(&[&["users", "list", "--json"], arguments].concat());
    assert!(finished.status.success(), "{arguments:?}: {}", finished.said);
    serde_json::from_str(&finished.printed).unwrap()
}

fn ids(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

async fn logins(app: &TestApp, people: std::ops::Range<usize>) -> Vec<Login> {
    join_all(people.map(|person| async move { app.login(&format!("person-{person}")).await })).await
}

async fn a_walk_through_five_hundred_users_misses_none_and_repeats_none_while_others_come(db: Database) {
    let app = TestApp::on(db).await;
    let mut there = BTreeSet::new();
    for start in (0..500).step_by(100) {
        let hundred = logins(&app, start..start + 100).await;
        there.extend(hundred.iter().map(|login| login.user_id().to_owned()));
    }
    assert_eq!(there.len(), 500);
    for order in ["desc", "asc"] {
        let (mut seen, mut cursor, mut newcomers) = (Vec::new(), None::<String>, 1000);
        loop {
            let mut arguments = vec!["--limit", "120", "--order", order];
            arguments.extend(cursor.iter().flat_map(|cursor| ["--cursor", cursor.as_str()]));
            let page = list(&app, &arguments);
            seen.extend(page["items"].as_array().unwrap().clone());
            logins(&app, newcomers..newcomers + 5).await;
            newcomers += 5;
            match page["next_cursor"].as_str() {
                Some(next) if seen.len() < 600 => cursor = Some(next.to_owned()),
                _ => break,
            }
        }
        let seen_ids: Vec<&str> = seen.iter().map(|item| item["id"].as_str().unwrap()).collect();
        let once: BTreeSet<&str> = seen_ids.iter().copied().collect();
        assert_eq!(once.len(), seen_ids.len(), "{order}: somebody was shown twice");
        assert!(there.iter().all(|id| once.contains(id.as_str())), "{order}: somebody was left out");
        let times: Vec<&str> = seen.iter().map(|item| item["created_at"].as_str().unwrap()).collect();
        assert!(if order == "asc" { times.is_sorted() } else { times.iter().rev().is_sorted() }, "{order}");
    }
}

async fn people_are_found_by_what_is_known_of_them(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let mut people = BTreeMap::new();
    for person in ["alice", "bob", "carol"] {
        people.insert(person, app.login(person).await.user_id().to_owned());
    }
    let set = |person: &str, values: &str| {
        db.execute(&format!("UPDATE users SET {values} WHERE id = '{}'", people[person]));
    };
    set("alice", "nickname = '小明同学', phone = '+8613800000000'");
    set("bob", "nickname = '小%红', phone = '+15551234567'");
    set("carol", "nickname = 'c_rol'");
    let identity_of = |column: &str, person: &str| {
        db.texts(&format!("SELECT {column} AS text FROM identities WHERE user_id = '{}'", people[person]))
            .remove(0)
    };
    let (openid, unionid) = (identity_of("openid", "bob"), identity_of("unionid", "carol"));
    for (q, expected) in [
        (people["alice"].as_str(), &["alice"][..]),
        (&people["bob"][..people["bob"].len() - 1], &["bob"]),
        (&openid, &["bob"]),
        (&openid[..openid.len() - 2], &["bob"]),
        (&unionid, &["carol"]),
        ("小明", &["alice"]),
        ("小", &["alice", "bob"]),
        ("小%", &["bob"]),
        ("c_", &["carol"]),
        ("C_", &[]),
        ("%", &[]),
        ("明", &[]),
        ("13800000000", &["alice"]),
        ("+8613800000000", &["alice"]),
        ("8613800000000", &["alice"]),
        ("138 0000 0000", &["alice"]),
        ("1380000000", &[]),
        ("+15551234567", &["bob"]),
        ("nobody", &[]),
    ] {
        let found = list(&app, &["--q", q]);
        let expected: BTreeSet<&String> = expected.iter().map(|person| &people[person]).collect();
        assert_eq!(ids(&found).iter().collect::<BTreeSet<_>>(), expected, "{q}");
        assert_eq!(found["total"], expected.len(), "{q}");
    }
    let all = list(&app, &["--q", &people["alice"][..2], "--status", "active", "--limit", "2"]);
    assert_eq!((ids(&all).len(), &all["total"]), (2, &json!(3)));
}

async fn filters_and_orders_do_what_they_say(db: Database) {
    let app = Builder::new(db.clone()).apps(2).start().await;
    let config = app.folder().join("apps.toml");
    let toml = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, toml + "[roles.editor]\npermissions = [\"notes:write\"]\n").unwrap();
    let mut people = Vec::new();
    for (day, person) in ["a", "b", "c", "d"].into_iter().enumerate() {
        let appid = &app.apps()[day % 2].appid;
        let answer = app.login_with(json!({"code": app.code_for(person), "appid": appid})).await;
        people.push(Login::from(&answer).user_id().to_owned());
    }
    app.stop(); // otherwise it would still write their last logins
    for (day, id) in people.iter().enumerate() {
        let (created, last) = (day + 1, 20 - day);
        db.execute(&format!(
            "UPDATE users SET created_at = '2026-01-0{created} 10:00:00', last_login_at = '2026-02-{last} 10:00:00'
             WHERE id = '{id}'"
        ));
    }
    assert!(app.weauth(&["users", "ban", &people[1]]).status.success());
    assert!(app.weauth(&["users", "grant", &people[2], "editor"]).status.success());
    let appid = app.apps()[1].appid.clone();
    for (arguments, expected) in [
        (&[][..], &[3, 2, 1, 0][..]),
        (&["--order", "asc"], &[0, 1, 2, 3]),
        (&["--sort", "last_login_at"], &[0, 1, 2, 3]),
        (&["--sort", "last_login_at", "--order", "asc"], &[3, 2, 1, 0]),
        (&["--status", "banned"], &[1]),
        (&["--status", "active"], &[3, 2, 0]),
        (&["--role", "editor"], &[2]),
        (&["--role", "reader"], &[]),
        (&["--appid", &appid], &[3, 1]),
        (&["--appid", &appid, "--status", "banned"], &[1]),
        (&["--created-after", "2026-01-03"], &[3, 2]),
        (&["--created-after", "2026-01-03T10:00:00Z"], &[3, 2]),
        (&["--created-after", "2026-01-03T10:00:00.001Z"], &[3]),
        (&["--created-before", "2026-01-02T18:00:00+08:00"], &[0]),
        (&["--created-after", "2026-01-02", "--created-before", "2026-01-04"], &[2, 1]),
        (&["--login-after", "2026-02-19"], &[1, 0]),
        (&["--login-before", "2026-02-18"], &[3]),
    ] {
        let found = list(&app, arguments);
        let expected: Vec<&String> = expected.iter().map(|person| &people[*person]).collect();
        assert_eq!(ids(&found).iter().collect::<Vec<_>>(), expected, "{arguments:?}");
        assert_eq!(found["total"], expected.len(), "{arguments:?}");
    }
    let editor = &list(&app, &["--role", "editor"])["items"][0];
    assert_eq!(editor["permissions"], json!(["notes:write"]));
}

async fn a_cursor_is_good_as_it_was_given_and_for_its_own_question(db: Database) {
    let app = TestApp::on(db).await;
    logins(&app, 0..4).await;
    let first = list(&app, &["--limit", "2"]);
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = list(&app, &["--limit", "200", "--cursor", cursor]);
    assert_eq!((ids(&rest).len(), &rest["next_cursor"]), (2, &Value::Null));
    let mut altered = cursor.to_owned();
    let last = altered.pop().unwrap();
    altered.push(if last == '0' { '1' } else { '0' });
    for arguments in [
        &["--cursor", altered.as_str()][..],
        &["--cursor", "1"],
        &["--cursor", ""],
        &["--cursor", cursor, "--order", "asc"],
        &["--cursor", cursor, "--sort", "last_login_at"],
        &["--cursor", cursor, "--status", "active"],
        &["--cursor", cursor, "--q", "0"],
    ] {
        let refused = app.weauth(&[&["users", "list", "--json"], arguments].concat());
        assert_eq!((refused.status.code(), refused.printed.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(refused.said.contains("--cursor"), "{}", refused.said);
    }
}
