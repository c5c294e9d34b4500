//! Finding a file or a representation, and starting it when somebody asks for it.

use std::borrow::Cow;
use std::sync::Arc;

use shared::domain::file::FileState;
use shared::domain::fit_preset;
use shared::domain::ids::{FileId, FileVersionId};
use shared::domain::lane::Lane;
use shared::domain::plan;
use shared::domain::preset::Preset;
use shared::domain::principal::Action;
use shared::domain::representation::State;
use shared::ports::work_queue::Wake;

use crate::App;
use crate::auth::access::Caller;
use crate::error::ApiError;
use crate::extract::RepresentationPath;
use crate::wire;

/// A representation that exists or could exist, with the file that it belongs to.
pub(crate) struct Found<'a> {
    /// The file with the version that was named, and at least the row of this representation, if there is one.
    pub(crate) file: Arc<FileState>,
    /// What it is made by.
    pub(crate) preset: Cow<'a, Preset>,
}

impl Found<'_> {
    /// Where it stands; `None` is the state `none`.
    pub(crate) fn state(&self) -> Option<&State> {
        self.file.representation(&self.preset.name).map(|row| &row.state)
    }
}

/// The state, unless the file or the version is in the trash.
pub(crate) fn not_trashed<S: AsRef<FileState>>(shown: S) -> Result<S, ApiError> {
    let state = shown.as_ref();
    let is_trashed = state.file.trashed_at.is_some() || state.version.trashed_at.is_some();
    if is_trashed { Err(ApiError::Trashed) } else { Ok(shown) }
}

/// The state, unless the file is in the trash; the version that a file shows never is.
fn in_place(state: FileState) -> Result<FileState, ApiError> {
    if state.file.trashed_at.is_some() { Err(ApiError::Trashed) } else { Ok(state) }
}

impl App {
    /// A file with its current version, unless it is in the trash. The guard of the route has decided on it.
    pub(crate) async fn file(&self, id: FileId) -> Result<FileState, ApiError> {
        in_place(self.deps.store.file(id).await?.ok_or(ApiError::NotFound)?)
    }

    /// The same, where the route decides: one read fewer than if the guard had to look first.
    pub(crate) async fn open(&self, id: FileId, caller: &Caller, action: Action) -> Result<FileState, ApiError> {
        in_place(caller.opens(self.deps.store.file(id).await?, action)?)
    }

    /// A file with one of its versions, unless either is in the trash. The guard of the route has decided on it.
    pub(crate) async fn version(&self, file: FileId, version: FileVersionId) -> Result<FileState, ApiError> {
        not_trashed(self.deps.store.version(file, version).await?.ok_or(ApiError::NotFound)?)
    }

    /// The representation of this path, if its file is open to the caller.
    pub(crate) async fn find(&self, path: &RepresentationPath, caller: &Caller) -> Result<Found<'_>, ApiError> {
        let preset = self.deps.presets.resolve(&path.name).ok_or(ApiError::NotFound)?;
        let file = self.deps.store.version_with(path.file, path.version, &preset.name).await?;
        let file = not_trashed(caller.opens(file, Action::Read)?)?;
        // Those made up as they are asked for are started elsewhere, where their number is bounded.
        let is_there = file.representation(&preset.name).is_some();
        if !is_there && (fit_preset::is_name(&preset.name) || !wire::is_available(&preset, &file)) {
            return Err(ApiError::NotFound);
        }
        Ok(Found { file, preset })
    }

    /// Somebody waits for it: a `none` becomes `pending`, a `pending` moves to the interactive lane. Without the queue
    /// the row still stands, and the sweeper finds it.
    pub(crate) async fn ask(&self, found: &Found<'_>) -> Result<(), ApiError> {
        let version = found.file.version.id;
        let asked = self.deps.store.ask(version, &[plan::wanted(&found.preset)], Lane::Interactive).await?;
        if asked.needs_wake() {
            self.wake_interactive(&found.file).await;
        }
        Ok(())
    }

    /// Tells a worker that somebody waits for this version.
    pub(crate) async fn wake_interactive(&self, file: &FileState) {
        let version = file.version.id;
        let wake = Wake { version, tenant: file.file.tenant.clone(), lane: Lane::Interactive };
        if let Err(error) = self.deps.queue.wake(&wake).await {
            tracing::warn!(
                file_version.id = %version,
                error = %error,
                "no wake for file version {version}, the sweeper will find it: {error}"
            );
        }
    }
}
