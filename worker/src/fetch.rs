//! Fetches a source once: streamed into memory of its own, counted, bounded before and while it arrives.

use std::time::Duration;

use futures_util::StreamExt as _;
use sha2::{Digest as _, Sha256};
use shared::domain::cost;
use shared::domain::failure::{Failure, FailureCode};
use shared::domain::file::{ByteFacts, FileVersion};
use shared::domain::ids::Sha256Digest;
use shared::domain::lane::Lane;
use shared::domain::representation::PageContent;
use shared::ports::blob_store::{BlobError, BlobRead};
use tokio::time::timeout;

use crate::admission::Admitted;
use crate::child::{SealedSource, SourceWriter};
use crate::dependency::{Dependency, chain};
use crate::worker::Worker;

/// A store that sends nothing for so long is away.
const IDLE_SECONDS_MAX: u64 = 30;

/// A source that is here.
pub(crate) struct Fetched {
    pub(crate) source: SealedSource,
    pub(crate) bytes: ByteFacts,
    _memory: Admitted,
}

/// Why a source was not fetched.
pub(crate) enum NotFetched {
    /// It could not be.
    Failed(Failure),
    /// It is too much for the lane that it is on.
    TooHeavy,
}

impl From<Failure> for NotFetched {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Fetches the bytes and holds them against what the producer declared. On the normal lane only what belongs there: who
/// declared no length, or a wrong one, does not get heavy work past everybody else's.
pub(crate) async fn fetch(worker: &Worker, version: &FileVersion, lane: Lane) -> Result<Fetched, NotFetched> {
    let (opened, memory) = admitted(worker, version, lane).await?;
    let fetched = receive(&worker.dependencies.sources, opened, memory).await?;
    if fetched.bytes.length_bytes == 0 {
        return Err(Failure::new(FailureCode::ZeroBytes, "the source has no bytes").into());
    }
    match version.declared.sha256 {
        Some(declared) if declared != fetched.bytes.sha256 => {
            let reason = format!("the bytes have SHA-256 {}, {declared} was declared", fetched.bytes.sha256);
            Err(Failure::new(FailureCode::DigestMismatch, reason).into())
        }
        _ => Ok(fetched),
    }
}

/// The opened source and the memory for it. A store does not wait for us to have memory: the source is closed meanwhile,
/// and opened again.
async fn admitted(worker: &Worker, version: &FileVersion, lane: Lane) -> Result<(BlobRead, Admitted), NotFetched> {
    let bytes_max = worker.deps.limits.widest().source_bytes_max;
    let store = &worker.dependencies.sources;
    let open = async || {
        let opened = answer_of_store(store, worker.deps.sources.open(&version.source)).await?;
        if opened.length_bytes > bytes_max { Err(too_many(opened.length_bytes, bytes_max)) } else { Ok(opened) }
    };
    let opened = open().await?;
    let promised = opened.length_bytes;
    if lane == Lane::Normal && cost::is_heavy(version.known_or_declared_format(), promised) {
        return Err(NotFetched::TooHeavy);
    }
    if let Some(memory) = worker.sources.try_admit(promised) {
        return Ok((opened, memory));
    }
    drop(opened);
    let memory = worker.sources.admit(promised).await;
    let opened = open().await?;
    if opened.length_bytes == promised {
        return Ok((opened, memory));
    }
    let reason = format!("the source had {promised} bytes, and now has {}", opened.length_bytes);
    Err(Failure::new(FailureCode::DependencyDown, reason).into())
}

/// Fetches a representation of ours, to make smaller ones from it; how long it is was known before.
pub(crate) async fn fetch_blob(worker: &Worker, page: &PageContent) -> Result<Fetched, Failure> {
    let memory = worker.sources.admit(page.length_bytes).await;
    let store = &worker.dependencies.blobs;
    let opened = answer_of_store(store, worker.deps.blobs.get_page(page, None)).await?;
    if opened.length_bytes > page.length_bytes {
        return Err(too_many(opened.length_bytes, page.length_bytes));
    }
    receive(store, opened, memory).await
}

async fn receive(store: &Dependency, mut read: BlobRead, memory: Admitted) -> Result<Fetched, Failure> {
    let overloaded = |error: std::io::Error| {
        Failure::new(FailureCode::WorkerOverloaded, format!("the source could not be held in memory: {error}"))
    };
    let mut writer = SourceWriter::new(read.length_bytes).map_err(overloaded)?;
    let mut hasher = Sha256::new();
    while let Some(chunk) = next_chunk(store, &mut read).await? {
        // The length that the store promised is a promise: what arrives is counted.
        let length = writer.length_bytes() + chunk.len() as u64;
        if length > read.length_bytes {
            let reason = format!("more than the {} bytes came that the store promised", read.length_bytes);
            return Err(Failure::new(FailureCode::DependencyDown, reason));
        }
        writer.write(&chunk).map_err(overloaded)?;
        hasher.update(&chunk);
    }
    let length_bytes = writer.length_bytes();
    if length_bytes != read.length_bytes {
        let reason = format!("{length_bytes} bytes of the source came, {} were promised", read.length_bytes);
        return Err(Failure::new(FailureCode::DependencyDown, reason));
    }
    let bytes = ByteFacts { length_bytes, sha256: Sha256Digest::from_bytes(hasher.finalize().into()) };
    Ok(Fetched { source: writer.seal().map_err(overloaded)?, bytes, _memory: memory })
}

async fn next_chunk(store: &Dependency, read: &mut BlobRead) -> Result<Option<bytes::Bytes>, Failure> {
    let next = async { read.stream.next().await.transpose() };
    answer_of_store(store, next).await
}

/// Waits for the store with a bound, and says what its errors mean for the attempt.
async fn answer_of_store<T>(
    store: &Dependency,
    answer: impl Future<Output = Result<T, BlobError>>,
) -> Result<T, Failure> {
    let answer = timeout(Duration::from_secs(IDLE_SECONDS_MAX), answer)
        .await
        .unwrap_or_else(|_| Err(BlobError::Away(format!("nothing came within {IDLE_SECONDS_MAX} s").into())));
    store.note(answer).map_err(|error| {
        let code = match error {
            BlobError::NotFound(_) => FailureCode::SourceMissing,
            BlobError::Forbidden(..) | BlobError::UnknownBucket(_) => FailureCode::SourceForbidden,
            BlobError::Away(_) | BlobError::NoSpace => FailureCode::DependencyDown,
        };
        Failure::new(code, chain(&error))
    })
}

fn too_many(length: u64, bytes_max: u64) -> Failure {
    Failure::new(FailureCode::TooManyBytes, format!("the source is {length} bytes long, the limit is {bytes_max}"))
}
