//! What was told to others: every event that reached a queue of ours, or the log where no exchange is.

use std::collections::BTreeSet;
use std::sync::Arc;

use sea_orm::FromQueryResult;
use serde_json::Value;

use super::broker;
use crate::system::System;

/// Topic, file version, and preset (empty where the topic has none).
pub(crate) type Told = BTreeSet<(String, i64, String)>;

/// Everything that was told, from the exchange in production's shape.
pub(super) async fn read(system: &Arc<System>) -> anyhow::Result<Told> {
    #[derive(FromQueryResult)]
    struct Body {
        body: String,
    }
    let bodies: Vec<Vec<u8>> = match &system.servers {
        Some(_) => broker::recorded(system).await?,
        // Nobody outside of one process can listen to it but through its log.
        None => {
            let rows: Vec<Body> = system.database.rows("SELECT body FROM announcement").await?;
            rows.into_iter().map(|row| row.body.into_bytes()).collect()
        }
    };
    Ok(bodies.iter().filter_map(|body| understood(body)).collect())
}

fn understood(body: &[u8]) -> Option<(String, i64, String)> {
    let event: Value = serde_json::from_slice(body).ok()?;
    let topic = event["type"].as_str()?.strip_prefix("thumbline.")?.to_owned();
    let version = &event["data"]["file_version_id"];
    let version = version.as_i64().or_else(|| version.as_str()?.parse().ok())?;
    let preset = event["data"]["representation"]["name"].as_str().unwrap_or_default().to_owned();
    Some((topic, version, preset))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_understood() {
        let body = br#"{"type":"thumbline.representation.success","data":{"file_version_id":"7","representation":{"name":"a"}}}"#;
        assert_eq!(understood(body), Some(("representation.success".to_owned(), 7, "a".to_owned())));
        let completed = br#"{"type":"thumbline.file_version.completed","data":{"file_version_id":7}}"#;
        assert_eq!(understood(completed), Some(("file_version.completed".to_owned(), 7, String::new())));
    }
}
