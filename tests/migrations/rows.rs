//! Migrations that move rows lose none of them, on the way up and on the way down.

use super::{Target, migrations};
use std::collections::BTreeSet;
use tempfile::TempDir;

/// The first migration that moves rows, and a later one that moves SQLite's fresh logins.
const MOVES_SESSIONS: &str = "2026-11-25-000100_sessions_in_order_of_time";
const MOVES_FRESH_LOGINS: &str = "2026-11-25-000300_lighter_logins";

/// A person with everything that the tables before [`MOVES_SESSIONS`] hold; their session is to expire after it ends.
const PERSON: &str = "
    INSERT INTO users (id, status, nickname, created_at, last_login_at)
    VALUES ('u', 'active', 'Alice', '2026-01-01 00:00:01', '2026-01-01 00:00:02');
    INSERT INTO user_roles VALUES ('u', 'editor', '2026-01-01 00:00:03');
    INSERT INTO identities (appid, openid, user_id, unionid, session_key_digest, session_key_began_at, created_at)
    VALUES ('a', 'o', 'u', 'n', 'd', '2026-01-01 00:00:04', '2026-01-01 00:00:05');
    INSERT INTO sessions (user_id, id, appid, openid, generation, rotated_at, created_at, last_used_at, expires_at,
                          ends_at, ip, user_agent)
    VALUES ('u', 's', 'a', 'o', 7, '2026-01-01 00:00:06', '2026-01-01 00:00:07', '2026-01-01 00:00:08',
            '2027-01-01 00:00:10', '2027-01-01 00:00:09', '127.0.0.1', 'phone');
    INSERT INTO exchanges (appid, code_hash, user_id, session_id, idempotency_key, exchanged_at)
    VALUES ('a', 'c1', 'u', 's', 'k', '2026-01-01 00:00:11');";

/// What is stored of a person in tables that both databases always have.
const STORED: &str = "
    SELECT 'user ' || id || ' ' || status || ' ' || nickname || ' ' || created_at || ' ' || last_login_at AS line
    FROM users
    UNION ALL SELECT 'role ' || user_id || ' ' || role || ' ' || granted_at FROM user_roles
    UNION ALL SELECT 'identity ' || appid || ' ' || openid || ' ' || user_id || ' ' || unionid || ' '
        || session_key_digest || ' ' || session_key_began_at || ' ' || created_at FROM identities
    UNION ALL SELECT 'session ' || user_id || ' ' || id || ' ' || appid || ' ' || openid || ' ' || generation || ' '
        || rotated_at || ' ' || created_at || ' ' || last_used_at || ' ' || expires_at || ' ' || ends_at || ' ' || ip
        || ' ' || user_agent FROM sessions
    UNION ALL SELECT 'exchange ' || appid || ' ' || code_hash || ' ' || user_id || ' ' || session_id || ' '
        || COALESCE(idempotency_key, '-') || ' ' || exchanged_at FROM exchanges";

mod rows_survive_migrations {
    use super::*;

    #[test]
    fn sqlite() {
        let folder = TempDir::new().unwrap();
        let target = Target::sqlite(&folder);
        let mut stored = assert_rows_survive(&target);
        assert_eq!(user_sessions(&target), lines(&["u s"]));

        // Until it is indexed, a login stands in a table of its own, which the older schema does not have.
        let fresh = lines(&["5 u t a c2 2026-01-01 00:00:12"]);
        revert_from(&target, MOVES_FRESH_LOGINS);
        target
            .execute("INSERT INTO fresh_logins VALUES (5, 'u', 't', 'a', 'c2', NULL, '2026-01-01 00:00:12')");
        target.migrate(&[]);
        assert_eq!(fresh_logins(&target), fresh);
        revert_from(&target, MOVES_FRESH_LOGINS);
        assert_eq!(fresh_logins(&target), fresh);
        revert_from(&target, MOVES_SESSIONS);
        stored.extend(lines(&["exchange a c2 u t - 2026-01-01 00:00:12"]));
        assert_eq!(target.lines(STORED, STORED), stored);
        target.migrate(&[]);
        assert_eq!(target.lines(STORED, STORED), stored);
        assert_eq!(user_sessions(&target), lines(&["u s"]));
    }

    #[test]
    fn postgres() {
        assert_rows_survive(&Target::postgres());
    }
}

/// Up, down and up again; returns what is stored in the end.
fn assert_rows_survive(target: &Target) -> BTreeSet<String> {
    target.migrate(&[]);
    revert_from(target, MOVES_SESSIONS);
    target.execute(PERSON);
    let stored = |expires_at: &str| {
        let session = format!(
            "session u s a o 7 2026-01-01 00:00:06 2026-01-01 00:00:07 2026-01-01 00:00:08 {expires_at} \
             2027-01-01 00:00:09 127.0.0.1 phone"
        );
        lines(&[
            "user u active Alice 2026-01-01 00:00:01 2026-01-01 00:00:02",
            "role u editor 2026-01-01 00:00:03",
            "identity a o u n d 2026-01-01 00:00:04 2026-01-01 00:00:05",
            &session,
            "exchange a c1 u s k 2026-01-01 00:00:11",
        ])
    };
    assert_eq!(target.lines(STORED, STORED), stored("2027-01-01 00:00:10"));
    target.migrate(&[]);
    let stored = stored("2027-01-01 00:00:09");
    assert_eq!(target.lines(STORED, STORED), stored, "no session expires later than it ends");
    revert_from(target, MOVES_SESSIONS);
    assert_eq!(target.lines(STORED, STORED), stored);
    target.migrate(&[]);
    assert_eq!(target.lines(STORED, STORED), stored);
    stored
}

/// Reverts this migration and all later ones.
fn revert_from(target: &Target, name: &str) {
    let later = migrations("sqlite").iter().filter(|migration| migration.as_str() >= name).count();
    target.migrate(&["--revert", &later.to_string()]);
}

fn user_sessions(target: &Target) -> BTreeSet<String> {
    target.lines("SELECT user_id || ' ' || session_id AS line FROM user_sessions", "")
}

fn fresh_logins(target: &Target) -> BTreeSet<String> {
    let columns = "seq || ' ' || user_id || ' ' || session_id || ' ' || appid || ' ' || code_hash || ' ' || exchanged_at";
    target.lines(&format!("SELECT {columns} AS line FROM fresh_logins WHERE idempotency_key IS NULL"), "")
}

fn lines(lines: &[&str]) -> BTreeSet<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}
