//! Logins are found before, during and after indexing.

use super::sign_in::{AT, ONE, record, sign_in};
use super::user_deletion::deletion;
use super::{Fresh, sqlite};
use crate::domain::{Actor, CodeKey, LoginCode, SessionId, Time, UserId};
use crate::store::schema::{recent_codes, recent_logins, user_sessions};
use crate::store::{
    DbConn, DeleteExpiredSessions, DeleteOldLogins, DeleteUser, EndSessions, Ending, FindExchange,
    FindExpiredSessions, FindFreshLogins, FindOldLogins, ForgetFreshCodes, IndexCodes, IndexUserSessions,
    ListSessions, Purpose, Query, RecordSignIn, SignInRecord, Write, open_pool,
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

/// The steps of the indexing, with a run for each login; it may be interrupted after any of them.
fn steps(conn: &mut DbConn) -> Vec<Step> {
    let fresh = FindFreshLogins.run(conn).unwrap();
    let Some(&last) = fresh.numbers.last() else { return Vec::new() };
    let through = fresh.users.last().cloned().unwrap();
    let users = IndexUserSessions { last, after: String::new(), through };
    let mut steps: Vec<Step> =
        vec![Box::new(move |conn| _ = IndexUserSessions::apply(&[&users], conn).unwrap())];
    for number in fresh.numbers {
        steps.push(Box::new(move |conn| _ = IndexCodes::apply(&[&IndexCodes(number)], conn).unwrap()));
    }
    steps.push(Box::new(|conn| _ = ForgetFreshCodes::apply(&[&ForgetFreshCodes], conn).unwrap()));
    steps
}

/// Indexes all fresh logins.
pub(super) fn index(conn: &mut DbConn) {
    steps(conn).into_iter().for_each(|step| step(conn));
}

fn sessions_of(user: &UserId, conn: &mut DbConn) -> usize {
    ListSessions { user: user.clone(), at: Time::from_unix(AT) }.run(conn).unwrap().len()
}

fn exchange(code: &str, conn: &mut DbConn) -> Option<SessionId> {
    let app = crate::domain::AppId::parse(ONE).unwrap();
    let key = CodeKey { app, code: LoginCode::parse(code).unwrap().hash() };
    FindExchange { key, at: Time::from_unix(0) }.run(conn).unwrap()?.session.map(|session| session.id)
}

/// The logins that are not indexed yet.
fn fresh(conn: &mut DbConn) -> Vec<i64> {
    FindFreshLogins.run(conn).unwrap().numbers
}

#[test]
fn sessions_and_codes_are_found_at_every_step() {
    let database = sqlite();
    let (user, first) = login(&database, "o1", "c1");
    let (_, second) = login(&database, "o1", "c2");
    let mut conn = database.writers.get().unwrap();
    let check = |conn: &mut DbConn| {
        assert_eq!(sessions_of(&user, conn), 2);
        assert_eq!(exchange("c1", conn), Some(first.clone()));
        assert_eq!(exchange("c2", conn), Some(second.clone()));
        assert_eq!(exchange("c3", conn), None);
    };
    check(&mut conn);
    // Interrupted half-way and started again.
    for step in steps(&mut conn).into_iter().take(2) {
        step(&mut conn);
        check(&mut conn);
    }
    assert_eq!(fresh(&mut conn), [2]);
    for step in steps(&mut conn) {
        step(&mut conn);
        check(&mut conn);
    }
    assert!(fresh(&mut conn).is_empty());
    assert_eq!(user_sessions::table.count().get_result::<i64>(&mut *conn).unwrap(), 2);
    assert_eq!(recent_codes::table.count().get_result::<i64>(&mut *conn).unwrap(), 2);
}

#[test]
fn a_code_that_is_not_indexed_yet_is_taken() {
    let database = sqlite();
    login(&database, "o1", "c1");
    let again = || record(&database, &[sign_in(ONE, "o1", "c1", "key", 1)]).remove(0);
    assert!(matches!(again(), SignInRecord::Repeated));
    let reopened = open_pool(&database.url, Purpose::Write, 1).unwrap();
    let sign_in = sign_in(ONE, "o1", "c1", "key", 1);
    let record = RecordSignIn::apply(&[&sign_in], &mut reopened.get().unwrap()).unwrap().remove(0);
    assert!(matches!(record, SignInRecord::Repeated), "after a restart, too");
}

#[test]
fn a_login_that_comes_while_others_are_indexed_is_left_for_the_next_time() {
    let database = sqlite();
    login(&database, "o1", "c1");
    let steps = steps(&mut database.writers.get().unwrap());
    let (user, later) = login(&database, "o2", "c2");
    let mut conn = database.writers.get().unwrap();
    steps.into_iter().for_each(|step| step(&mut conn));
    assert_eq!(fresh(&mut conn), [2]);
    assert_eq!(sessions_of(&user, &mut conn), 1);
    assert_eq!(exchange("c2", &mut conn), Some(later));
    let again = sign_in(ONE, "o2", "c2", "key", 1);
    assert!(matches!(RecordSignIn::apply(&[&again], &mut conn).unwrap()[0], SignInRecord::Repeated));
    index(&mut conn);
    assert!(fresh(&mut conn).is_empty());
}

#[test]
fn old_logins_go_from_the_front_with_their_codes_but_for_the_last_one_and_for_fresh_ones() {
    let database = sqlite();
    let mut conn = database.writers.get().unwrap();
    let log_in = |conn: &mut DbConn, codes: std::ops::Range<i64>| {
        for number in codes {
            let mut login = sign_in(ONE, "o1", &format!("c{number}"), "key", 1);
            // The clock of the second one was wrong.
            login.at = Time::from_unix(AT + if number == 1 { 100_000 } else { number });
            RecordSignIn::apply(&[&login], conn).unwrap();
        }
    };
    let purge = |conn: &mut DbConn, before: i64| {
        while let Some(through) =
            (FindOldLogins { before: Time::from_unix(AT + before), at: Time::from_unix(AT + 9), limit: 2 })
                .run(conn)
                .unwrap()
        {
            DeleteOldLogins::apply(&[&DeleteOldLogins(through)], conn).unwrap();
        }
        let left = (0..10).filter(|number| exchange(&format!("c{number}"), conn).is_some());
        (left.collect::<Vec<_>>(), recent_codes::table.count().get_result::<i64>(conn).unwrap())
    };
    log_in(&mut conn, 0..4);
    assert_eq!(purge(&mut conn, 9), (vec![0, 1, 2, 3], 0), "they are fresh");
    index(&mut conn);
    log_in(&mut conn, 4..6);
    assert_eq!(purge(&mut conn, 3), (vec![3, 4, 5], 1));
    assert_eq!(purge(&mut conn, 9), (vec![4, 5], 0));
    index(&mut conn);
    assert_eq!(purge(&mut conn, 9), (vec![5], 1), "its number must not be used again");
    log_in(&mut conn, 6..7);
    assert_eq!(fresh(&mut conn), [7]);
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
    // The codes stay used, in case they are sent again, but nothing tells any more whom that of a deleted user signed in.
    let told = recent_logins::table.select((recent_logins::user_id, recent_logins::session_id));
    let told: Vec<(String, String)> = told.order(recent_logins::seq).load(&mut *conn).unwrap();
    assert_eq!((told[0].0.as_str(), &told[1]), (user.as_str(), &Default::default()));
    assert_eq!((exchange("o1", &mut conn), exchange("o2", &mut conn)), (None, None));
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
