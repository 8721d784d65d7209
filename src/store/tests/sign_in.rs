//! The sign-in transaction: order of exchanges, linking by unionid, repeats within a group.

use super::user_deletion::deletion;
use super::{Fresh, both, postgres};
use crate::domain::{
    Actor, AppId, ClientInfo, Clock, CodeKey, LoginCode, OpenId, SessionId, Time, UnionId, UserId,
};
use crate::store::schema::{identities, sessions, users};
use crate::store::transaction::transact;
use crate::store::{
    DbConn, DeleteUser, FindExchange, Purpose, Query, RecordSignIn, SignInRecord, Write, open_pool,
};
use diesel::prelude::*;
use std::sync::Barrier;

pub(super) const AT: i64 = 1_800_000_000;

/// A sign-in of `openid` with a key named `key`, whose exchange began `began` seconds after [`AT`].
pub(super) fn sign_in(app: &str, openid: &str, code: &str, key: &str, began: i64) -> RecordSignIn {
    let at = Time::from_unix(AT + 100);
    RecordSignIn {
        app: AppId::parse(app).unwrap(),
        code: LoginCode::parse(code).unwrap().hash(),
        idempotency_key: None,
        openid: OpenId::parse(openid).unwrap(),
        unionid: None,
        session_key: key.as_bytes().to_vec(),
        session_key_digest: format!("digest of {key}"),
        exchange_began: Time::from_unix(AT + began),
        client: ClientInfo::default(),
        at,
        clock: clock_at(at),
        expires_at: at.plus_seconds(60),
        ends_at: at.plus_seconds(600),
        new_user: UserId::generate(at),
        session: SessionId::generate(at),
        max_sessions: 0,
    }
}

/// A clock that stands at this time now.
pub(super) fn clock_at(time: Time) -> Clock {
    Clock::shifted(time.unix() - Clock::system().now().unix())
}

pub(super) const ONE: &str = "wx0000000000000a01";
const TWO: &str = "wx0000000000000a02";

pub(super) fn record(database: &Fresh, batch: &[RecordSignIn]) -> Vec<SignInRecord> {
    let mut conn = database.writers.get().unwrap();
    let batch: Vec<&RecordSignIn> = batch.iter().collect();
    conn.transaction(|conn| Ok::<_, diesel::result::Error>(RecordSignIn::apply(&batch, conn).unwrap()))
        .unwrap()
}

fn user_of(record: &SignInRecord) -> (String, bool) {
    match record {
        SignInRecord::Opened { user, created, .. } => (user.id.as_str().to_owned(), *created),
        other => panic!("no session was opened: {other:?}"),
    }
}

#[test]
fn an_older_exchange_never_replaces_a_newer_session_key() {
    for database in both() {
        record(&database, &[sign_in(ONE, "o1", "c1", "first", 0)]);
        record(&database, &[sign_in(ONE, "o1", "c2", "newest", 20)]);
        record(&database, &[sign_in(ONE, "o1", "c3", "late", 10)]);
        let mut conn = database.pool.get().unwrap();
        let keys: (Option<Vec<u8>>, Option<Vec<u8>>) = identities::table
            .select((identities::session_key, identities::previous_session_key))
            .first(&mut *conn)
            .unwrap();
        assert_eq!(keys, (Some(b"newest".to_vec()), Some(b"first".to_vec())));
    }
}

#[test]
fn one_group_may_hold_one_person_and_one_code_several_times() {
    for database in both() {
        let group = [
            sign_in(ONE, "o1", "c1", "k1", 1),
            sign_in(ONE, "o1", "c2", "k2", 2),
            sign_in(ONE, "o1", "c1", "k1", 1),
            sign_in(ONE, "o2", "c3", "k3", 3),
        ];
        let records = record(&database, &group);
        let (first, created) = user_of(&records[0]);
        assert!(created);
        assert_eq!(user_of(&records[1]), (first.clone(), false));
        assert!(matches!(records[2], SignInRecord::Repeated));
        assert!(user_of(&records[3]).1 && user_of(&records[3]).0 != first);
        let mut conn = database.pool.get().unwrap();
        assert_eq!(users::table.count().get_result::<i64>(&mut *conn).unwrap(), 2);
        assert_eq!(sessions::table.count().get_result::<i64>(&mut *conn).unwrap(), 3);
        let again = record(&database, &[sign_in(ONE, "o1", "c1", "k1", 1)]);
        assert!(matches!(again[0], SignInRecord::Repeated));
    }
}

#[test]
fn a_repeat_for_a_deleted_user_changes_nothing() {
    for database in both() {
        let (user, _) = user_of(&record(&database, &[sign_in(ONE, "o1", "c1", "k1", 1)])[0]);
        let mut conn = database.pool.get().unwrap();
        let (user, at) = (UserId::from_stored(user), Time::from_unix(AT + 101));
        let delete = deletion(&user, Actor::terminal(None), at);
        DeleteUser::apply(&[&delete], &mut conn).unwrap();

        let again = record(&database, &[sign_in(ONE, "o1", "c1", "k1", 1)]);

        // On Postgres the code was deleted with its user, so this is no repeat.
        let expected = match &*conn {
            DbConn::Sqlite(_) => {
                assert!(matches!(again[0], SignInRecord::Repeated), "{again:?}");
                0
            }
            DbConn::Postgres(_) => i64::from(user_of(&again[0]).1),
        };
        let counts = [
            users::table.count().get_result::<i64>(&mut *conn),
            identities::table.count().get_result(&mut *conn),
            sessions::table.count().get_result(&mut *conn),
        ];
        assert_eq!(counts.map(Result::unwrap), [expected; 3]);
    }
}

#[test]
fn a_unionid_links_the_apps_of_one_company() {
    for database in both() {
        let with_unionid = |mut sign_in: RecordSignIn| {
            sign_in.unionid = UnionId::parse("u1");
            sign_in
        };
        let group = [
            with_unionid(sign_in(ONE, "o1", "c1", "k1", 1)),
            with_unionid(sign_in(TWO, "p1", "c2", "k2", 2)),
        ];
        let records = record(&database, &group);
        let (user, created) = user_of(&records[0]);
        assert!(created);
        assert_eq!(user_of(&records[1]), (user.clone(), false));
        // Another person of the first app, whose unionid appears only with the second sign-in.
        let (other, _) = user_of(&record(&database, &[sign_in(ONE, "o2", "c3", "k3", 3)])[0]);
        let mut later = sign_in(ONE, "o2", "c4", "k3", 4);
        later.unionid = UnionId::parse("u2");
        let SignInRecord::Opened { user: known, created, .. } = record(&database, &[later]).remove(0) else {
            panic!("no session was opened");
        };
        assert_eq!((known.id.as_str(), created, known.unionid_linked), (other.as_str(), false, true));
    }
}

#[test]
fn a_banned_user_gets_no_session() {
    for database in both() {
        let (user, _) = user_of(&record(&database, &[sign_in(ONE, "o1", "c1", "k1", 1)])[0]);
        let mut conn = database.pool.get().unwrap();
        diesel::update(users::table.find(&user)).set(users::status.eq("banned")).execute(&mut *conn).unwrap();
        let records = record(&database, &[sign_in(ONE, "o1", "c2", "k2", 2)]);
        assert!(matches!(&records[0], SignInRecord::Banned(banned) if banned.as_str() == user));
        assert_eq!(sessions::table.count().get_result::<i64>(&mut *conn).unwrap(), 1);
    }
}

#[test]
fn two_groups_of_the_same_people_on_postgres_never_deadlock() {
    const PEOPLE: i64 = 250;
    let database = postgres();
    let writers = open_pool(&database.url, Purpose::Write, 2).unwrap();
    let group = |node: i64, round: i64| -> Vec<RecordSignIn> {
        let of_person = |person| {
            let code = format!("c{node}-{round}-{person}");
            let mut again = sign_in(ONE, &format!("o{person}"), &code, &code, 10 * round + node);
            again.unionid = Some(UnionId::parse(&format!("u{round}-{person}")).unwrap());
            again
        };
        (0..PEOPLE).map(of_person).collect()
    };
    record(&database, &group(0, 0));
    let at_once = Barrier::new(2);
    let sign_all_in = |node| {
        let mut conn = writers.get().unwrap();
        let sign_in = |round| {
            let group = group(node, round);
            let batch: Vec<&RecordSignIn> = group.iter().collect();
            at_once.wait();
            transact(&mut conn, |conn| RecordSignIn::apply(&batch, conn)).err()
        };
        (1..9).filter_map(sign_in).collect::<Vec<_>>()
    };
    let failures = std::thread::scope(|scope| {
        let nodes = [1, 2].map(|node| scope.spawn(move || sign_all_in(node)));
        nodes.map(|node| node.join().unwrap())
    });
    assert_eq!(failures, [[], []]);
}

#[test]
fn on_postgres_a_code_is_recorded_with_the_time_of_its_record() {
    let database = postgres();
    let mut login = sign_in(ONE, "o", "c", "key", 1);
    login.clock = clock_at(login.at.plus_seconds(30));
    let key = CodeKey { app: login.app.clone(), code: login.code };
    record(&database, &[login]);
    let found = FindExchange { key, at: Time::from_unix(AT) }.run(&mut database.writers.get().unwrap());
    let found = found.unwrap().unwrap();
    assert!(found.exchanged_at >= Time::from_unix(AT + 129), "not when its write was queued");
    assert_eq!(found.session.unwrap().opened_at, Time::from_unix(AT + 100));
}
