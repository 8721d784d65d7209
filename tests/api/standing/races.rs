//! Operators act while people log in.

use super::{beside, users, within_a_second};
use crate::harness::{Database, Login, TestApp, on_both, on_postgres};
use futures_util::future::join_all;
use serde_json::json;
use std::sync::Arc;

on_both!(bans_among_logins_let_nobody_through);
on_postgres!(a_login_that_meets_a_deletion_makes_a_new_user);

async fn bans_among_logins_let_nobody_through(db: Database) {
    let app = Arc::new(TestApp::on(db.clone()).await);
    let two = Arc::new(app.second_node().await);
    let id = app.login("alice").await.user_id().to_owned();
    for _ in 0..3 {
        let logins = async {
            let logins = (0..12).map(|n| {
                let node = [&app, &two][n % 2];
                node.login_with(json!({"code": node.code_for("alice")}))
            });
            join_all(logins).await
        };
        let arguments = ["ban", &id];
        let (answers, ()) = tokio::join!(logins, beside(&app, &arguments));

        assert_eq!(db.count("sessions"), 0, "a ban leaves no session, whoever was logging in");
        let tokens: Vec<String> = answers
            .iter()
            .filter(|answer| answer.status == 200)
            .map(|a| Login::from(a).access_token)
            .collect();
        for token in &tokens {
            within_a_second([&app, &two], token, |answer| answer.status != 200).await;
        }
        users(&app, &["unban", &id]);
        assert_eq!(app.login("alice").await.user_id(), id);
        for (token, node) in tokens.iter().flat_map(|token| [(token, &app), (token, &two)]) {
            assert_ne!(node.me(token).await.status, 200, "a token from before the ban");
        }
    }
}

async fn a_login_that_meets_a_deletion_makes_a_new_user(db: Database) {
    let app = Arc::new(TestApp::on(db.clone()).await);
    let two = Arc::new(app.second_node().await);
    for _ in 0..5 {
        let id = app.login("alice").await.user_id().to_owned();
        let logins = (0..8).map(|n| {
            let node = [&app, &two][n % 2];
            node.login_with(json!({"code": node.code_for("alice")}))
        });
        let arguments = ["delete", &id, "--yes"];
        let (answers, ()) = tokio::join!(join_all(logins), beside(&app, &arguments));
        assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
        assert_eq!(db.count("users"), db.count("identities"));
        assert!(db.count("users") <= 1);
    }
}
