//! `/v1/webhooks`: who is told by requests of ours; make, list, look at, try, switch on and off, give another secret, remove.

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::announcement;
use shared::domain::webhook::{SECRET_BYTES, Secret, Webhook};
use shared::ports::webhooks::{Delivery, Undeliverable};

use crate::error::ApiError;
use crate::extract::{JsonBody, Params, Segment};
use crate::wire::webhook::{NewWebhook, Rotation, Wanted, WebhookEntry};
use crate::{App, paging};

/// Most webhooks that there may be: each costs every worker a question now and then.
const WEBHOOKS_MAX: u32 = 1000;
/// Why a webhook is off that an operator has switched off.
const BY_OPERATOR: &str = "switched off by an operator";

/// What the list reads of the query.
#[derive(Debug, Deserialize)]
pub(crate) struct Query {
    limit: Option<String>,
    cursor: Option<String>,
}

#[derive(Debug, Serialize)]
struct Page {
    webhooks: Vec<WebhookEntry>,
    /// For the next page; null on the last one.
    next_cursor: Option<String>,
}

/// The oldest first.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Params(query): Params<Query>,
) -> Result<Json<impl Serialize>, ApiError> {
    let page = paging::Page::parse(query.limit.as_deref(), query.cursor.as_deref())?;
    let mut webhooks = app.deps.webhooks.webhooks(page.after, page.wanted()).await?;
    let next_cursor = page.cut(&mut webhooks, |webhook| webhook.id);
    Ok(Json(Page { webhooks: webhooks.iter().map(WebhookEntry::new).collect(), next_cursor }))
}

/// Makes one with a new secret, which is shown in this answer only.
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    JsonBody(wanted): JsonBody<Wanted>,
) -> Result<(StatusCode, Json<impl Serialize>), ApiError> {
    let subscription = wanted.subscription()?;
    app.deps.webhook_sender.check(&subscription.url).await.map_err(|error| refused(&error))?;
    if app.deps.webhooks.webhooks(None, WEBHOOKS_MAX).await?.len() >= WEBHOOKS_MAX as usize {
        return Err(ApiError::BadRequest(format!("there are {WEBHOOKS_MAX} webhooks already, which is the most")));
    }
    let secret = Secret::new(rand::random::<[u8; SECRET_BYTES]>());
    let webhook = app.deps.webhooks.create(&subscription, &secret).await?;
    tracing::info!(webhook.id = webhook.id, "webhook {} was made", webhook.id);
    Ok((StatusCode::CREATED, Json(NewWebhook::new(&webhook))))
}

pub(crate) async fn get(State(app): State<Arc<App>>, Segment(id): Segment) -> Result<Json<impl Serialize>, ApiError> {
    Ok(Json(WebhookEntry::new(&find(&app, &id).await?)))
}

pub(crate) async fn delete(State(app): State<Arc<App>>, Segment(id): Segment) -> Result<StatusCode, ApiError> {
    let id = id.parse().map_err(|_| ApiError::NotFound)?;
    if app.deps.webhooks.remove(id).await? { Ok(StatusCode::NO_CONTENT) } else { Err(ApiError::NotFound) }
}

/// Goes on where it stopped, at once; also ends the pause of one that is failing.
pub(crate) async fn enable(
    State(app): State<Arc<App>>,
    Segment(id): Segment,
) -> Result<Json<impl Serialize>, ApiError> {
    switch(&app, &id, None).await
}

/// What is announced meanwhile is delivered once it is enabled again, as far as it is still kept.
pub(crate) async fn disable(
    State(app): State<Arc<App>>,
    Segment(id): Segment,
) -> Result<Json<impl Serialize>, ApiError> {
    switch(&app, &id, Some(BY_OPERATOR)).await
}

/// Gives it a new secret, which is shown in this answer only; deliveries are signed with the old one as well for a while.
pub(crate) async fn rotate(
    State(app): State<Arc<App>>,
    Segment(id): Segment,
    JsonBody(rotation): JsonBody<Rotation>,
) -> Result<Json<impl Serialize>, ApiError> {
    let (id, grace) = (id.parse().map_err(|_| ApiError::NotFound)?, rotation.grace()?);
    let secret = Secret::new(rand::random::<[u8; SECRET_BYTES]>());
    let webhook = app.deps.webhooks.rotate(id, &secret, grace).await?.ok_or(ApiError::NotFound)?;
    tracing::info!(webhook.id = id, grace_s = grace.as_secs(), "webhook {id} has another secret");
    Ok(Json(NewWebhook::new(&webhook)))
}

async fn switch(app: &App, id: &str, off: Option<&str>) -> Result<Json<WebhookEntry>, ApiError> {
    let webhook = find(app, id).await?;
    app.deps.webhooks.switch(webhook.id, off).await?;
    Ok(Json(WebhookEntry::new(&find(app, id).await?)))
}

/// Posts an event of the type `thumbline.webhook.test` now, and tells what came of it. Changes nothing.
pub(crate) async fn test(State(app): State<Arc<App>>, Segment(id): Segment) -> Result<Json<Value>, ApiError> {
    let webhook = find(&app, &id).await?;
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let timestamp = since_epoch.as_secs();
    let id = format!("test-{:016x}", rand::random::<u64>());
    let body = test_event(&id, i64::try_from(since_epoch.as_millis()).unwrap_or(0), &webhook).to_string();
    let signature = webhook.sign(&id, timestamp, body.as_bytes());
    let delivery = Delivery { url: &webhook.subscription.url, id: &id, timestamp, signature: &signature, body: &body };
    let began = Instant::now();
    let posted = app.deps.webhook_sender.post(&delivery).await;
    let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (delivered, status, reason) = match posted {
        Ok(receipt) => (receipt.is_success(), Some(receipt.status), None),
        Err(error) => (false, None, Some(error.to_string())),
    };
    Ok(Json(json!({ "delivered": delivered, "status": status, "reason": reason, "duration_ms": duration_ms })))
}

fn test_event(id: &str, at: i64, webhook: &Webhook) -> Value {
    json!({
        "specversion": "1.0",
        "id": id,
        "source": "/thumbline",
        "type": format!("{}webhook.test", announcement::TYPE_PREFIX),
        "time": announcement::rfc3339(at),
        "datacontenttype": "application/json",
        "data": { "webhook_id": webhook.id.to_string() },
    })
}

async fn find(app: &App, id: &str) -> Result<Webhook, ApiError> {
    let id = id.parse().map_err(|_| ApiError::NotFound)?;
    app.deps.webhooks.webhook(id).await?.ok_or(ApiError::NotFound)
}

fn refused(error: &Undeliverable) -> ApiError {
    ApiError::BadRequest(error.to_string())
}
