//! Files and their versions: the customer's thing over time, and one immutable set of uploaded bytes.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::access::Access;
use super::dimensions::Dimensions;
use super::format::SourceFormat;
use super::ids::{FileId, FileVersionId, Sha256Digest, Tenant};
use super::lane::Lane;
use super::placeholder::Placeholder;
use super::preset::{PresetName, RecipeHash};
use super::representation::Representation;
use super::source::{DeclaredFacts, SourceLocation};

/// A moment of the database's clock, in milliseconds since 1970-01-01T00:00:00Z.
pub type UnixMillis = i64;

/// The media type of bytes that nobody knows.
const UNKNOWN_TYPE: &str = "application/octet-stream";

/// What a source shows, learned in the render child from its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PictureFacts {
    /// Found by content.
    pub format: SourceFormat,
    /// Of page 1, with the orientation applied.
    pub dimensions: Dimensions,
    /// At least 1; an animation has one page.
    pub pages: u32,
    /// What clients paint until the picture has loaded; known once page 1 was rendered.
    pub placeholder: Option<Placeholder>,
}

/// What we counted ourselves while reading a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteFacts {
    /// Length in bytes.
    pub length_bytes: u64,
    /// SHA-256 of the bytes.
    pub sha256: Sha256Digest,
}

/// The customer's thing over time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Ours.
    pub id: FileId,
    /// Whose it is.
    pub tenant: Tenant,
    /// Unique in the tenant: `id:` and the producer's own name for it, or `s3://bucket/key`; built by
    /// [`crate::event::identity`].
    pub identity: String,
    /// The name people know it by.
    pub name: String,
    /// Folder id or issue key, when the producer said one.
    pub parent: Option<String>,
    /// Who may see it; `None`: operators only.
    pub access: Option<Access>,
    /// How many versions came before the current one.
    pub generation: u32,
    /// How often what clients see of the file has changed; Box's `etag` and `sequence_id`.
    pub revision: u32,
    /// The version that the file shows now.
    pub current_version: FileVersionId,
    /// When it was registered.
    pub created_at: UnixMillis,
    /// When its current version was registered, or its name or parent was changed.
    pub modified_at: UnixMillis,
    /// Since when it is in the trash, where nobody sees it and nothing is rendered for it.
    pub trashed_at: Option<UnixMillis>,
}

/// One immutable set of uploaded bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileVersion {
    /// Ours.
    pub id: FileVersionId,
    /// The file that it is a version of.
    pub file_id: FileId,
    /// The producer's name for the version: its `version_id`, else `sequence`, else `etag`, else our digest.
    pub identity: VersionIdentity,
    /// Where the bytes are.
    pub source: SourceLocation,
    /// The file's name when this version came.
    pub name: String,
    /// What the producer said of the bytes.
    pub declared: DeclaredFacts,
    /// SHA-1 in hex, known for uploads through our API; Box clients compare it.
    pub sha1: Option<String>,
    /// What we counted; known once the source was read.
    pub bytes: Option<ByteFacts>,
    /// What the source shows; known once the header was read, never for an unsupported format.
    pub picture: Option<PictureFacts>,
    /// When it was registered.
    pub created_at: UnixMillis,
    /// Since when it is in the trash without its file.
    pub trashed_at: Option<UnixMillis>,
}

impl FileVersion {
    /// What the bytes are: by content, else as the producer declared, else by the name.
    pub fn media_type(&self) -> &str {
        let found = self.picture.map(|picture| picture.format.media_type());
        let declared = || self.declared.content_type.as_deref().filter(|declared| *declared != UNKNOWN_TYPE);
        let named = || SourceFormat::declared(&self.name, None).map(SourceFormat::media_type);
        found.or_else(declared).or_else(named).unwrap_or(UNKNOWN_TYPE)
    }

    /// The format found by content, else the one that the name or the declared type suggests.
    pub fn known_or_declared_format(&self) -> Option<SourceFormat> {
        self.picture
            .map(|picture| picture.format)
            .or_else(|| SourceFormat::declared(&self.name, self.declared.content_type.as_deref()))
    }
}

/// What tells one version of a file from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionIdentity {
    /// By the producer: its `version_id`, else `sequence`, else `etag`, each with a prefix that tells which.
    Named(String),
    /// The producer named none: our digest will tell, once the source was read.
    ByDigest(Option<Sha256Digest>),
}

/// How versions of one file are ordered, whatever the order of arrival: by the producer's sequence where both have
/// one, else by when they occurred where both say so, else by arrival.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VersionOrder {
    /// Compared as text after [`normal_sequence`].
    pub sequence: Option<String>,
    /// As the producer says, in milliseconds.
    pub occurred_at: Option<UnixMillis>,
}

impl VersionOrder {
    /// Whether the version that arrived later than `earlier` is also the newer one.
    pub fn supersedes(&self, earlier: &Self) -> bool {
        match (&self.sequence, &earlier.sequence) {
            (Some(new), Some(old)) if new != old => return new > old,
            _ => {}
        }
        match (self.occurred_at, earlier.occurred_at) {
            (Some(new), Some(old)) => new >= old,
            _ => true,
        }
    }

    /// Whether a version of this order comes after a removal of `removal`'s, whatever the order of arrival. An equal
    /// one does not: it is the version that was removed, announced once more.
    pub fn outlives(&self, removal: &Self) -> bool {
        matches!(self.compare(removal), None | Some(Ordering::Greater))
    }

    /// Which of two comes first, when they can be compared at all.
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        match (&self.sequence, &other.sequence) {
            (Some(one), Some(two)) if one != two => return Some(one.cmp(two)),
            _ => {}
        }
        match (self.occurred_at, other.occurred_at) {
            (Some(one), Some(two)) => Some(one.cmp(&two)),
            _ => self
                .sequence
                .as_ref()
                .filter(|sequence| other.sequence.as_ref() == Some(sequence))
                .map(|_| Ordering::Equal),
        }
    }
}

/// Makes sequences comparable as text: decimal numbers are padded to 20 digits on the left, everything else is taken
/// for an S3 sequencer.
pub fn normal_sequence(sequence: &str) -> String {
    let digits = !sequence.is_empty() && sequence.len() <= 20 && sequence.bytes().all(|b| b.is_ascii_digit());
    if digits { format!("n{sequence:0>20}") } else { normal_sequencer(sequence) }
}

/// Makes S3 sequencers (hex) comparable as text by the S3 rule: the shorter one is padded with zeros on the right, here
/// to 64. A sequencer may happen to have decimal digits only.
pub fn normal_sequencer(sequencer: &str) -> String {
    format!("s{:0<64}", sequencer.to_ascii_uppercase())
}

/// One preset that a file version should have, with the recipe it is to be made by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Which preset.
    pub preset: PresetName,
    /// The recipe in force now.
    pub recipe: RecipeHash,
}

/// Who may see a file, as far as whoever brings a version of it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewAccess {
    /// These: they replace what the file has, unless that was said later.
    Declared(Access),
    /// Nothing: a file that is there keeps what it has, a new one gets this; `None`: operators only.
    Default(Option<Access>),
}

impl NewAccess {
    /// What a new file gets.
    pub fn of_new_file(&self) -> Option<&Access> {
        match self {
            Self::Declared(access) => Some(access),
            Self::Default(access) => access.as_ref(),
        }
    }
}

/// Everything that intake knows of a new file version; the store makes rows of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFileVersion {
    /// Whose it is.
    pub tenant: Tenant,
    /// The file's identity within the tenant.
    pub file_identity: String,
    /// The version's identity within the file.
    pub version_identity: VersionIdentity,
    /// Where it stands among the file's versions.
    pub order: VersionOrder,
    /// The file's name.
    pub name: String,
    /// Folder id or issue key.
    pub parent: Option<String>,
    /// Who may see the file.
    pub access: NewAccess,
    /// Where the bytes are.
    pub source: SourceLocation,
    /// What the producer says of them.
    pub declared: DeclaredFacts,
    /// SHA-1 in hex, when we counted it while storing the upload.
    pub sha1: Option<String>,
    /// What we counted while storing the upload.
    pub bytes: Option<ByteFacts>,
    /// The lane of its wakes.
    pub lane: Lane,
    /// The rows to make `pending`.
    pub wanted: Vec<Wanted>,
    /// What has to hold; else nothing is registered.
    pub condition: Condition,
}

/// What has to hold for a file version to be registered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Condition {
    /// Nothing: what an event announces has happened already.
    #[default]
    Always,
    /// The file is new, and no other file of its parent has its name in any letter case.
    NewName,
    /// The file is there and not in the trash; with a revision, it shows that very one.
    Existing {
        /// What the client has seen.
        revision: Option<u32>,
    },
}

/// A name as names are compared: in lower case.
pub fn folded_name(name: &str) -> String {
    name.to_lowercase()
}

/// A file with one of its versions and that version's rows: all that any answer is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileState {
    /// The file.
    pub file: File,
    /// The version asked for, or the current one.
    pub version: FileVersion,
    /// Its rows, in no particular order; an absent row is the state `none`.
    pub representations: Vec<Representation>,
}

impl AsRef<Self> for FileState {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl FileState {
    /// The row of this preset; `None` is the state `none`.
    pub fn representation(&self, preset: &PresetName) -> Option<&Representation> {
        self.representations.iter().find(|row| row.preset == *preset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(sequence: Option<&str>, occurred_at: Option<i64>) -> VersionOrder {
        VersionOrder { sequence: sequence.map(normal_sequence), occurred_at }
    }

    #[test]
    fn the_producers_sequence_decides_before_time_and_arrival() {
        assert!(order(Some("10"), Some(1)).supersedes(&order(Some("9"), Some(2))));
        assert!(!order(Some("9"), Some(2)).supersedes(&order(Some("10"), Some(1))));
        assert!(!order(None, Some(1)).supersedes(&order(Some("1"), Some(2))));
        assert!(order(None, None).supersedes(&order(Some("1"), Some(2))));
    }

    #[test]
    fn only_what_is_newer_outlives_a_removal() {
        let removal = order(Some("10"), Some(10));
        assert!(order(Some("11"), Some(1)).outlives(&removal));
        assert!(!order(Some("9"), Some(20)).outlives(&removal));
        assert!(!order(Some("10"), Some(10)).outlives(&removal), "the removed version once more");
        assert!(!order(None, Some(9)).outlives(&removal) && order(None, Some(11)).outlives(&removal));
        assert!(order(None, None).outlives(&removal), "what cannot be compared is as old as its arrival");
        assert!(!order(Some("10"), None).outlives(&order(Some("10"), None)));
    }

    #[test]
    fn s3_sequencers_of_different_length_are_padded_on_the_right() {
        // AWS: "the event with the greater hexadecimal value occurred later", the shorter padded with zeros.
        assert!(normal_sequence("0055AED6DCD90281E6") > normal_sequence("0055AED6DCD90281E5"));
        assert!(normal_sequence("0055aed6dcd90281e5ff") > normal_sequence("0055AED6DCD90281E5"));
        assert!(normal_sequencer("1755069482000000") > normal_sequencer("16FE069482000000"));
    }
}
