//! Searches users by text: a prefix of an id, openid, unionid or nickname, or a phone number.
//!
//! If few users match, they are looked up in an index first, and the list is restricted to their ids. If very
//! many match, as for the `o` that openids begin with, the text becomes a condition instead: scanned in the
//! order of the list, a page then fills up soon.

use super::Backend;
use crate::domain::UserSearch;
use crate::store::schema::{identities, users};
use crate::store::{DbConn, StoreError};
use diesel::dsl::exists;
use diesel::prelude::*;
use diesel::sql_types::Bool;

/// More matches than this in one field are very many.
const FEW: usize = 5_000;

/// Sorts after any character that may follow a prefix.
const LAST_CHARACTER: char = '\u{10FFFF}';

/// The result of a search: the ids found, and the fields in which very many match.
pub(super) struct Found {
    id_range: (String, String),
    beginning: Beginning,
    phones: Vec<String>,
    ids: Vec<String>,
    many_by: Vec<Field>,
}

/// A searched field.
#[derive(Debug, Clone, Copy)]
enum Field {
    Id,
    Nickname,
    Phone,
    UnionId,
    OpenId,
}

/// A prefix, in the form in which the dialect's index supports it.
enum Beginning {
    /// Texts sort bytewise: from the first bound up to, but excluding, the second.
    Between(String, String),
    /// Texts sort by locale, so a pattern is needed.
    Like(String),
}

/// Uses the condition that `column` starts with the prefix.
macro_rules! begins {
    ($column:expr, $beginning:expr, $condition:ident => $done:expr) => {
        match $beginning {
            Beginning::Between(from, to) => {
                let $condition = $column.ge(from).and($column.lt(to));
                $done
            }
            Beginning::Like(pattern) => {
                let $condition = $column.like(pattern).escape('\\');
                $done
            }
        }
    };
}

impl Beginning {
    fn of(prefix: &str, conn: &DbConn) -> Self {
        match conn {
            DbConn::Sqlite(_) => Self::Between(prefix.to_owned(), format!("{prefix}{LAST_CHARACTER}")),
            DbConn::Postgres(_) => {
                let special = |c: &char| matches!(c, '\\' | '%' | '_');
                let escape = |c: char| Some('\\').filter(|_| special(&c)).into_iter().chain([c]);
                let escaped: String = prefix.chars().flat_map(escape).collect();
                Self::Like(format!("{escaped}%"))
            }
        }
    }
}

/// The range of ids with this prefix. Ids are hexadecimal, so the range is the same in every locale; for any
/// other text it is empty.
fn id_range(prefix: &str) -> (String, String) {
    let is_hex = prefix.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if is_hex { (prefix.to_owned(), format!("{prefix}g")) } else { (String::new(), String::new()) }
}

/// Searches all fields.
pub(super) fn find(search: &UserSearch, conn: &mut DbConn) -> Result<Found, StoreError> {
    let (beginning, phones) = (Beginning::of(search.prefix(), conn), search.phones());
    let id_range = id_range(search.prefix());
    let ids = users::table.select(users::id).limit(FEW as i64 + 1);
    let by_id = ids.filter(users::id.ge(&id_range.0)).filter(users::id.lt(&id_range.1));
    let whole = by_whole_identity(search, conn)?;
    let (by_unionid, by_openid) = match whole.is_empty() {
        true => (by_unionid(&beginning, conn)?, by_openid(&beginning, conn)?),
        false => (Vec::new(), whole),
    };
    let by_field: [(Field, Vec<String>); 5] = [
        (Field::Id, by_id.load(conn)?),
        (Field::Nickname, begins!(users::nickname, &beginning, begins => ids.filter(begins).load(conn))?),
        (Field::Phone, ids.filter(users::phone.eq_any(&phones)).load(conn)?),
        (Field::UnionId, by_unionid),
        (Field::OpenId, by_openid),
    ];
    let mut found = Found { id_range, beginning, phones, ids: Vec::new(), many_by: Vec::new() };
    for (field, ids) in by_field {
        if ids.len() > FEW { found.many_by.push(field) } else { found.ids.extend(ids) }
    }
    Ok(found)
}

/// Users with exactly this openid or unionid, which an index finds in every locale. No other id starts with
/// it, as WeChat's ids have the same length.
fn by_whole_identity(search: &UserSearch, conn: &mut DbConn) -> Result<Vec<String>, StoreError> {
    let users = identities::table.select(identities::user_id).limit(FEW as i64 + 1);
    let openid = identities::appid.eq_any(apps(conn)?).and(identities::openid.eq(search.prefix()));
    let mut found: Vec<String> = users.filter(openid).load(conn)?;
    found.extend(users.filter(identities::unionid.eq(search.prefix())).load::<String>(conn)?);
    Ok(found)
}

fn by_unionid(beginning: &Beginning, conn: &mut DbConn) -> Result<Vec<String>, StoreError> {
    let users = identities::table.select(identities::user_id).limit(FEW as i64 + 1);
    Ok(begins!(identities::unionid, beginning, begins => users.filter(begins).load(conn))?)
}

/// Users by a prefix of an openid, in any mini-program.
fn by_openid(beginning: &Beginning, conn: &mut DbConn) -> Result<Vec<String>, StoreError> {
    let users = identities::table.select(identities::user_id).limit(FEW as i64 + 1);
    let mut found = Vec::new();
    for app in apps(conn)? {
        let users = users.filter(identities::appid.eq(app));
        let in_app: Vec<String> =
            begins!(identities::openid, beginning, begins => users.filter(begins).load(conn))?;
        found.extend(in_app);
        if found.len() > FEW {
            break;
        }
    }
    Ok(found)
}

/// All appids of identities, found by a skip scan of the index, which starts with the appid.
fn apps(conn: &mut DbConn) -> Result<Vec<String>, StoreError> {
    let mut apps: Vec<String> = Vec::new();
    loop {
        let last = apps.last().map_or("", String::as_str);
        let next = identities::table.filter(identities::appid.gt(last)).order(identities::appid);
        match next.select(identities::appid).first(conn).optional()? {
            Some(app) => apps.push(app),
            None => return Ok(apps),
        }
    }
}

type Condition<'a> = Box<dyn BoxableExpression<users::table, Backend, SqlType = Bool> + 'a>;

impl Found {
    /// The condition that selects the matching users.
    pub(super) fn condition(&self) -> Condition<'_> {
        let mut many = self.many_by.iter().map(|field| self.by(*field));
        let first = match many.next() {
            // Without an `OR FALSE`, which would keep SQLite from using the index for the other operand.
            Some(first) if self.ids.is_empty() => first,
            Some(first) => Box::new(first.or(users::id.eq_any(&self.ids))),
            None => Box::new(users::id.eq_any(&self.ids)),
        };
        many.fold(first, |others, one| Box::new(others.or(one)))
    }

    fn by(&self, field: Field) -> Condition<'_> {
        let theirs = identities::table.filter(identities::user_id.eq(users::id));
        match field {
            Field::Id => {
                let (from, to) = &self.id_range;
                Box::new(users::id.ge(from).and(users::id.lt(to)))
            }
            Field::Nickname => begins!(users::nickname, &self.beginning, begins => {
                Box::new(users::nickname.is_not_null().and(begins.assume_not_null()))
            }),
            Field::Phone => {
                let phone = users::phone.eq_any(&self.phones).assume_not_null();
                Box::new(users::phone.is_not_null().and(phone))
            }
            Field::UnionId => begins!(identities::unionid, &self.beginning, begins => {
                Box::new(exists(theirs.filter(begins)))
            }),
            Field::OpenId => begins!(identities::openid, &self.beginning, begins => {
                Box::new(exists(theirs.filter(begins)))
            }),
        }
    }
}
