//! Reads of files that are asked for at the same moment, answered by one query.
//!
//! A page of thumbnails asks for fifty files at once, and everybody looks at the same new one. A read waits for nobody
//! while none is running; those that come meanwhile share the next query. It begins after the last of them came, so
//! each of them sees at least what was written before it asked, as if it had its own. When several wait, they ask first
//! whether anything was committed since the last time: what was read then need not be read again.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt as _;
use sea_orm::ConnectionTrait;
use shared::domain::file::FileState;
use shared::domain::ids::{FileId, FileVersionId};
use shared::domain::preset::PresetName;
use shared::ports::state_store::StoreError;
use tokio::sync::oneshot;

use super::kept::{Found, Kept};
use super::moment::{Moment, Moments};
use super::{Database, read};

/// Most files that one query reads.
const BATCH_MAX: usize = 32;
/// Most such queries at a time: one is on its way while the answers of the other are written. More of them would be
/// smaller, and it is their number that costs.
const RUNNING_MAX: usize = 2;
/// Most turns that a query lets others have so that they come along, while they do.
const GATHERED_MAX: usize = 8;

/// A file as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Which {
    /// With its current version.
    Current(FileId),
    /// With this version of it.
    Version(FileId, FileVersionId),
    /// With this version of it and this row alone.
    Only(FileId, FileVersionId, PresetName),
}

type Answer = Result<Option<Arc<FileState>>, Arc<StoreError>>;

#[derive(Debug)]
struct Read {
    which: Which,
    answer: oneshot::Sender<Answer>,
}

impl Read {
    /// Whoever has stopped waiting needs no answer.
    fn tell(self, answer: Answer) {
        let _ = self.answer.send(answer);
    }
}

/// Who waits, and what those before were told.
#[derive(Debug)]
pub(super) struct Together {
    waiting: Mutex<Waiting>,
    kept: Mutex<Kept>,
    moments: Moments,
}

/// The reads that no query has taken yet, and how many queries run.
#[derive(Debug, Default)]
struct Waiting {
    reads: Vec<Read>,
    running: usize,
}

impl Together {
    pub(super) fn new(moments: Moments) -> Self {
        Self { waiting: Mutex::default(), kept: Mutex::default(), moments }
    }

    /// Closes the connection that watches for commits, if there is one.
    pub(super) async fn close(&self) -> Result<(), StoreError> {
        self.moments.close().await
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether whoever joins has to start a query: else one of those that run will take it along.
    fn join(&self, read: Read) -> bool {
        let mut waiting = self.waiting();
        waiting.reads.push(read);
        let starts = waiting.running < RUNNING_MAX;
        waiting.running += usize::from(starts);
        starts
    }

    /// Answers those whose files were read after an equal moment; the others are left.
    fn tell_what_is_known(&self, moment: &Moment, reads: Vec<Read>) -> Vec<Read> {
        let mut kept = self.kept();
        kept.turn_to(moment);
        let tell = |read: Read| match kept.get(&read.which) {
            Some(state) => {
                read.tell(Ok(Some(state)));
                None
            }
            None => Some(read),
        };
        reads.into_iter().filter_map(tell).collect()
    }

    /// Lets requests that have arrived already, and were not looked at yet, come along.
    async fn gather(&self) {
        let mut before = 0;
        for _ in 0..GATHERED_MAX {
            tokio::task::yield_now().await;
            let waiting = self.waiting().reads.len();
            if waiting == before || waiting >= BATCH_MAX {
                return;
            }
            before = waiting;
        }
    }

    /// The next batch; without one, the query that asks has ended.
    fn next(&self) -> Option<Vec<Read>> {
        let mut waiting = self.waiting();
        let count = waiting.reads.len().min(BATCH_MAX);
        if count == 0 {
            waiting.running -= 1;
            return None;
        }
        Some(waiting.reads.drain(..count).collect())
    }
}

impl Database {
    /// The file, read by a query that begins after this call did.
    pub(super) async fn read_together(&self, which: Which) -> Result<Option<Arc<FileState>>, StoreError> {
        let (answer, answered) = oneshot::channel();
        if self.together.join(Read { which, answer }) {
            tokio::spawn(self.clone().answer_those_who_wait());
        }
        match answered.await {
            Ok(answer) => answer.map_err(told_to_all),
            Err(gone) => Err(StoreError::Away(Box::new(gone))),
        }
    }

    /// A task of its own: whoever started it may stop waiting, the others do not.
    async fn answer_those_who_wait(self) {
        loop {
            self.together.gather().await;
            let Some(reads) = self.together.next() else { return };
            // A panic takes the answers of one batch along, not the place of a running query.
            let answered = AssertUnwindSafe(self.answer(reads)).catch_unwind().await;
            if answered.is_err() {
                tracing::error!("a query of files panicked; this is a bug");
            }
        }
    }

    async fn answer(&self, reads: Vec<Read>) {
        let moment = match self.moment(reads.len()).await {
            Ok(moment) => moment,
            Err(error) => {
                let error = Arc::new(error);
                return reads.into_iter().for_each(|read| read.tell(Err(Arc::clone(&error))));
            }
        };
        let unknown = match &moment {
            Some(moment) => self.together.tell_what_is_known(moment, reads),
            None => reads,
        };
        if !unknown.is_empty() {
            self.answer_by_query(unknown, moment.as_ref()).await;
        }
    }

    /// When it is now. That is one question more: too many for somebody who asks alone.
    async fn moment(&self, reads: usize) -> Result<Option<Moment>, StoreError> {
        if reads == 1 {
            return Ok(None);
        }
        self.bounded_by(self.read_timeout, || self.together.moments.now(&self.connection)).await.map(Some)
    }

    /// Reads the rows, after that moment.
    async fn answer_by_query(&self, reads: Vec<Read>, moment: Option<&Moment>) {
        let wanted: HashSet<Which> = reads.iter().map(|read| read.which.clone()).collect();
        // Everybody waits for this one: a server that froze must not hold them longer than one that does not answer.
        let found = self.bounded_by(self.read_timeout, || states(&self.connection, &wanted)).await.map_err(Arc::new);
        if let (Some(moment), Ok(found)) = (moment, &found) {
            self.together.kept().put(moment, found);
        }
        for read in reads {
            let told = match &found {
                Ok(found) => Ok(found.get(&read.which).map(Arc::clone)),
                // One row that is wrong is nobody else's fault.
                Err(error) if wanted.len() > 1 && matches!(**error, StoreError::Inconsistent { .. }) => {
                    self.read_alone(&read.which).await.map_err(Arc::new)
                }
                Err(error) => Err(Arc::clone(error)),
            };
            read.tell(told);
        }
    }

    async fn read_alone(&self, which: &Which) -> Result<Option<Arc<FileState>>, StoreError> {
        let alone = HashSet::from([which.clone()]);
        let mut found = self.bounded_by(self.read_timeout, || states(&self.connection, &alone)).await?;
        Ok(found.remove(which))
    }
}

/// All of them that exist.
async fn states(on: &impl ConnectionTrait, wanted: &HashSet<Which>) -> Result<Found, StoreError> {
    let mut current = Vec::new();
    let mut versions = Vec::new();
    let mut only = Vec::new();
    for which in wanted {
        match which {
            Which::Current(file) => current.push(*file),
            Which::Version(_, version) => versions.push(*version),
            Which::Only(_, version, preset) => only.push((*version, preset.clone())),
        }
    }
    let mut found = HashMap::with_capacity(wanted.len());
    if !current.is_empty() {
        for state in read::states(on, read::files(&current)).await? {
            found.insert(Which::Current(state.file.id), Arc::new(state));
        }
    }
    if !versions.is_empty() {
        for state in read::states(on, read::file_versions(&versions)).await? {
            found.insert(Which::Version(state.file.id, state.version.id), Arc::new(state));
        }
    }
    if !only.is_empty() {
        let states = read::states_with(on, &only).await?;
        let by_version: HashMap<_, _> = states.iter().map(|state| ((state.file.id, state.version.id), state)).collect();
        let asked = wanted.iter().filter_map(|which| match which {
            Which::Only(file, version, preset) => Some((which, preset, *by_version.get(&(*file, *version))?)),
            Which::Current(_) | Which::Version(..) => None,
        });
        found.extend(asked.map(|(which, preset, state)| (which.clone(), Arc::new(with_only(state, preset)))));
    }
    Ok(found)
}

/// Several may have asked for rows of one version.
fn with_only(state: &FileState, preset: &PresetName) -> FileState {
    let representations = state.representation(preset).cloned().into_iter().collect();
    FileState { file: state.file.clone(), version: state.version.clone(), representations }
}

/// One error for everybody who waited.
fn told_to_all(error: Arc<StoreError>) -> StoreError {
    match &*error {
        StoreError::Away(_) => StoreError::Away(Box::new(Cause(error))),
        StoreError::Schema(_) => StoreError::Schema(Box::new(Cause(error))),
        StoreError::Refused(_) => StoreError::Refused(Box::new(Cause(error))),
        StoreError::NoSpace(_) => StoreError::NoSpace(Box::new(Cause(error))),
        StoreError::NotFound => StoreError::NotFound,
        StoreError::Conflict(conflict) => StoreError::Conflict(*conflict),
        StoreError::Inconsistent { table, column, id, problem } => {
            StoreError::Inconsistent { table, column, id: id.clone(), problem: problem.clone() }
        }
    }
}

/// What is behind an error that several have.
struct Cause(Arc<StoreError>);

impl Cause {
    fn source(&self) -> &dyn std::error::Error {
        std::error::Error::source(&*self.0).unwrap_or(&*self.0)
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.source(), f)
    }
}

impl std::error::Error for Cause {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&*self.0).and_then(std::error::Error::source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(n: i64) -> (Read, oneshot::Receiver<Answer>) {
        let (answer, answered) = oneshot::channel();
        (Read { which: Which::Current(FileId::new(n).unwrap()), answer }, answered)
    }

    #[test]
    fn those_who_come_while_queries_run_share_the_next_one() {
        let together = Together::new(Moments::Postgres);
        let mut started = 0;
        for n in 1..=100 {
            started += usize::from(together.join(read(n).0));
        }
        assert_eq!(started, RUNNING_MAX);
        let batches: Vec<usize> = std::iter::from_fn(|| together.next().map(|batch| batch.len())).collect();
        assert_eq!(batches, [BATCH_MAX, BATCH_MAX, BATCH_MAX, 100 - 3 * BATCH_MAX]);
        assert!(together.join(read(1).0), "one has ended, so whoever comes starts one");
    }

    #[test]
    fn an_error_that_several_have_says_what_each_would_have_been_told() {
        let away = || StoreError::Away("connection refused".into());
        let told = told_to_all(Arc::new(away()));
        assert_eq!(told.to_string(), away().to_string());
        assert!(matches!(told, StoreError::Away(_)));
    }
}
