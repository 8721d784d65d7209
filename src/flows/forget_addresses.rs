//! The first part of a user's deletion: their addresses go from the audit log, which may be long. A deletion that is
//! interrupted here has deleted nothing else, and is run again.

use crate::domain::User;
use crate::store::{AuditPlace, Direct, FindAddresses, StoreError};

/// Rows that are looked through at once, beside the writers.
const BITE: i64 = 10_000;

/// Walks through the audit log from the user's first row on. Returns how far it came; the few rows after that are for
/// [`DeleteUser`](crate::store::DeleteUser).
pub fn forget_addresses(db: &mut Direct, user: &User) -> Result<AuditPlace, StoreError> {
    let mut place = AuditPlace::before(user.created_at);
    loop {
        let find = FindAddresses { of: user.id.clone(), after: place.clone(), limit: BITE };
        let Some(found) = db.run(&find)? else { return Ok(place) };
        if !found.rows.is_empty() {
            db.commit(&found.rows)?;
        }
        place = found.next;
    }
}
