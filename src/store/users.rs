//! Users: rows and queries.

use super::schema::{identities, user_roles, users};
use super::{DbConn, Query, StoreError};
use crate::domain::{Role, Time, User, UserId, UserStatus};
use diesel::dsl::SqlTypeOf;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Nullable, Text};

/// A row of `users`.
#[derive(Queryable, Selectable)]
#[diesel(table_name = users)]
pub(super) struct UserRow {
    id: String,
    status: String,
    nickname: Option<String>,
    avatar_url: Option<String>,
    phone: Option<String>,
    created_at: Time,
    last_login_at: Time,
}

impl UserRow {
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn into_user(self, roles: Vec<Role>, unionid_linked: bool) -> User {
        User {
            id: UserId::from_stored(self.id),
            status: UserStatus::from_stored(&self.status),
            roles,
            nickname: self.nickname,
            avatar_url: self.avatar_url,
            phone: self.phone,
            unionid_linked,
            created_at: self.created_at,
            last_login_at: self.last_login_at,
        }
    }
}

/// The columns of a [`UserRow`] in hand-written SQL, from `users u`.
macro_rules! user_columns {
    () => {
        "u.id, u.status, u.nickname, u.avatar_url, u.phone, u.created_at, u.last_login_at"
    };
}
pub(super) use user_columns;

/// A user as hand-written SQL reads one: [`user_columns`], the roles as one text, and whether a unionid is known.
#[derive(Queryable)]
pub(super) struct WholeUser {
    row: UserRow,
    roles: Option<String>,
    unionid_linked: bool,
}

/// The SQL types of a [`WholeUser`].
pub(super) type UserSql = (SqlTypeOf<<UserRow as Selectable<Pg>>::SelectExpression>, Nullable<Text>, Bool);

impl WholeUser {
    pub(super) fn into_user(self) -> User {
        let roles = self.roles.unwrap_or_default();
        let mut roles: Vec<Role> = roles.split_whitespace().map(Role::from_stored).collect();
        roles.sort();
        self.row.into_user(roles, self.unionid_linked)
    }
}

/// Finds a user by id, with roles.
pub struct FindUser(pub UserId);

impl Query for FindUser {
    type Output = Option<User>;

    fn run(&self, conn: &mut DbConn) -> Result<Self::Output, StoreError> {
        find_user(conn, self.0.as_str())
    }
}

pub(super) fn find_user(conn: &mut DbConn, id: &str) -> Result<Option<User>, StoreError> {
    let Some(row) = users::table.find(id).select(UserRow::as_select()).first(conn).optional()? else {
        return Ok(None);
    };
    let linked =
        identities::table.filter(identities::user_id.eq(id)).filter(identities::unionid.is_not_null());
    let unionid_linked = diesel::select(diesel::dsl::exists(linked)).get_result(conn)?;
    Ok(Some(row.into_user(roles_of(conn, id)?, unionid_linked)))
}

/// The roles of a user, sorted.
pub(super) fn roles_of(conn: &mut DbConn, id: &str) -> Result<Vec<Role>, StoreError> {
    let roles = user_roles::table.filter(user_roles::user_id.eq(id)).select(user_roles::role);
    let mut roles: Vec<Role> = roles.load::<String>(conn)?.into_iter().map(Role::from_stored).collect();
    roles.sort();
    Ok(roles)
}

/// Locks a user until the transaction ends, against a concurrent sign-in. Returns their status; `None` if
/// there is no such user. (On SQLite, the transaction itself is exclusive.)
pub(super) fn lock_user(conn: &mut DbConn, id: &UserId) -> Result<Option<UserStatus>, StoreError> {
    let status = users::table.find(id.as_str()).select(users::status);
    let status: Option<String> = match conn {
        DbConn::Postgres(conn) => status.for_update().first(conn).optional()?,
        DbConn::Sqlite(conn) => status.first(conn).optional()?,
    };
    Ok(status.map(|status| UserStatus::from_stored(&status)))
}
