//! Expired rows, and only these, are found and purged, in small bites.

use super::sign_in::{AT, ONE, clock_at, record, sign_in};
use super::{Fresh, both, postgres};
use crate::domain::{Time, id_at};
use crate::store::exchanges::exchanges;
use crate::store::schema::{identities, revocations, sessions, user_changes};
use crate::store::{
    ClearPreviousKeys, DbConn, DeleteExchanges, DeleteExpiredSessions, DeleteOldNews, FindExpiredSessions,
    FindOldExchanges, FindOldNews, FindPreviousKeys, Query, Write, WriteOne,
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
        let (mut place, mut bites) = (Some(Default::default()), 0);
        while let Some(after) = place {
            let found = FindExpiredSessions { after, at, limit: 2 }.run(&mut conn).unwrap();
            DeleteExpiredSessions::apply(&[&DeleteExpiredSessions { expired: found.due, at }], &mut conn)
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
        let find = FindExpiredSessions { after: Default::default(), at, limit: 100 };
        let found = find.run(&mut conn).unwrap();
        assert_eq!(found.due.len(), 3);
        let later = Time::from_unix(AT + 5000).to_stored();
        diesel::update(sessions::table).set(sessions::expires_at.eq(later)).execute(&mut *conn).unwrap();
        DeleteExpiredSessions::apply(&[&DeleteExpiredSessions { expired: found.due, at }], &mut conn)
            .unwrap();
        assert_eq!(sessions::table.count().get_result::<i64>(&mut *conn).unwrap(), 5);
    }
}

#[test]
fn old_exchange_records_go_and_young_ones_stay_on_postgres() {
    let database = postgres();
    five_logins(&database);
    let mut conn = database.writers.get().unwrap();
    let before = Time::from_unix(AT + 1000);
    let mut place = Some(Default::default());
    while let Some(after) = place {
        let found = FindOldExchanges { after, before, limit: 2 }.run(&mut conn).unwrap();
        DeleteExchanges::apply(&[&DeleteExchanges(found.due)], &mut conn).unwrap();
        place = found.next;
    }
    assert_eq!(exchanges::table.count().get_result::<i64>(&mut *conn).unwrap(), 2);
}

/// Adds a record of an ended session, or of a user who changed, of this time.
fn news(conn: &mut DbConn, is_user: bool, at: Time) {
    let (id, stored) = (id_at(at), at.to_stored());
    if is_user {
        let row = (user_changes::id.eq(id), user_changes::user_id.eq("u"), user_changes::at.eq(stored));
        diesel::insert_into(user_changes::table).values(row).execute(conn).unwrap();
    } else {
        let row = (revocations::id.eq(id), revocations::session_id.eq("s"), revocations::at.eq(stored));
        diesel::insert_into(revocations::table).values(row).execute(conn).unwrap();
    }
}

#[test]
fn old_news_goes_and_younger_news_stays() {
    for database in both() {
        let mut conn = database.writers.get().unwrap();
        let before = Time::from_unix(AT);
        let (just_older, just_younger) =
            (Time::from_unix_micros(before.unix_micros() - 1000).unwrap(), before);
        for second in 1..=5 {
            news(&mut conn, false, before.plus_seconds(-second));
        }
        news(&mut conn, true, before.plus_seconds(-4));
        for is_user in [true, false] {
            news(&mut conn, is_user, just_older);
            news(&mut conn, is_user, just_younger);
            news(&mut conn, is_user, before.plus_seconds(60));
        }

        let mut left = Vec::new();
        while let Some(through) = (FindOldNews { before, limit: 2 }).run(&mut conn).unwrap() {
            DeleteOldNews(through).apply_one(&mut conn).unwrap();
            left.push(revocations::table.count().get_result::<i64>(&mut *conn).unwrap());
        }

        assert_eq!(left[..3], [6, 4, 2], "a bite at a time");
        let stay = [just_younger, before.plus_seconds(60)];
        let ended = revocations::table.order(revocations::id).select(revocations::at);
        assert_eq!(ended.load::<Time>(&mut *conn).unwrap(), stay);
        let changed = user_changes::table.order(user_changes::id).select(user_changes::at);
        assert_eq!(changed.load::<Time>(&mut *conn).unwrap(), stay);
    }
}

/// Clears the previous session keys that are over by a time, which are found by another time, two rows at a time.
fn clear_previous_keys(conn: &mut DbConn, found_at: Time, at: Time) {
    let mut place = Some(Default::default());
    while let Some(after) = place {
        let bite = FindPreviousKeys { after, at: found_at, limit: 2 }.run(conn).unwrap();
        ClearPreviousKeys { of: bite.due, at }.apply_one(conn).unwrap();
        place = bite.next;
    }
}

/// Of which identities the previous session key is gone, in key order.
fn without_previous_key(conn: &mut DbConn) -> Vec<bool> {
    type Row = (Option<Vec<u8>>, Option<Vec<u8>>, Option<Time>);
    let columns =
        (identities::session_key, identities::previous_session_key, identities::previous_session_key_until);
    let rows = identities::table.order((identities::appid, identities::openid)).select(columns);
    let is_gone = |(current, previous, until): Row| {
        assert!(current.is_some() && previous.is_some() == until.is_some());
        previous.is_none()
    };
    rows.load::<Row>(conn).unwrap().into_iter().map(is_gone).collect()
}

#[test]
fn a_replaced_session_key_goes_when_its_time_is_over() {
    for database in both() {
        for (app, person) in [(ONE, 1), (ONE, 2), (ONE, 3), ("wx0000000000000a02", 1)] {
            for (turn, key) in ["first", "second"].iter().enumerate() {
                let code = format!("{app}{person}{turn}");
                let mut login = sign_in(app, &format!("o{person}"), &code, key, turn as i64);
                // The second person's key was replaced a little later.
                login.at = login.at.plus_seconds(i64::from(person == 2));
                record(&database, &[login]);
            }
        }
        record(&database, &[sign_in(ONE, "o4", "only", "first", 1)]);
        let mut conn = database.writers.get().unwrap();
        let over = Time::from_unix(AT + 100 + 600);
        let just_before = over.plus_seconds(-1);

        clear_previous_keys(&mut conn, just_before, over);
        assert_eq!(without_previous_key(&mut conn), [false, false, false, true, false], "none is found");
        clear_previous_keys(&mut conn, over, just_before);
        let replaced_again = "one that is found and then replaced again is not over yet";
        assert_eq!(without_previous_key(&mut conn), [false, false, false, true, false], "{replaced_again}");
        clear_previous_keys(&mut conn, over, over);
        assert_eq!(without_previous_key(&mut conn), [true, false, true, true, true]);
        clear_previous_keys(&mut conn, over.plus_seconds(1), over.plus_seconds(1));
        assert_eq!(without_previous_key(&mut conn), [true; 5]);
    }
}
