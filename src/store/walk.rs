//! Walks through a table in the order of its key, a bite at a time, beside the writers.

use diesel::dsl::{AsExprOf, sql};
use diesel::expression::{SqlLiteral, UncheckedBind};
use diesel::sql_types::{Bool, Text};

/// What a bite of a walk found.
#[derive(Debug)]
pub struct Bite<Key> {
    /// The keys of the rows that are due.
    pub due: Vec<Key>,
    /// The last row read; `None` at the end of the table.
    pub next: Option<Key>,
}

impl<Key: Clone> Bite<Key> {
    /// Of rows in the order of their keys, read with this limit.
    pub(super) fn of<Row>(rows: Vec<(Key, Row)>, limit: i64, is_due: impl Fn(&Row) -> bool) -> Self {
        let at_end = (rows.len() as i64) < limit;
        let next = rows.last().filter(|_| !at_end).map(|(key, _)| key.clone());
        let due = rows.into_iter().filter(|(_, row)| is_due(row)).map(|(key, _)| key).collect();
        Self { due, next }
    }
}

/// A condition with two texts bound to it.
type WithTwo<'a> = SqlLiteral<Bool, UncheckedBind<WithOne<'a>, AsExprOf<&'a str, Text>>>;
type WithOne<'a> = SqlLiteral<Bool, UncheckedBind<SqlLiteral<Bool>, AsExprOf<&'a str, Text>>>;

/// Selects the rows after a place in the order of two columns, such as `"a, b"`. Both databases find the place in the
/// columns' index; for `a > x OR a = x AND b > y` they would read all that comes before it.
pub(super) fn after<'a>(columns: &str, first: &'a str, second: &'a str) -> WithTwo<'a> {
    let row = sql::<Bool>(&format!("({columns}) > ("));
    row.bind::<Text, _>(first).sql(", ").bind::<Text, _>(second).sql(")")
}
