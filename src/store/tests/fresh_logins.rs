//! Fresh logins are found before, during and after indexing, and no code is accepted twice.

use super::sign_in::{AT, ONE, record, sign_in};
use super::user_deletion::deletion;
use super::{Fresh, sqlite};
use crate::domain::{Actor, CodeKey, LoginCode, SessionId, Time, UserId};
use crate::store::schema::{exchanges, fresh_logins, user_sessions};
use crate::store::{
    DbConn, DeleteExpiredSessions, DeleteUser, EndSessions, Ending, FindExchange, FindExpiredSessions,
    FindFreshLogins, ForgetFreshLogins, IndexExchanges, IndexUserSessions, ListSessions, Query, RecordSignIn,
    SignInRecord, Stretch, Write,
};
use diesel::prelude::*;

fn login(database: &Fresh, person: &str, code: &str) -> (UserId, SessionId) {
    let login = sign_in(ONE, person, code, "key", 1);
    let session = login.session.clone();
    match record(database, &[login]).remove(0) {
        SignInRecord::Opened { user, .. } => (user.id, session),
        other => panic!("no session was opened: {other:?}"),
    }
}

type Step = Box<dyn FnOnce(&mut DbConn)>;

/// The steps of the indexing; it may be interrupted after any of them.
fn steps(conn: &mut DbConn) -> Vec<Step> {
    let fresh = FindFreshLogins(0).run(conn).unwrap();
    let whole = |keys: &[String]| Stretch {
        last: fresh.last,
        after: String::new(),
        through: keys.last().unwrap().clone(),
    };
    let (users, codes, last) = (whole(&fresh.users), whole(&fresh.codes), fresh.last);
    vec![
        Box::new(move |conn| _ = IndexUserSessions::apply(&[&IndexUserSessions(users)], conn).unwrap()),
        Box::new(move |conn| _ = IndexExchanges::apply(&[&IndexExchanges(codes)], conn).unwrap()),
        Box::new(move |conn| _ = ForgetFreshLogins::apply(&[&ForgetFreshLogins(last)], conn).unwrap()),
    ]
}

/// Indexes all fresh logins.
pub(super) fn index(conn: &mut DbConn) {
    if matches!(conn, DbConn::Sqlite(_)) {
        steps(conn).into_iter().for_each(|step| step(conn));
    }
}

fn sessions_of(user: &UserId, conn: &mut DbConn) -> usize {
    ListSessions { user: user.clone(), at: Time::from_unix(AT) }.run(conn).unwrap().len()
}

fn exchange(code: &str, conn: &mut DbConn) -> Option<SessionId> {
    let app = crate::domain::AppId::parse(ONE).unwrap();
    let key = CodeKey { app, code: LoginCode::parse(code).unwrap().hash() };
    FindExchange { key, at: Time::from_unix(0) }.run(conn).unwrap()?.session.map(|session| session.id)
}

#[test]
fn sessions_and_codes_are_found_at_every_step_and_codes_stay_taken() {
    let database = sqlite();
    let (user, first) = login(&database, "o1", "c1");
    let (_, second) = login(&database, "o1", "c2");
    let mut conn = database.writers.get().unwrap();
    let check = |conn: &mut DbConn| {
        assert_eq!(sessions_of(&user, conn), 2);
        assert_eq!(exchange("c1", conn), Some(first.clone()));
        assert_eq!(exchange("c2", conn), Some(second.clone()));
        let again = sign_in(ONE, "o1", "c1", "key", 1);
        assert!(matches!(RecordSignIn::apply(&[&again], conn).unwrap()[0], SignInRecord::Repeated));
    };
    check(&mut conn);
    // Interrupted half-way and started again.
    for step in steps(&mut conn).into_iter().take(2) {
        step(&mut conn);
        check(&mut conn);
    }
    for step in steps(&mut conn) {
        step(&mut conn);
        check(&mut conn);
    }
    assert_eq!(numbers(&mut conn), [2], "the last one stays, so that its number is not used again");
    assert!(FindFreshLogins(2).run(&mut conn).unwrap().users.is_empty());
    assert_eq!(user_sessions::table.count().get_result::<i64>(&mut *conn).unwrap(), 2);
    assert_eq!(exchanges::table.count().get_result::<i64>(&mut *conn).unwrap(), 2);
}

#[test]
fn a_login_that_comes_while_others_are_indexed_is_left_for_the_next_time() {
    let database = sqlite();
    login(&database, "o1", "c1");
    let steps = steps(&mut database.writers.get().unwrap());
    let (user, later) = login(&database, "o2", "c2");
    let mut conn = database.writers.get().unwrap();
    steps.into_iter().for_each(|step| step(&mut conn));
    assert_eq!(numbers(&mut conn), [1, 2]);
    assert_eq!(sessions_of(&user, &mut conn), 1);
    assert_eq!(exchange("c2", &mut conn), Some(later));
    index(&mut conn);
    assert_eq!(numbers(&mut conn), [2]);
}

#[test]
fn the_deletion_of_whoever_came_last_frees_no_number() {
    let database = sqlite();
    login(&database, "o1", "c1");
    let (gone, _) = login(&database, "o2", "c2");
    let steps = steps(&mut database.writers.get().unwrap());
    let deletion = deletion(&gone, Actor::user(&gone, None), Time::from_unix(AT + 1));
    DeleteUser::apply(&[&deletion], &mut database.writers.get().unwrap()).unwrap();
    let (user, later) = login(&database, "o3", "c3");
    let mut conn = database.writers.get().unwrap();
    steps.into_iter().for_each(|step| step(&mut conn));
    assert_eq!(numbers(&mut conn), [2, 3]);
    index(&mut conn);
    assert_eq!((sessions_of(&user, &mut conn), exchange("c3", &mut conn)), (1, Some(later)));
    assert_eq!(exchange("c2", &mut conn), None);
}

fn numbers(conn: &mut DbConn) -> Vec<i64> {
    fresh_logins::table.select(fresh_logins::seq).order(fresh_logins::seq).load(conn).unwrap()
}

#[test]
fn what_ends_before_it_is_indexed_leaves_nothing_behind() {
    let database = sqlite();
    let (user, session) = login(&database, "o1", "c1");
    let (gone, _) = login(&database, "o2", "c2");
    let mut conn = database.writers.get().unwrap();
    let at = Time::from_unix(AT + 1);
    let ending = EndSessions { user: user.clone(), which: Ending::All, by: Actor::user(&user, None), at };
    assert_eq!(EndSessions::apply(&[&ending], &mut conn).unwrap(), [vec![session]]);
    let deletion = deletion(&gone, Actor::user(&gone, None), at);
    DeleteUser::apply(&[&deletion], &mut conn).unwrap();
    index(&mut conn);
    assert_eq!(sessions_of(&user, &mut conn), 0);
    assert_eq!(user_sessions::table.count().get_result::<i64>(&mut *conn).unwrap(), 0);
    // The code stays used, in case it is sent again; that of a deleted user is deleted with them.
    let codes: Vec<String> = exchanges::table.select(exchanges::user_id).load(&mut *conn).unwrap();
    assert_eq!(codes, [user.as_str()]);
}

#[test]
fn what_ends_after_it_was_indexed_leaves_nothing_behind() {
    let database = sqlite();
    let [user, gone, idle] = ["o1", "o2", "o3"].map(|person| login(&database, person, person).0);
    let mut conn = database.writers.get().unwrap();
    index(&mut conn);
    let indexed = |conn: &mut DbConn| -> Vec<String> {
        user_sessions::table.select(user_sessions::user_id).load(conn).unwrap()
    };
    assert_eq!(indexed(&mut conn).len(), 3);
    let at = Time::from_unix(AT + 1);
    let ending = EndSessions { user: user.clone(), which: Ending::All, by: Actor::user(&user, None), at };
    EndSessions::apply(&[&ending], &mut conn).unwrap();
    let deletion = deletion(&gone, Actor::user(&gone, None), at);
    DeleteUser::apply(&[&deletion], &mut conn).unwrap();
    assert_eq!(indexed(&mut conn), [idle.as_str()]);

    let at = at.plus_seconds(10 * 366 * 86_400);
    let found = FindExpiredSessions { after: Default::default(), at, limit: 10 }.run(&mut conn).unwrap();
    let purge = DeleteExpiredSessions { expired: found.due, at };
    DeleteExpiredSessions::apply(&[&purge], &mut conn).unwrap();
    assert!(indexed(&mut conn).is_empty());
}
