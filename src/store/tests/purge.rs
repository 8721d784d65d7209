//! Expired rows, and only these, are found by a scan in small batches.

use super::fresh_logins::index;
use super::sign_in::{AT, ONE, clock_at, record, sign_in};
use super::{Fresh, both};
use crate::domain::Time;
use crate::store::schema::{exchanges, sessions};
use crate::store::{
    DeleteExchanges, DeleteExpiredSessions, ExchangeCursor, FindExpiredSessions, FindOldExchanges, Query,
    SessionCursor, Write,
};
use diesel::prelude::*;

/// Logins of five people; every second one has expired by `AT + 1000`.
fn five_logins(database: &Fresh) {
    for person in 0..5 {
        let mut login = sign_in(ONE, &format!("o{person}"), &format!("c{person}"), "key", 1);
        let over = if person % 2 == 0 { 500 } else { 2000 };
        login.expires_at = Time::from_unix(AT + over);
        login.ends_at = Time::from_unix(AT + 9000);
        login.at = Time::from_unix(AT + over);
        login.clock = clock_at(login.at);
        record(database, &[login]);
    }
}

#[test]
fn expired_sessions_go_and_the_others_stay() {
    for database in both() {
        five_logins(&database);
        let mut conn = database.writers.get().unwrap();
        let at = Time::from_unix(AT + 1000);
        let (mut place, mut bites) = (Some(SessionCursor::default()), 0);
        while let Some(after) = place {
            let found = FindExpiredSessions { after, at, limit: 2 }.run(&mut conn).unwrap();
            DeleteExpiredSessions::apply(&[&DeleteExpiredSessions { expired: found.expired, at }], &mut conn)
                .unwrap();
            place = found.next;
            bites += 1;
        }
        assert_eq!(bites, 3);
        assert_eq!(sessions::table.count().get_result::<i64>(&mut *conn).unwrap(), 2);
    }
}

#[test]
fn a_session_that_was_refreshed_in_the_meantime_stays() {
    for database in both() {
        five_logins(&database);
        let mut conn = database.writers.get().unwrap();
        let at = Time::from_unix(AT + 1000);
        let find = FindExpiredSessions { after: SessionCursor::default(), at, limit: 100 };
        let found = find.run(&mut conn).unwrap();
        assert_eq!(found.expired.len(), 3);
        let later = Time::from_unix(AT + 5000).to_stored();
        diesel::update(sessions::table).set(sessions::expires_at.eq(later)).execute(&mut *conn).unwrap();
        DeleteExpiredSessions::apply(&[&DeleteExpiredSessions { expired: found.expired, at }], &mut conn)
            .unwrap();
        assert_eq!(sessions::table.count().get_result::<i64>(&mut *conn).unwrap(), 5);
    }
}

#[test]
fn old_exchange_records_go_and_young_ones_stay() {
    for database in both() {
        five_logins(&database);
        let mut conn = database.writers.get().unwrap();
        index(&mut conn);
        let before = Time::from_unix(AT + 1000);
        let mut place = Some(ExchangeCursor::default());
        while let Some(after) = place {
            let found = FindOldExchanges { after, before, limit: 2 }.run(&mut conn).unwrap();
            DeleteExchanges::apply(&[&DeleteExchanges(found.old)], &mut conn).unwrap();
            place = found.next;
        }
        assert_eq!(exchanges::table.count().get_result::<i64>(&mut *conn).unwrap(), 2);
    }
}
