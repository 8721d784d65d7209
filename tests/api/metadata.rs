//! `GET /.well-known/oauth-authorization-server`: what a client discovers by itself.

use crate::harness::{Builder, Database, ISSUER, TestApp, on_sqlite};
use serde_json::json;

on_sqlite!(the_metadata_name_what_is_there, the_metadata_of_an_issuer_with_a_path_stand_where_rfc_8414_looks,);

const WELL_KNOWN: &str = "/.well-known/oauth-authorization-server";

async fn the_metadata_name_what_is_there(db: Database) {
    let roles = "[roles.reader]\npermissions = [\"notes:read\"]\n[roles.editor]\npermissions = [\"notes:write\", \"notes:read\"]\n";
    let app = Builder::new(db).file(roles).start().await;

    let answer = app.get(WELL_KNOWN).await;

    let metadata = answer.ok();
    assert!(answer.header("cache-control").starts_with("public, max-age="), "{answer:?}");
    assert_eq!(metadata["issuer"], ISSUER);
    assert_eq!(metadata["issuer"], app.login("alice").await.claims()["iss"]);
    for (name, path) in [
        ("token_endpoint", "/token"),
        ("jwks_uri", "/.well-known/jwks.json"),
        ("introspection_endpoint", "/token/introspect"),
        ("revocation_endpoint", "/token/revoke"),
    ] {
        assert_eq!(metadata[name], format!("{ISSUER}{path}"));
    }
    let grants = ["refresh_token", "urn:weauth:params:oauth:grant-type:wechat-code"];
    assert_eq!(metadata["grant_types_supported"], json!(grants));
    assert_eq!(metadata["response_types_supported"], json!([]));
    assert_eq!(metadata["token_endpoint_auth_methods_supported"], json!(["none"]));
    assert_eq!(metadata["scopes_supported"], json!(["notes:read", "notes:write"]));
    app.get(&format!("{WELL_KNOWN}/")).await.problem(404, "not_found");
    app.get(&format!("{WELL_KNOWN}/auth")).await.problem(404, "not_found");
    app.post_json(WELL_KNOWN, json!({})).await.problem(405, "method_not_allowed");
}

async fn the_metadata_of_an_issuer_with_a_path_stand_where_rfc_8414_looks(db: Database) {
    let issuer = "https://example.test/login/wechat";
    let app = TestApp::on(db).await.second_node_with("WEAUTH_PUBLIC_URL", issuer).await;

    let metadata = app.get(&format!("{WELL_KNOWN}/login/wechat")).await.ok();

    assert_eq!(
        (&metadata["issuer"], &metadata["token_endpoint"]),
        (&json!(issuer), &json!(format!("{issuer}/token")))
    );
    assert!(metadata.get("scopes_supported").is_none(), "RFC 8414 3.2: no empty list");
    assert_eq!(app.get(WELL_KNOWN).await.ok(), metadata);
    for other in ["/login", "/login/wechat/", "/login/wechat/x", "//login/wechat"] {
        app.get(&format!("{WELL_KNOWN}{other}")).await.problem(404, "not_found");
    }
}
