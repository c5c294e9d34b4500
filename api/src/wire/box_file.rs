//! Box's file object: contract section 2.1.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use shared::domain::file::FileState;
use shared::domain::hint::Hints;
use shared::domain::preset::PresetTable;
use shared::ports::file_store::Parent;

use super::timestamp::rfc3339;
use super::{box_entry, box_folder};
use crate::App;
use crate::error::ApiError;
use crate::links::Links;

/// In every file, whatever was asked for.
const BASE_FIELDS: [&str; 3] = ["type", "id", "etag"];
/// In a list of many files.
const MINI_FIELDS: [&str; 7] = ["type", "id", "etag", "sequence_id", "name", "sha1", "file_version"];
/// In a version when nothing special was asked for.
const VERSION_FIELDS: [&str; 10] =
    ["type", "id", "sha1", "name", "size", "created_at", "modified_at", "modified_by", "trashed_at", "purged_at"];
/// Longest folder id, in bytes.
const FOLDER_ID_BYTES_MAX: usize = 512;
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

    /// From the query parameter `fields` of a list, whose entries are short unless it says otherwise.
    pub(crate) fn parse_or_mini(text: Option<&str>) -> Self {
        match Self::parse(text) {
            Self(None) => Self(Some(MINI_FIELDS.map(str::to_owned).to_vec())),
            asked => asked,
        }
    }

    fn names<'a>(&'a self, standard: &[&'a str]) -> Vec<&'a str> {
        match &self.0 {
            None => standard.to_vec(),
            Some(names) => BASE_FIELDS.into_iter().chain(names.iter().map(String::as_str)).collect(),
        }
    }
}

/// How requests name a folder; some clients send numbers.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct FolderReference {
    id: Option<Value>,
}

impl FolderReference {
    /// The id; `None` when there is none.
    pub(crate) fn id(&self) -> Result<Option<String>, ApiError> {
        match &self.id {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(id)) if (1..=FOLDER_ID_BYTES_MAX).contains(&id.len()) => Ok(Some(id.clone())),
            Some(Value::Number(id)) => Ok(Some(id.to_string())),
            Some(_) => Err(ApiError::BadRequest("parent.id is not a folder id".to_owned())),
        }
    }
}

/// The values of `X-Rep-Hints`, one after the other; without one, or with empty ones, there are no hints. Spaces beside
/// brackets, commas and filters mean nothing: people write them.
pub(crate) fn hints(headers: &http::HeaderMap) -> Result<Option<Hints>, ApiError> {
    let mut text = String::new();
    for value in headers.get_all("x-rep-hints") {
        let value = value.to_str().map_err(|_| ApiError::BadRequest("X-Rep-Hints is not text".to_owned()))?;
        text.extend(value.chars().filter(|c| !matches!(c, ' ' | '\t')));
    }
    // `[]` asks for no kind at all.
    let text = text.replace("[]", "");
    if text.is_empty() {
        let is_asked = headers.get_all("x-rep-hints").iter().any(|value| value.as_bytes().contains(&b'['));
        return Ok(is_asked.then(Hints::default));
    }
    Hints::parse(&text).map(Some).map_err(|invalid| ApiError::BadRequest(invalid.to_string()))
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

impl<'a> View<'a> {
    /// Of this file.
    pub(crate) fn new(app: &'a App, state: &'a FileState, hints: Option<&'a Hints>) -> Self {
        Self { state, presets: &app.deps.presets, hints, links: &app.deps.links }
    }
}

/// The file object with these fields.
pub(crate) fn file(view: &View<'_>, fields: &Fields) -> Value {
    let known = |name: &&str| field(view, name).map(|value| ((*name).to_owned(), value));
    Value::Object(fields.names(&STANDARD_FIELDS).iter().filter_map(known).collect::<Map<_, _>>())
}

/// The file in short, as conflicts name it.
pub(crate) fn mini(state: &FileState) -> Value {
    json!({
        "type": "file",
        "id": state.file.id.to_string(),
        "etag": state.file.revision.to_string(),
        "sequence_id": state.file.revision.to_string(),
        "name": state.file.name,
        "sha1": state.version.sha1,
        "file_version": file_version(state),
    })
}

/// The version object with these fields; those of its file are its own where it has them.
pub(crate) fn version(view: &View<'_>, fields: &Fields) -> Value {
    let FileState { version, .. } = view.state;
    let of_version = |name: &str| match name {
        "type" => Some(json!("file_version")),
        "id" => Some(json!(version.id.to_string())),
        "etag" => None,
        "name" => Some(json!(version.name)),
        "created_at" | "modified_at" => Some(json!(rfc3339(version.created_at))),
        "trashed_at" => Some(version.trashed_at.map_or(Value::Null, |at| json!(rfc3339(at)))),
        "trashed_by" | "restored_at" | "restored_by" => Some(Value::Null),
        "uploader_display_name" => Some(box_folder::operator()["name"].clone()),
        other => field(view, other),
    };
    let known = |name: &&str| of_version(name).map(|value| ((*name).to_owned(), value));
    Value::Object(fields.names(&VERSION_FIELDS).iter().filter_map(known).collect::<Map<_, _>>())
}

fn file_version(state: &FileState) -> Value {
    json!({ "type": "file_version", "id": state.version.id.to_string(), "sha1": state.version.sha1 })
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
        "file_version" => file_version(view.state),
        "description" => json!(""),
        "size" => json!(version.bytes.map(|bytes| bytes.length_bytes).or(version.declared.size).unwrap_or(0)),
        "path_collection" => path_collection(view),
        "created_at" | "content_created_at" => json!(rfc3339(file.created_at)),
        "modified_at" | "content_modified_at" => json!(rfc3339(file.modified_at)),
        "trashed_at" => file.trashed_at.map_or(Value::Null, |at| json!(rfc3339(at))),
        "purged_at" | "shared_link" | "lock" | "expiring_embed_link" | "classification" => Value::Null,
        // Files have no owners of their own yet: the operator has them all.
        "created_by" | "modified_by" | "owned_by" => box_folder::operator(),
        "parent" => parent(view),
        "item_status" => json!(if file.trashed_at.is_some() { "trashed" } else { "active" }),
        "permissions" => permissions(),
        "is_download_available" => json!(true),
        "authenticated_download_url" | "download_url" => json!(view.links.download(file.id)),
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

/// What clients with buttons want to know; whoever sees a file may do all of it.
fn permissions() -> Value {
    json!({
        "can_download": true,
        "can_preview": true,
        "can_upload": true,
        "can_rename": true,
        "can_delete": true,
        "can_share": false,
        "can_comment": false,
        "can_annotate": false,
        "can_invite_collaborator": false,
        "can_set_share_access": false,
        "can_view_annotations_all": false,
        "can_view_annotations_self": false,
    })
}

/// The folder that the producer named; its name is not known to us.
fn own_folder(view: &View<'_>) -> Option<Value> {
    view.state.file.parent.as_deref().filter(|id| *id != Parent::ROOT).map(box_folder::mini)
}

fn parent(view: &View<'_>) -> Value {
    own_folder(view).unwrap_or_else(box_folder::root)
}

fn path_collection(view: &View<'_>) -> Value {
    let entries: Vec<Value> = std::iter::once(box_folder::root()).chain(own_folder(view)).collect();
    json!({ "total_count": entries.len(), "entries": entries })
}
