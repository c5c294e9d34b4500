//! `GET /rest/api/{v}/issue/{key}`: an issue with its attachments, which is all that we know of it.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;
use shared::domain::file::FileState;
use shared::ports::file_store::{Listing, ListingKey, Parent};

use super::json;
use crate::App;
use crate::auth::access::Caller;
use crate::error::ApiError;
use crate::extract::{JiraPath, Params};
use crate::links::JiraLinks;
use crate::wire::jira::{self, IdAs};

/// Longest key, in bytes.
const KEY_BYTES_MAX: usize = 255;
/// Most attachments that an issue shows, oldest first.
const SHOWN_MAX: usize = 1000;
/// Attachments read by one query.
const PAGE: u32 = 100;
/// The field, and Jira's words for all fields and for those that are usually shown.
const ATTACHMENT_FIELDS: [&str; 3] = ["attachment", "*all", "*navigable"];

/// What the route reads of the query.
#[derive(Debug, Deserialize)]
pub(crate) struct Query {
    fields: Option<String>,
}

pub(crate) async fn get(
    State(app): State<Arc<App>>,
    caller: Caller,
    path: JiraPath,
    query: Result<Params<Query>, ApiError>,
) -> Result<Response, ApiError> {
    let key = key(&path.id)?;
    let Params(query) = query?;
    let links = app.deps.links.jira(path.version);
    let attachments = match wants_attachments(query.fields.as_deref()) {
        true if app.deps.jira.attachments_enabled => Some(attachments(&app, &caller, &key, &links).await?),
        true => Some(Vec::new()),
        false => None,
    };
    Ok(json(&jira::issue(&key, attachments, &links)))
}

async fn attachments(app: &App, caller: &Caller, key: &str, links: &JiraLinks<'_>) -> Result<Vec<Value>, ApiError> {
    let parent = Parent { tenant: Some(caller.tenant(&app.deps.config.tenant).clone()), id: key.to_owned() };
    let mut found: Vec<FileState> = Vec::new();
    while found.len() < SHOWN_MAX {
        let listing = Listing {
            parent: parent.clone(),
            by: ListingKey::Id,
            descending: false,
            after: found.last().map(|last| last.file.id),
            offset: 0,
            limit: PAGE,
        };
        let page = app.deps.files.files_of(&listing).await?;
        let is_last = page.len() < PAGE as usize;
        found.extend(page);
        if is_last {
            break;
        }
    }
    Ok(found.iter().filter(|file| caller.sees(file)).map(|file| jira::attachment(file, IdAs::Text, links)).collect())
}

/// Whether the field is among those that are asked for; without any, all are.
fn wants_attachments(fields: Option<&str>) -> bool {
    let Some(fields) = fields.filter(|fields| !fields.is_empty()) else { return true };
    let named: Vec<&str> = fields.split(',').map(str::trim).collect();
    let all_but = named.iter().all(|field| field.starts_with('-'));
    !named.contains(&"-attachment") && (all_but || named.iter().any(|field| ATTACHMENT_FIELDS.contains(field)))
}

/// The key of an issue, as files name their parent: `PROJ-12` in capitals, or an id. Issues are not ours: every key that
/// an issue could have is one, and a key that none could have is not found.
pub(super) fn key(text: &str) -> Result<String, ApiError> {
    let is_number = |digits: &str| {
        (1..=18).contains(&digits.len()) && !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit())
    };
    let is_project = |project: &str| {
        project.starts_with(|c: char| c.is_ascii_alphabetic())
            && project.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    let is_key = text.rsplit_once('-').is_some_and(|(project, number)| is_project(project) && is_number(number));
    match text {
        text if text.len() > KEY_BYTES_MAX => Err(ApiError::IssueMissing),
        text if is_key || is_number(text) => Ok(text.to_ascii_uppercase()),
        _ => Err(ApiError::IssueMissing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_projects_and_numbers_or_ids() {
        assert_eq!(key("proj_2-17").unwrap(), "PROJ_2-17");
        assert_eq!(key("10001").unwrap(), "10001");
        for bad in ["", "PROJ", "PROJ-", "-1", "PROJ-0", "PROJ-01", "1P-1", "P J-1", "PROJ-1x", "0", "ä-1", "../x-1"] {
            assert!(key(bad).is_err(), "{bad}");
        }
        assert!(key(&format!("{}-1", "P".repeat(300))).is_err());
    }

    #[test]
    fn the_field_is_there_unless_others_are_asked_for() {
        for with in [None, Some(""), Some("attachment"), Some("summary, attachment"), Some("*all"), Some("-summary")] {
            assert!(wants_attachments(with), "{with:?}");
        }
        for without in ["summary", "*all,-attachment", "-attachment", "attachments"] {
            assert!(!wants_attachments(Some(without)), "{without}");
        }
    }
}
