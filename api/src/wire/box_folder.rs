//! Box's folder and user objects, as far as clients need them.

use serde_json::{Value, json};
use shared::ports::file_store::Parent;

/// The id of the one user that there is.
pub(crate) const OPERATOR_ID: &str = "1";

/// The folder that everything without one of its own is in.
pub(crate) fn root() -> Value {
    mini(Parent::ROOT)
}

/// A folder in short. The root has no `etag`: contract section 2.1.
pub(crate) fn mini(id: &str) -> Value {
    let name = if id == Parent::ROOT { "All Files" } else { id };
    let counted = if id == Parent::ROOT { Value::Null } else { json!("0") };
    json!({ "type": "folder", "id": id, "sequence_id": counted, "etag": counted, "name": name })
}

/// A folder with its items. Of its own it has only what files say of it: its id.
pub(crate) fn folder(id: &str, items: &Value) -> Value {
    let mut folder = mini(id);
    let parent = if id == Parent::ROOT { Value::Null } else { root() };
    let path = if id == Parent::ROOT { Vec::new() } else { vec![root()] };
    let rest = json!({
        "description": "",
        "size": 0,
        "path_collection": { "total_count": path.len(), "entries": path },
        "created_at": null,
        "modified_at": null,
        "trashed_at": null,
        "purged_at": null,
        "content_created_at": null,
        "content_modified_at": null,
        "created_by": operator(),
        "modified_by": operator(),
        "owned_by": operator(),
        "shared_link": null,
        "folder_upload_email": null,
        "parent": parent,
        "item_status": "active",
        "item_collection": items,
    });
    if let (Some(folder), Value::Object(rest)) = (folder.as_object_mut(), rest) {
        folder.extend(rest);
    }
    folder
}

/// The user that everything belongs to.
pub(crate) fn operator() -> Value {
    json!({ "type": "user", "id": OPERATOR_ID, "name": "Operator", "login": "operator" })
}
