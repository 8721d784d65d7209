//! The list of users, filtered, sorted and paginated. Pagination is by keyset: a page begins after the last
//! user of the previous one. So page 10,000 costs as much as the first, and no user is shown twice or skipped
//! because others come and go.

mod search;

use super::schema::{identities, user_roles, users};
use super::users::UserRow;
use super::{DbConn, Query, StoreError};
use crate::domain::{Role, Time, User, UserCursor, UserFilter, UserOrder, UserSort};
use diesel::dsl::exists;
use diesel::prelude::*;
use diesel::sql_types::Integer;
use search::Found;
use std::collections::{HashMap, HashSet};

/// Matching users are counted up to this number.
const MOST_COUNTED: usize = 10_000;

type Backend = <DbConn as Connection>::Backend;
type Users<'a> = users::BoxedQuery<'a, Backend>;

/// A page of the matching users.
///
/// Sorting by `created_at` and searching use an index. Sorting by `last_login_at`, which has none, and
/// filters that hardly anybody matches, scan the table.
#[derive(Debug)]
pub struct ListUsers {
    /// The filter.
    pub filter: UserFilter,
    /// The order.
    pub order: UserOrder,
    /// Maximum number of users.
    pub limit: u32,
    /// The position after which to start; `None` starts at the beginning.
    pub after: Option<UserCursor>,
}

/// A page and its totals.
#[derive(Debug)]
pub struct UserPage {
    /// The users, in order.
    pub users: Vec<User>,
    /// The position of the next page; `None` at the end.
    pub next: Option<UserCursor>,
    /// The number of matching users.
    pub total: usize,
    /// Was counting stopped at `total`?
    pub total_is_estimate: bool,
}

impl Query for ListUsers {
    type Output = UserPage;

    fn run(&self, conn: &mut DbConn) -> Result<UserPage, StoreError> {
        let found = match &self.filter.search {
            Some(search) => Some(search::find(search, conn)?),
            None => None,
        };
        let matching = || matching(&self.filter, found.as_ref());
        let counted: Vec<i32> =
            matching().select(1.into_sql::<Integer>()).limit(MOST_COUNTED as i64 + 1).load(conn)?;
        let wanted = self.limit as usize;
        let page = self.in_order(matching()).limit(i64::from(self.limit) + 1).select(UserRow::as_select());
        let mut rows: Vec<UserRow> = page.load(conn)?;
        let more = rows.len() > wanted;
        rows.truncate(wanted);
        let users = into_users(rows, conn)?;
        let next = users.last().filter(|_| more).map(|user| self.place_of(user));
        let total = counted.len().min(MOST_COUNTED);
        Ok(UserPage { users, next, total, total_is_estimate: counted.len() > MOST_COUNTED })
    }
}

impl ListUsers {
    fn place_of(&self, user: &User) -> UserCursor {
        let at = match self.order.sort {
            UserSort::CreatedAt => user.created_at,
            UserSort::LastLoginAt => user.last_login_at,
        };
        UserCursor { at, id: user.id.clone() }
    }

    /// Sorts, and starts after the cursor.
    fn in_order<'a>(&'a self, users: Users<'a>) -> Users<'a> {
        // The first bound is redundant, but lets the database seek in the index.
        macro_rules! page {
            ($column:expr, $beyond:ident, $not_before:ident, $direction:ident) => {{
                let users = users.order(($column.$direction(), users::id.$direction()));
                match &self.after {
                    None => users,
                    Some(UserCursor { at, id }) => {
                        let (at, id) = (at.to_stored(), id.as_str());
                        users
                            .filter($column.$not_before(at))
                            .filter($column.$beyond(at).or(users::id.$beyond(id)))
                    }
                }
            }};
        }
        match (self.order.sort, self.order.descending) {
            (UserSort::CreatedAt, true) => page!(users::created_at, lt, le, desc),
            (UserSort::CreatedAt, false) => page!(users::created_at, gt, ge, asc),
            (UserSort::LastLoginAt, true) => page!(users::last_login_at, lt, le, desc),
            (UserSort::LastLoginAt, false) => page!(users::last_login_at, gt, ge, asc),
        }
    }
}

/// The users who meet all conditions of the filter.
fn matching<'a>(filter: &'a UserFilter, found: Option<&'a Found>) -> Users<'a> {
    let mut matching = users::table.into_boxed();
    if let Some(found) = found {
        matching = matching.filter(found.condition());
    }
    if let Some(status) = filter.status {
        matching = matching.filter(users::status.eq(status.as_str()));
    }
    if let Some(role) = &filter.role {
        let granted = user_roles::table.filter(user_roles::role.eq(role.as_str()));
        matching = matching.filter(users::id.eq_any(granted.select(user_roles::user_id)));
    }
    if let Some(app) = &filter.app {
        let known = identities::table.filter(identities::user_id.eq(users::id));
        matching = matching.filter(exists(known.filter(identities::appid.eq(app.as_str()))));
    }
    let stored = |time: Option<Time>| time.map(Time::to_stored);
    if let Some(after) = stored(filter.created_after) {
        matching = matching.filter(users::created_at.ge(after));
    }
    if let Some(before) = stored(filter.created_before) {
        matching = matching.filter(users::created_at.lt(before));
    }
    if let Some(after) = stored(filter.login_after) {
        matching = matching.filter(users::last_login_at.ge(after));
    }
    if let Some(before) = stored(filter.login_before) {
        matching = matching.filter(users::last_login_at.lt(before));
    }
    matching
}

/// Adds the data of other tables, with two queries for the page.
fn into_users(rows: Vec<UserRow>, conn: &mut DbConn) -> Result<Vec<User>, StoreError> {
    let ids: Vec<&str> = rows.iter().map(UserRow::id).collect();
    let granted = user_roles::table.filter(user_roles::user_id.eq_any(&ids)).order(user_roles::role);
    let granted: Vec<(String, String)> =
        granted.select((user_roles::user_id, user_roles::role)).load(conn)?;
    let linked = identities::table.filter(identities::user_id.eq_any(&ids));
    let linked = linked.filter(identities::unionid.is_not_null()).select(identities::user_id);
    let linked: HashSet<String> = linked.load(conn)?.into_iter().collect();
    let mut roles: HashMap<String, Vec<Role>> = HashMap::new();
    for (user, role) in granted {
        roles.entry(user).or_default().push(Role::from_stored(&role));
    }
    let into_user = |row: UserRow| {
        let mut roles = roles.remove(row.id()).unwrap_or_default();
        roles.sort();
        let linked = linked.contains(row.id());
        row.into_user(roles, linked)
    };
    Ok(rows.into_iter().map(into_user).collect())
}
