//! Section `[queue]` of the configuration.

use std::fmt;
use std::time::Duration;

use lapin::uri::AMQPUri;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use shared::config::Problem;

/// Longest namespace: queue names are at most 255 bytes and ours add fewer than 40.
const NAMESPACE_BYTES_MAX: usize = 200;
/// Most shards of a lane: each is a queue, and a quorum queue is a consensus group of its own.
const SHARDS_MAX: u16 = 64;
/// Longest pause between two heartbeats, seconds: a broker that froze must be noticed within twice that.
const HEARTBEAT_SECONDS_MAX: u16 = 10;

/// Section `[queue]`; `config.default.toml` explains every key.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `memory:` or `amqp(s)://…`.
    pub url: String,
    /// In front of every exchange and queue name.
    pub namespace: String,
    /// Whether exchanges and queues are declared or only checked.
    pub declare: Declare,
    /// Shards of each lane.
    pub shards: u16,
    /// Heartbeat of the connections, seconds.
    pub heartbeat_seconds: u16,
    /// Longest wait for a publisher confirm, seconds.
    pub confirm_timeout_seconds: u64,
    /// Most messages the in-process queue holds per shard.
    pub memory_capacity: usize,
    /// Deliveries of one message before the broker gives up on it.
    pub delivery_limit: u32,
    /// The broker's management API with user and password, to list all differences of a queue that is there already;
    /// empty: the broker's own words have to do.
    #[serde(default)]
    pub management_url: String,
}

/// What is done about exchanges and queues at start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Declare {
    /// They are declared.
    Active,
    /// They must be there already.
    Passive,
}

impl Config {
    /// Adds everything that is wrong with this section.
    pub fn check(&self, problems: &mut Vec<Problem>) {
        self.check_url(problems);
        let name_byte = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if self.namespace.len() > NAMESPACE_BYTES_MAX || !self.namespace.bytes().all(name_byte) {
            let remedy = format!("use at most {NAMESPACE_BYTES_MAX} of A-Z a-z 0-9 . _ -");
            problems.push(Problem::new("queue.namespace", &self.namespace, remedy));
        } else if self.namespace.starts_with("amq.") {
            let remedy = "choose another one: brokers keep names that start with amq. for themselves";
            problems.push(Problem::new("queue.namespace", &self.namespace, remedy));
        }
        within(problems, "queue.shards", self.shards.into(), 1, SHARDS_MAX.into());
        within(problems, "queue.heartbeat_seconds", self.heartbeat_seconds.into(), 1, HEARTBEAT_SECONDS_MAX.into());
        within(problems, "queue.confirm_timeout_seconds", self.confirm_timeout_seconds, 1, 300);
        within(problems, "queue.memory_capacity", self.memory_capacity as u64, 1, 10_000_000);
        within(problems, "queue.delivery_limit", self.delivery_limit.into(), 1, 1_000_000);
    }

    /// Whether the queue lives and ends with this process, so that only one process can use it.
    pub fn is_in_process(&self) -> bool {
        self.url == "memory:"
    }

    /// Where the broker is, without user and password.
    pub fn display_url(&self) -> String {
        match self.broker() {
            Ok(uri) => {
                let vhost = utf8_percent_encode(&uri.vhost, NON_ALPHANUMERIC);
                format!("{}://{}:{}/{vhost}", uri.scheme, uri.authority.host, uri.authority.port)
            }
            Err(_) if self.is_in_process() => self.url.clone(),
            Err(_) => "(not a broker's address)".to_owned(),
        }
    }

    pub(super) fn broker(&self) -> Result<AMQPUri, String> {
        self.url.parse()
    }

    pub(super) fn confirm_timeout(&self) -> Duration {
        Duration::from_secs(self.confirm_timeout_seconds)
    }

    fn check_url(&self, problems: &mut Vec<Problem>) {
        if self.is_in_process() {
            return;
        }
        if let Err(reason) = self.broker() {
            let remedy = format!("use memory: or amqp://user:password@host:5672/vhost ({reason})");
            problems.push(Problem::new("queue.url", "(hidden)", remedy));
        }
    }
}

/// Never shows the address as written: it holds the password.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("url", &self.display_url())
            .field("namespace", &self.namespace)
            .field("declare", &self.declare)
            .field("shards", &self.shards)
            .finish_non_exhaustive()
    }
}

fn within(problems: &mut Vec<Problem>, key: &str, value: u64, least: u64, most: u64) {
    if !(least..=most).contains(&value) {
        problems.push(Problem::new(key, value, format!("use {least} to {most}")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str) -> Config {
        serde_json::from_value(serde_json::json!({
            "url": url, "namespace": "", "declare": "active", "shards": 4, "heartbeat_seconds": 10,
            "confirm_timeout_seconds": 10, "memory_capacity": 100, "delivery_limit": 20,
        }))
        .unwrap()
    }

    fn keys_with_problems(config: &Config) -> Vec<String> {
        let mut problems = Vec::new();
        config.check(&mut problems);
        problems.into_iter().map(|problem| problem.key).collect()
    }

    #[test]
    fn both_kinds_of_queue_are_accepted() {
        for url in ["memory:", "amqp://user:pw@broker.example:5672/%2f", "amqps://broker.example/thumbs"] {
            assert_eq!(keys_with_problems(&config(url)), Vec::<String>::new(), "{url}");
        }
    }

    #[test]
    fn all_problems_are_reported_at_once() {
        let broken = Config {
            namespace: "a b".into(),
            shards: 0,
            heartbeat_seconds: 11,
            confirm_timeout_seconds: 0,
            memory_capacity: 0,
            delivery_limit: 0,
            ..config("redis://here")
        };
        assert_eq!(keys_with_problems(&broken).len(), 7);
        assert_eq!(keys_with_problems(&Config { namespace: "amq.x".into(), ..config("memory:") }), ["queue.namespace"]);
    }

    #[test]
    fn the_password_is_never_shown() {
        for url in ["amqp://user:s3cret@broker.example:5672/thumbs", "redis://user:s3cret@here"] {
            let config = config(url);
            let mut problems = Vec::new();
            config.check(&mut problems);
            assert!(!format!("{config:?} {problems:?} {}", config.display_url()).contains("s3cret"));
        }
    }

    #[test]
    fn addresses_are_shown_as_they_may_be_written() {
        assert_eq!(config("amqp://u:p@h/%2f").display_url(), "amqp://h:5672/%2F");
        assert_eq!(config("memory:").display_url(), "memory:");
    }

    #[test]
    fn unknown_keys_are_refused() {
        let mut value = serde_json::to_value(config("memory:")).unwrap();
        value["shard"] = 4.into();
        assert!(serde_json::from_value::<Config>(value).is_err());
    }
}
