//! Jira's attachment, issue, user and server objects: contract section 8.

use serde_json::{Map, Value, json};
use shared::domain::file::FileState;

use super::timestamp::rfc3339_millis;
use crate::content::media_type;
use crate::links::JiraLinks;

/// The account that everything belongs to, until files have owners.
pub(crate) const OPERATOR_ACCOUNT: &str = "operator";
/// What Jira Cloud says of itself; clients compare the numbers to choose their ways.
const CLOUD_VERSION: [u32; 3] = [1001, 0, 0];
const CLOUD_BUILD: u32 = 100_000;
const BUILD_DATE: &str = "2026-01-01T00:00:00.000+0000";

/// Jira writes an attachment's id as text nearly everywhere, and as a number in its metadata: contract 0.13.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IdAs {
    /// In the answer to an upload and in an issue's field.
    Text,
    /// In the metadata.
    Number,
}

/// The attachment object.
pub(crate) fn attachment(state: &FileState, id_as: IdAs, links: &JiraLinks<'_>) -> Value {
    let FileState { file, version, .. } = state;
    let mut object = Map::new();
    let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
    put("self", json!(links.attachment(file.id)));
    match id_as {
        IdAs::Text => put("id", json!(file.id.to_string())),
        IdAs::Number => put("id", json!(file.id.get())),
    };
    put("filename", json!(file.name));
    put("author", user(OPERATOR_ACCOUNT, links));
    put("created", json!(rfc3339_millis(file.created_at)));
    put("size", json!(version.bytes.map(|bytes| bytes.length_bytes).or(version.declared.size).unwrap_or(0)));
    put("mimeType", json!(media_type::of(version)));
    if id_as == IdAs::Number {
        put("properties", json!({}));
    }
    put("content", json!(links.content(file.id)));
    // Only for pictures: contract section 8.4.
    if version.known_or_declared_format().is_some() {
        put("thumbnail", json!(links.thumbnail(file.id)));
    }
    Value::Object(object)
}

/// The issue object with its attachments, or without when nobody asked for them.
pub(crate) fn issue(key: &str, attachments: Option<Vec<Value>>, links: &JiraLinks<'_>) -> Value {
    let fields = attachments.map_or_else(|| json!({}), |attachments| json!({ "attachment": attachments }));
    json!({ "expand": "", "id": key, "self": links.issue(key), "key": key, "fields": fields })
}

/// An account.
pub(crate) fn user(account: &str, links: &JiraLinks<'_>) -> Value {
    let avatar = links.avatar();
    json!({
        "self": links.user(account),
        "accountId": account,
        "accountType": "atlassian",
        "active": true,
        "displayName": if account == OPERATOR_ACCOUNT { "Operator" } else { account },
        "avatarUrls": { "16x16": avatar, "24x24": avatar, "32x32": avatar, "48x48": avatar },
    })
}

/// `serverInfo`: in shape and version a Jira Cloud site, in name itself.
pub(crate) fn server(links: &JiraLinks<'_>) -> Value {
    let [major, minor, patch] = CLOUD_VERSION;
    json!({
        "baseUrl": links.base(),
        "displayUrl": links.base(),
        "version": format!("{major}.{minor}.{patch}"),
        "versionNumbers": CLOUD_VERSION,
        "deploymentType": "Cloud",
        "buildNumber": CLOUD_BUILD,
        "buildDate": BUILD_DATE,
        "scmInfo": env!("CARGO_PKG_VERSION"),
        "serverTitle": "Thumbline",
        "defaultLocale": { "locale": "en_US" },
    })
}
