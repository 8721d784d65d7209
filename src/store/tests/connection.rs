//! What every connection is set to.

use super::postgres;
use crate::domain::DatabaseUrl;
use crate::store::connection::connect;
use crate::store::{DbConn, Purpose, open_pool};
use diesel::RunQueryDsl;
use diesel::sql_types::Text;
use secrecy::ExposeSecret;

#[derive(diesel::QueryableByName)]
struct Shown {
    #[diesel(sql_type = Text)]
    transaction_isolation: String,
}

fn isolation(conn: &mut DbConn) -> String {
    let DbConn::Postgres(conn) = conn else { panic!("this is no Postgres") };
    let shown: Shown = diesel::sql_query("SHOW transaction_isolation").get_result(conn).unwrap();
    shown.transaction_isolation
}

#[test]
fn whatever_isolation_the_database_prefers_ours_is_read_committed() {
    let database = postgres();
    let DatabaseUrl::Postgres(url) = &database.url else { panic!("this is no Postgres") };
    for preferred in ["serializable", "repeatable%5C%20read"] {
        // The URL of a new schema ends in its options.
        let url = format!("{}%20-cdefault_transaction_isolation%3D{preferred}", url.expose_secret());
        let url = DatabaseUrl::parse(&url).unwrap();
        assert_eq!(isolation(&mut connect(&url).unwrap()), "read committed", "{preferred}");
        for purpose in [Purpose::Read, Purpose::Write] {
            let pool = open_pool(&url, purpose, 1).unwrap();
            assert_eq!(isolation(&mut pool.get().unwrap()), "read committed", "{preferred}, {purpose:?}");
        }
    }
}
