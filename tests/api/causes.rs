//! What the log says of a request that failed: the cause and the request have the same id.

use crate::harness::{Builder, Database, TestApp, on_both};
use reqwest::Method;
use serde_json::Value;

on_both!(a_cause_has_the_id_of_its_request, a_cause_has_the_id_of_its_request_as_a_field);

const FORM: &str = "application/x-www-form-urlencoded";

async fn a_cause_has_the_id_of_its_request(db: Database) {
    let app = TestApp::on(db.clone()).await;
    for (path, id) in fail_everywhere(&app, &db).await {
        let [cause, request] = lines_of(&app, id);
        assert!(cause.contains(" ERROR weauth::http the database failed: "), "{cause}");
        assert!(cause.ends_with(&format!(" (request {id})")), "{cause}");
        assert!(request.contains(&format!(" INFO  weauth::access POST {path} 503 ")), "{request}");
        assert!(request.ends_with(&format!(" {id}")), "{request}");
    }
}

async fn a_cause_has_the_id_of_its_request_as_a_field(db: Database) {
    let app = Builder::new(db.clone()).set("WEAUTH_LOG_FORMAT", "json").start().await;
    for (path, id) in fail_everywhere(&app, &db).await {
        let [cause, request] = lines_of(&app, id).map(|line| serde_json::from_str::<Value>(&line).unwrap());
        assert_eq!((&cause["level"], &cause["request_id"]), (&"ERROR".into(), &id.into()), "{cause}");
        assert!(cause["message"].as_str().unwrap().starts_with("the database failed: "), "{cause}");
        assert_eq!((&request["path"], &request["request_id"]), (&path.into(), &id.into()), "{request}");
    }
}

/// A login by either way and an introspection, in a database without sessions; returns each path and request id.
async fn fail_everywhere(app: &TestApp, db: &Database) -> [(&'static str, &'static str); 3] {
    let key = app.add_api_key("shop", &["tokens:introspect"]);
    let login = app.login("alice").await;
    db.execute("ALTER TABLE sessions RENAME TO elsewhere");
    let grant = "urn:weauth:params:oauth:grant-type:wechat-code";
    let forms = [
        ("/login", "login-00001", format!("code={}", app.code_for("alice"))),
        ("/token", "token-00001", format!("grant_type={grant}&code={}", app.code_for("alice"))),
        (
            "/token/introspect",
            "introspect-00001",
            format!("client_id=shop&client_secret={key}&token={}", login.refresh_token),
        ),
    ];
    let mut failed = [("", ""); 3];
    for (failed, (path, id, form)) in failed.iter_mut().zip(forms) {
        let request = app.request(Method::POST, path).header("Content-Type", FORM).header("X-Request-Id", id);
        let answer = app.send(request.body(form)).await;
        assert_eq!(answer.json()["code"], "database_unavailable", "{answer:?}");
        assert_eq!(answer.header("x-request-id"), id);
        *failed = (path, id);
    }
    failed
}

/// Both lines with this id, the cause first.
#[track_caller]
fn lines_of(app: &TestApp, id: &str) -> [String; 2] {
    app.wait_for_lines(2, id);
    let log = app.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(id)).collect();
    let lines: [&str; 2] = lines.try_into().unwrap_or_else(|lines| panic!("not two lines: {lines:#?}"));
    lines.map(str::to_owned)
}
