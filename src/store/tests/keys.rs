//! Keys are added and retired once, however many nodes try; resealing overwrites nothing newer.

use super::sign_in::{AT, ONE, record, sign_in};
use super::{Fresh, both};
use crate::crypto::MasterKeys;
use crate::domain::{Actor, Time, signing_place};
use crate::store::schema::identities;
use crate::store::transaction::transact;
use crate::store::{
    CountSealed, DbConn, FindSealed, KeyPurpose, LoadKeys, NewKey, Query, RaiseTokenSeconds, Reseal,
    Resealed, RetireDueKeys, RetireKey, Retirement, RotateIf, RotateKey, SealedCursor, SealedPlace,
    StoreFirstKeys, StoredKey, Write,
};
use diesel::prelude::*;

fn key(id: &str, purpose: KeyPurpose, algorithm: &str) -> NewKey {
    let sealed = id.as_bytes().to_vec();
    NewKey { id: id.into(), purpose, algorithm: algorithm.into(), sealed, token_seconds: 100 }
}

fn write<W: Write>(conn: &mut DbConn, write: &W) -> W::Output {
    transact(conn, |conn| W::apply(&[write], conn)).unwrap().remove(0)
}

/// A database with its initial keys, `old` and `refresh`, created at [`AT`].
fn with_first_keys(database: &Fresh) {
    let keys = vec![key("old", KeyPurpose::Sign, "EdDSA"), key("refresh", KeyPurpose::Refresh, "HS256")];
    write(&mut database.pool.get().unwrap(), &StoreFirstKeys { keys, at: Time::from_unix(AT) });
}

fn rotate(id: &str, condition: RotateIf, at: i64) -> RotateKey {
    let at = Time::from_unix(at);
    let key = key(id, KeyPurpose::Sign, "ES256");
    RotateKey { key, condition, at, active_from: at.plus_seconds(45), by: Actor::server() }
}

fn ids(keys: &[StoredKey]) -> Vec<&str> {
    keys.iter().map(|key| key.id.as_str()).collect()
}

#[test]
fn of_two_nodes_that_want_a_new_key_one_brings_it_in() {
    for database in both() {
        with_first_keys(&database);
        let active_before = || RotateIf::ActiveSinceBefore(Time::from_unix(AT + 10));
        for (round, condition) in [|| RotateIf::AlgorithmDiffers, active_before].iter().enumerate() {
            let [one, two] = std::thread::scope(|scope| {
                let node = |node: usize| {
                    let (id, mut conn) = (format!("{round}-{node}"), database.pool.get().unwrap());
                    scope.spawn(move || write(&mut conn, &rotate(&id, condition(), AT + 20)))
                };
                [node(1), node(2)].map(|node| node.join().unwrap())
            });
            // In the second round the newest key is too young, so neither adds one.
            assert_eq!(one ^ two, round == 0, "{one} {two}");
        }
        assert_eq!(LoadKeys.run(&mut database.pool.get().unwrap()).unwrap().len(), 3);
    }
}

#[test]
fn a_key_verifies_as_long_as_the_longest_token_of_any_node() {
    for database in both() {
        with_first_keys(&database);
        let mut conn = database.pool.get().unwrap();
        write(&mut conn, &rotate("new", RotateIf::Asked, AT + 1000));
        write(&mut conn, &RaiseTokenSeconds { seconds: 500 });
        write(&mut conn, &RaiseTokenSeconds { seconds: 200 });

        let keys = LoadKeys.run(&mut conn).unwrap();
        assert_eq!(ids(&keys), ["old", "refresh", "new"]);
        let until = Time::from_unix(AT + 1000 + 45 + 500 + 60);
        assert_eq!(
            (keys[0].verifies_until, keys[1].verifies_until, keys[2].verifies_until),
            (Some(until), None, None)
        );

        assert!(write(&mut conn, &RetireDueKeys { at: until.plus_seconds(-1) }).is_empty());
        assert_eq!(write(&mut conn, &RetireDueKeys { at: until }), ["old"]);
        assert!(write(&mut conn, &RetireDueKeys { at: until }).is_empty());
        assert_eq!(ids(&LoadKeys.run(&mut conn).unwrap()), ["refresh", "new"]);
    }
}

#[test]
fn the_key_that_signs_for_a_clock_behind_all_keys_outlives_its_successors() {
    for database in both() {
        with_first_keys(&database);
        let mut conn = database.pool.get().unwrap();
        let behind = AT - 1000;
        for successor in ["overtaken", "new"] {
            write(&mut conn, &rotate(successor, RotateIf::Asked, behind));
        }
        let keys = LoadKeys.run(&mut conn).unwrap();
        assert_eq!(ids(&keys), ["old", "new", "refresh"]);
        let [old, new, _] = &keys[..] else { panic!("{keys:?}") };
        assert_eq!([old.active_from, new.active_from], [behind - 1, behind + 45].map(Time::from_unix));
        assert_eq!(old.verifies_until, Some(Time::from_unix(behind + 45 + 100 + 60)));
    }
}

#[test]
fn a_key_that_is_to_sign_at_once_does_so_also_for_a_clock_behind_all_keys() {
    for database in both() {
        with_first_keys(&database);
        let mut conn = database.pool.get().unwrap();
        for (behind, successor) in [(AT - 1000, "a successor"), (AT - 2000, "the next")] {
            let at = Time::from_unix(behind);
            write(&mut conn, &RotateKey { active_from: at, ..rotate(successor, RotateIf::Asked, behind) });
            let keys = LoadKeys.run(&mut conn).unwrap();
            let sign: Vec<&StoredKey> = keys.iter().filter(|key| key.purpose == KeyPurpose::Sign).collect();
            let active_from: Vec<Time> = sign.iter().map(|key| key.active_from).collect();
            assert_eq!(sign[signing_place(&active_from, at)].id, successor);
        }
    }
}

#[test]
fn the_only_key_that_signs_is_not_retired() {
    for database in both() {
        with_first_keys(&database);
        let mut conn = database.pool.get().unwrap();
        write(&mut conn, &rotate("new", RotateIf::Asked, AT));
        let retire = |id: &str, at| RetireKey { id: id.into(), at: Time::from_unix(at), by: Actor::server() };
        assert_eq!(write(&mut conn, &retire("old", AT + 44)), Retirement::Needed);
        assert_eq!(write(&mut conn, &retire("old", AT + 45)), Retirement::Done);
        assert_eq!(write(&mut conn, &retire("old", AT + 46)), Retirement::Unknown);
        assert_eq!(write(&mut conn, &retire("refresh", AT + 46)), Retirement::Done);
        // Only a purpose without a key gets a new one.
        with_first_keys_after(&mut conn);
        assert_eq!(ids(&LoadKeys.run(&mut conn).unwrap()), ["new", "refresh 2"]);
    }
}

fn with_first_keys_after(conn: &mut DbConn) {
    let keys = vec![key("old 2", KeyPurpose::Sign, "EdDSA"), key("refresh 2", KeyPurpose::Refresh, "HS256")];
    write(conn, &StoreFirstKeys { keys, at: Time::from_unix(AT + 50) });
}

#[test]
fn a_value_that_a_login_replaced_is_not_written_over() {
    for database in both() {
        record(&database, &[sign_in(ONE, "o1", "c1", "first", 0), sign_in(ONE, "o2", "c2", "other", 0)]);
        let mut conn = database.pool.get().unwrap();
        let found = FindSealed { after: SealedCursor::default(), limit: 10 }.run(&mut conn).unwrap();
        assert_eq!(found.values.len(), 2);
        record(&database, &[sign_in(ONE, "o1", "c3", "second", 10)]);

        let anew =
            |value: &crate::store::SealedValue| Resealed { was: value.clone(), now: b"sealed anew".to_vec() };
        assert_eq!(write(&mut conn, &Reseal(found.values.iter().map(anew).collect())), 1);

        type Keys = (Option<Vec<u8>>, Option<Vec<u8>>);
        let keys: Vec<Keys> = identities::table
            .order(identities::openid)
            .select((identities::session_key, identities::previous_session_key))
            .load(&mut *conn)
            .unwrap();
        let bytes = |text: &str| Some(text.as_bytes().to_vec());
        assert_eq!(keys, [(bytes("second"), bytes("first")), (bytes("sealed anew"), None)]);
    }
}

#[test]
fn the_walk_comes_by_every_sealed_value_once() {
    for database in both() {
        with_first_keys(&database);
        for person in 0..5 {
            for (turn, key) in ["first", "second"].iter().enumerate() {
                let code = format!("c{person}{turn}");
                record(&database, &[sign_in(ONE, &format!("o{person}"), &code, key, turn as i64)]);
            }
        }
        let mut conn = database.pool.get().unwrap();
        let (mut place, mut rows, mut places) = (Some(SealedCursor::default()), 0, Vec::new());
        while let Some(after) = place {
            let bite = FindSealed { after, limit: 2 }.run(&mut conn).unwrap();
            rows += bite.rows;
            places.extend(bite.values.into_iter().map(|value| value.place));
            place = bite.next;
        }
        assert_eq!((rows, CountSealed.run(&mut conn).unwrap(), places.len()), (7, 7, 12));
        assert!(matches!(places.last(), Some(SealedPlace::Key(_))), "the keys come last");
        let mut named: Vec<String> = places.iter().map(ToString::to_string).collect();
        named.sort_unstable();
        named.dedup();
        assert_eq!(named.len(), 12, "each is named by its place: {named:?}");
    }
}

#[test]
fn every_column_of_bytes_is_known_to_the_walk() {
    let columns = include_str!("../schema.rs").matches("Binary").count();
    assert_eq!(
        columns, 3,
        "give a new column of sealed values its place in store/sealed.rs, and count it here"
    );
}

#[test]
fn a_place_is_sealed_for_the_row_that_its_owner_seals_for() {
    let master = MasterKeys::parse(&MasterKeys::generate_text()).unwrap();
    let login = sign_in(ONE, "o1", "c1", "key", 0);
    let sealed = master.seal(&crate::store::RecordSignIn::seal_row(&login.app, &login.openid), b"key");
    let place = SealedPlace::SessionKey(login.app, login.openid);
    assert!(master.is_current(&place.seal_row(), &sealed));
}
