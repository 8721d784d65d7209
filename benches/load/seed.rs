//! Inserts rows before a server starts.

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, SqliteConnection};
use std::time::{SystemTime, UNIX_EPOCH};

/// Records `count` sessions as ended ten minutes ago, as a logout of each would have, and no others.
pub(crate) fn end_sessions(url: &str, count: u32) {
    let then = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_millis() - 600_000;
    // Ids begin with their timestamp; the rest only has to differ.
    match url.strip_prefix("sqlite://") {
        Some(path) => {
            let sql = format!(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
                 INSERT INTO revocations SELECT printf('%012x7000%016x', {then}, i), printf('%032x', i),
                 strftime('%Y-%m-%d %H:%M:%f', 'now', '-10 minutes') FROM n WHERE i <= {count}"
            );
            SqliteConnection::establish(path).expect("SQLite").batch_execute(&sql).expect("rows");
        }
        None => {
            let sql = format!(
                "DELETE FROM revocations; INSERT INTO revocations
                 SELECT lpad(to_hex({then}), 12, '0') || '7000' || lpad(to_hex(i), 16, '0'),
                 lpad(to_hex(i), 32, '0'), now() AT TIME ZONE 'UTC' - interval '10 minutes' FROM generate_series(1, {count}) i"
            );
            PgConnection::establish(url).expect("Postgres").batch_execute(&sql).expect("rows");
        }
    }
}
