//! The store of files, file versions and representations: the row is the truth.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::collection::CollectionStore;
use super::ledger::Ledger;
use super::renewal::RenewalStore;
use crate::domain::failure::Failure;
use crate::domain::file::{ByteFacts, FileState, NewFileVersion, PictureFacts, Wanted};
use crate::domain::ids::{ClaimToken, FileId, FileVersionId, Tenant};
use crate::domain::lane::Lane;
use crate::domain::ledger::AttemptNotes;
use crate::domain::preset::PresetName;
use crate::domain::representation::{Content, Outcome};

/// Rows of files, file versions and representations.
///
/// Shared times (leases, due times, deadlines) are the database's own time, taken inside the statement: workers' clocks
/// decide nothing. Every method is one short transaction; none holds a lock afterwards.
#[async_trait]
pub trait StateStore: Ledger + CollectionStore + RenewalStore + Send + Sync + 'static {
    /// Makes rows of a new file version, all or none: the file unless it is there, the version unless it is there, and
    /// one `pending` row per wanted preset. The same version again changes nothing. The newest version by
    /// [`VersionOrder`](crate::domain::file::VersionOrder) becomes current, whatever the order of arrival.
    async fn register(&self, new: &NewFileVersion) -> Result<Registration, StoreError>;

    /// Somebody asks for these presets of a version: absent rows become `pending`, `pending` rows move to `lane` if it
    /// is more urgent, settled rows stay. Tells whether a wake should follow. Unknown versions: `NotFound`.
    async fn ask(&self, version: FileVersionId, wanted: &[Wanted], lane: Lane) -> Result<Asked, StoreError>;

    /// Like [`ask`](Self::ask), for a preset whose name is made up as it is asked for: an absent row is started only
    /// while the version has fewer than `kept_max` rows whose names begin with `prefix`. `None` when it has that many.
    async fn ask_one_of_few(
        &self,
        version: FileVersionId,
        wanted: &Wanted,
        (prefix, kept_max): (&str, u32),
        lane: Lane,
    ) -> Result<Option<Asked>, StoreError>;

    /// Takes every row of the version that is `pending` (or `viewable`, when its worker died), due and not leased, for
    /// `lease` from now, and counts an attempt on each. `None` when there is nothing to take: somebody else has it, or it has settled.
    async fn claim(
        &self,
        version: FileVersionId,
        token: &ClaimToken,
        lease: Duration,
    ) -> Result<Option<Claim>, StoreError>;

    /// Prolongs the lease of every row still held under this token to `lease` from now. `false` when none is held: a
    /// lease that has run out holds nothing, even if nobody has taken the rows since.
    async fn extend(&self, token: &ClaimToken, lease: Duration) -> Result<bool, StoreError>;

    /// Records what was counted while reading the source. When the producer named no version and another version of
    /// the file already has this digest, the two are one: this version and its rows go, that one becomes current if
    /// this one was, and it is returned.
    async fn record_bytes(&self, version: FileVersionId, bytes: ByteFacts) -> Result<SameContent, StoreError>;

    /// Records what the source shows.
    async fn record_picture(&self, version: FileVersionId, picture: PictureFacts) -> Result<(), StoreError>;

    /// Equal content is rendered once: what may be taken over from other versions with these bytes, which we have counted
    /// ourselves, for the presets that this attempt is to make; and whether the rest is this attempt's to render. Of many that
    /// ask at the same time exactly one is told that it is, until its lease ends.
    async fn share(
        &self,
        version: FileVersionId,
        token: &ClaimToken,
        bytes: ByteFacts,
        wanted: &[Wanted],
        sharing: Sharing,
    ) -> Result<Shared, StoreError>;

    /// Writes how the attempt ended, for the rows still held under this token, and ends their lease (not for
    /// `Viewable`). Returns the presets that were written: what is missing had lost its lease.
    async fn settle(
        &self,
        version: FileVersionId,
        token: &ClaimToken,
        outcomes: &[(PresetName, Outcome)],
    ) -> Result<Vec<PresetName>, StoreError> {
        self.settle_attempt(version, token, outcomes, &AttemptNotes::default()).await
    }

    /// The same, with what else is to be remembered of the attempt.
    async fn settle_attempt(
        &self,
        version: FileVersionId,
        token: &ClaimToken,
        outcomes: &[(PresetName, Outcome)],
        notes: &AttemptNotes,
    ) -> Result<Vec<PresetName>, StoreError>;

    /// Versions with rows that are `pending`, due, not leased, and whose last wake is longer ago than `patience`
    /// (doubled with every wake, so that a long backlog is not flooded); marks them as woken now. At most `limit`.
    async fn due(&self, patience: Duration, limit: u32) -> Result<Vec<DueVersion>, StoreError>;

    /// Ends rows whose deadline has passed and that nobody holds, with this failure. The deadline of a lane counts from
    /// the first attempt, less excused time. Returns how many.
    async fn give_up_overdue(&self, deadlines: &[(Lane, Duration)], failure: &Failure) -> Result<u64, StoreError>;

    /// A file with its current version.
    async fn file(&self, id: FileId) -> Result<Option<FileState>, StoreError>;

    /// A file with this version of it, current or not.
    async fn version(&self, file: FileId, version: FileVersionId) -> Result<Option<FileState>, StoreError>;

    /// A file with this version of it, and of its representations this one alone, if it has a row: what somebody needs
    /// who asks for its bytes. Everybody who asks at one moment may be shown the same one.
    async fn version_with(
        &self,
        file: FileId,
        version: FileVersionId,
        preset: &PresetName,
    ) -> Result<Option<Arc<FileState>>, StoreError>;

    /// The file with this identity.
    async fn file_by_identity(&self, tenant: &Tenant, identity: &str) -> Result<Option<FileState>, StoreError>;

    /// Files of a tenant whose current version's source is this object, whatever they are called, without the trash;
    /// newest first, at most `limit`.
    async fn files_by_source(
        &self,
        tenant: &Tenant,
        bucket: &str,
        key: &str,
        limit: u32,
    ) -> Result<Vec<FileState>, StoreError>;

    /// The newest files with their current versions, newest first, before the file `before` when given.
    async fn recent(&self, before: Option<FileId>, limit: u32) -> Result<Vec<FileState>, StoreError>;

    /// Those of these versions of which anything waits.
    async fn unsettled(&self, versions: &[FileVersionId]) -> Result<Vec<FileVersionId>, StoreError>;

    /// What is waiting, by lane; all lanes are listed.
    async fn backlog(&self) -> Result<Vec<LaneBacklog>, StoreError>;

    /// Rows by state (`pending`, `viewable`, `success`, `error`) and failure code.
    async fn census(&self) -> Result<Vec<CensusLine>, StoreError>;

    /// Answers when the database can be reached and its schema is the one expected.
    async fn ping(&self) -> Result<(), StoreError>;
}

/// What [`StateStore::register`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The file, new or known.
    pub file_id: FileId,
    /// The version, new or known.
    pub version_id: FileVersionId,
    /// Whether the version is new; a known one was left as it was.
    pub is_new: bool,
    /// Whether it is the file's current version now.
    pub is_current: bool,
}

/// What [`StateStore::ask`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// Rows that were absent and are `pending` now.
    pub started: u32,
    /// `pending` rows that moved to a more urgent lane.
    pub promoted: u32,
}

impl Asked {
    /// Whether a wake should be published.
    pub fn needs_wake(self) -> bool {
        self.started > 0 || self.promoted > 0
    }
}

/// Rows taken under a lease, with all that is needed to work on them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The file, the version and all its rows, claimed or not.
    pub state: FileState,
    /// The presets of the rows that were taken.
    pub presets: Vec<PresetName>,
    /// The lane of the most urgent of them.
    pub lane: Lane,
    /// How long the oldest of them has been waiting since it became `pending`, by the database's clock.
    pub waited: Duration,
    /// How long ago the oldest of their first attempts began, by the database's clock; zero when this is the first.
    pub since_first_attempt: Duration,
    /// Set when the version is quarantined: what ended it. Its rows are not to be tried.
    pub quarantine: Option<Failure>,
}

/// What [`StateStore::record_bytes`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameContent {
    /// The version stands.
    Distinct,
    /// The version was the same as this one and is gone.
    As(FileVersionId),
}

/// How far equal content is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Among the files of one tenant.
    WithinTenant,
    /// Among all files.
    AcrossTenants,
}

/// What [`StateStore::share`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared {
    /// What there is already.
    pub made: Vec<Made>,
    /// Who makes the rest.
    pub rest: Rest,
}

/// One preset that another version with the same bytes has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Which preset.
    pub preset: PresetName,
    /// Its bytes; with [`Sharing::AcrossTenants`] perhaps under another tenant's keys.
    pub content: Content,
    /// The version that it was made for.
    pub version: FileVersionId,
    /// What the source shows.
    pub picture: PictureFacts,
}

/// Who makes what nobody has yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// There is nothing left to make.
    None,
    /// This attempt.
    Mine,
    /// Another attempt, right now.
    Elsewhere,
}

/// A version with due rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueVersion {
    /// Which version.
    pub version: FileVersionId,
    /// Whose; decides the shard.
    pub tenant: Tenant,
    /// The most urgent lane of its due rows.
    pub lane: Lane,
}

/// What is waiting in one lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneBacklog {
    /// Which lane.
    pub lane: Lane,
    /// Rows that are `pending` or `viewable`.
    pub pending: u64,
    /// Age of the oldest of them by the database's clock; zero when there is none.
    pub oldest: Duration,
}

/// How many rows stand in one state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CensusLine {
    /// The state's name.
    pub state: String,
    /// The failure code's name, for `error`.
    pub code: Option<String>,
    /// How many rows.
    pub rows: u64,
}

/// Why a change of a file was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// Another file of the parent has this name.
    #[error("another file of the parent has this name")]
    NameInUse,
    /// The file has changed since the client looked.
    #[error("the file has another revision by now")]
    RevisionDiffers,
    /// The file, or the version, is in the trash.
    #[error("it is in the trash")]
    Trashed,
    /// The file, or the version, is not in the trash.
    #[error("it is not in the trash")]
    NotTrashed,
    /// A file shows a version as long as it is not in the trash itself.
    #[error("it is the only version of its file")]
    OnlyVersion,
    /// The source's blob is being deleted, or was: it has to be put again.
    #[error("the source's blob was collected as garbage meanwhile")]
    BlobCollected,
}

/// Why the store could not answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database did not answer, or answered with an error of its own; the same call may succeed later.
    #[error("the database is away: {0}")]
    Away(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The schema is not the one expected: somebody has to migrate, or to update this program.
    #[error("{0}")]
    Schema(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database answers, but does not let us write; needs an operator.
    #[error("the database refuses us: {0}")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The file or version does not exist.
    #[error("there is no such file version")]
    NotFound,
    /// What was asked for contradicts what is there; nothing was changed.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// A row contradicts our model; this is our bug or somebody's hand.
    #[error("row {id} of table {table} has an impossible {column}: {problem}")]
    Inconsistent {
        /// Table name.
        table: &'static str,
        /// Column name.
        column: &'static str,
        /// Primary key.
        id: String,
        /// What is wrong with the value.
        problem: String,
    },
    /// The file system or database has no space left.
    #[error("the database has no space left: {0}")]
    NoSpace(#[source] Box<dyn std::error::Error + Send + Sync>),
}
