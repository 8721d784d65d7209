//! `GET /verify`: what a proxy learns about the token of a request.

use crate::harness::{Answer, Builder, Database, Login, TestApp, on_both, on_sqlite};
use reqwest::Method;
use std::time::{Duration, Instant};

on_both!(a_good_token_says_who_it_is, an_ended_session_is_refused_on_every_node);
on_sqlite!(
    without_a_good_token_nobody_gets_in,
    a_permission_can_be_asked_for,
    a_query_that_makes_no_sense_is_named,
    below_verify_any_request_is_judged_by_its_token_alone,
);

const HEADERS: [&str; 5] = ["x-user-id", "x-user-roles", "x-user-permissions", "x-user-app", "x-session-id"];
const ROLES: &str =
    "[roles.editor]\npermissions = [\"notes:write\", \"notes:read\"]\n[roles.guest]\npermissions = []\n";

async fn verify(app: &TestApp, path: &str, token: &str) -> Answer {
    app.send(app.request(Method::GET, path).bearer_auth(token)).await
}

/// An editor who is also a guest.
async fn editor(app: &TestApp, db: &Database) -> Login {
    let id = app.login("alice").await.user_id().to_owned();
    db.grant(&id, "editor");
    db.grant(&id, "guest");
    app.login("alice").await
}

#[track_caller]
fn assert_lets_in(answer: &Answer, login: &Login, roles: &str, permissions: &str) {
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, ""), "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    let claims = login.claims();
    let text = |name: &str| claims[name].as_str().unwrap().to_owned();
    let expected = [text("sub"), roles.to_owned(), permissions.to_owned(), text("client_id"), text("sid")];
    for (name, value) in HEADERS.iter().zip(expected) {
        assert!(answer.headers.contains_key(*name), "{name} is always there: {answer:?}");
        assert_eq!(answer.header(name), value, "{name}");
    }
}

#[track_caller]
fn assert_keeps_out(answer: &Answer, status: u16, code: &str) {
    answer.problem(status, code);
    assert_eq!(answer.header("cache-control"), "no-store");
    for name in HEADERS {
        assert!(!answer.headers.contains_key(name), "{answer:?}");
    }
}

async fn a_good_token_says_who_it_is(db: Database) {
    let app = Builder::new(db.clone()).file(ROLES).start().await;
    let bob = app.login("bob").await;
    assert_lets_in(&verify(&app, "/verify", &bob.access_token).await, &bob, "", "");

    let alice = editor(&app, &db).await;
    let answer = verify(&app, "/verify", &alice.access_token).await;
    assert_lets_in(&answer, &alice, "editor,guest", "notes:read,notes:write");
    let head = app.send(app.request(Method::HEAD, "/verify").bearer_auth(&alice.access_token)).await;
    assert_lets_in(&head, &alice, "editor,guest", "notes:read,notes:write");
}

async fn an_ended_session_is_refused_on_every_node(db: Database) {
    let app = TestApp::on(db).await;
    let two = app.second_node().await;
    let login = app.login("alice").await;
    assert_eq!(verify(&two, "/verify", &login.access_token).await.status.as_u16(), 200);

    app.send(app.request(Method::POST, "/logout").bearer_auth(&login.access_token)).await;

    for path in ["/verify", "/verify/notes"] {
        assert_keeps_out(&verify(&app, path, &login.access_token).await, 401, "token_revoked");
    }
    let began = Instant::now();
    while verify(&two, "/verify", &login.access_token).await.status.as_u16() == 200 {
        assert!(began.elapsed() < Duration::from_secs(1), "the other node still lets the ended session in");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn without_a_good_token_nobody_gets_in(db: Database) {
    let app = TestApp::on(db).await;
    let login = app.login("alice").await;
    for path in ["/verify", "/verify/", "/verify/notes?permission=x"] {
        assert_keeps_out(&app.get(path).await, 401, "token_missing");
        assert_keeps_out(&verify(&app, path, "x.y.z").await, 401, "token_invalid");
        assert_keeps_out(&verify(&app, path, &login.refresh_token).await, 401, "token_invalid");
    }
    let in_the_url = app.get(&format!("/verify/notes?access_token={}", login.access_token)).await;
    assert_keeps_out(&in_the_url, 401, "token_missing");
    assert_keeps_out(&app.send(app.request(Method::POST, "/verify")).await, 405, "method_not_allowed");
}

async fn a_permission_can_be_asked_for(db: Database) {
    let app = Builder::new(db.clone()).file(ROLES).start().await;
    let (alice, bob) = (editor(&app, &db).await, app.login("bob").await);

    for held in [
        "?permission=notes:read",
        "?permission=notes%3Aread",
        "?permission=notes:read&permission=notes:write",
    ] {
        let answer = verify(&app, &format!("/verify{held}"), &alice.access_token).await;
        assert_lets_in(&answer, &alice, "editor,guest", "notes:read,notes:write");
        let answer = verify(&app, &format!("/verify{held}"), &bob.access_token).await;
        assert_keeps_out(&answer, 403, "permission_denied");
        assert!(answer.header("www-authenticate").contains(r#"error="insufficient_scope""#), "{answer:?}");
    }
    for more in
        ["?permission=notes:delete", "?permission=notes:read&permission=notes:delete", "?permission=editor"]
    {
        let answer = verify(&app, &format!("/verify{more}"), &alice.access_token).await;
        assert_keeps_out(&answer, 403, "permission_denied");
    }
}

async fn a_query_that_makes_no_sense_is_named(db: Database) {
    let app = TestApp::on(db).await;
    let login = app.login("alice").await;
    for (query, field) in [
        ("?permision=notes:read", "permision"),
        ("?permission", "permission"),
        ("?permission=", "permission"),
        ("?permission=Notes", "permission"),
        ("?permission=a,b", "permission"),
        ("?permission=a%20b", "permission"),
        ("?permission=%FF", "permission"),
        ("?role=editor", "role"),
        (&format!("?{}", login.access_token), "(a parameter)"),
        (&format!("?a=1&{}", "b&".repeat(5000)), "a"),
    ] {
        let answer = verify(&app, &format!("/verify{query}"), &login.access_token).await;
        assert_keeps_out(&answer, 400, "invalid_request");
        assert_eq!(answer.json()["errors"][0]["field"], field, "{query}");
        assert_eq!(answer.json()["errors"].as_array().map(Vec::len), Some(1), "however many there are");
        assert!(!answer.text.contains(&login.access_token), "{answer:?}");
    }
}

async fn below_verify_any_request_is_judged_by_its_token_alone(db: Database) {
    let app = Builder::new(db.clone()).file(ROLES).start().await;
    let (alice, bob) = (editor(&app, &db).await, app.login("bob").await);
    for method in
        [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS]
    {
        for path in
            ["/", "/?page=2", "/notes", "/notes/%E6%97%A5?permission=admin&x=%FF", "//a/../b", "/token"]
        {
            let request =
                app.request(method.clone(), &format!("/verify{path}")).bearer_auth(&bob.access_token);
            assert_lets_in(&app.send(request).await, &bob, "", "");
        }
    }
    // Dot segments lead nowhere: a request from Envoy ends no session and reaches no other route.
    let head = format!("Host: x\r\nAuthorization: Bearer {}\r\nConnection: close", bob.access_token);
    for path in ["/verify/../logout", "/verify/%2e%2e/logout", "/verify/x/../../me"] {
        let answer = app.raw(format!("POST {path} HTTP/1.1\r\n{head}\r\n\r\n").as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(&bob.sid()), "{path}: {answer}");
    }
    assert_eq!(verify(&app, "/verify", &bob.access_token).await.status.as_u16(), 200);
    // An extra slash does not bypass the permission check.
    let slip = "/verify/?permission=notes:read";
    assert_keeps_out(&verify(&app, slip, &bob.access_token).await, 403, "permission_denied");
    assert_eq!(verify(&app, slip, &alice.access_token).await.status.as_u16(), 200);
}
