//! `GET /2.0/files/{id}/thumbnail.{png,jpg}`: Box's older thumbnails, made from the same representations (contract
//! section 3).

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::State as Shared;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, LOCATION};
use http::{HeaderMap, Method, StatusCode};
use serde::Deserialize;
use shared::domain::failure::FailureCode;
use shared::domain::file::FileState;
use shared::domain::principal::Action;
use shared::domain::representation::State;

use crate::App;
use crate::asking::Found;
use crate::auth::access::Caller;
use crate::error::ApiError;
use crate::extract::{BoxFileId, Params};
use crate::routes::{content, placeholder};
use crate::wire;

/// What each bound may be, in pixels.
const BOUND_MIN: u32 = 32;
const BOUND_MAX: u32 = 320;

/// Sides of the squares that thumbnails fit in, in pixels, and the presets that they are.
type Sizes = [(u32, &'static str); 4];
const PNG: Sizes =
    [(32, "thumbnail_png_32"), (64, "thumbnail_png_64"), (128, "thumbnail_png_128"), (256, "thumbnail_png_256")];
const JPG: Sizes = [(32, "jpg_thumb_32x32"), (94, "jpg_thumb_94x94"), (160, "jpg_160x160"), (320, "jpg_320x320")];
/// Without any bound: the third of each.
const DEFAULT: usize = 2;

/// What the routes read of the query.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Query {
    min_width: Option<String>,
    min_height: Option<String>,
    max_width: Option<String>,
    max_height: Option<String>,
}

pub(crate) async fn png(
    app: Shared<Arc<App>>,
    caller: Caller,
    id: BoxFileId,
    query: Params<Query>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    get(app, (caller, id), query, &PNG, (&method, &headers)).await
}

pub(crate) async fn jpg(
    app: Shared<Arc<App>>,
    caller: Caller,
    id: BoxFileId,
    query: Params<Query>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    get(app, (caller, id), query, &JPG, (&method, &headers)).await
}

async fn get(
    Shared(app): Shared<Arc<App>>,
    (caller, BoxFileId(id)): (Caller, BoxFileId),
    Params(query): Params<Query>,
    sizes: &Sizes,
    request: (&Method, &HeaderMap),
) -> Result<Response, ApiError> {
    let file = app.open(id, &caller, Action::Read).await?;
    let name = choose(&query, sizes)?;
    let preset = app.deps.presets.get(name).ok_or(ApiError::NotFound)?;
    if !wire::is_available(preset, &file) {
        return Ok(stand_in(&app, &file));
    }
    let found = Found { file: Arc::new(file), preset: Cow::Borrowed(preset) };
    if let Some(State::Error(failure)) = found.state()
        && is_of_the_type(failure.code)
    {
        return Ok(stand_in(&app, &found.file));
    }
    content::send(&app, &found, 1, content::Query::default(), request).await
}

/// Whether no file of this type ever gets a thumbnail, in distinction to one that is broken.
fn is_of_the_type(code: FailureCode) -> bool {
    matches!(code, FailureCode::UnsupportedFormat | FailureCode::UnsupportedFeature | FailureCode::NotForThisFormat)
}

/// 302 to a picture of what the file is: what real traffic shows for types without thumbnails.
fn stand_in(app: &App, file: &FileState) -> Response {
    let location = app.deps.links.placeholder(placeholder::name_for(&file.version));
    (StatusCode::FOUND, [(LOCATION, location)], [(CACHE_CONTROL, "no-store")]).into_response()
}

/// The smallest size that reaches both minima when there is one, else the largest within both maxima; it has to respect
/// all of them.
fn choose(query: &Query, sizes: &Sizes) -> Result<&'static str, ApiError> {
    let least = bound("min_width", query.min_width.as_deref())?.max(bound("min_height", query.min_height.as_deref())?);
    let most =
        match (bound("max_width", query.max_width.as_deref())?, bound("max_height", query.max_height.as_deref())?) {
            (Some(width), Some(height)) => Some(width.min(height)),
            (width, height) => width.or(height),
        };
    let fits = |side: u32| least.is_none_or(|least| side >= least) && most.is_none_or(|most| side <= most);
    let chosen = match (least, most) {
        (None, None) => sizes.get(DEFAULT),
        (Some(_), _) => sizes.iter().find(|(side, _)| fits(*side)),
        (None, Some(_)) => sizes.iter().rev().find(|(side, _)| fits(*side)),
    };
    chosen.map(|(_, name)| *name).ok_or_else(|| {
        let sides = sizes.map(|(side, _)| side.to_string()).join(", ");
        ApiError::SizeUnavailable(format!("no thumbnail has a size within these bounds; there are {sides} pixels"))
    })
}

fn bound(name: &str, text: Option<&str>) -> Result<Option<u32>, ApiError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let plain = text.bytes().all(|b| b.is_ascii_digit());
    let pixels = text.parse().ok().filter(|pixels| plain && (BOUND_MIN..=BOUND_MAX).contains(pixels));
    let wrong = || ApiError::BadRequest(format!("{name} is not a number from {BOUND_MIN} to {BOUND_MAX}"));
    pixels.map(Some).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(bounds: [&str; 4], sizes: &Sizes) -> Result<&'static str, &'static str> {
        let [min_width, min_height, max_width, max_height] = bounds.map(|text| Some(text.to_owned()));
        choose(&Query { min_width, min_height, max_width, max_height }, sizes)
            .map_err(|error| error.status_and_code().1)
    }

    #[test]
    fn sizes_follow_the_bounds_that_clients_send() {
        for (bounds, jpg) in [
            (["", "", "", ""], "jpg_160x160"),
            (["94", "94", "", ""], "jpg_thumb_94x94"),
            (["95", "", "", ""], "jpg_160x160"),
            (["", "", "256", "256"], "jpg_160x160"),
            (["", "", "", "320"], "jpg_320x320"),
            (["", "", "320", "33"], "jpg_thumb_32x32"),
            (["32", "160", "320", "320"], "jpg_160x160"),
        ] {
            assert_eq!(chosen(bounds, &JPG), Ok(jpg), "{bounds:?}");
        }
        assert_eq!(chosen(["", "", "160", "160"], &PNG), Ok("thumbnail_png_128"));
        assert_eq!(chosen(["", "", "", ""], &PNG), Ok("thumbnail_png_128"));
    }

    #[test]
    fn bounds_that_no_size_meets_are_told_from_bounds_that_are_none() {
        for bounds in [["144", "144", "144", "144"], ["257", "", "", ""], ["160", "", "", "94"]] {
            assert_eq!(chosen(bounds, &PNG), Err("requested_preview_unavailable"), "{bounds:?}");
        }
        for wrong in ["31", "321", "x", "-32", "+32", "32.0", "１６０", "99999999999"] {
            assert_eq!(chosen([wrong, "", "", ""], &JPG), Err("bad_request"), "{wrong}");
        }
    }
}
