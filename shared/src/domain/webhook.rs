//! Webhooks: who is told by a request of ours, what for, and how a receiver knows that it is we.
//!
//! Signatures are those of Standard Webhooks (`webhook-signature: v1,…`): HMAC-SHA256 over `id.timestamp.body`.

use std::fmt;
use std::str::FromStr;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::announcement::{Announcement, Position};
use super::file::UnixMillis;
use super::ids::Tenant;
use crate::event::base64;

/// In front of secrets as people see them.
const SECRET_PREFIX: &str = "whsec_";
/// Bytes of the secrets that we make.
pub const SECRET_BYTES: usize = 32;
/// Lengths that Standard Webhooks allows, in bytes.
const SECRET_BYTES_MIN: usize = 24;
const SECRET_BYTES_MAX: usize = 64;

/// Names a webhook; ours.
pub type WebhookId = i64;

/// Somebody who wants to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Ours.
    pub id: WebhookId,
    /// What was asked for.
    pub subscription: Subscription,
    /// What deliveries are signed with.
    pub secret: Secret,
    /// What they are signed with as well, for receivers that do not know the new one yet.
    pub old_secret: Option<OldSecret>,
    /// When it was made, by the database's clock.
    pub created_at: UnixMillis,
    /// Up to where the log was delivered, or is being tried again.
    pub position: Position,
    /// Whether it is told anything, and how that goes.
    pub health: Health,
}

/// A secret that was replaced, and still counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldSecret {
    /// The secret.
    pub secret: Secret,
    /// Until when, by the database's clock.
    pub until: UnixMillis,
}

impl Webhook {
    /// The value of `webhook-signature`: one signature for each secret that counts, as Standard Webhooks has it for secrets
    /// that are being replaced; the newer one first. `timestamp` is in unix seconds.
    pub fn sign(&self, id: &str, timestamp: u64, body: &[u8]) -> String {
        let new = self.secret.sign(id, timestamp, body);
        match &self.old_secret {
            Some(old) => format!("{new} {}", old.secret.sign(id, timestamp, body)),
            None => new,
        }
    }
}

/// What somebody wants to be told, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Where deliveries are posted to.
    pub url: String,
    /// For people.
    pub description: String,
    /// Some of [`TOPICS`](super::announcement::TOPICS); none: all.
    pub topics: Vec<String>,
    /// Only files of this tenant; `None`: all.
    pub tenant: Option<Tenant>,
}

impl Subscription {
    /// Whether this one is to be delivered.
    pub fn wants(&self, announcement: &Announcement) -> bool {
        let is_its_topic = self.topics.is_empty() || self.topics.contains(&announcement.topic);
        is_its_topic && self.tenant.as_ref().is_none_or(|tenant| *tenant == announcement.tenant)
    }
}

/// How deliveries to a webhook go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// Why it was switched off; `None`: it is on.
    pub switched_off: Option<String>,
    /// Rounds of deliveries in a row of which none succeeded.
    pub failures: u32,
    /// When the first of them was.
    pub failing_since: Option<UnixMillis>,
    /// When the next round is due.
    pub due_at: UnixMillis,
    /// When a delivery succeeded last.
    pub delivered_at: Option<UnixMillis>,
    /// What the last delivery that failed ran into.
    pub last_failure: Option<String>,
    /// Deliveries that failed and will be tried again.
    pub waiting: u64,
}

/// What deliveries of one webhook are signed with. Never shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

/// A secret that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret is written whsec_ and 24 to 64 bytes in base64")]
pub struct InvalidSecret;

impl Secret {
    /// Of random bytes.
    pub fn new(random: [u8; SECRET_BYTES]) -> Self {
        Self(random.to_vec())
    }

    /// As people are told it, once.
    pub fn reveal(&self) -> String {
        format!("{SECRET_PREFIX}{}", base64::encode(&self.0))
    }

    /// One signature, as a receiver makes it to compare; `timestamp` is in unix seconds.
    pub fn sign(&self, id: &str, timestamp: u64, body: &[u8]) -> String {
        // HMAC takes keys of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return String::new() };
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        format!("v1,{}", base64::encode(&mac.finalize().into_bytes()))
    }
}

impl FromStr for Secret {
    type Err = InvalidSecret;

    fn from_str(text: &str) -> Result<Self, InvalidSecret> {
        let bytes = text.strip_prefix(SECRET_PREFIX).and_then(base64::decode).ok_or(InvalidSecret)?;
        let is_long_enough = (SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&bytes.len());
        if is_long_enough { Ok(Self(bytes)) } else { Err(InvalidSecret) }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_standard_webhooks() {
        // The example of the specification's own libraries.
        let secret: Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        let signature = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn secrets_are_read_back_and_not_shown() {
        let secret = Secret::new([7; SECRET_BYTES]);
        assert_eq!(secret.reveal().parse(), Ok(secret.clone()));
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        for bad in ["", "whsec_", "whsec_AAAA", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_not base64 not base64 not"] {
            assert_eq!(bad.parse::<Secret>(), Err(InvalidSecret), "{bad}");
        }
    }

    #[test]
    fn a_subscription_wants_its_topics_of_its_tenant() {
        let announcement = |topic: &str, tenant: &str| Announcement {
            position: 1,
            at: 0,
            topic: topic.to_owned(),
            file: "1".parse().unwrap(),
            tenant: tenant.parse().unwrap(),
            access: None,
            body: String::new(),
        };
        let subscription = |topics: &[&str], tenant: Option<&str>| Subscription {
            url: String::new(),
            description: String::new(),
            topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
            tenant: tenant.map(|tenant| tenant.parse().unwrap()),
        };
        let (all, some) = (subscription(&[], None), subscription(&["representation.error"], Some("acme")));
        for (topic, tenant, wanted) in [
            ("representation.error", "acme", true),
            ("representation.error", "other", false),
            ("file_version.completed", "acme", false),
        ] {
            assert!(all.wants(&announcement(topic, tenant)));
            assert_eq!(some.wants(&announcement(topic, tenant)), wanted);
        }
    }
}
