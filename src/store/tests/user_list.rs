//! The list of users against a model: for any query, its pages together equal what an in-memory filter finds.

use super::sign_in::ONE;
use super::{Fresh, both};
use crate::domain::{AppId, Role, Time, UserFilter, UserOrder, UserSearch, UserSort, UserStatus};
use crate::store::{ListUsers, Query, UserPage};
use diesel::connection::SimpleConnection;
use proptest::option::of;
use proptest::prelude::*;

/// A user in the model, with small numbers, so that many values are equal.
#[derive(Debug, Clone)]
struct Person {
    id: String,
    banned: bool,
    role: Option<u8>,
    nickname: Option<String>,
    phone: Option<u8>,
    openid: String,
    unionid: Option<String>,
    app: u8,
    created: u8,
    login: u8,
}

const BEGAN: i64 = 1_800_000_000;

impl Person {
    /// Generates person number `n`.
    fn new(n: u32) -> Self {
        let some = |every: u32, value: u32| n.is_multiple_of(every).then_some(value as u8);
        Self {
            id: format!("{:032x}", n.wrapping_mul(2_654_435_761)),
            banned: n.is_multiple_of(3),
            role: some(2, n / 2 % 3),
            nickname: (!n.is_multiple_of(4))
                .then(|| ["小明", "小%", "a_b", "aXb", "o\\k"][n as usize % 5].to_owned()),
            phone: some(5, n % 4),
            openid: format!("o{}_{n}", n % 7),
            unionid: n.is_multiple_of(6).then(|| format!("o%{n}")),
            app: (n % 2) as u8,
            created: (n * 7 % 10) as u8,
            login: (n * 3 % 8) as u8,
        }
    }

    fn phone(digit: u8) -> String {
        format!("+861380000000{digit}")
    }

    fn insert(&self) -> String {
        let text =
            |value: &Option<String>| value.as_ref().map_or("NULL".to_owned(), |value| format!("'{value}'"));
        let at = |second: u8| Time::from_unix(BEGAN + i64::from(second)).to_stored().format("%F %T");
        let Self { id, openid, app, .. } = self;
        let status = if self.banned { "banned" } else { "active" };
        let (nickname, phone) = (text(&self.nickname), text(&self.phone.map(Self::phone)));
        let (created, login, unionid) = (at(self.created), at(self.login), text(&self.unionid));
        let mut rows = format!(
            "INSERT INTO users (id, status, nickname, phone, created_at, last_login_at)
             VALUES ('{id}', '{status}', {nickname}, {phone}, '{created}', '{login}');
             INSERT INTO identities (appid, openid, user_id, unionid, session_key_began_at, created_at)
             VALUES ('{}', '{openid}', '{id}', {unionid}, '{created}', '{created}');",
            app_id(*app)
        );
        if let Some(role) = self.role {
            rows += &format!("INSERT INTO user_roles VALUES ('{id}', 'role{role}', '{created}');");
        }
        rows
    }

    fn fits(&self, question: &Question) -> bool {
        let begins =
            |text: &Option<String>, with: &str| text.as_ref().is_some_and(|text| text.starts_with(with));
        let found = |text: &str| {
            self.id.starts_with(text)
                || self.openid.starts_with(text)
                || begins(&self.nickname, text)
                || begins(&self.unionid, text)
                || self
                    .phone
                    .is_some_and(|digit| [&Self::phone(digit)[..], &Self::phone(digit)[3..]].contains(&text))
        };
        question.search.as_deref().is_none_or(found)
            && question.banned.is_none_or(|banned| banned == self.banned)
            && question.role.is_none_or(|role| self.role == Some(role))
            && question.app.is_none_or(|app| self.app == app)
            && question.created.is_none_or(|(from, to)| (from..to).contains(&self.created))
            && question.login.is_none_or(|(from, to)| (from..to).contains(&self.login))
    }
}

fn app_id(app: u8) -> String {
    format!("{}{app}", &ONE[..ONE.len() - 1])
}

#[derive(Debug, Clone)]
struct Question {
    search: Option<String>,
    banned: Option<bool>,
    role: Option<u8>,
    app: Option<u8>,
    created: Option<(u8, u8)>,
    login: Option<(u8, u8)>,
    by_login: bool,
    descending: bool,
    limit: u32,
}

impl Question {
    fn filter(&self) -> UserFilter {
        let time = |second: u8| Time::from_unix(BEGAN + i64::from(second));
        UserFilter {
            search: self.search.as_deref().and_then(UserSearch::parse),
            status: self.banned.map(|banned| if banned { UserStatus::Banned } else { UserStatus::Active }),
            role: self.role.map(|role| Role::from_stored(format!("role{role}"))),
            app: self.app.map(|app| AppId::parse(&app_id(app)).unwrap()),
            created_after: self.created.map(|(from, _)| time(from)),
            created_before: self.created.map(|(_, to)| time(to)),
            login_after: self.login.map(|(from, _)| time(from)),
            login_before: self.login.map(|(_, to)| time(to)),
        }
    }

    fn order(&self) -> UserOrder {
        let sort = if self.by_login { UserSort::LastLoginAt } else { UserSort::CreatedAt };
        UserOrder { sort, descending: self.descending }
    }

    fn expected(&self, people: &[Person]) -> Vec<String> {
        let time = |person: &Person| if self.by_login { person.login } else { person.created };
        let mut fit: Vec<&Person> = people.iter().filter(|person| person.fits(self)).collect();
        fit.sort_by_key(|person| (time(person), person.id.clone()));
        if self.descending {
            fit.reverse();
        }
        fit.into_iter().map(|person| person.id.clone()).collect()
    }
}

fn questions() -> impl Strategy<Value = Question> {
    let search = prop_oneof![
        Just("o".to_owned()),
        Just("o1".to_owned()),
        Just("o1_".to_owned()),
        Just("o%".to_owned()),
        Just("o\\".to_owned()),
        Just("小".to_owned()),
        Just("a_".to_owned()),
        Just("A".to_owned()),
        Just("+8613800000001".to_owned()),
        Just("13800000001".to_owned()),
        "[0-9a-f]{1,2}",
    ];
    let range = || of((0..10_u8, 0..10_u8));
    let filters = (of(search), of(any::<bool>()), of(0..4_u8), of(0..2_u8), range(), range());
    (filters, any::<bool>(), any::<bool>(), 1..30_u32).prop_map(|(filters, by_login, descending, limit)| {
        let (search, banned, role, app, created, login) = filters;
        Question { search, banned, role, app, created, login, by_login, descending, limit }
    })
}

/// Reads all pages.
fn walk(database: &Fresh, question: &Question) -> (Vec<String>, usize) {
    let mut conn = database.pool.get().unwrap();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let (filter, order, limit) = (question.filter(), question.order(), question.limit);
        let UserPage { users, next, total, total_is_estimate } =
            ListUsers { filter, order, limit, after }.run(&mut conn).unwrap();
        assert!(users.len() <= limit as usize && !total_is_estimate);
        seen.extend(users.into_iter().map(|user| user.id.as_str().to_owned()));
        match next {
            Some(place) => after = Some(place),
            None => return (seen, total),
        }
    }
}

#[test]
fn every_question_finds_what_the_model_finds() {
    let people: Vec<Person> = (0..90).map(Person::new).collect();
    let databases = both();
    for database in &databases {
        let rows: String = people.iter().map(Person::insert).collect();
        database.pool.get().unwrap().batch_execute(&rows).unwrap();
    }
    let runs = ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(runs, |(question in questions())| {
        let expected = question.expected(&people);
        for database in &databases {
            let (seen, total) = walk(database, &question);
            prop_assert_eq!(&seen, &expected);
            prop_assert_eq!(total, expected.len());
        }
    });
}

#[test]
fn many_are_counted_to_ten_thousand_and_a_search_that_fits_many_finds_them() {
    for database in both() {
        let mut conn = database.pool.get().unwrap();
        conn.batch_execute(
            "INSERT INTO users (id, status, created_at, last_login_at)
                 WITH RECURSIVE n (i) AS (SELECT 10001 UNION ALL SELECT i + 1 FROM n WHERE i < 20500)
                 SELECT 'a' || i, 'active', '2026-01-01 00:00:00', '2026-01-01 00:00:00' FROM n;
             INSERT INTO identities (appid, openid, user_id, session_key_began_at, created_at)
                 SELECT 'wx0000000000000a01', 'o' || id, id, '2026-01-01 00:00:00', '2026-01-01 00:00:00' FROM users;
             UPDATE users SET nickname = '小明' WHERE id = 'a12345'",
        )
        .unwrap();
        for (search, expected) in [
            (None, (10_000, true)),
            (Some("a"), (10_000, true)),
            (Some("o"), (10_000, true)),
            (Some("oa1234"), (10, false)),
            (Some("oa1"), (9_999, false)),
            (Some("A"), (0, false)),
            (Some("小"), (1, false)),
        ] {
            let filter = UserFilter { search: search.and_then(UserSearch::parse), ..UserFilter::default() };
            let list = ListUsers { filter, order: UserOrder::default(), limit: 200, after: None };
            let page = list.run(&mut conn).unwrap();
            assert_eq!((page.total, page.total_is_estimate), expected, "{search:?}");
            assert_eq!(page.users.len(), expected.0.min(200), "{search:?}");
        }
    }
}
