//! Replacing the master key while everything runs, and recovering when it is lost.

use crate::harness::{Database, TestApp, master_key, on_both};
use crate::jwt;
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use weauth::MasterKeys;

on_both!(
    everything_moves_to_the_new_master_key_while_people_log_in,
    a_value_that_opens_under_neither_key_is_named_and_the_rest_goes_on,
    a_lost_master_key_costs_everybody_a_login_and_no_more,
    a_damaged_key_is_named_and_can_be_taken_out_of_use,
    a_damaged_key_of_refresh_tokens_costs_a_login,
);

/// Identities created under the old key, each with two session keys.
const IDENTITIES: usize = 4000;

async fn everything_moves_to_the_new_master_key_while_people_log_in(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let alice = app.login("alice").await;
    let (new, old) = (master_key(), app.setting("WEAUTH_MASTER_KEY"));
    fill(&db, &old, alice.user_id());
    app.stop();
    let both = format!("{new},{old}");
    let app = app.second_node_with("WEAUTH_MASTER_KEY", &both).await;
    let with_both = [("WEAUTH_MASTER_KEY", both.as_str())];

    let interrupted = app.begin_weauth(&["keys", "reencrypt"], &with_both);
    interrupted.wait_for("a line of progress", |line| line.contains(" rows").then_some(()));
    interrupted.kill();
    let refused = app.weauth_with(&["serve"], &[("WEAUTH_MASTER_KEY", &new)]);
    assert!(!refused.status.success(), "half-way through, a server with the new key alone does not start");

    let done = AtomicBool::new(false);
    let logins = async {
        let mut count = 0;
        while !done.load(Ordering::Relaxed) {
            app.login(&format!("person-{}", count % 20)).await;
            count += 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        count
    };
    let walk = tokio::task::spawn_blocking({
        let process = app.begin_weauth(&["keys", "reencrypt"], &with_both);
        move || (process.end(), process.final_lines().join("\n"))
    });
    let (walked, logged_in) = tokio::join!(
        async {
            let walked = walk.await.unwrap();
            done.store(true, Ordering::Relaxed);
            walked
        },
        logins
    );
    let (status, said) = walked;
    assert!(status.success(), "{said}");
    let (resealed, current) = counts(&said);
    assert!(resealed > 0 && current > 0, "the second run went on where the first one ended: {said}");
    assert!(resealed + current >= 2 * IDENTITIES, "{said}");
    assert!(logged_in > 0);
    assert!(!db.texts("SELECT actor AS text FROM audit WHERE action = 'key.reencrypt'").is_empty());

    app.stop();
    let app = app.second_node_with("WEAUTH_MASTER_KEY", &new).await;
    app.me(&alice.access_token).await.ok();
    assert_eq!(app.login("alice").await.user_id(), alice.user_id());
    let again = app.weauth_with(&["keys", "reencrypt"], &[("WEAUTH_MASTER_KEY", &new)]);
    assert!(again.status.success(), "everything opens under the new key alone: {}", again.said);
    assert_eq!(counts(&again.said).0, 0, "{}", again.said);
}

async fn a_value_that_opens_under_neither_key_is_named_and_the_rest_goes_on(db: Database) {
    let app = TestApp::on(db.clone()).await;
    app.login("alice").await;
    app.login("bob").await;
    let broken = db.bytes(&[7; 60]);
    db.execute(&format!(
        "UPDATE identities SET session_key = {broken} WHERE openid = (SELECT min(openid) FROM identities)"
    ));
    let wrong = app.weauth_with(&["keys", "reencrypt"], &[("WEAUTH_MASTER_KEY", &master_key())]);
    assert!(wrong.said.contains("does not fit this database") && !wrong.said.contains("identities"));
    let both = format!("{},{}", master_key(), app.setting("WEAUTH_MASTER_KEY"));

    let finished = app.weauth_with(&["keys", "reencrypt"], &[("WEAUTH_MASTER_KEY", &both)]);

    assert_eq!(finished.status.code(), Some(1), "{}", finished.said);
    assert!(finished.said.contains("identities.session_key of wx"), "{}", finished.said);
    assert!(finished.said.contains("neither master key decrypts, left as they are: 1"), "{}", finished.said);
    assert_eq!(counts(&finished.said), (3, 0), "the other session key and both keys: {}", finished.said);
}

async fn a_lost_master_key_costs_everybody_a_login_and_no_more(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let alice = app.login("alice").await;
    app.stop();
    let new = master_key();
    let refused = app.weauth_with(&["serve"], &[("WEAUTH_MASTER_KEY", &new)]);
    assert_eq!(refused.status.code(), Some(1), "{}", refused.said);
    assert!(refused.said.contains("weauth keys reset"), "the way out is named: {}", refused.said);

    assert_eq!(app.weauth(&["keys", "reset"]).status.code(), Some(2), "not without --yes");
    let reset = app.weauth_with(&["keys", "reset", "--yes"], &[("WEAUTH_MASTER_KEY", &new)]);
    assert!(reset.status.success(), "{}", reset.said);

    let app = app.second_node_with("WEAUTH_MASTER_KEY", &new).await;
    app.me(&alice.access_token).await.problem(401, "token_invalid");
    let refresh = serde_json::json!({"refresh_token": alice.refresh_token});
    app.post_json("/token/refresh", refresh).await.problem(401, "refresh_token_invalid");
    let again = app.login("alice").await;
    assert_eq!(again.user_id(), alice.user_id());
    assert_eq!(again.user["created"], false);
    app.me(&again.access_token).await.ok();
    assert_eq!(db.count("identities WHERE session_key IS NOT NULL"), 1);
}

async fn a_damaged_key_is_named_and_can_be_taken_out_of_use(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let alice = app.login("alice").await;
    let kid = jwt::header(&alice.access_token)["kid"].as_str().unwrap().to_owned();
    app.stop();
    let damages = [
        format!("sealed = {}", db.bytes(&[0; 76])),
        "sealed = ".to_owned() + &db.bytes(&[]),
        "algorithm = 'XS512'".into(),
    ];
    for damage in damages {
        db.execute(&format!("UPDATE keys SET {damage} WHERE id = '{kid}'"));
        let refused = app.weauth(&["serve"]);
        assert_eq!(refused.status.code(), Some(1), "{}", refused.said);
        assert!(refused.said.contains(&format!("weauth keys retire {kid}")), "{}", refused.said);
    }

    for mend in [&["keys", "rotate", "--in", "0"][..], &["keys", "retire", &kid]] {
        let mended = app.weauth(mend);
        assert!(mended.status.success(), "{}", mended.said);
    }
    let app = app.restart().await;
    let again = app.login("alice").await;
    assert_eq!(again.user_id(), alice.user_id());
    app.me(&alice.access_token).await.problem(401, "token_invalid");
}

async fn a_damaged_key_of_refresh_tokens_costs_a_login(db: Database) {
    let app = TestApp::on(db.clone()).await;
    let alice = app.login("alice").await;
    app.stop();
    db.execute(&format!("UPDATE keys SET sealed = {} WHERE purpose = 'refresh'", db.bytes(&[0; 60])));
    let refused = app.weauth(&["serve"]);
    let (_, mend) = refused.said.split_once("`weauth keys retire ").expect("the mend is named");
    let id = mend.split_once('`').unwrap().0;

    assert!(app.weauth(&["keys", "retire", id]).status.success());
    // Nothing is sealed with a key that does not fit, even though one is missing.
    let wrong = app.weauth_with(&["serve"], &[("WEAUTH_MASTER_KEY", &master_key())]);
    assert!(wrong.said.contains("does not fit"), "{}", wrong.said);

    let app = app.restart().await;
    app.me(&alice.access_token).await.ok();
    let refresh = serde_json::json!({"refresh_token": alice.refresh_token});
    app.post_json("/token/refresh", refresh).await.problem(401, "refresh_token_invalid");
    assert_eq!(app.login("alice").await.user_id(), alice.user_id());
}

/// Inserts many identities of one user, as logins under this master key would have.
fn fill(db: &Database, master: &str, user: &str) {
    let master = MasterKeys::parse(master).unwrap();
    let mut rows = String::new();
    for number in 0..IDENTITIES {
        let row = format!("identity:wxfeedfacefeedface:o{number}");
        let [current, previous] = [b"current", b"earlier"].map(|key| db.bytes(&master.seal(&row, key)));
        let comma = if number == 0 { "" } else { "," };
        let at = "'2026-01-01 00:00:00'";
        write!(
            rows,
            "{comma}('wxfeedfacefeedface', 'o{number}', '{user}', {current}, 'digest', {at}, {previous}, {at}, {at})"
        )
        .unwrap();
    }
    db.execute(&format!(
        "INSERT INTO identities (appid, openid, user_id, session_key, session_key_digest, session_key_began_at,
             previous_session_key, previous_session_key_until, created_at) VALUES {rows}"
    ));
}

/// How many values were reencrypted, and how many were already current.
fn counts(said: &str) -> (usize, usize) {
    let line = said.lines().find(|line| line.contains("values reencrypted")).expect("a line with the counts");
    let mut numbers = line.split(|c: char| !c.is_ascii_digit()).filter(|n| !n.is_empty());
    let mut next = || numbers.next().unwrap().parse().unwrap();
    (next(), next())
}
