//! Users by a text: the beginning of an id, of an openid, a unionid or a nickname, or a phone number.
//!
//! What few people match is looked up in the indexes first, and the list then holds to those. What very many
//! match, such as the `o` that openids begin with, becomes a condition instead: along the order of the list a page
//! is full soon.

use super::Backend;
use crate::domain::UserSearch;
use crate::store::schema::{identities, users};
use crate::store::{DbConn, StoreError};
use diesel::dsl::exists;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use std::collections::HashSet;

/// More than so many in one place are very many.
const FEW: usize = 5_000;

/// After every text that has more characters of any kind.
const LAST_CHARACTER: char = '\u{10FFFF}';

/// What a search comes to.
pub(super) enum Found {
    /// These users alone, by their ids.
    Few(Vec<String>),
    /// Whoever fits.
    Many(Beginning, Vec<String>),
}

type Condition<'a> = Box<dyn BoxableExpression<users::table, Backend, SqlType = Bool> + 'a>;

/// The beginning of a text, in the form in which the dialect finds it in an index.
pub(super) enum Beginning {
    /// Texts are in the order of their bytes: from here, up to there.
    Between(String, String),
    /// The order is the locale's, so a pattern is needed.
    Like(String),
}

/// `column` begins so. Nothing that is NULL does.
macro_rules! begins {
    ($column:expr, $beginning:expr, $query:ident => $done:expr) => {
        match $beginning {
            Beginning::Between(from, to) => {
                let $query = $column.ge(from).and($column.lt(to));
                $done
            }
            Beginning::Like(pattern) => {
                let $query = $column.like(pattern).escape('\\');
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
                let escaped: String = prefix
                    .chars()
                    .flat_map(|c| matches!(c, '\\' | '%' | '_').then_some('\\').into_iter().chain([c]))
                    .collect();
                Self::Like(format!("{escaped}%"))
            }
        }
    }
}

/// Looks the text up wherever it may stand.
pub(super) fn find(search: &UserSearch, conn: &mut DbConn) -> Result<Found, StoreError> {
    let (beginning, phones) = (Beginning::of(search.prefix(), conn), search.phones());
    let most = FEW as i64 + 1;
    let ids = users::table.select(users::id).limit(most);
    let of_identities = identities::table.select(identities::user_id).limit(most);
    let mut found: Vec<Vec<String>> = vec![
        begins!(users::id, &beginning, begins => ids.filter(begins).load(conn))?,
        begins!(users::nickname, &beginning, begins => ids.filter(begins).load(conn))?,
        ids.filter(users::phone.eq_any(&phones)).load(conn)?,
        begins!(identities::unionid, &beginning, begins => of_identities.filter(begins).load(conn))?,
    ];
    for app in apps(conn)? {
        let in_app = of_identities.filter(identities::appid.eq(app));
        found.push(begins!(identities::openid, &beginning, begins => in_app.filter(begins).load(conn))?);
    }
    let few = found.iter().all(|ids| ids.len() <= FEW);
    let all: HashSet<String> = found.into_iter().flatten().collect();
    Ok(if few && all.len() <= FEW {
        Found::Few(all.into_iter().collect())
    } else {
        Found::Many(beginning, phones)
    })
}

/// Every appid that an identity has, found by leaps over the index: an openid lies behind its appid.
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

impl Found {
    /// The condition that picks them from the table of users.
    pub(super) fn condition(&self) -> Condition<'_> {
        let (beginning, phones) = match self {
            Self::Few(ids) => return Box::new(users::id.eq_any(ids)),
            Self::Many(beginning, phones) => (beginning, phones),
        };
        let theirs = identities::table.filter(identities::user_id.eq(users::id));
        let by_id: Condition<'_> = begins!(users::id, beginning, begins => Box::new(begins));
        let by_nickname: Condition<'_> = begins!(users::nickname, beginning, begins => {
            Box::new(begins.assume_not_null().and(users::nickname.is_not_null()))
        });
        let by_identity: Condition<'_> = begins!(identities::openid, beginning, openid => {
            begins!(identities::unionid, beginning, unionid => {
                Box::new(exists(theirs.filter(openid.or(unionid.assume_not_null()))))
            })
        });
        let by_phone = users::phone.eq_any(phones).assume_not_null();
        Box::new(by_id.or(by_nickname).or(by_identity).or(by_phone.and(users::phone.is_not_null())))
    }
}
