//! What the ledger keeps of an attempt besides its outcomes.

use shared::domain::failure::Failure;
use shared::domain::ledger::{AttemptNotes, Reproducer};
use shared::domain::representation::Outcome;
use shared::ports::state_store::Claim;

use super::attempt::Attempted;
use crate::worker::Worker;

/// The stages with their times; and what is needed to see the render child die again, when this attempt gives the
/// version up over it.
pub(super) fn of(worker: &Worker, claim: &Claim, attempted: &Attempted) -> AttemptNotes {
    let stages = attempted.stages.iter().map(|(stage, took)| (stage.to_owned(), took.as_millis() as u64)).collect();
    let quarantining = attempted.outcomes.iter().find_map(|(_, outcome)| match outcome {
        Outcome::Error(failure) if outcome.is_crash() => Some(failure),
        _ => None,
    });
    let reproducer = quarantining.and_then(|failure| reproducer(worker, claim, attempted, failure));
    AttemptNotes { stages, reproducer, taken_over: attempted.taken_over.clone() }
}

/// `None` when the source was never read: then there is nothing to reproduce.
fn reproducer(worker: &Worker, claim: &Claim, attempted: &Attempted, failure: &Failure) -> Option<Reproducer> {
    let version = &claim.state.version;
    let bytes = attempted.bytes.or(version.bytes)?;
    let picture = attempted.picture.or(version.picture);
    let format = picture.map(|picture| picture.format).or_else(|| version.known_or_declared_format());
    Some(Reproducer {
        sha256: bytes.sha256,
        length_bytes: bytes.length_bytes,
        format,
        dimensions: picture.map(|picture| (picture.dimensions.width, picture.dimensions.height)),
        end: failure.to_string(),
        limits: format.map_or_else(|| worker.deps.limits.widest(), |format| worker.deps.limits.of(format).clone()),
        worker: worker.deps.worker_name.clone(),
    })
}
