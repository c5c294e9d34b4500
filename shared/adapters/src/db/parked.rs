//! Parked messages: the statements, and the port over them.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use sea_orm::FromQueryResult;
use shared::domain::ids::Sha256Digest;
use shared::ports::parking::{Parked, ParkedFilter, ParkedMessage, ParkingStore};
use shared::ports::state_store::StoreError;
use shared::ports::work_queue::Message;

use super::Database;
use super::convert::{bytes, millis, natural, text};
use super::sql::Sql;

#[derive(Debug, FromQueryResult)]
struct ParkedRow {
    id: i64,
    body: Vec<u8>,
    length_bytes: i64,
    content_type: Option<String>,
    headers: String,
    code: String,
    reason: String,
    times: i64,
    first_at: i64,
    last_at: i64,
    replay_at: Option<i64>,
}

const SELECT: &str = "
SELECT id, body, length_bytes, content_type, headers, code, reason, times, first_at, last_at, replay_at FROM parked
WHERE {which}";
/// `$1` is a row or nothing, `$2` a code or nothing.
const FILTER: &str = "($1 IS NULL OR id = $1) AND ($2 IS NULL OR code = $2)";

#[async_trait]
impl ParkingStore for Database {
    async fn keep(&self, message: &ParkedMessage) -> Result<(), StoreError> {
        self.bounded(|| async { keep(message)?.run(&self.connection).await.map(drop) }).await
    }

    async fn list(&self, filter: &ParkedFilter, before: Option<i64>, limit: u32) -> Result<Vec<Parked>, StoreError> {
        let which = format!("{FILTER} AND id < $3 ORDER BY id DESC LIMIT $4");
        self.bounded(|| {
            let sql = filtered(SELECT, &which, filter).value(before.unwrap_or(i64::MAX)).value(i64::from(limit));
            self.parked_rows(sql)
        })
        .await
    }

    async fn get(&self, id: i64) -> Result<Option<Parked>, StoreError> {
        let rows = self.bounded(|| self.parked_rows(Sql::new(SELECT).part("which", "id = $1").value(id))).await?;
        Ok(rows.into_iter().next())
    }

    async fn request_replay(&self, filter: &ParkedFilter) -> Result<u64, StoreError> {
        let which = format!("{FILTER} AND length(body) = length_bytes");
        let sql = "UPDATE parked SET replay_at = coalesce(replay_at, {now}) WHERE {which}";
        self.bounded(|| filtered(sql, &which, filter).run(&self.connection)).await
    }

    async fn to_replay(&self, limit: u32) -> Result<Vec<Parked>, StoreError> {
        let which = "replay_at IS NOT NULL ORDER BY replay_at, id LIMIT $1";
        self.bounded(|| self.parked_rows(Sql::new(SELECT).part("which", which).value(i64::from(limit)))).await
    }

    async fn replayed(&self, id: i64) -> Result<(), StoreError> {
        let sql = || Sql::new("DELETE FROM parked WHERE id = $1 AND replay_at IS NOT NULL").value(id);
        self.bounded(|| sql().run(&self.connection)).await.map(drop)
    }

    async fn discard(&self, filter: &ParkedFilter) -> Result<u64, StoreError> {
        self.bounded(|| filtered("DELETE FROM parked WHERE {which}", FILTER, filter).run(&self.connection)).await
    }

    async fn forget_parked(&self, keep: Duration, limit: u32) -> Result<u64, StoreError> {
        let sql = "DELETE FROM parked WHERE id IN (
                       SELECT id FROM parked WHERE last_at <= {now} - $1 ORDER BY last_at LIMIT $2
                   )";
        self.bounded(|| Sql::new(sql).value(millis(keep)).value(i64::from(limit)).run(&self.connection)).await
    }

    async fn count(&self) -> Result<u64, StoreError> {
        let count = || Sql::new("SELECT count(*) FROM parked").column::<i64>(&self.connection);
        let count = self.bounded(count).await?.pop().unwrap_or_default();
        Ok(natural(count))
    }
}

impl Database {
    async fn parked_rows(&self, sql: Sql) -> Result<Vec<Parked>, StoreError> {
        sql.all::<ParkedRow>(&self.connection).await?.into_iter().map(parked).collect()
    }
}

fn filtered(sql: &str, which: &str, filter: &ParkedFilter) -> Sql {
    Sql::new(sql).part("which", which).value(filter.id).value(filter.code.as_deref().map(text))
}

fn keep(parked: &ParkedMessage) -> Result<Sql, StoreError> {
    let Message { body, content_type, headers } = &parked.message;
    let headers = serde_json::to_string(headers).map_err(|error| StoreError::Away(Box::new(error)))?;
    // Of a long message only the beginning is kept, so its length tells it from another one that begins the same.
    let whole = [headers.as_bytes(), b"\0", &parked.length_bytes.to_be_bytes(), body].concat();
    // Parked again while it waits to be published: the one who publishes must not remove it.
    Ok(Sql::new(
        "INSERT INTO parked (digest, body, length_bytes, content_type, headers, code, reason, times, first_at, last_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 1, {now}, {now})
         ON CONFLICT (digest) DO UPDATE
         SET times = parked.times + 1, last_at = {now}, code = excluded.code, reason = excluded.reason, replay_at = NULL",
    )
    .value(Sha256Digest::of(&whole).to_string())
    .value(body.to_vec())
    .value(bytes(parked.length_bytes))
    .value(content_type.as_deref().map(text))
    .value(text(&headers))
    .value(text(&parked.code))
    .value(text(&parked.reason)))
}

fn parked(row: ParkedRow) -> Result<Parked, StoreError> {
    let id = row.id.to_string();
    let impossible = |column, problem: String| StoreError::Inconsistent { table: "parked", column, id, problem };
    let headers: BTreeMap<String, String> = match serde_json::from_str(&row.headers) {
        Ok(headers) => headers,
        Err(error) => return Err(impossible("headers", error.to_string())),
    };
    let message = Message { body: row.body.into(), content_type: row.content_type, headers };
    let length_bytes = natural(row.length_bytes);
    Ok(Parked {
        id: row.id,
        parked: ParkedMessage { message, length_bytes, code: row.code, reason: row.reason },
        times: natural(row.times),
        first_at: row.first_at,
        last_at: row.last_at,
        replay_requested: row.replay_at.is_some(),
    })
}
