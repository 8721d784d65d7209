//! The WeChat identities of a user, without the session keys.

use super::schema::identities;
use super::{DbConn, Query, StoreError};
use crate::domain::{AppId, Identity, OpenId, Time, UnionId, UserId};
use diesel::prelude::*;

/// A user's identities, oldest first.
#[derive(Debug)]
pub struct ListIdentities(pub UserId);

impl Query for ListIdentities {
    type Output = Vec<Identity>;

    fn run(&self, conn: &mut DbConn) -> Result<Vec<Identity>, StoreError> {
        type Row = (String, String, Option<String>, Time);
        let rows: Vec<Row> = identities::table
            .filter(identities::user_id.eq(self.0.as_str()))
            .order((identities::created_at, identities::appid))
            .select((identities::appid, identities::openid, identities::unionid, identities::created_at))
            .load(conn)?;
        let into_identity = |(appid, openid, unionid, created_at): Row| Identity {
            app: AppId::from_stored(&appid),
            openid: OpenId::from_stored(openid),
            unionid: unionid.map(UnionId::from_stored),
            created_at,
        };
        Ok(rows.into_iter().map(into_identity).collect())
    }
}
