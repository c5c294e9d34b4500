//! Box's file object: contract section 2.1.

use serde_json::{Map, Value, json};
use shared::domain::file::FileState;
use shared::domain::hint::Hints;
use shared::domain::preset::PresetTable;

use super::box_entry;
use super::timestamp::rfc3339;
use crate::error::ApiError;
use crate::links::Links;

/// The folder that everything without one of its own is in.
const ROOT_FOLDER: &str = "0";
/// In every file, whatever was asked for.
const BASE_FIELDS: [&str; 3] = ["type", "id", "etag"];
/// In a file when nothing special was asked for.
const STANDARD_FIELDS: [&str; 22] = [
    "type",
    "id",
    "etag",
    "sequence_id",
    "name",
    "sha1",
    "file_version",
    "description",
    "size",
    "path_collection",
    "created_at",
    "modified_at",
    "trashed_at",
    "purged_at",
    "content_created_at",
    "content_modified_at",
    "created_by",
    "modified_by",
    "owned_by",
    "shared_link",
    "parent",
    "item_status",
];

/// Which fields a client wants; unknown ones are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fields(Option<Vec<String>>);

impl Fields {
    /// From the query parameter `fields`.
    pub(crate) fn parse(text: Option<&str>) -> Self {
        let names = text.map(|text| text.split(',').map(|name| name.trim().to_owned()).collect::<Vec<_>>());
        Self(names.filter(|names| names.iter().any(|name| !name.is_empty())))
    }

    fn names(&self) -> Vec<&str> {
        match &self.0 {
            None => STANDARD_FIELDS.to_vec(),
            Some(names) => BASE_FIELDS.into_iter().chain(names.iter().map(String::as_str)).collect(),
        }
    }
}

/// The value of `X-Rep-Hints`; without one, or with an empty one, there are no hints.
pub(crate) fn hints(headers: &http::HeaderMap) -> Result<Option<Hints>, ApiError> {
    let Some(value) = headers.get("x-rep-hints") else { return Ok(None) };
    let text = value.to_str().map_err(|_| ApiError::BadRequest("X-Rep-Hints is not text".to_owned()))?.trim();
    if text.is_empty() {
        return Ok(None);
    }
    Hints::parse(text).map(Some).map_err(|invalid| ApiError::BadRequest(invalid.to_string()))
}

/// What a file object is made from.
pub(crate) struct View<'a> {
    /// The file, its version and rows.
    pub(crate) state: &'a FileState,
    /// What can be asked for.
    pub(crate) presets: &'a PresetTable,
    /// What was asked for.
    pub(crate) hints: Option<&'a Hints>,
    /// Where it is found.
    pub(crate) links: &'a Links,
}

/// The file object with these fields.
pub(crate) fn file(view: &View<'_>, fields: &Fields) -> Value {
    let known = |name: &&str| field(view, name).map(|value| ((*name).to_owned(), value));
    Value::Object(fields.names().iter().filter_map(known).collect::<Map<_, _>>())
}

/// Ids, `etag` and `sequence_id` are text: contract section 2.1.
fn field(view: &View<'_>, name: &str) -> Option<Value> {
    let FileState { file, version, .. } = view.state;
    Some(match name {
        "type" => json!("file"),
        "id" => json!(file.id.to_string()),
        "etag" | "sequence_id" => json!(file.revision.to_string()),
        "name" => json!(file.name),
        "sha1" => json!(version.sha1),
        "file_version" => json!({ "type": "file_version", "id": version.id.to_string(), "sha1": version.sha1 }),
        "description" => json!(""),
        "size" => json!(version.bytes.map(|bytes| bytes.length_bytes).or(version.declared.size).unwrap_or(0)),
        "path_collection" => path_collection(view),
        "created_at" | "content_created_at" => json!(rfc3339(file.created_at)),
        "modified_at" | "content_modified_at" => json!(rfc3339(file.modified_at)),
        "trashed_at" | "purged_at" | "shared_link" | "lock" | "expiring_embed_link" => Value::Null,
        // Files have no owners of their own yet: the operator has them all.
        "created_by" | "modified_by" | "owned_by" => {
            json!({ "type": "user", "id": "1", "name": "Operator", "login": "operator" })
        }
        "parent" => parent(view),
        "item_status" => json!("active"),
        "version_number" => json!((file.generation + 1).to_string()),
        "comment_count" => json!(0),
        "tags" => json!([]),
        "extension" => json!(file.name.rsplit_once('.').map_or("", |(_, extension)| extension)),
        "is_package" => json!(false),
        "watermark_info" => json!({ "is_watermarked": false }),
        "representations" => {
            json!({ "entries": box_entry::listing(view.presets, view.state, view.hints, view.links) })
        }
        _ => return None,
    })
}

fn root_folder() -> Value {
    json!({ "type": "folder", "id": ROOT_FOLDER, "sequence_id": null, "etag": null, "name": "All Files" })
}

/// The folder that the producer named; its name is not known to us.
fn own_folder(view: &View<'_>) -> Option<Value> {
    let id = view.state.file.parent.as_deref().filter(|id| *id != ROOT_FOLDER)?;
    Some(json!({ "type": "folder", "id": id, "sequence_id": null, "etag": null, "name": id }))
}

fn parent(view: &View<'_>) -> Value {
    own_folder(view).unwrap_or_else(root_folder)
}

fn path_collection(view: &View<'_>) -> Value {
    let entries: Vec<Value> = std::iter::once(root_folder()).chain(own_folder(view)).collect();
    json!({ "total_count": entries.len(), "entries": entries })
}
