//! The one verb: bring a file version to what it should have.
//!
//! Everything ends here: an event, a request from the API, a retry, the sweeper, an operator. Any number of wakes for
//! the same version do no harm, because only one claim takes the rows.

mod attempt;
mod notes;
mod report;
mod share;

use std::sync::Arc;

use shared::domain::file::FileState;
use shared::domain::ids::{ClaimToken, FileVersionId};
use shared::domain::lane::Lane;
use shared::domain::ledger::AttemptNotes;
use shared::domain::plan;
use shared::domain::preset::PresetName;
use shared::domain::representation::Outcome;
use shared::ports::state_store::{Claim, StoreError};
use shared::ports::work_queue::{Delivery, Wake};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::dependency::{MayBeAway as _, Unanswered, chain};
use crate::heartbeat::Heartbeat;
use crate::metrics::Held;
use crate::worker::Worker;

use attempt::Attempted;

/// How the work under a claim ended.
enum Ended {
    /// Every claimed row has an outcome.
    Attempted(Box<Attempted>),
    /// The version is another one under a second name, and its rows are gone.
    SameAs(FileVersionId),
    /// The worker stops.
    Abandoned,
    /// Somebody else may have the rows now.
    LeaseLost,
}

/// Claims what is pending of this version, acks the wake, makes it, and settles. Returns when there is nothing left
/// that this worker can do about it now.
pub(crate) async fn reconcile(worker: &Arc<Worker>, version: FileVersionId, wake: Delivery) {
    let token = ClaimToken::new(&worker.deps.worker_name, rand::random());
    let (claim, began) = match claim(worker, version, &token).await {
        Ok(Some(claimed)) => claimed,
        Ok(None) => return worker.ack(wake).await,
        Err(Unanswered::Stopped) => return worker.release(wake).await,
        Err(Unanswered::Refused(error)) => {
            // The version is gone, or its row needs an operator; this wake changes neither.
            tracing::warn!(file_version.id = %version, error = chain(&error), "file version {version} cannot be claimed");
            return worker.ack(wake).await;
        }
    };
    let _in_work = Held::file_version();
    let heartbeat = Heartbeat::start(worker, &token, began);
    // From here on lease and sweeper carry the work; no broker waits for a render.
    worker.ack(wake).await;

    let ended = tokio::select! {
        biased;
        ended = attempt::attempt(worker, &claim, &token) => ended,
        () = heartbeat.lost().cancelled() => Ended::LeaseLost,
        () = worker.abandon.cancelled() => Ended::Abandoned,
    };
    match ended {
        Ended::Attempted(attempted) => finish(worker, &claim, &token, *attempted, heartbeat.lost(), began).await,
        Ended::Abandoned => hand_back(worker, &claim, &token, heartbeat.lost()).await,
        Ended::SameAs(other) => tracing::info!(
            file_version.id = %version,
            "file version {version} has the content of {other}, which stands for both"
        ),
        Ended::LeaseLost => {
            tracing::warn!(file_version.id = %version, "the lease of file version {version} was lost; its work was dropped");
        }
    }
}

/// Takes the pending rows, and those that the plan adds, under one token; and when that was asked for, which is the
/// earliest that the lease can have begun.
async fn claim(
    worker: &Worker,
    version: FileVersionId,
    token: &ClaimToken,
) -> Result<Option<(Claim, Instant)>, Unanswered<StoreError>> {
    let (store, lease) = (&worker.deps.store, worker.deps.config.lease());
    let mut began = Instant::now();
    let claiming = || {
        began = Instant::now();
        store.claim(version, token, lease)
    };
    let Some(mut claim) = worker.dependencies.database.patiently(&worker.shutdown, claiming).await? else {
        return Ok(None);
    };
    if ask_for_missing(worker, &claim).await
        && let Ok(Some(more)) = worker.dependencies.database.note(store.claim(version, token, lease).await)
    {
        claim.state = more.state;
        let known = std::mem::take(&mut claim.presets);
        let added = more.presets.into_iter().filter(|preset| !known.contains(preset));
        claim.presets = known.iter().cloned().chain(added).collect();
    }
    Ok(Some((claim, began)))
}

/// Makes rows for eager presets that this version should have and has not. Only once its format is known: before, the
/// plan is the one that intake made. Whether any row was made; when the database is away the next look does it.
async fn ask_for_missing(worker: &Worker, claim: &Claim) -> bool {
    let missing = match claim.state.version.picture {
        Some(_) => plan::missing(&worker.deps.presets, &claim.state),
        None => Vec::new(),
    };
    if missing.is_empty() {
        return false;
    }
    let asked = worker.deps.store.ask(claim.state.version.id, &missing, claim.lane).await;
    match worker.dependencies.database.note(asked) {
        Ok(asked) => asked.needs_wake(),
        Err(error) => {
            if !error.is_away() {
                tracing::error!(error = chain(&error), "missing presets of a file version could not be asked for");
            }
            false
        }
    }
}

/// Settles, tells, and looks whether the format that was found wants more than the declared one.
async fn finish(
    worker: &Worker,
    claim: &Claim,
    token: &ClaimToken,
    attempted: Attempted,
    lost: &CancellationToken,
    began: Instant,
) {
    let settling = Instant::now();
    let notes = notes::of(worker, claim, &attempted);
    let Some(written) = settle(worker, claim, token, &attempted.outcomes, &notes, lost).await else { return };
    let settle_took = settling.elapsed();
    report::report(claim, &attempted, &written, settle_took, began.elapsed());
    if attempted.outcomes.iter().any(|(_, outcome)| matches!(outcome, Outcome::Move { .. })) {
        return wake(worker, &Claim { lane: Lane::Heavy, ..claim.clone() }).await;
    }
    let found = attempted.picture.filter(|_| claim.state.version.picture.is_none());
    if let Some(picture) = found {
        let mut state = claim.state.clone();
        state.version.picture = Some(picture);
        if ask_for_missing(worker, &Claim { state, ..claim.clone() }).await {
            wake(worker, claim).await;
        }
    }
}

/// Writes the outcomes; while the database is away, until the lease is lost: then the sweeper carries on from the
/// rows. `None` when nothing was written.
async fn settle(
    worker: &Worker,
    claim: &Claim,
    token: &ClaimToken,
    outcomes: &[(PresetName, Outcome)],
    notes: &AttemptNotes,
    lost: &CancellationToken,
) -> Option<Vec<PresetName>> {
    let version = claim.state.version.id;
    let settling = || worker.deps.store.settle_attempt(version, token, outcomes, notes);
    match worker.dependencies.database.patiently(lost, settling).await {
        Ok(written) => {
            worker.news.notify_one();
            Some(written)
        }
        Err(Unanswered::Stopped) => None,
        Err(Unanswered::Refused(error)) => {
            tracing::error!(file_version.id = %version, error = chain(&error), "file version {version} could not be settled");
            None
        }
    }
}

/// Gives the claim back as if it had never been made, and tells the other workers.
async fn hand_back(worker: &Worker, claim: &Claim, token: &ClaimToken, lost: &CancellationToken) {
    let outcomes: Vec<_> = claim.presets.iter().map(|preset| (preset.clone(), Outcome::HandBack)).collect();
    if settle(worker, claim, token, &outcomes, &AttemptNotes::default(), lost).await.is_some() {
        let version = claim.state.version.id;
        tracing::info!(file_version.id = %version, "file version {version} was handed back");
        wake(worker, claim).await;
    }
}

/// Publishes a wake; a failure costs the sweeper's patience and no more.
async fn wake(worker: &Worker, claim: &Claim) {
    let FileState { file, version, .. } = &claim.state;
    let wake = Wake { version: version.id, tenant: file.tenant.clone(), lane: claim.lane };
    if let Err(error) = worker.dependencies.queue.note(worker.deps.queue.wake(&wake).await) {
        tracing::debug!(file_version.id = %version.id, error = chain(&error), "a wake could not be published");
    }
}
