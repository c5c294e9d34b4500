//! Deletions that producers announce: the file goes to the trash, or one version of it does.

use shared::domain::file_change::FileDeletion;
use shared::ports::file_store::SourceRemoval;
use shared::ports::state_store::StoreError;

use crate::dependency::Unanswered;
use crate::metrics::EventOutcome;
use crate::worker::Worker;

/// Puts the file into the trash unless it shows something newer. While the database is away the deletion is waited for,
/// like every event.
pub(crate) async fn delete(worker: &Worker, deletion: &FileDeletion) -> Result<EventOutcome, Unanswered<StoreError>> {
    let removing = || worker.deps.files.source_removed(deletion);
    let removal = worker.dependencies.database.patiently(&worker.shutdown, removing).await?;
    let outcome = match removal {
        SourceRemoval::Trashed => EventOutcome::Deleted,
        SourceRemoval::AlreadyTrashed => EventOutcome::Duplicate,
        SourceRemoval::Superseded | SourceRemoval::UnknownVersion => EventOutcome::Ignored,
    };
    tracing::info!(
        tenant = %deletion.tenant,
        file.identity = deletion.file_identity,
        what = ?deletion.what,
        outcome = outcome.name(),
        "an announced deletion: {}",
        told(removal),
    );
    Ok(outcome)
}

fn told(removal: SourceRemoval) -> &'static str {
    match removal {
        SourceRemoval::Trashed => "it is in the trash now",
        SourceRemoval::AlreadyTrashed => "it was in the trash already",
        SourceRemoval::Superseded => "the file shows something newer",
        SourceRemoval::UnknownVersion => "the version was never announced",
    }
}
