//! One attempt at a claim: fetch once, render once, put every blob; every claimed row gets its outcome.

use std::time::{Duration, Instant};

use shared::domain::dimensions::Dimensions;
use shared::domain::failure::{Disposition, Failure, FailureCode};
use shared::domain::file::{ByteFacts, PictureFacts};
use shared::domain::ids::{ClaimToken, FileVersionId};
use shared::domain::lane::Lane;
use shared::domain::plan;
use shared::domain::preset::{Preset, PresetName};
use shared::domain::representation::{Outcome, Representation};
use shared::ports::state_store::{Claim, SameContent, StoreError};
use tokio_util::sync::CancellationToken;

use super::Ended;
use super::share::share;
use crate::child::{Rendering, Renderings};
use crate::dependency::{Unanswered, chain};
use crate::fetch::{Fetched, NotFetched, fetch, fetch_blob};
use crate::pack::{Packed, pack};
use crate::put::put;
use crate::retry::Tried;
use crate::worker::Worker;

/// What an attempt came to.
#[derive(Debug, Default)]
pub(crate) struct Attempted {
    pub(crate) outcomes: Vec<(PresetName, Outcome)>,
    pub(crate) bytes: Option<ByteFacts>,
    pub(crate) picture: Option<PictureFacts>,
    pub(crate) stages: Stages,
    /// Presets that needed no rendering, and the version that had them.
    pub(crate) taken_over: Vec<(PresetName, FileVersionId)>,
}

/// How long the attempt was in each stage, in the order of the first time.
#[derive(Debug, Default)]
pub(crate) struct Stages(Vec<(&'static str, Duration)>);

impl Stages {
    /// Adds to a stage.
    pub(crate) fn add(&mut self, stage: &'static str, took: Duration) {
        match self.0.iter_mut().find(|(known, _)| *known == stage) {
            Some((_, total)) => *total += took,
            None => self.0.push((stage, took)),
        }
    }

    /// Milliseconds in a stage; `None` when it was not reached.
    pub(crate) fn ms(&self, stage: &str) -> Option<u64> {
        self.0.iter().find(|(known, _)| *known == stage).map(|(_, took)| took.as_millis() as u64)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, Duration)> {
        self.0.iter().copied()
    }
}

/// Makes what was claimed. Never fails: a failure is an outcome of every row that has none yet.
pub(super) async fn attempt(worker: &Worker, claim: &Claim, token: &ClaimToken) -> Ended {
    let mut attempted = Attempted::default();
    let verdicts = Verdicts::of(worker, claim);
    let presets = sort_out(worker, claim, &verdicts, &mut attempted);
    if !presets.is_empty() {
        match make(worker, claim, token, &verdicts, &presets, &mut attempted).await {
            Ok(SameContent::Distinct) => {}
            Ok(SameContent::As(other)) => return Ended::SameAs(other),
            Err(failure) => {
                let open = presets.iter().filter(|preset| !attempted.has_outcome(&preset.name));
                let failed: Vec<_> = open.map(|preset| verdicts.failed(&preset.name, failure.clone())).collect();
                attempted.outcomes.extend(failed);
            }
        }
    }
    Ended::Attempted(Box::new(attempted))
}

/// The presets to render. Rows that cannot be rendered, or must not be any more, get their outcome before any cost.
fn sort_out(worker: &Worker, claim: &Claim, verdicts: &Verdicts<'_>, attempted: &mut Attempted) -> Vec<Preset> {
    let format = claim.state.version.picture.map(|picture| picture.format);
    let mut presets = Vec::with_capacity(claim.presets.len());
    for name in &claim.presets {
        let outcome = match worker.deps.presets.resolve(name.as_str()) {
            _ if let Some(last) = verdicts.spent(name) => (name.clone(), Outcome::Error(last)),
            None => {
                let reason = format!("this worker's configuration has no preset {name}");
                verdicts.failed(name, Failure::new(FailureCode::UnknownPreset, reason))
            }
            Some(preset) if !preset.exists_for(format) => {
                let shown = format.map_or("this", |format| format.name());
                let reason = format!("preset {name} does not exist for {shown} sources");
                verdicts.failed(name, Failure::new(FailureCode::NotForThisFormat, reason))
            }
            Some(preset) if is_made_otherwise(claim, &preset) => {
                let reason = format!("this worker's preset {name} is made by another recipe than the one in force");
                verdicts.failed(name, Failure::new(FailureCode::UnknownPreset, reason))
            }
            Some(preset) => {
                presets.push(preset.into_owned());
                continue;
            }
        };
        attempted.outcomes.push(outcome);
    }
    presets
}

/// Whether it is to be made anew by a recipe that is not this worker's: one of another configuration will make it.
fn is_made_otherwise(claim: &Claim, preset: &Preset) -> bool {
    let row = claim.state.representation(&preset.name);
    row.and_then(|row| row.renewal.as_ref()).is_some_and(|recipe| *recipe != preset.recipe_hash())
}

impl Attempted {
    pub(super) fn has_outcome(&self, preset: &PresetName) -> bool {
        self.outcomes.iter().any(|(name, _)| name == preset)
    }
}

async fn make(
    worker: &Worker,
    claim: &Claim,
    token: &ClaimToken,
    verdicts: &Verdicts<'_>,
    presets: &[Preset],
    attempted: &mut Attempted,
) -> Result<SameContent, Failure> {
    let version = &claim.state.version;
    if let Some(larger) = plan::larger(&worker.deps.presets, &claim.state, presets)
        && let Ok(fetched) = timed(attempted, fetch_blob(worker, larger)).await
    {
        scale(worker, claim, verdicts, presets, fetched, attempted).await?;
        return Ok(SameContent::Distinct);
    }
    // What was counted before, or while it was uploaded, need not be read again to be recognised.
    let mut presets = presets.to_vec();
    if let Some(counted) = version.bytes {
        presets = share(worker, claim, token, counted, presets, attempted).await?;
        if presets.is_empty() {
            return Ok(SameContent::Distinct);
        }
    }
    let fetched = match timed(attempted, fetch(worker, version, claim.lane)).await {
        Ok(fetched) => fetched,
        Err(NotFetched::Failed(failure)) => return Err(failure),
        Err(NotFetched::TooHeavy) => {
            let moved = presets.into_iter().map(|preset| (preset.name, Outcome::Move { lane: Lane::Heavy }));
            attempted.outcomes.extend(moved);
            return Ok(SameContent::Distinct);
        }
    };
    attempted.bytes = Some(fetched.bytes);
    if version.bytes != Some(fetched.bytes) {
        let recorded = recorded(worker, || worker.deps.store.record_bytes(version.id, fetched.bytes)).await?;
        if let SameContent::As(_) = recorded {
            return Ok(recorded);
        }
        presets = share(worker, claim, token, fetched.bytes, presets, attempted).await?;
        if presets.is_empty() {
            return Ok(SameContent::Distinct);
        }
    }
    let format = version.picture.map(|picture| picture.format);
    let order = plan::with_siblings(&worker.deps.presets, format, &presets);
    let Renderings { picture, presets: renderings } = render(worker, claim, &order, fetched, None, attempted).await?;
    attempted.picture = Some(picture);
    recorded_picture(worker, claim, picture).await?;
    put_all(worker, claim, verdicts, &presets, renderings, attempted).await;
    Ok(SameContent::Distinct)
}

/// Makes small pictures from a larger representation. What that one shows is no fact about the source.
async fn scale(
    worker: &Worker,
    claim: &Claim,
    verdicts: &Verdicts<'_>,
    presets: &[Preset],
    larger: Fetched,
    attempted: &mut Attempted,
) -> Result<(), Failure> {
    let original = claim.state.version.picture.map(|picture| picture.dimensions);
    let renderings = render(worker, claim, presets, larger, original, attempted).await?.presets;
    put_all(worker, claim, verdicts, presets, renderings, attempted).await;
    Ok(())
}

/// Waits for a fetch, and notes how long it took.
async fn timed<T>(attempted: &mut Attempted, fetch: impl Future<Output = T>) -> T {
    let fetching = Instant::now();
    let fetched = fetch.await;
    attempted.stages.add("fetch", fetching.elapsed());
    fetched
}

/// Has a child render all presets from these bytes, which are gone afterwards; they may be a copy of a larger `original`.
async fn render(
    worker: &Worker,
    claim: &Claim,
    presets: &[Preset],
    fetched: Fetched,
    original: Option<Dimensions>,
    attempted: &mut Attempted,
) -> Result<Renderings, Failure> {
    let rendering = Instant::now();
    let answer =
        worker.pool.render_copy(Some(&claim.state.file.tenant), &fetched.source, original, presets.to_vec()).await;
    attempted.stages.add("render", rendering.elapsed());
    for (step, took) in answer.steps {
        attempted.stages.add(step.name(), took);
    }
    answer.result
}

/// Stores what was rendered of these; every one of them gets its outcome.
async fn put_all(
    worker: &Worker,
    claim: &Claim,
    verdicts: &Verdicts<'_>,
    presets: &[Preset],
    renderings: Vec<Rendering>,
    attempted: &mut Attempted,
) {
    let putting = Instant::now();
    let packed = pack(worker, &claim.state.file.tenant, presets.iter().zip(&renderings)).await;
    for (preset, rendering) in presets.iter().zip(renderings) {
        let outcome = put_rendering(worker, claim, verdicts, preset, rendering, &packed).await;
        attempted.outcomes.push(outcome);
    }
    attempted.stages.add("put", putting.elapsed());
}

pub(super) async fn recorded_picture(worker: &Worker, claim: &Claim, picture: PictureFacts) -> Result<(), Failure> {
    let version = &claim.state.version;
    // A placeholder made from other sizes differs a little; the first one stays, so that clients may keep it.
    if version.picture.is_some_and(|known| PictureFacts { placeholder: known.placeholder, ..picture } == known)
        && (version.picture.is_some_and(|known| known.placeholder.is_some()) || picture.placeholder.is_none())
    {
        return Ok(());
    }
    recorded(worker, || worker.deps.store.record_picture(version.id, picture)).await
}

/// Records a fact about the version. While the database is away this waits; the heartbeat ends it with the lease.
pub(super) async fn recorded<T, Call: Future<Output = Result<T, StoreError>>>(
    worker: &Worker,
    call: impl FnMut() -> Call,
) -> Result<T, Failure> {
    let never = CancellationToken::new();
    worker.dependencies.database.patiently(&never, call).await.map_err(|error| {
        let reason = match &error {
            Unanswered::Refused(error) => chain(error),
            Unanswered::Stopped => "the worker stops".to_owned(),
        };
        Failure::new(FailureCode::DependencyDown, reason)
    })
}

/// One preset's blobs and outcome; what happens to it does not touch its siblings.
async fn put_rendering(
    worker: &Worker,
    claim: &Claim,
    verdicts: &Verdicts<'_>,
    preset: &Preset,
    rendering: Rendering,
    packed: &Packed,
) -> (PresetName, Outcome) {
    let stored = match rendering.result {
        Ok(pages) => put(worker, &claim.state.file.tenant, preset.format, pages, packed).await,
        Err(failure) => Err(failure),
    };
    match stored {
        Ok(content) => (preset.name.clone(), Outcome::Success(content)),
        Err(failure) => verdicts.failed(&preset.name, failure),
    }
}

/// What follows from failures in this attempt.
struct Verdicts<'a> {
    worker: &'a Worker,
    claim: &'a Claim,
    /// Attempts of the row that has had most, so that all rows of a version come back together and share a decode.
    attempts: u32,
    /// The same for all rows, for the same reason.
    jitter: f64,
}

impl<'a> Verdicts<'a> {
    fn of(worker: &'a Worker, claim: &'a Claim) -> Self {
        let attempts = claimed(claim).map(|row| row.attempts).max().unwrap_or(1);
        Self { worker, claim, attempts, jitter: rand::random() }
    }

    /// The outcome of a row whose attempt failed.
    fn failed(&self, preset: &PresetName, failure: Failure) -> (PresetName, Outcome) {
        let crashes = self.claim.state.representation(preset).map_or(0, |row| row.crashes);
        let since_first_attempt = self.claim.since_first_attempt;
        let tried = Tried { attempts: self.attempts, crashes, since_first_attempt };
        (preset.clone(), self.worker.deps.retry.outcome(failure, tried, self.jitter))
    }

    /// The failure that a row ends with untried: the render child has died too often already, over this row or over
    /// another one of the version.
    fn spent(&self, preset: &PresetName) -> Option<Failure> {
        if let Some(quarantine) = &self.claim.quarantine {
            return Some(quarantine.clone());
        }
        let row = self.claim.state.representation(preset)?;
        if row.crashes < self.worker.deps.retry.crashes_max {
            return None;
        }
        let last = row.last_failure.clone().filter(|last| last.code.disposition() == Disposition::Crash);
        Some(last.unwrap_or_else(|| {
            Failure::new(FailureCode::ChildCrashed, format!("the render child died {} times", row.crashes))
        }))
    }
}

/// The rows that were claimed.
pub(super) fn claimed(claim: &Claim) -> impl Iterator<Item = &Representation> {
    claim.presets.iter().filter_map(|preset| claim.state.representation(preset))
}
