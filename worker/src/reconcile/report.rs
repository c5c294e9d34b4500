//! What is told of a settled attempt: one line with everything in it, and the metrics.

use std::time::Duration;

use shared::domain::failure::{Disposition, FailureCode};
use shared::domain::file::FileState;
use shared::domain::preset::PresetName;
use shared::domain::representation::{Outcome, State};
use shared::ports::state_store::Claim;

use super::attempt::{Attempted, claimed};
use crate::metrics;

/// How many rows ended in which way.
#[derive(Debug, Default)]
struct Tally {
    success: usize,
    error: usize,
    retry: usize,
    /// Of the first row that did not succeed.
    code: Option<FailureCode>,
}

/// Tells of an attempt once it is settled; `took` is the time since the claim was asked for.
pub(super) fn report(
    claim: &Claim,
    attempted: &Attempted,
    written: &[PresetName],
    settle_took: Duration,
    took: Duration,
) {
    let settled = || attempted.outcomes.iter().filter(|(preset, _)| written.contains(preset));
    count(claim, attempted, settled(), settle_took);
    let tally = tally(settled().map(|(_, outcome)| outcome));
    let since_pending = claim.waited + took;
    if tally.success > 0 && !had_success(&claim.state) {
        metrics::first_thumbnail(claim.lane, since_pending);
    }
    if tally.success > 0 && tally.success == claim.presets.len() {
        metrics::all_succeeded(claim.lane, since_pending);
    }
    line(claim, attempted, &tally, attempted.outcomes.len() - settled().count(), settle_took, took);
}

fn had_success(state: &FileState) -> bool {
    state.representations.iter().any(|row| matches!(row.state, State::Success(_)))
}

fn tally<'a>(outcomes: impl Iterator<Item = &'a Outcome>) -> Tally {
    let mut tally = Tally::default();
    for outcome in outcomes {
        match outcome {
            Outcome::Success(_) => tally.success += 1,
            Outcome::Error(_) => tally.error += 1,
            Outcome::Retry { .. } => tally.retry += 1,
            Outcome::Viewable(_) | Outcome::HandBack | Outcome::Wait { .. } | Outcome::Move { .. } => {}
        }
        tally.code = tally.code.or(outcome.code());
    }
    tally
}

fn count<'a>(
    claim: &Claim,
    attempted: &Attempted,
    settled: impl Iterator<Item = &'a (PresetName, Outcome)>,
    settle_took: Duration,
) {
    let mut quarantined = false;
    for (preset, outcome) in settled {
        match outcome {
            Outcome::Success(_) => metrics::settled(preset, "success", None),
            Outcome::Error(failure) => {
                metrics::settled(preset, "error", Some(failure.code));
                quarantined |= failure.code.disposition() == Disposition::Crash;
            }
            Outcome::Retry { failure, .. } => metrics::retried(failure.code),
            Outcome::Viewable(_) | Outcome::HandBack | Outcome::Wait { .. } | Outcome::Move { .. } => {}
        }
    }
    if quarantined && claim.quarantine.is_none() {
        metrics::quarantined();
    }
    if attempt_number(claim) == 1 {
        metrics::stage("queue_wait", claim.waited);
    }
    attempted.stages.iter().for_each(|(stage, took)| metrics::stage(stage, took));
    metrics::stage("settle", settle_took);
}

/// The attempt of the row that has had most.
fn attempt_number(claim: &Claim) -> u32 {
    claimed(claim).map(|row| row.attempts).max().unwrap_or(1)
}

fn line(claim: &Claim, attempted: &Attempted, tally: &Tally, lost: usize, settle_took: Duration, took: Duration) {
    let FileState { file, version, .. } = &claim.state;
    let (bytes, picture) = (attempted.bytes.or(version.bytes), attempted.picture.or(version.picture));
    let stages = &attempted.stages;
    tracing::info!(
        file.id = %file.id,
        file_version.id = %version.id,
        tenant = %file.tenant,
        source = version.source.display(),
        source.format = picture.map(|picture| picture.format.name()),
        source.width = picture.map(|picture| picture.dimensions.width),
        source.height = picture.map(|picture| picture.dimensions.height),
        source.pages = picture.map(|picture| picture.pages),
        source.length_bytes = bytes.map(|bytes| bytes.length_bytes),
        source.sha256 = bytes.map(|bytes| tracing::field::display(bytes.sha256)),
        lane = claim.lane.name(),
        attempt = attempt_number(claim),
        waited_ms = claim.waited.as_millis() as u64,
        fetch_ms = stages.ms("fetch"),
        render_ms = stages.ms("render"),
        inspect_ms = stages.ms("inspect"),
        decode_ms = stages.ms("decode"),
        resize_ms = stages.ms("resize"),
        encode_ms = stages.ms("encode"),
        put_ms = stages.ms("put"),
        settle_ms = settle_took.as_millis() as u64,
        total_ms = took.as_millis() as u64,
        representations.success = tally.success,
        representations.error = tally.error,
        representations.retry = tally.retry,
        representations.lease_lost = lost,
        failure.code = tally.code.map(FailureCode::name),
        failure.reason = reason(attempted),
        "file version {} settled: {} success, {} error, {} to retry",
        version.id,
        tally.success,
        tally.error,
        tally.retry,
    );
}

/// Why the first row that did not succeed did not.
fn reason(attempted: &Attempted) -> Option<&str> {
    attempted.outcomes.iter().find_map(|(_, outcome)| match outcome {
        Outcome::Error(failure) | Outcome::Retry { failure, .. } => Some(failure.reason.as_str()),
        Outcome::Success(_)
        | Outcome::Viewable(_)
        | Outcome::HandBack
        | Outcome::Wait { .. }
        | Outcome::Move { .. } => None,
    })
}
