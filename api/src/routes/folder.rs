//! `/2.0/folders/{id}` and its items: what clients need of folders. A folder is what files name as their parent; it has
//! no row of its own.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};
use shared::domain::hint::Hints;
use shared::domain::ids::FileId;
use shared::ports::file_store::{Listing, ListingKey, Parent};

use crate::App;
use crate::auth::access::Caller;
use crate::error::ApiError;
use crate::extract::{Paging, Params, Segment};
use crate::wire::box_file::{self, Fields, View};
use crate::wire::box_folder;

/// Longest folder id, in bytes.
const ID_BYTES_MAX: usize = 512;

/// What the routes read of the query.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Query {
    fields: Option<String>,
    limit: Option<String>,
    offset: Option<String>,
    usemarker: Option<String>,
    marker: Option<String>,
    sort: Option<String>,
    direction: Option<String>,
}

pub(crate) async fn get(
    State(app): State<Arc<App>>,
    caller: Caller,
    Segment(id): Segment,
    Params(query): Params<Query>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Page { listing, total, entries, .. } = Page::of(&app, &caller, &id, &query, &headers).await?;
    let items = json!({
        "total_count": total,
        "entries": entries,
        "offset": listing.offset,
        "limit": listing.limit,
        "order": order(&listing),
    });
    Ok(Json(box_folder::folder(&id, &items)).into_response())
}

pub(crate) async fn items(
    State(app): State<Arc<App>>,
    caller: Caller,
    Segment(id): Segment,
    Params(query): Params<Query>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Page { listing, total, entries, next_marker } = Page::of(&app, &caller, &id, &query, &headers).await?;
    let mut body = json!({ "entries": entries, "limit": listing.limit });
    if query.usemarker.as_deref() == Some("true") {
        body["next_marker"] = json!(next_marker);
    } else {
        body["total_count"] = json!(total);
        body["offset"] = json!(listing.offset);
        body["order"] = order(&listing);
    }
    Ok(Json(body).into_response())
}

/// One page of what lies in a folder.
struct Page {
    listing: Listing,
    total: Option<u64>,
    entries: Vec<Value>,
    next_marker: Option<String>,
}

impl Page {
    async fn of(app: &App, caller: &Caller, id: &str, query: &Query, headers: &HeaderMap) -> Result<Self, ApiError> {
        let hints = box_file::hints(headers)?;
        let listing = listing(caller, id, query)?;
        let total = total(app, caller, &listing.parent).await?;
        let (entries, next_marker) = entries(app, caller, &listing, query.fields.as_deref(), hints.as_ref()).await?;
        Ok(Self { listing, total, entries, next_marker })
    }
}

fn listing(caller: &Caller, id: &str, query: &Query) -> Result<Listing, ApiError> {
    if id.is_empty() || id.len() > ID_BYTES_MAX || id == "trash" {
        return Err(ApiError::NotFound);
    }
    let Paging { limit, offset } = Paging::parse(query.limit.as_deref(), query.offset.as_deref())?;
    let by = match query.sort.as_deref() {
        None | Some("" | "name") => ListingKey::Name,
        Some("id") => ListingKey::Id,
        Some("date") => ListingKey::ModifiedAt,
        Some("size") => ListingKey::Length,
        Some(_) => return Err(ApiError::BadRequest("sort is none of id, name, date, size".to_owned())),
    };
    let descending = match query.direction.as_deref() {
        None | Some("") => false,
        Some(direction) if direction.eq_ignore_ascii_case("asc") => false,
        Some(direction) if direction.eq_ignore_ascii_case("desc") => true,
        Some(_) => return Err(ApiError::BadRequest("direction is neither ASC nor DESC".to_owned())),
    };
    let marker = query.marker.as_deref().filter(|marker| !marker.is_empty());
    let after = marker.map(str::parse::<FileId>).transpose();
    let after = after.map_err(|_| ApiError::BadRequest("marker is not one that a list gave out".to_owned()))?;
    // The operator sees the files of every tenant.
    let parent = Parent { tenant: caller.0.tenant().cloned(), id: id.to_owned() };
    Ok(Listing { parent, by, descending, after, offset, limit })
}

/// How many files there are; a folder without any is the root, or none. Only operators hear of files that they might not
/// be shown one by one.
async fn total(app: &App, caller: &Caller, parent: &Parent) -> Result<Option<u64>, ApiError> {
    let total = app.deps.files.count_of(parent).await?;
    if total == 0 && parent.id != Parent::ROOT {
        return Err(ApiError::NotFound);
    }
    Ok(caller.0.is_operator().then_some(total))
}

/// The files of one page that the caller sees, and the marker of the next page. A full page may be the last one; then the
/// next is empty.
async fn entries(
    app: &App,
    caller: &Caller,
    listing: &Listing,
    fields: Option<&str>,
    hints: Option<&Hints>,
) -> Result<(Vec<Value>, Option<String>), ApiError> {
    let files = app.deps.files.files_of(listing).await?;
    let fields = Fields::parse_or_mini(fields);
    let is_full = files.len() == listing.limit as usize;
    let next = files.last().filter(|_| is_full).map(|state| state.file.id.to_string());
    let seen = files.iter().filter(|state| caller.sees(state));
    let entries: Vec<_> = seen.map(|state| box_file::file(&View::new(app, state, hints), &fields)).collect();
    // Files that are hidden make no folder: whoever sees none of them does not hear of it.
    if entries.is_empty() && next.is_none() && listing.after.is_none() && listing.offset == 0 {
        let is_root = listing.parent.id == Parent::ROOT;
        return if is_root { Ok((entries, None)) } else { Err(ApiError::NotFound) };
    }
    Ok((entries, next))
}

fn order(listing: &Listing) -> Value {
    let by = match listing.by {
        ListingKey::Id => "id",
        ListingKey::Name => "name",
        ListingKey::ModifiedAt => "date",
        ListingKey::Length => "size",
    };
    json!([{ "by": by, "direction": if listing.descending { "DESC" } else { "ASC" } }])
}
