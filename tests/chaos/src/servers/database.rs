//! A database as our own checks see it: plain SQL, asked again while the server is away.

use std::time::Duration;

use anyhow::Context as _;
use sea_orm::{
    ConnectOptions, ConnectionTrait as _, Database as Connector, DatabaseConnection, FromQueryResult, Statement,
};

/// A question that nobody answers within this has failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// One database.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    connection: DatabaseConnection,
}

impl Database {
    pub(crate) async fn connect(url: &str) -> anyhow::Result<Self> {
        let mut options = ConnectOptions::new(url);
        options.max_connections(4).acquire_timeout(Duration::from_secs(10)).sqlx_logging(false);
        let connection = Connector::connect(options).await.context("the database does not answer")?;
        Ok(Self { connection })
    }

    /// Changes something.
    pub(crate) async fn execute(&self, sql: &str) -> anyhow::Result<()> {
        self.connection.execute_unprepared(sql).await.with_context(|| sql.to_owned())?;
        Ok(())
    }

    /// The rows of a question, once the server answers.
    pub(crate) async fn rows<T: FromQueryResult>(&self, sql: &str) -> anyhow::Result<Vec<T>> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            match self.ask(sql).await {
                Ok(rows) => return Ok(rows),
                Err(error) if tokio::time::Instant::now() > deadline => return Err(error),
                Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
    }

    /// The rows of a question, if the server answers.
    pub(crate) async fn ask<T: FromQueryResult>(&self, sql: &str) -> anyhow::Result<Vec<T>> {
        let statement = Statement::from_string(self.connection.get_database_backend(), sql);
        T::find_by_statement(statement).all(&self.connection).await.with_context(|| sql.to_owned())
    }

    /// A single number.
    pub(crate) async fn number(&self, sql: &str) -> anyhow::Result<i64> {
        #[derive(FromQueryResult)]
        struct Number {
            number: i64,
        }
        let rows: Vec<Number> = self.ask(sql).await?;
        Ok(rows.first().map_or(0, |row| row.number))
    }
}
