//! Section `[jira]` of the configuration: what the routes of Jira's attachment API allow.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::config::Problem;

/// Section `[jira]`; every key is explained in `config.default.toml`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Whether there are attachments at all; without, every route of them answers 404.
    pub attachments_enabled: bool,
    /// Longest time, in seconds, that a request for a thumbnail waits for its rendering.
    pub thumbnail_wait_seconds: u64,
}

impl Config {
    /// Adds what is wrong with this section, or between it and `[api]`, to `problems`.
    pub fn check(&self, api: &crate::Config, problems: &mut Vec<Problem>) {
        if self.thumbnail_wait_seconds >= api.request_timeout_seconds {
            let remedy = format!("has to be less than api.request_timeout_seconds = {}", api.request_timeout_seconds);
            problems.push(Problem::new("jira.thumbnail_wait_seconds", self.thumbnail_wait_seconds, remedy));
        }
    }

    pub(crate) fn thumbnail_wait(&self) -> Duration {
        Duration::from_secs(self.thumbnail_wait_seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_cannot_wait_longer_than_it_may_take() {
        let keys = |thumbnail_wait_seconds| {
            let mut problems = Vec::new();
            let api = crate::config::tests::loopback();
            Config { attachments_enabled: true, thumbnail_wait_seconds }.check(&api, &mut problems);
            problems.into_iter().map(|problem| problem.key).collect::<Vec<_>>()
        };
        assert!(keys(29).is_empty());
        assert_eq!(keys(30), ["jira.thumbnail_wait_seconds"]);
    }
}
