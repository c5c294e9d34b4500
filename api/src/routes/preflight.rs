//! `OPTIONS` of the upload paths: would this upload be taken? (Box's preflight; a browser's is answered in `cors`.)

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use shared::domain::file::FileState;
use shared::domain::ids::FileId;
use shared::ports::file_store::Parent;

use crate::App;
use crate::auth::access::Caller;
use crate::error::ApiError;
use crate::extract::{BoxFileId, JsonBody};
use crate::upload::name;
use crate::wire::box_file::{self, FolderReference};

/// What is to be uploaded.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Announced {
    name: Option<String>,
    parent: Option<FolderReference>,
    size: Option<u64>,
}

pub(crate) async fn new_file(
    State(app): State<Arc<App>>,
    caller: Caller,
    JsonBody(announced): JsonBody<Announced>,
) -> Result<Response, ApiError> {
    let name = announced.name.as_deref().ok_or_else(|| ApiError::BadRequest("name is missing".to_owned()))?;
    let folder = announced.parent.as_ref().map(FolderReference::id).transpose()?.flatten();
    app.check_announced(&caller, &announced, (folder.as_deref(), name), None).await?;
    Ok(Json(json!({ "upload_url": app.deps.links.upload(None), "upload_token": null })).into_response())
}

pub(crate) async fn new_version(
    State(app): State<Arc<App>>,
    caller: Caller,
    BoxFileId(id): BoxFileId,
    JsonBody(announced): JsonBody<Announced>,
) -> Result<Response, ApiError> {
    let file = app.file(id).await?.file;
    let name = announced.name.clone().unwrap_or_else(|| file.name.clone());
    app.check_announced(&caller, &announced, (file.parent.as_deref(), &name), Some(id)).await?;
    Ok(Json(json!({ "upload_url": app.deps.links.upload(Some(id)), "upload_token": null })).into_response())
}

impl App {
    async fn check_announced(
        &self,
        caller: &Caller,
        announced: &Announced,
        (folder, name): (Option<&str>, &str),
        own: Option<FileId>,
    ) -> Result<(), ApiError> {
        name::check(name)?;
        let bytes_max = self.deps.config.upload_bytes_max;
        if announced.size.is_some_and(|size| size > bytes_max) {
            return Err(ApiError::FileSizeLimit { bytes_max });
        }
        let holder = self.deps.files.file_named(&self.folder(caller, folder), name).await?;
        match holder.filter(|holder| Some(holder.file.id) != own) {
            Some(holder) => Err(taken_by(caller, Some(&holder))),
            None => Ok(()),
        }
    }

    /// The error for a name that is taken, with the file that has it: clients overwrite that one.
    pub(crate) async fn name_in_use(&self, caller: &Caller, folder: Option<&str>, name: &str) -> ApiError {
        match self.deps.files.file_named(&self.folder(caller, folder), name).await {
            Ok(holder) => taken_by(caller, holder.as_ref()),
            Err(error) => error.into(),
        }
    }

    fn folder(&self, caller: &Caller, id: Option<&str>) -> Parent {
        let tenant = caller.tenant(&self.deps.config.tenant).clone();
        Parent { tenant: Some(tenant), id: id.unwrap_or(Parent::ROOT).to_owned() }
    }
}

/// A file that the caller may not see is not shown to it, though its name is taken.
fn taken_by(caller: &Caller, holder: Option<&FileState>) -> ApiError {
    let seen = holder.filter(|holder| caller.sees(holder));
    ApiError::NameInUse(seen.map(|holder| Box::new(box_file::mini(holder))))
}
