//! oauth4webapi, a library that checks every response strictly against the RFCs.

use super::programs::Workshop;
use crate::harness::{Builder, Database, on_both};
use serde_json::{Value, json};

on_both!(a_standard_client_finds_its_way_and_is_understood);

async fn a_standard_client_finds_its_way_and_is_understood(db: Database) {
    let app = Builder::new(db).set("WEAUTH_PUBLIC_URL", "").start().await;
    let appid = app.app().appid.clone();
    let key = app.add_api_key("shop", &["tokens:introspect"]);
    let workshop = Workshop::new();
    let mut client = workshop.node("oauth.mjs");
    client.args([&app.url, &app.code_for("alice"), &appid, "shop", &key]);
    let finished = client.output().await.unwrap();
    let said = String::from_utf8_lossy(&finished.stderr);
    assert!(finished.status.success(), "{said}");
    let met: Value = serde_json::from_slice(&finished.stdout).unwrap();

    assert_eq!(met["metadata"]["token_endpoint"], format!("{}/token", app.url));
    assert_eq!((&met["login"]["token_type"], &met["login"]["scope"]), (&json!("bearer"), &json!("")));
    assert_eq!((&met["claims"]["client_id"], &met["claims"]["iss"]), (&json!(appid), &json!(app.url)));
    assert_eq!(met["refreshed_claims"]["sid"], met["claims"]["sid"]);
    assert_ne!(met["refresh"]["refresh_token"], met["login"]["refresh_token"]);
    let errors = &met["errors"];
    for (case, error) in [
        ("used", "invalid_grant"),
        ("empty", "invalid_request"),
        ("refresh", "invalid_grant"),
        ("scope", "invalid_scope"),
    ] {
        assert_eq!((&errors[case]["error"], &errors[case]["status"]), (&json!(error), &json!(400)), "{case}");
        assert!(errors[case]["error_description"].as_str().is_some_and(|text| !text.is_empty()), "{errors}");
    }
    for refused in [&errors["stranger"], &errors["key"][0], &errors["key"][1]] {
        assert_eq!((&refused["status"], &refused["challenges"]), (&json!(401), &json!(["bearer", "basic"])));
    }

    let [access, refresh] = [&met["introspected"][0], &met["introspected"][1]];
    assert_eq!((&access["active"], &access["sid"]), (&json!(true), &met["claims"]["sid"]));
    assert_eq!((&refresh["active"], &refresh["client_id"]), (&json!(true), &json!(appid)));
    assert_eq!((&met["before"]["active"], &met["after"]), (&json!(true), &json!({"active": false})));
    assert_eq!(errors["revoked"]["error"], "invalid_grant");
}
