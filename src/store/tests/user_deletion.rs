//! The addresses of a deleted user go from the audit log; its rows stay, and so do the addresses of others.

use super::both;
use super::sign_in::{AT, ONE, record, sign_in};
use crate::domain::{Actor, Time, UserId, id_at};
use crate::store::schema::audit;
use crate::store::{AuditPlace, DbConn, DeleteUser, FindAddresses, Query, UserChange, WriteOne};
use diesel::prelude::*;

/// The deletion of a user, before which nobody walked through the audit log.
pub(super) fn deletion(user: &UserId, by: Actor, at: Time) -> DeleteUser {
    DeleteUser { user: user.clone(), by, at, walked_to: AuditPlace::before(Time::from_unix(0)) }
}

/// Adds a row with an address, with an id of this time.
fn note(conn: &mut DbConn, seconds: i64, actor: &str, target: &str) {
    let at = Time::from_unix(AT + seconds);
    let row = (
        audit::id.eq(id_at(at)),
        audit::at.eq(at.to_stored()),
        audit::actor.eq(actor),
        audit::action.eq("test"),
        audit::target.eq(target),
        audit::ip.eq("192.0.2.1"),
    );
    diesel::insert_into(audit::table).values(row).execute(conn).unwrap();
}

/// Whose rows have an address, in their order.
fn with_address(conn: &mut DbConn) -> Vec<String> {
    let rows = audit::table.filter(audit::ip.is_not_null().and(audit::action.eq("test")));
    rows.order(audit::id).select(audit::actor).load(conn).unwrap()
}

#[test]
fn addresses_go_in_bites_and_the_last_ones_with_the_user() {
    for database in both() {
        let login = sign_in(ONE, "o1", "c1", "key", 1);
        let (user, created_at) = (login.new_user.clone(), login.at);
        record(&database, &[login]);
        let mut conn = database.writers.get().unwrap();
        for seconds in 100..107 {
            note(&mut conn, 10 * seconds, user.as_str(), user.as_str());
            note(&mut conn, 10 * seconds + 1, "api_key:shop", user.as_str());
            note(&mut conn, 10 * seconds + 2, "somebody", "somebody else");
        }
        let rows = audit::table.count().get_result::<i64>(&mut *conn).unwrap();

        let (mut place, mut bites) = (AuditPlace::before(created_at), 0);
        while let Some(found) =
            (FindAddresses { of: user.clone(), after: place.clone(), limit: 6 }).run(&mut conn).unwrap()
        {
            found.rows.apply_one(&mut conn).unwrap();
            (place, bites) = (found.next, bites + 1);
        }
        assert_eq!(bites, 3, "the last rows are no whole bite");
        assert_eq!(with_address(&mut conn).len(), 7 + 2);
        // One of another node, whose transaction began earlier, and one more.
        note(&mut conn, 1040, user.as_str(), user.as_str());
        note(&mut conn, 2000, user.as_str(), user.as_str());

        let (by, at) = (Actor::user(&user, "192.0.2.1".parse().ok()), Time::from_unix(AT + 2000));
        let deletion = DeleteUser { user: user.clone(), by, at, walked_to: place };
        assert!(matches!(deletion.apply_one(&mut conn), Ok(UserChange::Done { .. })));

        assert_eq!(with_address(&mut conn), ["somebody"; 7]);
        let theirs = audit::table.filter(audit::actor.eq(user.as_str())).filter(audit::ip.is_not_null());
        assert_eq!(theirs.count().get_result::<i64>(&mut *conn).unwrap(), 0, "not even the deletion's own");
        assert_eq!(audit::table.count().get_result::<i64>(&mut *conn).unwrap(), rows + 3);
    }
}
