//! What is ended is found by the other nodes.

use super::postgres;
use super::sign_in::{ONE, record, sign_in};
use crate::domain::{Actor, Clock};
use crate::store::{EndSessions, Ending, FindRevocations, Query, WriteOne};

#[test]
fn on_postgres_what_is_ended_by_a_clock_that_is_behind_counts_as_ended_now() {
    let database = postgres();
    let login = sign_in(ONE, "o", "c", "key", 1);
    let (user, session) = (login.new_user.clone(), login.session.clone());
    record(&database, &[login]);
    let mut conn = database.writers.get().unwrap();
    let (which, by, at) = (Ending::All, Actor::server(), Clock::shifted(-3600).now());

    EndSessions { user, which, by, at }.apply_one(&mut conn).unwrap();

    let since = Clock::system().now().plus_seconds(-60);
    let found = FindRevocations { since }.run(&mut conn).unwrap();
    assert_eq!(found.into_iter().map(|(session, _)| session).collect::<Vec<_>>(), [session]);
}
