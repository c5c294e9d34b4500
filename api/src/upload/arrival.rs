//! From bytes that have arrived to a registered file version: blob first, row after, then the wake.

use std::time::Duration;

use shared::domain::blob_key::BlobKey;
use shared::domain::file::{
    ByteFacts, Condition, File, FileVersion, NewAccess, NewFileVersion, VersionIdentity, VersionOrder,
};
use shared::domain::format::SourceFormat;
use shared::domain::ids::Tenant;
use shared::domain::lane::Lane;
use shared::domain::plan;
use shared::domain::source::{DeclaredFacts, SourceLocation};
use shared::ports::blob_store::BlobBody;
use shared::ports::state_store::{Conflict, Registration, StoreError};
use shared::register::{Registered, register};

use super::spool::Spooled;
use crate::App;
use crate::error::ApiError;

/// What a blob is stored as when the client did not say.
const UNKNOWN_TYPE: &str = "application/octet-stream";

/// Puts of one upload at most, should its blob be deleted as garbage at that very moment.
const PUTS_MAX: u32 = 5;
/// Pause before the next put while the deletion is still under way.
const PUT_PAUSE: Duration = Duration::from_millis(300);

/// What is to become of an upload.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    tenant: Tenant,
    identity: String,
    name: String,
    parent: Option<String>,
    access: NewAccess,
    condition: Condition,
}

impl Target {
    /// A file of its own; with [`Condition::NewName`] no other file of the parent may have its name.
    pub(crate) fn new_file(
        tenant: &Tenant,
        name: String,
        parent: Option<String>,
        access: NewAccess,
        condition: Condition,
    ) -> Self {
        Self { tenant: tenant.clone(), identity: unique_identity(), name, parent, access, condition }
    }

    /// The next version of a file that is there, under this name, if it still shows the revision when one is given.
    pub(crate) fn next_version(file: &File, name: Option<String>, revision: Option<u32>) -> Self {
        Self {
            tenant: file.tenant.clone(),
            identity: file.identity.clone(),
            name: name.unwrap_or_else(|| file.name.clone()),
            parent: file.parent.clone(),
            access: NewAccess::Default(None),
            condition: Condition::Existing { revision },
        }
    }
}

/// Two uploads of the same bytes are two: clients expect a new version, or a new file, for each.
fn unique_identity() -> String {
    format!("upload:{:032x}", rand::random::<u128>())
}

impl App {
    /// Stores an upload and registers it: what has a row can be read.
    pub(crate) async fn take_in(
        &self,
        target: Target,
        spooled: &Spooled,
        content_type: Option<String>,
    ) -> Result<Registration, ApiError> {
        let key = BlobKey::Source { tenant: target.tenant.clone(), digest: spooled.sha256 };
        let body = BlobBody::File { path: spooled.path(), length_bytes: spooled.length_bytes };
        let media_type = content_type.clone().unwrap_or_else(|| UNKNOWN_TYPE.to_owned());
        self.deps.blobs.put(&key, body.clone(), &media_type).await?;
        let declared = DeclaredFacts { size: Some(spooled.length_bytes), content_type, ..DeclaredFacts::default() };
        let bytes = ByteFacts { length_bytes: spooled.length_bytes, sha256: spooled.sha256 };
        let source = SourceLocation::Uploaded(key.clone());
        let new = self.new_version(target, source, declared, Some(spooled.sha1.clone()), Some(bytes));
        for _ in 1..PUTS_MAX {
            match register(self.deps.store.as_ref(), self.deps.queue.as_ref(), &new).await {
                // The same bytes were there, on their way out: put once that is over, they are there to stay.
                Err(StoreError::Conflict(Conflict::BlobCollected)) => {
                    self.deps.blobs.put(&key, body.clone(), &media_type).await?;
                    if !self.deps.store.put_again(&key).await? {
                        tokio::time::sleep(PUT_PAUSE).await;
                    }
                }
                registered => return Ok(told(registered?)),
            }
        }
        Ok(told(register(self.deps.store.as_ref(), self.deps.queue.as_ref(), &new).await?))
    }

    /// Makes an older version current again, as a new version with the same bytes.
    pub(crate) async fn promote(&self, file: &File, old: &FileVersion) -> Result<Registration, ApiError> {
        let target = Target::next_version(file, None, None);
        let (source, declared) = (old.source.clone(), old.declared.clone());
        let new = self.new_version(target, source, declared, old.sha1.clone(), old.bytes);
        Ok(told(register(self.deps.store.as_ref(), self.deps.queue.as_ref(), &new).await?))
    }

    fn new_version(
        &self,
        target: Target,
        source: SourceLocation,
        declared: DeclaredFacts,
        sha1: Option<String>,
        bytes: Option<ByteFacts>,
    ) -> NewFileVersion {
        let Target { tenant, identity, name, parent, access, condition } = target;
        let format = SourceFormat::declared(&name, declared.content_type.as_deref());
        NewFileVersion {
            tenant,
            file_identity: identity,
            version_identity: VersionIdentity::Named(unique_identity()),
            order: VersionOrder::default(),
            name,
            parent,
            access,
            source,
            declared,
            sha1,
            bytes,
            lane: Lane::Normal,
            wanted: plan::eager(&self.deps.presets, format),
            condition,
        }
    }
}

fn told(registered: Registered) -> Registration {
    let (file, version) = (registered.registration.file_id, registered.registration.version_id);
    tracing::debug!(file.id = %file, file_version.id = %version, "version {version} of file {file} was taken in");
    if let Some(error) = registered.wake_failure {
        tracing::warn!(
            file_version.id = %version, error = %error,
            "no wake for file version {version}, the sweeper will find it: {error}"
        );
    }
    registered.registration
}
