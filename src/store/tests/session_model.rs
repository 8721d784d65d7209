//! Sessions against a model: in any order of events, a session has one valid successor token, the reuse of an
//! old token ends it, and an ended session never comes back.

use super::sign_in::{AT, ONE, record, sign_in};
use super::user_deletion::deletion;
use super::{Fresh, both};
use crate::domain::{Actor, AppId, RequestedScope, SessionId, Time, UserId, UserStatus};
use crate::store::{
    DbConn, EndSessions, Ending, FindUserChanges, ListSessions, Query, RecordSignIn, RotateSession, Rotation,
    SetUserStatus, SignInRecord, UserChange, Write,
};
use diesel::prelude::*;
use proptest::prelude::*;
use std::sync::Arc;

/// Seconds: the grace period, the idle timeout, and the lifetime of a session.
const GRACE: i64 = 10;
const IDLE: i64 = 100;
const WHOLE: i64 = 300;

/// An event. Sessions are chosen by number, whether they have ended or not.
#[derive(Debug, Clone)]
enum Act {
    Login,
    /// With the token this many generations before the newest.
    Refresh(usize, i32),
    Logout(usize),
    LogoutEverywhere,
    Ban,
    Unban,
    Pass(i64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        2 => Just(Act::Login),
        8 => (0..3_usize, prop_oneof![3 => Just(0), 3 => Just(1), 1 => 2..4]).prop_map(|(s, back)| Act::Refresh(s, back)),
        1 => (0..3_usize).prop_map(Act::Logout),
        1 => Just(Act::LogoutEverywhere),
        1 => Just(Act::Ban),
        2 => Just(Act::Unban),
        4 => prop_oneof![Just(1), Just(GRACE), Just(GRACE + 1), Just(IDLE - 1), Just(IDLE), Just(WHOLE)].prop_map(Act::Pass),
    ];
    proptest::collection::vec(act, 1..40)
}

/// A refresh at `now` with the token of a generation.
fn rotation(user: UserId, session: SessionId, presented: i32, now: i64) -> RotateSession {
    RotateSession {
        user,
        session,
        app: None,
        served: [ONE].map(AppId::from_stored).into(),
        presented,
        scope: RequestedScope::parse("", Arc::default()),
        at: Time::from_unix(now),
        since: std::time::Instant::now(),
        expires_at: Time::from_unix(now + IDLE),
        grace: GRACE,
        ip: None,
    }
}

/// A session in the model.
#[derive(Debug)]
struct Modelled {
    id: SessionId,
    ended: bool,
    generation: i32,
    rotated_at: i64,
    /// The first generation that was replaced in the current burst, and when.
    burst: (i32, i64),
    expires_at: i64,
    ends_at: i64,
}

impl Modelled {
    fn is_live(&self, now: i64) -> bool {
        !self.ended && self.expires_at > now && self.ends_at > now
    }
}

/// The result of a refresh.
#[derive(Debug, PartialEq)]
enum Outcome {
    Good(i32),
    Gone,
    Banned,
    Reused,
}

struct Run<'a> {
    conn: &'a mut DbConn,
    person: String,
    user: Option<UserId>,
    banned: bool,
    now: i64,
    sessions: Vec<Modelled>,
    logins: u32,
}

impl Run<'_> {
    fn write<W: Write>(&mut self, write: &W) -> W::Output {
        let conn = &mut *self.conn;
        conn.transaction(|conn| Ok::<_, diesel::result::Error>(W::apply(&[write], conn).unwrap().remove(0)))
            .unwrap()
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Login => self.login(),
            Act::Refresh(session, back) if !self.sessions.is_empty() => {
                self.refresh(session % self.sessions.len(), *back);
            }
            Act::Logout(session) if !self.sessions.is_empty() => {
                let session = session % self.sessions.len();
                let which = Ending::One(self.sessions[session].id.clone());
                self.end(which, |index, _| index == session);
            }
            Act::LogoutEverywhere => self.end(Ending::All, |_, _| true),
            Act::Ban => self.set_status(UserStatus::Banned),
            Act::Unban => self.set_status(UserStatus::Active),
            Act::Pass(seconds) => self.now += seconds,
            Act::Refresh(..) | Act::Logout(_) => {}
        }
    }

    fn login(&mut self) {
        self.logins += 1;
        let code = format!("{}-{}", self.person, self.logins);
        let mut login = sign_in(ONE, &self.person, &code, "key", self.now - AT);
        login.at = Time::from_unix(self.now);
        login.expires_at = Time::from_unix(self.now + IDLE);
        login.ends_at = Time::from_unix(self.now + WHOLE);
        let id = login.session.clone();
        match self.write::<RecordSignIn>(&login) {
            SignInRecord::Opened { user, created, ended } => {
                assert!(!self.banned && ended.is_empty());
                assert_eq!(created, self.user.is_none());
                self.user = Some(user.id);
                let (rotated_at, expires_at, ends_at) = (self.now, self.now + IDLE, self.now + WHOLE);
                self.sessions.push(Modelled {
                    id,
                    ended: false,
                    generation: 1,
                    rotated_at,
                    burst: (1, i64::MIN / 2),
                    expires_at,
                    ends_at,
                });
            }
            SignInRecord::Banned(user) => assert!(self.banned && self.user == Some(user)),
            SignInRecord::Repeated => panic!("every code is a new one"),
        }
    }

    fn refresh(&mut self, index: usize, back: i32) {
        let now = self.now;
        let session = &self.sessions[index];
        let presented = (session.generation - back).max(1);
        let expected = if self.banned {
            Outcome::Banned
        } else if !session.is_live(now) {
            Outcome::Gone
        } else if presented == session.generation {
            Outcome::Good(presented + 1)
        } else if (presented + 1 == session.generation && session.rotated_at + GRACE >= now)
            || (presented >= session.burst.0 && session.burst.1 + GRACE >= now)
        {
            Outcome::Good(session.generation)
        } else {
            Outcome::Reused
        };
        let rotate = rotation(self.user.clone().unwrap(), session.id.clone(), presented, now);
        let outcome = match self.write(&rotate) {
            Rotation::Turned { generation, .. } => Outcome::Good(generation),
            Rotation::Gone => Outcome::Gone,
            Rotation::Banned => Outcome::Banned,
            Rotation::ScopeNotHeld => panic!("nothing was asked for"),
            Rotation::Reused => Outcome::Reused,
        };
        assert_eq!(outcome, expected, "generation {presented} of {:?} at {now}", self.sessions[index]);
        let session = &mut self.sessions[index];
        match outcome {
            Outcome::Good(generation) if generation > session.generation => {
                if session.burst.1 + GRACE < now {
                    session.burst = (session.generation, now);
                }
                (session.generation, session.rotated_at, session.expires_at) = (generation, now, now + IDLE);
            }
            Outcome::Reused => session.ended = true,
            _ => {}
        }
    }

    fn end(&mut self, which: Ending, picked: impl Fn(usize, &Modelled) -> bool) {
        let Some(user) = self.user.clone() else { return };
        let (by, at) = (Actor::user(&user, None), Time::from_unix(self.now));
        let mut ended = self.write(&EndSessions { user, which, by, at });
        self.model_end(&mut ended, picked);
    }

    /// Exactly those chosen sessions ended that had not ended before.
    fn model_end(&mut self, ended: &mut [SessionId], picked: impl Fn(usize, &Modelled) -> bool) {
        let mut expected = Vec::new();
        for (index, session) in self.sessions.iter_mut().enumerate() {
            if !session.ended && picked(index, session) {
                session.ended = true;
                expected.push(session.id.clone());
            }
        }
        ended.sort();
        expected.sort();
        assert_eq!(ended, expected);
    }

    fn set_status(&mut self, status: UserStatus) {
        let Some(user) = self.user.clone() else { return };
        let (by, at) = (Actor::terminal(None), Time::from_unix(self.now));
        let bans = status == UserStatus::Banned;
        match self.write(&SetUserStatus { user, status, by, at }) {
            UserChange::Done { mut ended } => {
                assert_ne!(bans, self.banned);
                self.model_end(&mut ended, |_, _| true);
                self.banned = bans;
            }
            UserChange::AsBefore => assert_eq!(bans, self.banned),
            UserChange::NoSuchUser => panic!("the user is there"),
        }
    }

    /// The database shows what the model contains.
    fn check(&mut self) {
        let Some(user) = self.user.clone() else { return };
        let at = Time::from_unix(self.now);
        let listed = ListSessions { user, at }.run(self.conn).unwrap();
        let mut listed: Vec<SessionId> = listed.into_iter().map(|session| session.id).collect();
        let live = self.sessions.iter().filter(|session| session.is_live(self.now));
        let mut live: Vec<SessionId> = live.map(|session| session.id.clone()).collect();
        listed.sort();
        live.sort();
        assert_eq!(listed, live, "what has ended never comes back, and nothing else ends");
        assert!(!self.banned || live.is_empty(), "a ban leaves no session");
    }

    /// Deletes the user, who must leave nothing but the record of the change.
    fn delete(&mut self) {
        let Some(user) = self.user.clone() else { return };
        let (by, at) = (Actor::terminal(None), Time::from_unix(self.now));
        let change = self.write(&deletion(&user, by, at));
        let UserChange::Done { mut ended } = change else { panic!("{change:?}") };
        self.model_end(&mut ended, |_, _| true);
        let changes = FindUserChanges { since: Time::from_unix(0) }.run(self.conn).unwrap();
        let change = changes.into_iter().find(|change| change.user == user).unwrap();
        assert_eq!(change.now, None);
    }
}

#[test]
fn sessions_live_and_end_as_the_model_says() {
    let databases: [Fresh; 2] = both();
    let runs = ProptestConfig { cases: 160, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(runs, |(acts in acts())| {
        for database in &databases {
            let mut conn = database.writers.get().unwrap();
            let person = SessionId::generate(Time::from_unix(AT)).to_string();
            let (user, sessions) = (None, Vec::new());
            let mut run = Run { conn: &mut conn, person, user, banned: false, now: AT, sessions, logins: 0 };
            for act in &acts {
                run.act(act);
                run.check();
            }
            run.delete();
        }
    });
}

#[test]
fn one_group_rotates_a_session_once_and_only_for_its_own_user() {
    for database in both() {
        let records =
            record(&database, &[sign_in(ONE, "o1", "c1", "k1", 1), sign_in(ONE, "o2", "c2", "k2", 2)]);
        let users = records.into_iter().map(|record| match record {
            SignInRecord::Opened { user, .. } => user.id,
            other => panic!("no session was opened: {other:?}"),
        });
        let [owner, other]: [UserId; 2] = users.collect::<Vec<_>>().try_into().unwrap();
        let mut conn = database.writers.get().unwrap();
        let listed = ListSessions { user: owner.clone(), at: Time::from_unix(AT) }.run(&mut conn).unwrap();
        let group =
            [other, owner.clone(), owner].map(|user| rotation(user, listed[0].id.clone(), 1, AT + 100));
        let outcomes = RotateSession::apply(&group.each_ref(), &mut conn).unwrap();
        assert!(matches!(outcomes[0], Rotation::Gone), "{outcomes:?}");
        for outcome in &outcomes[1..] {
            assert!(matches!(outcome, Rotation::Turned { generation: 2, .. }), "{outcomes:?}");
        }
    }
}
