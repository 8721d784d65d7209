//! Faults, spelled out in codes and scheduled.

use super::*;
use std::time::Instant;

#[actix_web::test]
async fn spelled_out_faults_strike() {
    let world = World::start(&[APP]);
    assert_eq!(world.login("fault.-1.x").await["errcode"], -1);
    let whitelist = world.login("fault.40164.x").await;
    assert!(text(&whitelist["errmsg"]).starts_with("invalid ip 127.0.0.1 ipv6 ::ffff:127.0.0.1, not in"));
    assert_eq!(world.login("fault.errcode-string.x").await["errcode"], "40029");
    assert_eq!(world.login("fault.no-openid.x").await.get("openid"), None);
    assert_eq!(world.login("fault.empty.x").await, Value::Null);
    let bytes = async |code: &str| {
        let response = world.get(&World::login_path(APP, code)).await.unwrap();
        (response.status().as_u16(), response.bytes().await)
    };
    let (status, page) = bytes("fault.html.x").await;
    assert!(status == 200 && page.unwrap().starts_with(b"<html>"));
    assert_eq!(bytes("fault.http503.x").await.0, 503);
    assert_eq!(bytes("fault.redirect.x").await.0, 302);
    assert!(bytes("fault.huge.x").await.1.unwrap().len() > 64 * 1024);
    let truncated = bytes("fault.truncated.x").await.1.unwrap();
    assert!(serde_json::from_slice::<Value>(&truncated).is_err());
    assert!(bytes("fault.cut-body.x").await.1.is_err());
    let started = Instant::now();
    assert!(world.login("fault.latency-100.once.alice.x").await["openid"].is_string());
    assert!(started.elapsed() >= Duration::from_millis(100));
}

#[actix_web::test]
async fn a_reset_before_spares_the_code_and_one_after_uses_it_up() {
    let world = World::start(&[APP]);
    for (code, then) in [
        ("fault.reset-before.once.alice.x", None),
        ("fault.-1.once.alice.x", None),
        ("fault.reset-after.once.alice.x", Some(40163)),
        ("fault.reset-after.x", Some(40163)),
        ("fault.reset-before.burn.alice.x", Some(40163)),
        ("fault.-1.burn.alice.x", Some(40163)),
    ] {
        let first = world.get(&World::login_path(APP, code)).await;
        assert_eq!(first.is_err(), code.contains("reset"), "{code}");
        // Clients retry a call on a new connection by themselves only if the server closed an idle one.
        let second = world.login(code).await;
        match then {
            None => assert_eq!(second["openid"], identities::openid(APP, "alice"), "{code}"),
            Some(errcode) => assert_eq!(second["errcode"], errcode, "{code}"),
        }
    }
}

#[actix_web::test]
async fn faults_lie_in_wait_for_an_endpoint_as_often_as_told() {
    let world = World::start(&[APP]);
    let order = json!({"fault": "errcode", "errcode": 45011, "times": 2, "endpoint": "jscode2session"});
    let rule = world.post("/simulator/faults", order).await;
    assert_eq!(world.login("sim.alice.1").await["errcode"], 45011);
    assert!(!world.token().await.is_empty());
    assert_eq!(world.get_json("/simulator/faults").await["items"][0]["times"], 1);
    assert_eq!(world.login("sim.alice.1").await["errcode"], 45011);
    assert!(world.login("sim.alice.1").await["openid"].is_string());
    let after = json!({"fault": "-1", "after_consuming": true, "times": 1, "appid": APP});
    world.post("/simulator/faults", after).await;
    assert_eq!(world.login("sim.alice.2").await["errcode"], -1);
    assert_eq!(world.login("sim.alice.2").await["errcode"], 40163);
    let lasting = world.post("/simulator/faults", json!({"fault": "html"})).await;
    assert_ne!(lasting["id"], rule["id"]);
    let delete = async |path: String| {
        world.http.delete(format!("{}/simulator/faults{path}", world.base)).send().await.unwrap().status()
    };
    assert_eq!(delete(format!("/{}", lasting["id"])).await, 204);
    assert_eq!(delete(format!("/{}", lasting["id"])).await, 404);
    assert_eq!(delete(String::new()).await, 204);
    for (order, said) in [
        (json!({"fault": "x"}), "no fault"),
        (json!({"fault": "html", "times": 0}), "`times`"),
        (json!({"fault": "html", "percent": 0}), "`percent`"),
        (json!({"fault": "html", "percent": 101}), "`percent`"),
        (json!({"fault": "latency", "latency_ms": 120_001}), "120000"),
        (json!(["html"]), "must be a JSON object"),
        (json!("html"), "must be a JSON object"),
    ] {
        let answer = world.post("/simulator/faults", order).await;
        assert!(text(&answer["error"]).contains(said), "{answer}");
    }
}
