//! The ledger: what happened to a file version, entry after entry, kept beside the rows that say where it stands.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::failure::FailureCode;
use super::file::{FileState, UnixMillis};
use super::format::SourceFormat;
use super::ids::{FileVersionId, Sha256Digest};
use super::lane::Lane;
use super::limits::Limits;
use super::preset::PresetName;

macro_rules! entry_kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal;)*) => {
        /// What an entry says happened.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum EntryKind {
            $($(#[$doc])* $variant,)*
        }

        impl EntryKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable word, in rows and in our own API.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

entry_kinds! {
    /// Somebody asked for presets: absent rows began, waiting ones moved to a more urgent lane.
    Asked = "asked";
    /// A worker took rows under a lease: an attempt began.
    Claimed = "claimed";
    /// The attempt made these presets.
    Success = "success";
    /// The attempt made some pages and goes on.
    Viewable = "viewable";
    /// The attempt ended these presets for good.
    Error = "error";
    /// The attempt failed; another one follows.
    Retry = "retry";
    /// The render child died; another attempt follows.
    Crashed = "crashed";
    /// The worker stopped and gave the claim back; the attempt does not count.
    HandedBack = "handed_back";
    /// The deadline of the lane passed.
    Overdue = "overdue";
    /// The render child died so often that the version is not tried any more.
    Quarantined = "quarantined";
    /// An operator, or the schedule for deadlines, gave an `error` another chance.
    Redriven = "redriven";
    /// The broker gave up on a wake; the row was looked at.
    DeadLettered = "dead_lettered";
    /// Another version of the file had the same content, and this one stands for both.
    SameContent = "same_content";
    /// Another version with the same content is being rendered; the attempt does not count.
    Waiting = "waiting";
    /// It turned out to belong on another lane; the attempt does not count.
    Moved = "moved";
    /// What another version with the same content had was taken over instead of rendered.
    TakenOver = "taken_over";
    /// The preset has changed: made anew, while the old bytes go on being read.
    Renewing = "renewing";
    /// The bytes of before the preset's change were put back.
    RolledBack = "rolled_back";
    /// Somebody put the file, or this version of it, into the trash.
    Trashed = "trashed";
    /// The producer announced that it has deleted the file, or this version of it.
    SourceRemoved = "source_removed";
    /// The file, or this version of it, came out of the trash.
    Restored = "restored";
    /// A version of the file was removed for good.
    Purged = "purged";
}

impl EntryKind {
    /// The kind with this [`name`](Self::name).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// Whether it ends an attempt for the presets that it names.
    pub fn ends_attempt(self) -> bool {
        matches!(
            self,
            Self::Success | Self::Error | Self::Retry | Self::Crashed | Self::HandedBack | Self::Waiting | Self::Moved
        )
    }
}

/// One thing that happened to a file version. Entries are only ever added, in the transaction that does what they say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The order in which entries were written.
    pub number: i64,
    /// Which version.
    pub version: FileVersionId,
    /// When, by the database's clock.
    pub at: UnixMillis,
    /// What.
    pub kind: EntryKind,
    /// The claim token of the attempt that it belongs to: the worker's name, a slash, a nonce.
    pub claim: Option<String>,
    /// The lane, where it matters.
    pub lane: Option<Lane>,
    /// The presets that it is about.
    pub presets: Vec<PresetName>,
    /// Why, for machines.
    pub code: Option<FailureCode>,
    /// Why, for people.
    pub reason: Option<String>,
    /// For a retry: how long after `at` the next attempt is due.
    pub wait: Option<Duration>,
    /// How long the attempt was in each stage, in milliseconds, in order.
    pub stages: Vec<(String, u64)>,
}

impl Entry {
    /// The worker whose attempt it belongs to.
    pub fn worker(&self) -> Option<&str> {
        self.claim.as_deref().map(|claim| claim.rsplit_once('/').map_or(claim, |(worker, _)| worker))
    }
}

/// What a worker says of an attempt besides its outcomes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AttemptNotes {
    /// How long it was in each stage, in milliseconds, in order.
    pub stages: Vec<(String, u64)>,
    /// Written when the attempt quarantines the version.
    pub reproducer: Option<Reproducer>,
    /// Which presets were taken over, and from which version.
    pub taken_over: Vec<(PresetName, FileVersionId)>,
}

/// What is needed to see a render child die again: kept with a quarantined version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reproducer {
    /// SHA-256 of the source.
    pub sha256: Sha256Digest,
    /// Length of the source in bytes.
    pub length_bytes: u64,
    /// The format found by content, else the one that name and declared type suggest.
    pub format: Option<SourceFormat>,
    /// Columns and rows, when the header could be read.
    pub dimensions: Option<(u32, u32)>,
    /// How the child ended: the code and what is known of signal, memory or time.
    pub end: String,
    /// The limits that it ran under.
    pub limits: Limits,
    /// The worker that saw it.
    pub worker: String,
}

/// A version that is not tried any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantine {
    /// Which version.
    pub version: FileVersionId,
    /// Since when, by the database's clock.
    pub since: UnixMillis,
    /// How to see it again.
    pub reproducer: Reproducer,
}

/// Everything that is known of a file's life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileLife {
    /// Its versions with their rows, oldest first; at most the newest few.
    pub versions: Vec<FileState>,
    /// What happened to them, oldest first; at most the newest few.
    pub entries: Vec<Entry>,
    /// Whether older entries were left out.
    pub is_cut: bool,
    /// Its versions that are quarantined.
    pub quarantines: Vec<Quarantine>,
    /// When it was removed for good; nothing else is known of it then.
    pub purged_at: Option<UnixMillis>,
    /// When this was read, by the database's clock.
    pub read_at: UnixMillis,
}

/// Which representations that ended as `error` are meant; what is not said is not asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FailureFilter {
    /// Ended with this code.
    pub code: Option<FailureCode>,
    /// Of sources of this format, found by content, else as the name or the declared type suggests.
    pub format: Option<SourceFormat>,
    /// Of this preset.
    pub preset: Option<PresetName>,
    /// Ended at this moment of the database's clock or later.
    pub since: Option<UnixMillis>,
    /// Ended before this moment of the database's clock.
    pub until: Option<UnixMillis>,
}

/// How much a filter matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureCount {
    /// Representations.
    pub representations: u64,
    /// Versions that they belong to.
    pub versions: u64,
    /// When it was counted, by the database's clock.
    pub counted_at: UnixMillis,
}

/// Failures of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureGroup {
    /// The format found by content, else the one that the name or the declared type suggests.
    pub format: Option<SourceFormat>,
    /// Why.
    pub code: FailureCode,
    /// How many representations.
    pub representations: u64,
    /// How many versions.
    pub versions: u64,
    /// When the first and the last of them ended, by the database's clock.
    pub first_at: UnixMillis,
    /// See `first_at`.
    pub last_at: UnixMillis,
    /// One of the versions, to look at.
    pub example: FileVersionId,
    /// The reason of that one.
    pub reason: String,
}

/// What was redriven.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Redriven {
    /// Representations that are `pending` again.
    pub representations: u64,
    /// Versions that they belong to.
    pub versions: u64,
}
