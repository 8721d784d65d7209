//! Logins that succeed, and malformed login requests.

use crate::harness::{
    Builder, Database, Login, Reply, ScriptedWeChat, TestApp, new_code, on_both, on_sqlite,
};
use crate::jwt;
use serde_json::{Value, json};

on_both!(
    a_login_answers_every_documented_field,
    me_shows_the_user_of_the_token,
    created_is_true_once_in_a_users_life,
    with_several_apps_the_client_names_its_own,
    an_openid_means_nothing_without_its_appid,
    a_unionid_that_appears_later_is_linked_to_the_same_user,
);
on_sqlite!(
    a_form_works_like_json,
    the_access_token_is_a_jwt_of_rfc_9068,
    the_only_app_may_be_named_but_no_other,
    a_wrong_code_is_refused_before_wechat_is_asked,
    the_mock_code_of_devtools_is_explained,
    a_code_of_512_characters_reaches_wechat_unchanged,
    a_malformed_idempotency_key_is_refused,
    wechats_older_forms_of_success_are_understood,
    tokens_and_personal_data_are_never_cached,
);

async fn a_login_answers_every_documented_field(db: Database) {
    let app = TestApp::on(db).await;
    let code = app.code_for("alice");

    let body = app.login_with(json!({"code": code})).await.ok();

    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["expires_in"], 7200);
    assert_eq!(body["refresh_expires_in"], 2_592_000);
    for token in ["access_token", "refresh_token"] {
        assert!(body[token].as_str().is_some_and(|token| token.len() >= 43), "{token}");
    }
    assert_ne!(body["access_token"], body["refresh_token"]);
    let user = &body["user"];
    assert_user(user);
    assert_eq!(user["created"], true);
    assert_eq!(user["nickname"], Value::Null);
    assert_eq!(user["avatar_url"], Value::Null);
    assert_eq!(user["phone"], Value::Null);
    assert_eq!(user["roles"], json!([]));
    assert_eq!(user["permissions"], json!([]));
    assert!(body.get("phone_error").is_none(), "nobody asked for a phone");
}

async fn me_shows_the_user_of_the_token(db: Database) {
    let app = TestApp::on(db).await;
    let (alice, bob) = (app.login("alice").await, app.login("bob").await);

    let me = app.me(&alice.access_token).await.ok();

    assert_user(&me);
    let mut expected = alice.user.clone();
    expected.as_object_mut().unwrap().remove("created");
    assert_eq!(me, expected);
    assert_ne!(app.me(&bob.access_token).await.ok()["id"], me["id"]);
}

async fn created_is_true_once_in_a_users_life(db: Database) {
    let app = TestApp::on(db).await;
    let logins = [app.login("alice").await, app.login("alice").await, app.login("alice").await];

    let created = logins.each_ref().map(|login| login.user["created"].clone());
    assert_eq!(created, [json!(true), json!(false), json!(false)]);
    assert!(logins.iter().all(|login| login.user_id() == logins[0].user_id()));
    assert_ne!(logins[0].sid(), logins[1].sid(), "each login is a session of its own");
    assert!(logins[2].user["last_login_at"].as_str() >= logins[0].user["last_login_at"].as_str());
    assert_eq!(logins[2].user["created_at"], logins[0].user["created_at"]);
}

async fn with_several_apps_the_client_names_its_own(db: Database) {
    let app = Builder::new(db).apps(2).start().await;
    let second = app.apps()[1].appid.clone();
    let code = app.code_for("alice");

    let missing = app.login_with(json!({"code": code})).await.problem(400, "invalid_request");
    assert!(missing["detail"].as_str().unwrap().contains("appid"), "{missing}");
    let both = app.login_with(json!({})).await.problem(400, "invalid_request");
    let fields: Vec<&Value> =
        both["errors"].as_array().unwrap().iter().map(|error| &error["field"]).collect();
    assert_eq!(fields, ["appid", "code"], "{both}");
    app.login_with(json!({"code": code, "appid": "wx0000000000000001"})).await.problem(400, "unknown_app");
    app.login_with(json!({"code": code, "appid": 7})).await.problem(400, "invalid_request");

    // None of these spent the code.
    let login = Login::from(&app.login_with(json!({"code": code, "appid": second})).await);
    assert_eq!(login.claims()["client_id"], second);
}

async fn an_openid_means_nothing_without_its_appid(db: Database) {
    let wechat = ScriptedWeChat::start().await;
    let app = Builder::new(db).apps(2).wechat(&wechat).start().await;
    let mut users = Vec::new();
    for mini_program in app.apps() {
        let code = new_code();
        wechat.answer(&code, Reply::user("oSameTextInBothMiniPrograms"));
        let answer = app.login_with(json!({"code": code, "appid": mini_program.appid})).await;
        users.push(Login::from(&answer));
    }
    assert_ne!(users[0].user_id(), users[1].user_id());
    assert_eq!((&users[0].user["created"], &users[1].user["created"]), (&json!(true), &json!(true)));
}

async fn a_unionid_that_appears_later_is_linked_to_the_same_user(db: Database) {
    let wechat = ScriptedWeChat::start().await;
    let app = TestApp::with_wechat(db, &wechat).await;
    let (before, after) = (new_code(), new_code());
    wechat.answer(&before, Reply::user("oLateToOpenPlatform000000000"));
    wechat.answer(
        &after,
        Reply::Json(json!({
            "openid": "oLateToOpenPlatform000000000",
            "session_key": "tiihtNczf5v6AKRyjwEUhQ==",
            "unionid": "oUnionOfTheLatecomer00000000",
        })),
    );

    let first = Login::from(&app.login_with(json!({"code": before})).await);
    let second = Login::from(&app.login_with(json!({"code": after})).await);

    assert_eq!(first.user["unionid_linked"], false);
    assert_eq!(second.user["unionid_linked"], true);
    assert_eq!((second.user_id(), &second.user["created"]), (first.user_id(), &json!(false)));
}

async fn a_form_works_like_json(db: Database) {
    let app = TestApp::on(db).await;
    let (code, appid) = (app.code_for("alice"), app.app().appid.clone());
    let form = format!("code={code}&appid={appid}");

    let answer = app.post("/login", "application/x-www-form-urlencoded", &form).await;

    assert_user(&Login::from(&answer).user);
}

async fn the_access_token_is_a_jwt_of_rfc_9068(db: Database) {
    let app = TestApp::on(db).await;
    let login = app.login("alice").await;

    let header = jwt::header(&login.access_token);
    assert_eq!((&header["alg"], &header["typ"]), (&json!("EdDSA"), &json!("at+jwt")));
    let keys = app.get("/.well-known/jwks.json").await.json();
    assert!(keys["keys"].as_array().unwrap().iter().any(|key| key["kid"] == header["kid"]));

    let claims = login.claims();
    assert_eq!(claims["iss"], crate::harness::ISSUER);
    assert_eq!(claims["sub"], login.user_id());
    assert_eq!(claims["client_id"], app.app().appid);
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 7200);
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    assert!(claims["iat"].as_u64().unwrap().abs_diff(now) < 60, "{claims}");
    for text in ["aud", "jti", "sid"] {
        assert!(!claims[text].is_null(), "`{text}` of {claims}");
    }
    assert_eq!((&claims["roles"], &claims["scope"]), (&json!([]), &json!("")));
}

async fn the_only_app_may_be_named_but_no_other(db: Database) {
    let app = TestApp::on(db).await;
    let code = app.code_for("alice");
    let other = json!({"code": code, "appid": crate::harness::appid()});

    app.login_with(other).await.problem_with_retry(400, "unknown_app", "none");

    app.login_with(json!({"code": code, "appid": app.app().appid})).await.ok();
}

async fn a_wrong_code_is_refused_before_wechat_is_asked(db: Database) {
    let wechat = ScriptedWeChat::start().await;
    let app = TestApp::with_wechat(db, &wechat).await;
    let too_long = "x".repeat(513);
    for wrong in ["", "two words", "代码", "line\nbreak", &too_long] {
        let problem = app.login_with(json!({"code": wrong})).await.problem(400, "invalid_request");
        assert!(problem["detail"].as_str().unwrap().contains("code"), "{problem}");
        assert_eq!(wechat.calls(wrong), 0, "{wrong:?}");
    }
}

async fn the_mock_code_of_devtools_is_explained(db: Database) {
    let wechat = ScriptedWeChat::start().await;
    let app = TestApp::with_wechat(db, &wechat).await;
    let mock = "the code is a mock one"; // what a project without an appid gets

    let problem = app.login_with(json!({"code": mock})).await.problem(401, "wechat_code_invalid");

    assert!(problem["detail"].as_str().unwrap().contains("appid"), "{problem}");
    assert_eq!(wechat.calls(mock), 0);
}

async fn a_code_of_512_characters_reaches_wechat_unchanged(db: Database) {
    let wechat = ScriptedWeChat::start().await;
    let app = TestApp::with_wechat(db, &wechat).await;
    for code in ["0&grant_type=x#?%41+/=;~".repeat(21), "x".repeat(512)] {
        app.login_with(json!({"code": code})).await.ok();
        assert_eq!(wechat.calls(&code), 1, "{code}");
    }
}

async fn a_malformed_idempotency_key_is_refused(db: Database) {
    let wechat = ScriptedWeChat::start().await;
    let app = TestApp::with_wechat(db, &wechat).await;
    let code = new_code();
    for wrong in ["", "two words", &"k".repeat(256)] {
        app.login_as_repeat(&code, wrong).await.problem(400, "invalid_request");
    }
    assert_eq!(wechat.calls(&code), 0);
    app.login_as_repeat(&code, &"k".repeat(255)).await.ok();
}

async fn wechats_older_forms_of_success_are_understood(db: Database) {
    let wechat = ScriptedWeChat::start().await;
    let app = TestApp::with_wechat(db, &wechat).await;
    let fields = r#""openid":"oOlderFormsOfSuccess00000000","session_key":"tiihtNczf5v6AKRyjwEUhQ==""#;
    for body in [
        format!(r#"{{"errcode":0,"errmsg":"ok",{fields}}}"#),
        format!(r#"{{"errcode":"0",{fields}}}"#),
        format!(r#"{{"expires_in":7200,{fields}}}"#),
        format!(r#"{{{fields},"unionid":null,"a_field_of_next_year":{{"a":[1]}}}}"#),
    ] {
        for content_type in ["text/plain", "application/json; encoding=utf-8", "text/html"] {
            let code = new_code();
            wechat.answer(&code, Reply::http("200 OK", content_type, &body));
            app.login_with(json!({"code": code})).await.ok();
        }
    }
}

async fn tokens_and_personal_data_are_never_cached(db: Database) {
    let app = TestApp::on(db).await;
    let code = app.code_for("alice");
    let answer = app.login_with(json!({"code": code})).await;
    let token = Login::from(&answer).access_token;
    for answer in [answer, app.me(&token).await] {
        assert!(answer.header("cache-control").contains("no-store"), "{:?}", answer.headers);
    }
}

/// Asserts that the user has every field of the contract, well-formed.
#[track_caller]
fn assert_user(user: &Value) {
    assert!(user["id"].as_str().is_some_and(|id| !id.is_empty()), "{user}");
    assert_eq!(user["status"], "active", "{user}");
    for list in ["roles", "permissions"] {
        assert!(user[list].is_array(), "`{list}` of {user}");
    }
    for optional in ["nickname", "avatar_url", "phone"] {
        let value = user.get(optional);
        assert!(value.is_some_and(|v| v.is_null() || v.is_string()), "`{optional}` of {user}");
    }
    assert!(user["unionid_linked"].is_boolean(), "{user}");
    for time in ["created_at", "last_login_at"] {
        assert!(is_rfc3339_with_milliseconds(&user[time]), "`{time}` of {user}");
    }
}

fn is_rfc3339_with_milliseconds(time: &Value) -> bool {
    let form = "0000-00-00T00:00:00.000Z";
    let shape = |c: char| if c.is_ascii_digit() { '0' } else { c };
    time.as_str().is_some_and(|time| time.chars().map(shape).eq(form.chars()))
}
