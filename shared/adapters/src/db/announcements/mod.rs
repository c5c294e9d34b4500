//! What is told to others: `outbox` is filled by the statements that settle, `collect` moves it to the log, which is read here.

mod collect;
pub(super) mod outbox;

use std::time::Duration;

use async_trait::async_trait;
use sea_orm::FromQueryResult;
use shared::domain::announcement::{Announcement, Position};
use shared::domain::ids::ClaimToken;
use shared::ports::announcements::{AnnouncementLog, Served, Service, Span};
use shared::ports::state_store::StoreError;

use super::Database;
use super::convert::{Place, duration, file_id, lane, millis};
use super::sql::Sql;

#[derive(Debug, FromQueryResult)]
pub(super) struct AnnouncementRow {
    position: i64,
    at: i64,
    topic: String,
    file_id: i64,
    tenant: String,
    access: Option<String>,
    body: String,
}

#[derive(Debug, FromQueryResult)]
struct SpanRow {
    oldest: Option<i64>,
    newest: i64,
    published: i64,
}

#[derive(Debug, FromQueryResult)]
struct ServedRow {
    now: i64,
    lane: Option<String>,
    at: Option<i64>,
    waited_ms: Option<i64>,
}

#[async_trait]
impl AnnouncementLog for Database {
    async fn collect(&self, limit: u32) -> Result<u32, StoreError> {
        self.bounded(|| self.collect_news(limit)).await
    }

    async fn after(&self, position: Position, limit: u32) -> Result<Vec<Announcement>, StoreError> {
        let rows: Vec<AnnouncementRow> = self.bounded(|| after(position, limit).all(&self.connection)).await?;
        rows.into_iter().map(announcement).collect()
    }

    async fn span(&self) -> Result<Span, StoreError> {
        let row: Option<SpanRow> = self.bounded(|| span().first(&self.connection)).await?;
        let row = row.ok_or_else(|| Place::new("announcement_log", 1).impossible("id", "is missing"))?;
        Ok(Span { oldest: row.oldest.unwrap_or(row.newest + 1), newest: row.newest, published: row.published })
    }

    async fn service(&self, limit: u32, age: Duration) -> Result<Service, StoreError> {
        let rows: Vec<ServedRow> = self.bounded(|| service(limit, age).all(&self.connection)).await?;
        let read_at = rows.first().map_or(0, |row| row.now);
        let served = rows.iter().filter_map(|row| Some((row.lane.as_ref()?, row.at?, row.waited_ms?)));
        let served = served.map(|(name, at, waited_ms)| {
            Ok(Served { lane: lane("announced", name)?, at, waited: duration(waited_ms) })
        });
        Ok(Service { read_at, served: served.collect::<Result<_, StoreError>>()? })
    }

    async fn take_turn(&self, token: &ClaimToken, lease: Duration) -> Result<Option<Position>, StoreError> {
        let positions = self.bounded(|| take_turn(token, lease).column::<i64>(&self.connection)).await?;
        Ok(positions.into_iter().next())
    }

    async fn published(&self, token: &ClaimToken, position: Position, lease: Duration) -> Result<bool, StoreError> {
        let written = self.bounded(|| published(token, position, lease).run(&self.connection)).await?;
        Ok(written > 0)
    }

    async fn end_turn(&self, token: &ClaimToken) -> Result<(), StoreError> {
        let sql = "UPDATE announcement_log SET lease_token = NULL, lease_until = NULL WHERE lease_token = $1";
        self.bounded(|| Sql::new(sql).value(token.as_str()).run(&self.connection)).await.map(drop)
    }

    async fn forget(&self, keep: Duration, limit: u32) -> Result<u64, StoreError> {
        self.bounded(|| oldest(keep, limit).run(&self.connection)).await
    }
}

/// With who may see the file as it is now: what was announced to everybody may have been closed since.
const SELECT: &str = "
SELECT announcement.position, announcement.at, announcement.topic, announcement.file_id, announcement.tenant, file.access,
    announcement.body
FROM announcement LEFT JOIN file ON file.id = announcement.file_id AND file.current_version_id IS NOT NULL
WHERE announcement.position {which}";

pub(super) fn after(position: Position, limit: u32) -> Sql {
    let which = "> $1 ORDER BY announcement.position LIMIT $2";
    Sql::new(SELECT).part("which", which).value(position).value(i64::from(limit))
}

/// Those of these positions that are still kept.
pub(super) fn at(positions: impl IntoIterator<Item = Position>) -> Sql {
    Sql::new(SELECT).part("which", "IN {positions}").list("positions", positions)
}

pub(super) fn announcement(row: AnnouncementRow) -> Result<Announcement, StoreError> {
    let at = Place::new("announcement", row.position);
    let access = row.access.as_deref().map(serde_json::from_str).transpose();
    Ok(Announcement {
        position: row.position,
        at: row.at,
        topic: row.topic,
        file: file_id(row.file_id)?,
        tenant: at.parse("tenant", &row.tenant)?,
        access: access.map_err(|problem| at.impossible("access", problem))?,
        body: row.body,
    })
}

fn span() -> Sql {
    Sql::new(
        "SELECT (SELECT min(position) FROM announcement) AS oldest, last_position AS newest,
             published_position AS published
         FROM announcement_log WHERE id = 1",
    )
}

/// A range of the newest positions; one row with the time alone when it is empty.
pub(super) fn service(limit: u32, age: Duration) -> Sql {
    Sql::new(
        "SELECT {now} AS now, announcement.lane, announcement.at, announcement.waited_ms
         FROM announcement_log LEFT JOIN announcement
             ON announcement.position > announcement_log.last_position - $1
             AND announcement.at >= {now} - $2 AND announcement.lane IS NOT NULL
         WHERE announcement_log.id = 1",
    )
    .value(i64::from(limit))
    .value(millis(age))
}

/// Writes nothing when nothing is to be published, so that looking often is cheap.
fn take_turn(token: &ClaimToken, lease: Duration) -> Sql {
    Sql::new(
        "UPDATE announcement_log SET lease_token = $1, lease_until = {now} + $2
         WHERE id = 1 AND published_position < last_position AND (lease_until IS NULL OR lease_until <= {now})
         RETURNING published_position",
    )
    .value(token.as_str())
    .value(millis(lease))
}

fn published(token: &ClaimToken, position: Position, lease: Duration) -> Sql {
    Sql::new(
        "UPDATE announcement_log SET published_position = $2, lease_until = {now} + $3
         WHERE lease_token = $1 AND published_position <= $2 AND last_position >= $2",
    )
    .value(token.as_str())
    .value(position)
    .value(millis(lease))
}

/// Looks at the lowest positions only, and never beyond what was published, or what a webhook that is on waits for.
pub(super) fn oldest(keep: Duration, limit: u32) -> Sql {
    Sql::new(
        "DELETE FROM announcement WHERE position IN (
             SELECT position FROM (SELECT position, at FROM announcement ORDER BY position LIMIT $2) AS oldest
             WHERE at < {now} - $1 AND position <= (SELECT published_position FROM announcement_log)
               AND NOT EXISTS (SELECT 1 FROM webhook WHERE switched_off IS NULL AND webhook.position < oldest.position)
         )",
    )
    .value(millis(keep))
    .value(i64::from(limit))
}
