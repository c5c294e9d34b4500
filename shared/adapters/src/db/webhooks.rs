//! Webhooks: the statements, and the port over them.

use std::time::Duration;

use async_trait::async_trait;
use sea_orm::{FromQueryResult, Value};
use shared::domain::ids::ClaimToken;
use shared::domain::webhook::{Health, OldSecret, Secret, Subscription, Webhook, WebhookId};
use shared::ports::state_store::StoreError;
use shared::ports::webhooks::{Round, Tried, WebhookStore};

use super::Database;
use super::announcements::{AnnouncementRow, announcement};
use super::convert::{Place, millis, natural, text};
use super::error::store_error;
use super::sql::Sql;

/// Deliveries written by one statement: four values each, far below both databases' limits.
const DELIVERIES_PER_STATEMENT: usize = 500;

#[derive(Debug, FromQueryResult)]
struct WebhookRow {
    id: i64,
    url: String,
    description: String,
    topics: String,
    tenant: Option<String>,
    secret: String,
    old_secret: Option<String>,
    old_secret_until: Option<i64>,
    created_at: i64,
    position: i64,
    switched_off: Option<String>,
    failures: i64,
    failing_since: Option<i64>,
    due_at: i64,
    delivered_at: Option<i64>,
    last_failure: Option<String>,
    waiting: i64,
}

#[derive(Debug, FromQueryResult)]
struct TriedRow {
    delivery_position: i64,
    attempts: i64,
}

const COLUMNS: &str = "
id, url, description, topics, tenant, secret, created_at, position, switched_off, failures, failing_since, due_at,
delivered_at, last_failure, old_secret_until, CASE WHEN old_secret_until > {now} THEN old_secret END AS old_secret,
(SELECT count(*) FROM webhook_delivery WHERE webhook_delivery.webhook_id = webhook.id) AS waiting";

#[async_trait]
impl WebhookStore for Database {
    async fn create(&self, subscription: &Subscription, secret: &Secret) -> Result<Webhook, StoreError> {
        let create = create(subscription, secret)?;
        let row: Option<WebhookRow> = self.bounded(|| create.clone().first(&self.connection)).await?;
        row.ok_or(StoreError::NotFound).and_then(webhook)
    }

    async fn webhook(&self, id: WebhookId) -> Result<Option<Webhook>, StoreError> {
        let sql = Sql::new("SELECT {columns} FROM webhook WHERE id = $1").part("columns", COLUMNS).value(id);
        let row: Option<WebhookRow> = self.bounded(|| sql.clone().first(&self.connection)).await?;
        row.map(webhook).transpose()
    }

    async fn webhooks(&self, after: Option<WebhookId>, limit: u32) -> Result<Vec<Webhook>, StoreError> {
        let sql = Sql::new("SELECT {columns} FROM webhook WHERE id > $1 ORDER BY id LIMIT $2").part("columns", COLUMNS);
        let sql = sql.value(after.unwrap_or(0)).value(i64::from(limit));
        let rows: Vec<WebhookRow> = self.bounded(|| sql.clone().all(&self.connection)).await?;
        rows.into_iter().map(webhook).collect()
    }

    async fn remove(&self, id: WebhookId) -> Result<bool, StoreError> {
        let remove = || Sql::new("DELETE FROM webhook WHERE id = $1").value(id);
        Ok(self.bounded(|| remove().run(&self.connection)).await? > 0)
    }

    async fn switch(&self, id: WebhookId, off: Option<&str>) -> Result<bool, StoreError> {
        Ok(self.bounded(|| switch(id, off).run(&self.connection)).await? > 0)
    }

    async fn rotate(&self, id: WebhookId, secret: &Secret, grace: Duration) -> Result<Option<Webhook>, StoreError> {
        let row: Option<WebhookRow> = self.bounded(|| rotate(id, secret, grace).first(&self.connection)).await?;
        row.map(webhook).transpose()
    }

    async fn take_turns(&self, token: &ClaimToken, lease: Duration, limit: u32) -> Result<Vec<Webhook>, StoreError> {
        let rows: Vec<WebhookRow> = self.bounded(|| take_turns(token, lease, limit).all(&self.connection)).await?;
        rows.into_iter().map(webhook).collect()
    }

    async fn due_again(&self, id: WebhookId, limit: u32) -> Result<Vec<Tried>, StoreError> {
        self.bounded(|| self.read_due(id, limit)).await
    }

    async fn end_round(&self, id: WebhookId, token: &ClaimToken, round: &Round) -> Result<bool, StoreError> {
        self.bounded(|| self.write_round(id, token, round)).await
    }
}

impl Database {
    async fn read_due(&self, id: WebhookId, limit: u32) -> Result<Vec<Tried>, StoreError> {
        let rows: Vec<TriedRow> = due_again(id, limit).all(&self.connection).await?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let kept: Vec<AnnouncementRow> =
            super::announcements::at(rows.iter().map(|row| row.delivery_position)).all(&self.connection).await?;
        let mut kept = kept.into_iter().map(announcement).collect::<Result<Vec<_>, _>>()?;
        let tried = |row: TriedRow| {
            let found = kept.iter().position(|kept| kept.position == row.delivery_position);
            Tried {
                announcement: found.map(|index| kept.swap_remove(index)),
                position: row.delivery_position,
                attempts: u32::try_from(row.attempts).unwrap_or(u32::MAX),
            }
        };
        Ok(rows.into_iter().map(tried).collect())
    }

    async fn write_round(&self, id: WebhookId, token: &ClaimToken, round: &Round) -> Result<bool, StoreError> {
        let on = self.begin().await?;
        if end_round(id, token, round).run(&on).await? == 0 {
            on.rollback().await.map_err(store_error)?;
            return Ok(false);
        }
        for some in round.done.chunks(DELIVERIES_PER_STATEMENT) {
            let done = "DELETE FROM webhook_delivery WHERE webhook_id = $1 AND position IN {positions}";
            Sql::new(done).value(id).list("positions", some.iter().copied()).run(&on).await?;
        }
        for some in round.again.chunks(DELIVERIES_PER_STATEMENT) {
            let rows = some.iter().map(|again| -> Vec<Value> {
                vec![again.position.into(), i64::from(again.attempts).into(), millis(again.wait).into()]
            });
            let again = "WITH again (position, attempts, wait_ms) AS (VALUES {rows})
                INSERT INTO webhook_delivery (webhook_id, position, attempts, due_at)
                SELECT $1, position, attempts, {now} + wait_ms FROM again WHERE true
                ON CONFLICT (webhook_id, position) DO UPDATE SET attempts = excluded.attempts, due_at = excluded.due_at";
            Sql::new(again).value(id).rows("rows", rows).run(&on).await?;
        }
        on.commit().await.map_err(store_error)?;
        Ok(true)
    }
}

fn create(subscription: &Subscription, secret: &Secret) -> Result<Sql, StoreError> {
    let topics = serde_json::to_string(&subscription.topics).map_err(|error| StoreError::Away(Box::new(error)))?;
    Ok(Sql::new(
        "INSERT INTO webhook (url, description, topics, tenant, secret, created_at, position, due_at)
         SELECT $1, $2, $3, $4, $5, {now}, last_position, {now} FROM announcement_log
         RETURNING {columns}",
    )
    .part("columns", COLUMNS)
    .value(text(&subscription.url))
    .value(text(&subscription.description))
    .value(topics)
    .value(subscription.tenant.as_ref().map(|tenant| tenant.as_str().to_owned()))
    .value(secret.reveal()))
}

fn webhook(row: WebhookRow) -> Result<Webhook, StoreError> {
    let at = Place::new("webhook", row.id);
    let topics = serde_json::from_str(&row.topics).map_err(|problem| at.impossible("topics", problem))?;
    Ok(Webhook {
        id: row.id,
        subscription: Subscription {
            url: row.url,
            description: row.description,
            topics,
            tenant: row.tenant.as_deref().map(|tenant| at.parse("tenant", tenant)).transpose()?,
        },
        secret: at.parse("secret", &row.secret)?,
        old_secret: old_secret(&at, row.old_secret.as_deref(), row.old_secret_until)?,
        created_at: row.created_at,
        position: row.position,
        health: Health {
            switched_off: row.switched_off,
            failures: u32::try_from(row.failures).unwrap_or(u32::MAX),
            failing_since: row.failing_since,
            due_at: row.due_at,
            delivered_at: row.delivered_at,
            last_failure: row.last_failure,
            waiting: natural(row.waiting),
        },
    })
}

fn old_secret(at: &Place, secret: Option<&str>, until: Option<i64>) -> Result<Option<OldSecret>, StoreError> {
    let (Some(secret), Some(until)) = (secret, until) else { return Ok(None) };
    Ok(Some(OldSecret { secret: at.parse("old_secret", secret)?, until }))
}

fn rotate(id: WebhookId, secret: &Secret, grace: Duration) -> Sql {
    let sql = "UPDATE webhook SET old_secret = secret, old_secret_until = {now} + $3, secret = $2 WHERE id = $1
               RETURNING {columns}";
    Sql::new(sql).part("columns", COLUMNS).value(id).value(secret.reveal()).value(millis(grace))
}

fn switch(id: WebhookId, off: Option<&str>) -> Sql {
    let Some(reason) = off else {
        let on =
            "UPDATE webhook SET switched_off = NULL, failures = 0, failing_since = NULL, due_at = {now} WHERE id = $1";
        return Sql::new(on).value(id);
    };
    Sql::new("UPDATE webhook SET switched_off = coalesce(switched_off, $2) WHERE id = $1").value(id).value(text(reason))
}

/// The condition stands twice, as in the sweeper's: of two who take only one gets the row.
pub(super) fn take_turns(token: &ClaimToken, lease: Duration, limit: u32) -> Sql {
    const FREE: &str = "switched_off IS NULL AND due_at <= {now} AND (lease_until IS NULL OR lease_until <= {now})";
    Sql::new(
        "UPDATE webhook SET lease_token = $1, lease_until = {now} + $2
         WHERE {free} AND id IN (
             SELECT id FROM webhook
             WHERE {free} AND (
                 position < (SELECT last_position FROM announcement_log)
                 OR EXISTS (SELECT 1 FROM webhook_delivery
                            WHERE webhook_delivery.webhook_id = webhook.id AND webhook_delivery.due_at <= {now}))
             ORDER BY due_at LIMIT $3)
         RETURNING {columns}",
    )
    .part("columns", COLUMNS)
    .part("free", FREE)
    .value(token.as_str())
    .value(millis(lease))
    .value(i64::from(limit))
}

fn due_again(id: WebhookId, limit: u32) -> Sql {
    Sql::new(
        "SELECT position AS delivery_position, attempts FROM webhook_delivery
         WHERE webhook_id = $1 AND due_at <= {now} ORDER BY due_at, position LIMIT $2",
    )
    .value(id)
    .value(i64::from(limit))
}

/// A round without any delivery, or one that was switched off meanwhile, changes nothing of the health but the pause.
fn end_round(id: WebhookId, token: &ClaimToken, round: &Round) -> Sql {
    const SUCCEEDED: &str =
        "failures = 0, failing_since = NULL, delivered_at = {now}, last_failure = coalesce($5, last_failure)";
    const FAILED: &str = "failures = failures + 1, failing_since = coalesce(failing_since, {now}), last_failure = $5,
        switched_off = CASE
            WHEN switched_off IS NOT NULL THEN switched_off
            WHEN $7 = 1 THEN 'the receiver answered 410 Gone'
            WHEN failing_since <= {now} - $6 THEN 'every delivery failed for too long'
        END";
    const QUIET: &str = "last_failure = coalesce($5, last_failure)";
    let health = match (round.succeeded, &round.failure) {
        (true, _) => SUCCEEDED,
        (false, Some(_)) => FAILED,
        (false, None) => QUIET,
    };
    let sql = "UPDATE webhook SET position = $3, due_at = {now} + $4, lease_token = NULL, lease_until = NULL, {health},
                   old_secret = CASE WHEN old_secret_until > {now} THEN old_secret END
               WHERE id = $1 AND lease_token = $2";
    let ended = Sql::new(sql)
        .part("health", health)
        .value(id)
        .value(token.as_str())
        .value(round.position)
        .value(millis(round.pause))
        .value(round.failure.as_deref().map(text));
    // Values that no placeholder stands for are refused.
    if health == FAILED { ended.value(millis(round.patience)).value(i64::from(round.is_gone)) } else { ended }
}
