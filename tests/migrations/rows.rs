//! Migrations that move rows lose none of them, on the way up and on the way down.

use super::{Target, migrations};
use std::collections::BTreeSet;
use tempfile::TempDir;

/// The first migration that moves rows, and later ones that move SQLite's logins.
const MOVES_SESSIONS: &str = "2026-11-25-000100_sessions_in_order_of_time";
const MOVES_FRESH_LOGINS: &str = "2026-11-25-000300_lighter_logins";
const MOVES_EXCHANGES: &str = "2026-11-26-000300_recent_logins";

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

/// What is stored of a person, whose logins stand in this table.
fn stored(target: &Target, logins: &str) -> BTreeSet<String> {
    target.lines(&format!("{STORED} FROM {logins}"), &format!("{STORED} FROM exchanges"))
}

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
        || COALESCE(idempotency_key, '-') || ' ' || exchanged_at";

mod rows_survive_migrations {
    use super::*;

    #[test]
    fn sqlite() {
        let folder = TempDir::new().unwrap();
        let target = Target::sqlite(&folder);
        let mut rows = assert_rows_survive(&target, "recent_logins");
        assert_eq!(user_sessions(&target), lines(&["u s"]));
        assert_eq!(logins(&target, INDEXED), lines(&["u s a c1 2026-01-01 00:00:11"]));

        // Until it is indexed, a login stood in a table of its own, and stands behind the others now.
        let fresh = lines(&["u t a c2 2026-01-01 00:00:12"]);
        revert_from(&target, MOVES_FRESH_LOGINS);
        target
            .execute("INSERT INTO fresh_logins VALUES (5, 'u', 't', 'a', 'c2', NULL, '2026-01-01 00:00:12')");
        target.migrate(&[]);
        assert_eq!(logins(&target, FRESH), fresh);
        assert_eq!(logins(&target, INDEXED), lines(&["u s a c1 2026-01-01 00:00:11"]));
        for reverted in [MOVES_EXCHANGES, MOVES_FRESH_LOGINS] {
            revert_from(&target, reverted);
            assert_eq!(logins(&target, "fresh_logins"), fresh);
            assert_eq!(stored(&target, "exchanges"), rows);
        }
        revert_from(&target, MOVES_SESSIONS);
        rows.extend(lines(&["exchange a c2 u t - 2026-01-01 00:00:12"]));
        assert_eq!(stored(&target, "exchanges"), rows);
        target.migrate(&[]);
        assert_eq!(stored(&target, "recent_logins"), rows);
        assert_eq!(user_sessions(&target), lines(&["u s"]));
    }

    #[test]
    fn postgres() {
        assert_rows_survive(&Target::postgres(), "");
    }
}

const INDEXED: &str = "recent_logins JOIN recent_codes USING (seq, code_hash)";
const FRESH: &str = "recent_logins WHERE seq > (SELECT max(run) FROM recent_codes)";

/// Up, down and up again; returns what is stored in the end, where SQLite has the logins in this table.
fn assert_rows_survive(target: &Target, logins_in_the_end: &str) -> BTreeSet<String> {
    target.migrate(&[]);
    revert_from(target, MOVES_SESSIONS);
    target.execute(PERSON);
    let rows = |expires_at: &str| {
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
    assert_eq!(stored(target, "exchanges"), rows("2027-01-01 00:00:10"));
    target.migrate(&[]);
    let rows = rows("2027-01-01 00:00:09");
    assert_eq!(stored(target, logins_in_the_end), rows, "no session expires later than it ends");
    revert_from(target, MOVES_SESSIONS);
    assert_eq!(stored(target, "exchanges"), rows);
    target.migrate(&[]);
    assert_eq!(stored(target, logins_in_the_end), rows);
    rows
}

/// Reverts this migration and all later ones.
fn revert_from(target: &Target, name: &str) {
    let later = migrations("sqlite").iter().filter(|migration| migration.as_str() >= name).count();
    target.migrate(&["--revert", &later.to_string()]);
}

fn user_sessions(target: &Target) -> BTreeSet<String> {
    target.lines("SELECT user_id || ' ' || session_id AS line FROM user_sessions", "")
}

fn logins(target: &Target, table: &str) -> BTreeSet<String> {
    let columns = "user_id || ' ' || session_id || ' ' || appid || ' ' || code_hash || ' ' || exchanged_at";
    target.lines(&format!("SELECT {columns} AS line FROM {table}"), "")
}

fn lines(lines: &[&str]) -> BTreeSet<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}
