//! How queues and exchanges of a broker differ from what we need, asked of its management API.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use reqwest::StatusCode;
use serde_json::{Map, Value};
use shared::config::Problem;

/// Longest wait for one answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Adds what is wrong with `queue.management_url`.
pub(crate) fn check(url: &str, problems: &mut Vec<Problem>) {
    let parsed = reqwest::Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    if !url.is_empty() && parsed.is_none() {
        let remedy = "use http://user:password@host:15672, or leave it empty";
        problems.push(Problem::new("queue.management_url", "(hidden)", remedy));
    }
}

/// One line for each exchange or queue that is there with other properties than `definitions` say.
pub(crate) async fn differences(url: &str, definitions: &Value) -> anyhow::Result<Vec<String>> {
    let client = reqwest::Client::builder().timeout(ANSWER_TIMEOUT).no_proxy().build()?;
    let mut lines = Vec::new();
    for (kind, list) in [("exchange", "exchanges"), ("queue", "queues")] {
        for wanted in definitions[list].as_array().into_iter().flatten() {
            let found = look_up(&client, url, list, wanted).await?;
            let different = found.map(|found| compare(wanted, &found)).unwrap_or_default();
            if !different.is_empty() {
                let name = wanted["name"].as_str().unwrap_or_default();
                lines.push(format!("{kind} {name}: {}", different.join(", ")));
            }
        }
    }
    Ok(lines)
}

/// `None` when it is not there.
async fn look_up(client: &reqwest::Client, url: &str, list: &str, wanted: &Value) -> anyhow::Result<Option<Value>> {
    let mut at = reqwest::Url::parse(url).map_err(|_| anyhow!("queue.management_url is no address"))?;
    let parts = ["vhost", "name"].map(|part| wanted[part].as_str().unwrap_or_default());
    at.path_segments_mut()
        .map_err(|()| anyhow!("queue.management_url is no address"))?
        .pop_if_empty()
        .extend(["api", list, parts[0], parts[1]]);
    // The address holds the password, so it is kept out of errors.
    let answer = client.get(at).send().await.map_err(reqwest::Error::without_url);
    let answer = answer.context("queue.management_url does not answer")?;
    match answer.status() {
        StatusCode::OK => Ok(Some(serde_json::from_str(&answer.text().await?).context("not the management API")?)),
        StatusCode::NOT_FOUND => Ok(None),
        status => Err(anyhow!("queue.management_url answers {status}; check its user, password and permissions")),
    }
}

fn compare(wanted: &Value, found: &Value) -> Vec<String> {
    let mut different = Vec::new();
    for key in ["type", "durable", "auto_delete", "internal"] {
        // Queues have none of the exchanges' keys.
        if let Some(wanted) = wanted.get(key)
            && found.get(key) != Some(wanted)
        {
            different.push(differs(key, found.get(key), Some(wanted)));
        }
    }
    let empty = Map::new();
    let arguments = |of: &Value| of["arguments"].as_object().cloned().unwrap_or_else(|| empty.clone());
    let (wanted, found) = (arguments(wanted), arguments(found));
    for key in wanted.keys().chain(found.keys().filter(|key| !wanted.contains_key(*key))) {
        if wanted.get(key) != found.get(key) {
            different.push(differs(key, found.get(key), wanted.get(key)));
        }
    }
    different
}

fn differs(key: &str, found: Option<&Value>, wanted: Option<&Value>) -> String {
    let found = found.map_or_else(|| "is not set".to_owned(), |value| format!("is {value}"));
    let wanted = wanted.map_or_else(|| "we set none".to_owned(), |value| format!("we need {value}"));
    format!("{key} {found}, {wanted}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_difference_is_listed_with_both_values() {
        let wanted = serde_json::json!({
            "name": "q", "durable": true, "auto_delete": false,
            "arguments": { "x-delivery-limit": 20, "x-overflow": "reject-publish", "x-queue-type": "quorum" },
        });
        let found = serde_json::json!({
            "name": "q", "durable": false, "auto_delete": false, "type": "classic",
            "arguments": { "x-delivery-limit": 5, "x-max-length": 7, "x-queue-type": "quorum" },
        });
        assert_eq!(
            compare(&wanted, &found),
            [
                "durable is false, we need true",
                "x-delivery-limit is 5, we need 20",
                "x-overflow is not set, we need \"reject-publish\"",
                "x-max-length is 7, we set none",
            ]
        );
        assert_eq!(compare(&wanted, &wanted), Vec::<String>::new());
    }

    #[test]
    fn addresses_are_checked_and_never_shown() {
        let problems = |url| {
            let mut problems = Vec::new();
            check(url, &mut problems);
            problems
        };
        assert_eq!((problems("").len(), problems("http://u:p@h:15672").len(), problems("h:15672").len()), (0, 0, 1));
        assert!(!format!("{:?}", problems("ftp://u:s3cret@h")).contains("s3cret"));
    }
}
