//! One statement with its values, in the SQL that both databases understand; only the clock differs between them.

use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Statement, TryGetable, Value};
use shared::ports::state_store::StoreError;

use super::error::store_error;

/// The clock of SQLite, in unix milliseconds: the same during one statement.
const NOW_SQLITE: &str = "CAST(round(unixepoch('subsec') * 1000) AS INTEGER)";
/// The clock of PostgreSQL, in unix milliseconds. The same during one statement, also inside a longer transaction;
/// `clock_timestamp()` would change within the statement and could not be compared by an index.
const NOW_POSTGRES: &str = "(extract(epoch FROM statement_timestamp()) * 1000)::bigint";

/// A statement being put together. In its text `$1`, `$2`, … stand for values, `{now}` for the database's clock, and
/// other names in braces for what [`part`](Self::part), [`list`](Self::list) and [`rows`](Self::rows) put there.
#[derive(Debug, Clone)]
pub(super) struct Sql {
    text: String,
    values: Vec<Value>,
}

impl Sql {
    /// A statement without values yet.
    pub(super) fn new(text: &str) -> Self {
        Self { text: text.to_owned(), values: Vec::new() }
    }

    /// The next value: the first call is `$1`.
    pub(super) fn value(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Puts a piece of SQL in place of `{name}`.
    pub(super) fn part(mut self, name: &str, sql: &str) -> Self {
        self.text = self.text.replace(&format!("{{{name}}}"), sql);
        self
    }

    /// Puts `($n, …)` in place of `{name}`, to follow an `IN`. Comes after the numbered values.
    pub(super) fn list<V: Into<Value>>(self, name: &str, values: impl IntoIterator<Item = V>) -> Self {
        self.rows(name, [values.into_iter().map(Into::into).collect()])
    }

    /// Puts `($n, …), (…)` in place of `{name}`, to follow a `VALUES`. Comes after the numbered values.
    pub(super) fn rows(mut self, name: &str, rows: impl IntoIterator<Item = Vec<Value>>) -> Self {
        let mut tuples = Vec::new();
        for row in rows {
            let first = self.values.len() + 1;
            let numbers: Vec<String> = (first..first + row.len()).map(|n| format!("${n}")).collect();
            tuples.push(format!("({})", numbers.join(", ")));
            self.values.extend(row);
        }
        self.part(name, &tuples.join(", "))
    }

    /// Runs it and reads every row.
    pub(super) async fn all<R: FromQueryResult>(self, on: &impl ConnectionTrait) -> Result<Vec<R>, StoreError> {
        let rows = on.query_all_raw(self.sent(on.get_database_backend())).await.map_err(store_error)?;
        rows.iter().map(|row| R::from_query_result(row, "").map_err(store_error)).collect()
    }

    /// Runs it and reads the first row.
    pub(super) async fn first<R: FromQueryResult>(self, on: &impl ConnectionTrait) -> Result<Option<R>, StoreError> {
        Ok(self.all(on).await?.into_iter().next())
    }

    /// Runs it and reads the first column of every row.
    pub(super) async fn column<T: TryGetable>(self, on: &impl ConnectionTrait) -> Result<Vec<T>, StoreError> {
        let rows = on.query_all_raw(self.sent(on.get_database_backend())).await.map_err(store_error)?;
        rows.iter().map(|row| row.try_get_by_index(0).map_err(store_error)).collect()
    }

    /// Runs it and says how many rows it changed.
    pub(super) async fn run(self, on: &impl ConnectionTrait) -> Result<u64, StoreError> {
        let done = on.execute_raw(self.sent(on.get_database_backend())).await.map_err(store_error)?;
        Ok(done.rows_affected())
    }

    /// What is sent to this database, counted.
    fn sent(self, backend: DbBackend) -> Statement {
        metrics::counter!(shared::telemetry::STATEMENTS).increment(1);
        self.statement(backend)
    }

    /// What is sent to this database.
    pub(super) fn statement(self, backend: DbBackend) -> Statement {
        let clock = if backend == DbBackend::Postgres { NOW_POSTGRES } else { NOW_SQLITE };
        let text = self.text.replace("{now}", clock);
        Statement::from_sql_and_values(backend, text, self.values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_numbered_in_the_order_in_which_they_come() {
        let sql = Sql::new("UPDATE a SET at = {now} WHERE b = $1 AND c IN {names} AND {open}")
            .part("open", "d IS NULL")
            .value(7_i64)
            .list("names", ["x", "y"]);
        let statement = sql.statement(DbBackend::Sqlite);
        let clock = "CAST(round(unixepoch('subsec') * 1000) AS INTEGER)";
        assert_eq!(statement.sql, format!("UPDATE a SET at = {clock} WHERE b = $1 AND c IN ($2, $3) AND d IS NULL"));
        assert_eq!(statement.values.unwrap().0, [7_i64.into(), "x".into(), "y".into()]);
    }

    #[test]
    fn rows_of_values_follow_one_another() {
        let rows = [vec![1_i64.into(), "a".into()], vec![2_i64.into(), "b".into()]];
        let statement = Sql::new("INSERT INTO a VALUES {rows}").rows("rows", rows).statement(DbBackend::Postgres);
        assert_eq!(statement.sql, "INSERT INTO a VALUES ($1, $2), ($3, $4)");
    }
}
