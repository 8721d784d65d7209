//! How a key is presented, and what it opens.

use super::{SCOPE, ask, ask_by_form, ask_with, basic, introspect};
use crate::harness::{Database, TestApp, on_both, on_sqlite};
use reqwest::Method;
use serde_json::json;

on_both!(each_key_opens_what_its_scopes_say);
on_sqlite!(a_key_is_presented_in_three_ways, an_api_key_is_no_access_token);

async fn each_key_opens_what_its_scopes_say(db: Database) {
    let app = TestApp::on(db).await;
    let scopes = ["users:read", "users:write", "audit:read", "stats:read", SCOPE, "wechat:token"];
    let keys = scopes.map(|scope| app.add_api_key(&scope.replace(':', "-"), &[scope]));
    let all = app.add_api_key("all", &scopes);
    for (scope, key) in scopes.iter().zip(&keys) {
        let answer = ask(&app, key).await;
        if *scope == SCOPE {
            answer.ok();
        } else {
            let problem = answer.problem_with_retry(403, "permission_denied", "none");
            assert_eq!(problem["error"], "access_denied");
            assert!(answer.header("www-authenticate").contains("insufficient_scope"), "{answer:?}");
        }
    }
    ask(&app, &all).await.ok();
}

async fn a_key_is_presented_in_three_ways(db: Database) {
    let app = TestApp::on(db).await;
    let key = app.add_api_key("shop.1_a-b", &[SCOPE]);
    let encoded: String = key.bytes().map(|b| format!("%{b:02X}")).collect();
    for authorization in [
        format!("Bearer {key}"),
        format!("bearer {key}"),
        basic("shop.1_a-b", &key),
        basic("shop%2E1%5Fa%2Db", &encoded),
        basic("shop.1_a-b", &key).replace("Basic", "basic"),
    ] {
        ask_with(&app, &authorization).await.ok();
    }
    ask_by_form(&app, &format!("client_id=shop.1_a-b&client_secret={key}")).await.ok();
    ask_by_form(&app, &format!("client_secret={encoded}&client_id=shop%2E1_a-b")).await.ok();
    // Some clients identify themselves in the form as well as in the header.
    let beside = introspect(&app).header("Authorization", basic("shop.1_a-b", &key));
    app.send(beside.body("token=x&client_id=shop.1_a-b")).await.ok();
}

async fn an_api_key_is_no_access_token(db: Database) {
    let app = TestApp::on(db).await;
    let key = app.add_api_key("shop", &["users:read", "users:write", SCOPE]);
    app.me(&key).await.problem(401, "token_invalid");
    let me = app.request(Method::GET, "/me").header("Authorization", basic("shop", &key));
    app.send(me).await.problem(401, "token_missing");
    let refresh = json!({"refresh_token": key});
    app.post_json("/token/refresh", refresh).await.problem(401, "refresh_token_invalid");
}
