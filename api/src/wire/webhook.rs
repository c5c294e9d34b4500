//! A webhook as our own API shows it, and what is asked for.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::domain::announcement::TOPICS;
use shared::domain::webhook::{Subscription, Webhook};

use super::timestamp::rfc3339;
use crate::error::ApiError;

/// Longest description, in characters.
const DESCRIPTION_CHARS_MAX: usize = 500;
/// How long the secret before counts unless somebody says otherwise: a day, as most who send webhooks have it.
const GRACE_SECONDS: u64 = 86_400;
/// The longest: a week.
const GRACE_SECONDS_MAX: u64 = 604_800;

/// What somebody wants to be told, and where.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    url: String,
    #[serde(default)]
    description: String,
    /// None: all.
    #[serde(default)]
    topics: Vec<String>,
    #[serde(default)]
    tenant: Option<String>,
}

/// How a secret is to be replaced.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rotation {
    #[serde(default = "grace_by_default")]
    grace_seconds: u64,
}

fn grace_by_default() -> u64 {
    GRACE_SECONDS
}

impl Rotation {
    /// How long the secret before counts as well.
    pub(crate) fn grace(&self) -> Result<Duration, ApiError> {
        if self.grace_seconds > GRACE_SECONDS_MAX {
            let problem = format!("grace_seconds is {}, at most {GRACE_SECONDS_MAX} is right", self.grace_seconds);
            return Err(ApiError::BadRequest(problem));
        }
        Ok(Duration::from_secs(self.grace_seconds))
    }
}

/// A webhook without its secret.
#[derive(Debug, Serialize)]
pub(crate) struct WebhookEntry {
    id: String,
    url: String,
    description: String,
    topics: Vec<String>,
    tenant: Option<String>,
    created_at: String,
    /// Whether it is told anything.
    enabled: bool,
    /// Why it is not.
    disabled_reason: Option<String>,
    /// Rounds of deliveries in a row of which none succeeded.
    consecutive_failures: u32,
    failing_since: Option<String>,
    last_failure: Option<String>,
    last_success_at: Option<String>,
    /// When it is tried again, while it is failing.
    next_try_at: Option<String>,
    /// Deliveries that failed and will be tried again.
    retrying: u64,
    /// Until when deliveries are signed with the secret before as well.
    old_secret_until: Option<String>,
}

/// A webhook that was just made, or given another secret, with that secret: it is shown this once.
#[derive(Debug, Serialize)]
pub(crate) struct NewWebhook {
    #[serde(flatten)]
    entry: WebhookEntry,
    secret: String,
}

impl Wanted {
    /// Whether anything could be posted to the URL is for the sender to say.
    pub(crate) fn subscription(self) -> Result<Subscription, ApiError> {
        let mut topics = self.topics;
        topics.sort_unstable();
        topics.dedup();
        if let Some(unknown) = topics.iter().find(|topic| !TOPICS.contains(&topic.as_str())) {
            return Err(ApiError::BadRequest(format!(
                "there is no topic {unknown:?}; there are {}",
                TOPICS.join(", ")
            )));
        }
        if self.description.chars().count() > DESCRIPTION_CHARS_MAX {
            return Err(ApiError::BadRequest(format!("description is longer than {DESCRIPTION_CHARS_MAX} characters")));
        }
        let tenant = self.tenant.as_deref().map(str::parse).transpose();
        let tenant =
            tenant.map_err(|invalid: shared::domain::ids::InvalidId| ApiError::BadRequest(invalid.to_string()))?;
        Ok(Subscription { url: self.url, description: self.description, topics, tenant })
    }
}

impl WebhookEntry {
    pub(crate) fn new(webhook: &Webhook) -> Self {
        let Webhook { subscription, health, .. } = webhook;
        Self {
            id: webhook.id.to_string(),
            url: subscription.url.clone(),
            description: subscription.description.clone(),
            topics: subscription.topics.clone(),
            tenant: subscription.tenant.as_ref().map(ToString::to_string),
            created_at: rfc3339(webhook.created_at),
            enabled: health.switched_off.is_none(),
            disabled_reason: health.switched_off.clone(),
            consecutive_failures: health.failures,
            failing_since: health.failing_since.map(rfc3339),
            last_failure: health.last_failure.clone(),
            last_success_at: health.delivered_at.map(rfc3339),
            next_try_at: (health.failures > 0 && health.switched_off.is_none()).then(|| rfc3339(health.due_at)),
            retrying: health.waiting,
            old_secret_until: webhook.old_secret.as_ref().map(|old| rfc3339(old.until)),
        }
    }
}

impl NewWebhook {
    pub(crate) fn new(webhook: &Webhook) -> Self {
        Self { entry: WebhookEntry::new(webhook), secret: webhook.secret.reveal() }
    }
}
