//! What a code and a refresh token are exchanged for.

use super::{FORM, WECHAT_CODE, form, refresh, refresh_as_mini_program, token, with_code};
use crate::harness::{Builder, Database, Login, TestApp, appid, on_both, on_sqlite};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use std::collections::BTreeSet;

on_both!(
    a_code_and_a_refresh_token_give_what_rfc_6749_asks_for,
    the_two_faces_take_each_others_refresh_tokens,
    refreshes_at_once_through_both_faces_get_one_successor,
    one_code_through_both_faces_is_one_session,
    a_repeated_login_is_answered_again_only_with_its_key,
    a_refresh_token_is_good_for_its_own_mini_program_alone,
    a_refused_scope_costs_no_token,
    a_scope_too_wide_hides_no_reuse,
);
on_sqlite!(
    a_login_names_its_mini_program_where_there_are_several,
    a_client_may_send_its_id_as_basic_without_a_password,
    a_client_that_names_itself_in_two_headers_is_refused,
);

const ROLES: &str = "[roles.editor]\npermissions = [\"notes:write\", \"notes:read\"]\n";

async fn a_code_and_a_refresh_token_give_what_rfc_6749_asks_for(db: Database) {
    let app = Builder::new(db.clone()).file(ROLES).start().await;
    let appid = app.app().appid.clone();
    let code = app.code_for("alice");

    let answer =
        token(&app, &[("grant_type", WECHAT_CODE), ("code", &code), ("client_id", &appid), ("foo", "bar")])
            .await;

    let body = answer.ok();
    assert_eq!((answer.header("cache-control"), &body["token_type"]), ("no-store", &json!("Bearer")));
    assert_eq!((&body["expires_in"], &body["refresh_expires_in"]), (&json!(7200), &json!(2_592_000)));
    assert_eq!((&body["scope"], &body["user"]["created"]), (&json!(""), &json!(true)));
    let login = Login::from(&answer);
    assert_eq!(login.claims()["client_id"], appid.as_str());
    assert_eq!(app.me(&login.access_token).await.ok()["id"], login.user_id());

    db.grant(login.user_id(), "editor");
    let answer = refresh(&app, &login.refresh_token).await;

    let body = answer.ok();
    assert_eq!(body["scope"], "notes:read notes:write");
    let refreshed = Login::from(&answer);
    assert_eq!((refreshed.sid(), &refreshed.claims()["scope"]), (login.sid(), &body["scope"]));
    assert_ne!(refreshed.refresh_token, login.refresh_token);
}

async fn the_two_faces_take_each_others_refresh_tokens(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let login = app.login("alice").await;
    let mut last = login.refresh_token.clone();
    for _ in 0..3 {
        let here = Login::from(&refresh(&app, &last).await);
        let there = Login::from(&refresh_as_mini_program(&app, &here.refresh_token).await);
        assert_eq!((here.sid(), there.sid()), (login.sid(), login.sid()));
        last = there.refresh_token;
    }
    let other = Login::from(&with_code(&app, &app.code_for("alice")).await);
    Login::from(&refresh_as_mini_program(&app, &other.refresh_token).await);
    assert_eq!((other.user_id(), db.count("sessions")), (login.user_id(), 2));
}

async fn refreshes_at_once_through_both_faces_get_one_successor(db: Database) {
    let one = TestApp::on(db).await;
    let two = one.second_node().await;
    let mut last = one.login("alice").await.refresh_token;
    for _ in 0..3 {
        let here = join_all((0..15).map(|n| refresh([&one, &two][n % 2], &last)));
        let there = join_all((0..15).map(|n| refresh_as_mini_program([&one, &two][n % 2], &last)));
        let (here, there) = tokio::join!(here, there);
        let successors: BTreeSet<String> =
            here.iter().chain(&there).map(|answer| Login::from(answer).refresh_token).collect();
        assert_eq!(successors.len(), 1);
        last = successors.into_iter().next().unwrap();
    }
}

async fn one_code_through_both_faces_is_one_session(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let code = app.code_for("alice");

    let here = join_all((0..10).map(|_| with_code(&app, &code)));
    let there = join_all((0..10).map(|_| app.login_with(json!({"code": code}))));
    let (here, there) = tokio::join!(here, there);

    let sessions: BTreeSet<String> =
        here.iter().chain(&there).map(|answer| Login::from(answer).sid()).collect();
    assert_eq!((sessions.len(), db.count("sessions"), db.count("users")), (1, 1, 1));
    with_code(&app, &code).await.oauth_error(400, "invalid_grant", "wechat_code_used");
}

async fn a_repeated_login_is_answered_again_only_with_its_key(db: Database) {
    let app = TestApp::on(db).await;
    let code = app.code_for("alice");
    let with_key = |key: &'static str| {
        let body = form(&[("grant_type", WECHAT_CODE), ("code", &code)]);
        let request = app.request(Method::POST, "/token").header("Content-Type", FORM);
        app.send(request.header("Idempotency-Key", key).body(body))
    };

    let first = Login::from(&with_key("one-login").await);

    assert_eq!(Login::from(&with_key("one-login").await).sid(), first.sid());
    assert_eq!(Login::from(&app.login_as_repeat(&code, "one-login").await).sid(), first.sid());
    with_key("another-login").await.oauth_error(400, "invalid_grant", "wechat_code_used");
    with_key("").await.oauth_error(400, "invalid_request", "invalid_request");
}

async fn a_refresh_token_is_good_for_its_own_mini_program_alone(db: Database) {
    let app = Builder::new(db).set("WEAUTH_REFRESH_GRACE", "0").apps(2).start().await;
    let [own, other] = app.apps() else { panic!("two mini-programs") };
    let login =
        Login::from(&app.login_with(json!({"code": app.code_for("alice"), "appid": own.appid})).await);
    let as_client = |refresh_token: String, client: String| {
        let parameters = ["refresh_token", &refresh_token, &client];
        let body = form(
            &["grant_type", "refresh_token", "client_id"].into_iter().zip(parameters).collect::<Vec<_>>(),
        );
        async { app.post("/token", FORM, &{ body }).await }
    };

    for stranger in [other.appid.clone(), appid(), "wx".to_owned(), own.appid.to_uppercase()] {
        let answer = as_client(login.refresh_token.clone(), stranger).await;
        answer.oauth_error(400, "invalid_grant", "refresh_token_invalid");
    }

    // None of this rotated the token or ended the session; not even a token that was already replaced does.
    let second = Login::from(&as_client(login.refresh_token.clone(), own.appid.clone()).await);
    let stranger = as_client(login.refresh_token.clone(), other.appid.clone()).await;
    stranger.oauth_error(400, "invalid_grant", "refresh_token_invalid");
    Login::from(&as_client(second.refresh_token, own.appid.clone()).await);
}

async fn a_refused_scope_costs_no_token(db: Database) {
    let app = Builder::new(db.clone()).set("WEAUTH_REFRESH_GRACE", "0").file(ROLES).start().await;
    let id = app.login("alice").await.user_id().to_owned();
    db.grant(&id, "editor");
    let login = app.login("alice").await;
    let with_scope = |scope: &'static str| {
        let parameters = [
            ("grant_type", "refresh_token"),
            ("refresh_token", login.refresh_token.as_str()),
            ("scope", scope),
        ];
        let body = form(&parameters);
        async { app.post("/token", FORM, &{ body }).await }
    };

    for too_much in ["notes:delete", "notes:read notes:delete", "NOTES:READ", "notes:read,notes:write", "日"]
    {
        with_scope(too_much).await.oauth_error(400, "invalid_scope", "invalid_request");
    }

    let body = with_scope("notes:read").await.ok();
    assert_eq!(body["scope"], "notes:read notes:write", "it says what it carries, which is not less");
}

async fn a_scope_too_wide_hides_no_reuse(db: Database) {
    let app = Builder::new(db).set("WEAUTH_REFRESH_GRACE", "0").file(ROLES).start().await;
    let login = app.login("alice").await;
    let refresh = |scope: &'static str| {
        let token = login.refresh_token.as_str();
        let body = form(&[("grant_type", "refresh_token"), ("refresh_token", token), ("scope", scope)]);
        async { app.post("/token", FORM, &{ body }).await }
    };
    let next = Login::from(&refresh("").await);

    refresh("NO SUCH").await.oauth_error(400, "invalid_grant", "refresh_token_reused");

    app.me(&next.access_token).await.problem(401, "token_revoked");
}

async fn a_login_names_its_mini_program_where_there_are_several(db: Database) {
    let app = Builder::new(db).apps(2).start().await;
    let code = app.code_for("alice");
    let as_client = |client: String| {
        let body = form(&[("grant_type", WECHAT_CODE), ("code", &code), ("client_id", &client)]);
        async { app.post("/token", FORM, &{ body }).await }
    };

    let nobody = with_code(&app, &code).await.oauth_error(400, "invalid_request", "invalid_request");
    assert_eq!(nobody["errors"][0]["field"], "client_id");
    as_client(appid()).await.oauth_error(401, "invalid_client", "unknown_app");

    // The code is not spent.
    let login = Login::from(&as_client(app.apps()[1].appid.clone()).await);
    assert_eq!(login.claims()["aud"], app.apps()[1].appid.as_str());
}

async fn a_client_may_send_its_id_as_basic_without_a_password(db: Database) {
    let app = Builder::new(db).apps(2).start().await;
    let [one, two] = app.apps() else { panic!("two mini-programs") };
    let login = |header: String, client: Option<&str>| {
        let code = app.code_for("alice");
        let mut parameters = vec![("grant_type", WECHAT_CODE), ("code", &code)];
        parameters.extend(client.map(|client| ("client_id", client)));
        let request = app.request(Method::POST, "/token").header("Content-Type", FORM);
        app.send(request.header("Authorization", header).body(form(&parameters)))
    };
    let basic = |text: String| format!("Basic {}", STANDARD.encode(text));

    let answer = login(basic(format!("{}:", two.appid)), None).await;
    assert_eq!(Login::from(&answer).claims()["aud"], two.appid.as_str());
    let answer = login(basic(format!("{}:", two.appid)), Some(&two.appid)).await;
    assert_eq!(Login::from(&answer).claims()["aud"], two.appid.as_str());

    login(basic(format!("{}:", two.appid)), Some(&one.appid)).await.oauth_error(
        400,
        "invalid_request",
        "invalid_request",
    );
    login(basic(format!("{}:", appid())), None).await.oauth_error(401, "invalid_client", "unknown_app");
    for malformed in ["Basic ?", "basic", "Basic d3g="] {
        let answer = login(malformed.to_owned(), Some(&one.appid)).await;
        if malformed == "basic" {
            answer.ok(); // no credentials at all: the same as no header
        } else {
            answer.oauth_error(401, "invalid_client", "invalid_request");
        }
    }
    // A Bearer token in the header is ignored here.
    login("Bearer x.y.z".to_owned(), Some(&one.appid)).await.ok();
}

async fn a_client_that_names_itself_in_two_headers_is_refused(db: Database) {
    let app = Builder::new(db).apps(2).start().await;
    let code = app.code_for("alice");
    let body = form(&[("grant_type", WECHAT_CODE), ("code", &code)]);
    let mut request = app.request(Method::POST, "/token").header("Content-Type", FORM);
    for mini_program in app.apps() {
        request = request.basic_auth(&mini_program.appid, Some(""));
    }

    app.send(request.body(body)).await.oauth_error(401, "invalid_client", "invalid_request");

    // The code is not spent.
    token(&app, &[("grant_type", WECHAT_CODE), ("code", &code), ("client_id", &app.app().appid)]).await.ok();
}
