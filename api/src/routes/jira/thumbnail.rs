//! `GET /rest/api/{v}/attachment/thumbnail/{id}`: a picture of the attachment inside the client's box.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, Method};
use serde::Deserialize;
use shared::domain::dimensions::Bounds;
use shared::domain::principal::Action;

use super::rendering::Picture;
use super::{ASK_AGAIN, flag, see_other, shown};
use crate::App;
use crate::auth::access::Caller;
use crate::content::conditional;
use crate::content::delivery::{Offer, value};
use crate::content::disposition::{self, Kind};
use crate::content::signature::Media;
use crate::error::ApiError;
use crate::extract::{JiraPath, Params};
use crate::routes::placeholder;

/// The box when the client names none, in pixels: what Jira's own pages show (contract section 8.2).
const SIDE_DEFAULT: u32 = 200;

/// What the route reads of the query.
#[derive(Debug, Deserialize)]
pub(crate) struct Query {
    redirect: Option<String>,
    #[serde(rename = "fallbackToDefault")]
    fallback_to_default: Option<String>,
    width: Option<String>,
    height: Option<String>,
}

/// What the client wants.
#[derive(Debug, PartialEq, Eq)]
struct Wish {
    redirect: bool,
    /// An icon rather than a 404, when there is no thumbnail.
    fallback: bool,
    bounds: Bounds,
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
    let file = app.attachment(&path.id, &caller, Action::Read).await?;
    let wish = Wish::of(&query?.0)?;
    let stand_in = placeholder::name_for(&file.version);
    let Some(picture) = app.picture_within(file, wish.bounds).await? else {
        return if wish.fallback {
            icon(&app, stand_in, wish.redirect)
        } else {
            Err(ApiError::ThumbnailMissing(shown(&path.id)))
        };
    };
    if wish.redirect {
        let what = Media::Page { preset: picture.preset.name.to_string(), number: 1 };
        return Ok(see_other(app.signed(&picture.file, what, Kind::Inline, name_of(&picture))));
    }
    let offer = Offer {
        etag: conditional::etag(&picture.page.sha256()),
        length_bytes: Some(picture.page.length_bytes),
        media_type: picture.preset.format.media_type().to_owned(),
        cache_control: ASK_AGAIN,
        disposition: Some(value(disposition::value_of_name(Kind::Inline, &name_of(&picture)))?),
    };
    offer.deliver(&method, &headers, |part| app.deps.blobs.get_page(&picture.page, part)).await
}

/// What stands for an attachment that has no thumbnail, or none yet: it is not to be kept.
fn icon(app: &App, name: &str, redirect: bool) -> Result<Response, ApiError> {
    if redirect {
        return Ok(see_other(app.deps.links.placeholder(name)));
    }
    let bytes = placeholder::bytes(name).ok_or(ApiError::NotFound)?;
    Ok(([(CONTENT_TYPE, "image/png"), (CACHE_CONTROL, "no-store")], bytes).into_response())
}

fn name_of(picture: &Picture) -> String {
    format!("{}.{}", disposition::stem(&picture.file.file.name), picture.preset.format.name())
}

impl Wish {
    fn of(query: &Query) -> Result<Self, ApiError> {
        let width = side("width", query.width.as_deref())?;
        let height = side("height", query.height.as_deref())?;
        let bounds = match (width, height) {
            (None, None) => Bounds::square(SIDE_DEFAULT),
            // One side alone leaves the other free.
            (width, height) => Bounds { width: width.unwrap_or(u32::MAX), height: height.unwrap_or(u32::MAX) },
        };
        Ok(Self {
            redirect: flag("redirect", query.redirect.as_deref(), true)?,
            fallback: flag("fallbackToDefault", query.fallback_to_default.as_deref(), true)?,
            bounds,
        })
    }
}

/// A 32-bit number of pixels, from 1.
fn side(name: &str, text: Option<&str>) -> Result<Option<u32>, ApiError> {
    let Some(text) = text else { return Ok(None) };
    let is_plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse::<i32>() {
        Ok(pixels) if is_plain && pixels > 0 => Ok(u32::try_from(pixels).ok()),
        _ => Err(ApiError::BadRequest(format!("{name} is not a number of pixels from 1 to {}", i32::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_side_alone_leaves_the_other_free_and_none_is_the_usual_box() {
        let bounds = |width: Option<&str>, height: Option<&str>| {
            let [width, height] = [width, height].map(|side| side.map(str::to_owned));
            Wish::of(&Query { redirect: None, fallback_to_default: None, width, height }).map(|wish| wish.bounds)
        };
        assert_eq!(bounds(None, None).unwrap(), Bounds::square(200));
        assert_eq!(bounds(Some("64"), None).unwrap(), Bounds { width: 64, height: u32::MAX });
        assert_eq!(bounds(None, Some("2147483647")).unwrap().height, i32::MAX as u32);
        for bad in ["0", "-1", "", "+5", "1.5", "2147483648", "1e3", "abc", "٣"] {
            assert!(matches!(bounds(Some(bad), Some("1")), Err(ApiError::BadRequest(_))), "{bad:?}");
        }
    }
}
