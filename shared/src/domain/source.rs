//! Where a source lies: in our own blob store, or in a bucket that the configuration allows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::access::Access;
use super::blob_key::BlobKey;
use super::ids::Tenant;

/// Where the bytes of a file version are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceLocation {
    /// Uploaded through our API.
    Uploaded(BlobKey),
    /// Put into a bucket by somebody else and announced by an event.
    Bucket {
        /// The bucket's name, as the event names it.
        bucket: String,
        /// The object's key, decoded.
        key: String,
        /// The store's own id of this version of the object, which is then the one that is read, whatever was put over
        /// it since; `None` where the bucket has no versions, or nobody said: the newest is read.
        version: Option<String>,
    },
}

impl SourceLocation {
    /// `s3://bucket/key?versionId=version`, for people; an upload is named by its blob key.
    pub fn display(&self) -> String {
        match self {
            Self::Uploaded(key) => key.to_string(),
            Self::Bucket { bucket, key, version: None } => format!("s3://{bucket}/{key}"),
            Self::Bucket { bucket, key, version: Some(version) } => format!("s3://{bucket}/{key}?versionId={version}"),
        }
    }

    /// `s3://bucket/key`, the same for all versions of the object; `None` for uploads through our API.
    pub fn address(&self) -> Option<String> {
        match self {
            Self::Uploaded(_) => None,
            Self::Bucket { bucket, key, .. } => Some(format!("s3://{bucket}/{key}")),
        }
    }

    /// The store's own id of the object's version, where it has one.
    pub fn object_version(&self) -> Option<&str> {
        match self {
            Self::Uploaded(_) => None,
            Self::Bucket { version, .. } => version.as_deref(),
        }
    }
}

/// What the configuration says of one allowed bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedBucket {
    /// Whose files these are when the event does not say.
    pub tenant: Tenant,
    /// Who may see them when the event does not say; `None`: operators only.
    pub default_access: Option<Access>,
    /// Set when our own blobs lie in the same bucket: events about them mean nothing.
    pub own_blobs: Option<OwnBlobs>,
}

/// Where our own blobs lie in a bucket that sources come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnBlobs {
    /// What the store puts in front of the keys that events name.
    pub source_prefix: String,
    /// What it puts in front of our blob keys.
    pub blobs_prefix: String,
}

impl AllowedBucket {
    /// Whether the object of this key is a blob of ours.
    pub fn is_own(&self, key: &str) -> bool {
        self.own_blobs.as_ref().is_some_and(|own| {
            let whole = format!("{}{key}", own.source_prefix);
            whole.strip_prefix(&own.blobs_prefix).is_some_and(|rest| rest.parse::<BlobKey>().is_ok())
        })
    }
}

/// The buckets that sources may come from; nothing else is ever fetched.
#[derive(Debug, Clone, Default)]
pub struct AllowedBuckets(BTreeMap<String, AllowedBucket>);

impl AllowedBuckets {
    /// From pairs of bucket name and what the configuration says of it.
    pub fn new(buckets: impl IntoIterator<Item = (String, AllowedBucket)>) -> Self {
        Self(buckets.into_iter().collect())
    }

    /// What the configuration says of this bucket, if it is allowed.
    pub fn get(&self, bucket: &str) -> Option<&AllowedBucket> {
        self.0.get(bucket)
    }

    /// The allowed names, for messages to people.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// What a producer says of a source. Hints: only `sha256` is ever checked, and then by our own count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeclaredFacts {
    /// Length in bytes.
    pub size: Option<u64>,
    /// Media type.
    pub content_type: Option<String>,
    /// The store's entity tag, without quotes.
    pub etag: Option<String>,
    /// SHA-256 of the bytes; a version whose bytes differ ends as `digest_mismatch`.
    pub sha256: Option<super::ids::Sha256Digest>,
}
