//! Statements that are prepared once per connection and then only bound.
//!
//! diesel prepares `UPDATE`, `INSERT … ON CONFLICT` and raw SQL again for every call. On the hot path this is
//! most of a statement's cost, so its statements are defined here with an identity by which diesel's own
//! cache finds them. All other statements are ordinary diesel.

/// Defines a prepared statement: its parameters, in the order of the `?` in its SQL, and its row type.
macro_rules! prepared {
    ($(#[$doc:meta])* $name:ident on $backend:ty { $($field:ident: $sql_type:ty = $type:ty),* $(,)? } -> $row:ty, $sql:expr) => {
        $(#[$doc])*
        pub(super) struct $name<'a> {
            $($field: $type,)*
            lifetime: std::marker::PhantomData<&'a ()>,
        }

        impl<'a> $name<'a> {
            pub(super) fn new($($field: $type),*) -> Self {
                Self { $($field,)* lifetime: std::marker::PhantomData }
            }
        }

        impl diesel::query_builder::QueryFragment<$backend> for $name<'_> {
            fn walk_ast<'b>(
                &'b self,
                mut pass: diesel::query_builder::AstPass<'_, 'b, $backend>,
            ) -> diesel::QueryResult<()> {
                let mut text = str::split($sql, '?');
                pass.push_sql(text.next().unwrap_or_default());
                $(
                    pass.push_bind_param::<$sql_type, _>(&self.$field)?;
                    pass.push_sql(text.next().unwrap_or_default());
                )*
                Ok(())
            }
        }

        impl diesel::query_builder::QueryId for $name<'_> {
            type QueryId = $name<'static>;
            const HAS_STATIC_QUERY_ID: bool = true;
        }

        impl diesel::query_builder::Query for $name<'_> {
            type SqlType = $row;
        }

        impl<Conn> diesel::RunQueryDsl<Conn> for $name<'_> {}
    };
}
pub(super) use prepared;
