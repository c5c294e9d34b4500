//! `GET /rest/api/{v}/attachment/content/{id}`: what was uploaded, whole or in part.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::header::RANGE;
use http::{HeaderMap, Method};
use serde::Deserialize;
use shared::domain::principal::Action;

use super::{ASK_AGAIN, flag, see_other};
use crate::App;
use crate::auth::access::Caller;
use crate::content::delivery::value;
use crate::content::disposition::{self, Kind};
use crate::content::signature::Media;
use crate::content::{media_type, range};
use crate::error::ApiError;
use crate::extract::{JiraPath, Params};
use crate::routes::media::{Told, send_source};

/// What the route reads of the query.
#[derive(Debug, Deserialize)]
pub(crate) struct Query {
    redirect: Option<String>,
}

/// The attachment is looked for before the parameters matter: who may not see it learns nothing from them.
pub(crate) async fn get(
    State(app): State<Arc<App>>,
    caller: Caller,
    path: JiraPath,
    query: Result<Params<Query>, ApiError>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let file = app.attachment(&path.id, &caller, Action::Download).await?;
    let Params(query) = query?;
    // Only pictures are shown in place: anything else could be a page with a script.
    let kind = if file.version.picture.is_some() { Kind::Inline } else { Kind::Attachment };
    if flag("redirect", query.redirect.as_deref(), true)? {
        return Ok(see_other(app.signed(&file, Media::Source, kind, file.file.name.clone())));
    }
    check_range(&headers)?;
    let told = Told {
        media_type: media_type::of(&file.version),
        cache_control: ASK_AGAIN,
        disposition: Some(value(disposition::value_of_name(kind, &file.file.name))?),
    };
    send_source(&app, &file, told, (&method, &headers)).await
}

/// Jira refuses what is no range: contract section 8.3. Several at once are one too many for us, and all is sent.
fn check_range(headers: &HeaderMap) -> Result<(), ApiError> {
    let is_good = |text: &str| range::is_one(text) || (text.contains(',') && text.split(',').all(is_part));
    match headers.get(RANGE).map(|value| value.to_str()) {
        None => Ok(()),
        Some(Ok(text)) if is_good(text) => Ok(()),
        Some(_) => Err(ApiError::BadRequest("Range is not bytes=FIRST-LAST".to_owned())),
    }
}

/// One range of a list of them; only the first has the unit before it.
fn is_part(part: &str) -> bool {
    let part = part.trim();
    range::is_one(part) || range::is_one(&format!("bytes={part}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_ranges_are_refused() {
        let check = |text: &str| check_range(&HeaderMap::from_iter([(RANGE, text.parse().unwrap())])).is_ok();
        for good in ["bytes=0-1", "bytes=5-", "bytes=-5", "Bytes=0-0", "bytes=0-1,5-6", "bytes=0-1, -2"] {
            assert!(check(good), "{good}");
        }
        for bad in
            ["", "bytes", "bytes=", "bytes=-", "bytes=5-1", "bytes=a-b", "items=0-1", "0-1", "bytes=0-1,x", "bytes=--1"]
        {
            assert!(!check(bad), "{bad}");
        }
    }
}
