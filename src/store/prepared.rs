//! Statements that are prepared once per connection and then only bound.
//!
//! diesel prepares `UPDATE`, `INSERT … ON CONFLICT` and raw SQL again for every call. On the hot path this is
//! most of a statement's cost, so its statements are defined here with an identity by which diesel's own
//! cache finds them. All other statements are ordinary diesel.

/// Defines a prepared statement: a struct of its parameters, in the order of the `?` in its SQL, and its row type.
macro_rules! prepared {
    ($(#[$doc:meta])* $name:ident $(<$a:lifetime>)? on $backend:ty { $($field:ident: $sql_type:ty = $type:ty),* $(,)? } -> $row:ty, $sql:expr) => {
        $(#[$doc])*
        pub(super) struct $name $(<$a>)? {
            $(pub(super) $field: $type,)*
        }

        const _: () = {
            use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};

            impl $(<$a>)? QueryFragment<$backend> for $name $(<$a>)? {
                fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, $backend>) -> diesel::QueryResult<()> {
                    let mut text = str::split($sql, '?');
                    pass.push_sql(text.next().unwrap_or_default());
                    $(
                        pass.push_bind_param::<$sql_type, _>(&self.$field)?;
                        pass.push_sql(text.next().unwrap_or_default());
                    )*
                    Ok(())
                }
            }

            pub(super) struct Id;

            impl $(<$a>)? QueryId for $name $(<$a>)? {
                type QueryId = Id;
                const HAS_STATIC_QUERY_ID: bool = true;
            }

            impl $(<$a>)? Query for $name $(<$a>)? {
                type SqlType = $row;
            }

            impl<$($a,)? Conn> diesel::RunQueryDsl<Conn> for $name $(<$a>)? {}
        };
    };
}
pub(super) use prepared;
