//! What follows from an event, with what the configuration says of its bucket.

use super::Meaning;
use super::fact::Fact;
use super::fields::cut;
use super::identity;
use super::refusal::Refusal;
use super::wire::{AccessEvent, DeletedEvent, Gone, Text, UploadEvent, Which};
use crate::domain::file::{Condition, NewAccess, NewFileVersion, VersionOrder};
use crate::domain::file_change::{AccessChange, Deleted, FileDeletion};
use crate::domain::format::SourceFormat;
use crate::domain::ids::Tenant;
use crate::domain::lane::Lane;
use crate::domain::plan;
use crate::domain::preset::PresetTable;
use crate::domain::source::{AllowedBucket, AllowedBuckets, DeclaredFacts, SourceLocation};

/// Most allowed buckets that a refusal lists.
const BUCKETS_SHOWN_MAX: usize = 10;

/// What follows from this.
pub(super) fn of(fact: Fact, buckets: &AllowedBuckets, presets: &PresetTable) -> Result<Meaning, Refusal> {
    match fact {
        Fact::Uploaded(event) => uploaded(*event, buckets, presets),
        Fact::Deleted(event) => deleted(event, buckets),
        Fact::AccessChanged(event) => access_changed(event, buckets),
        Fact::Nothing(reason) => Ok(Meaning::Ignore(reason)),
    }
}

fn uploaded(event: UploadEvent, buckets: &AllowedBuckets, presets: &PresetTable) -> Result<Meaning, Refusal> {
    let bucket = allowed(&event.bucket.0, buckets)?;
    if bucket.is_own(&event.key.0) {
        return Ok(Meaning::Ignore("it is about a blob of our own".to_owned()));
    }
    Ok(Meaning::Register(Box::new(new_file_version(event, bucket.clone(), presets))))
}

fn new_file_version(event: UploadEvent, bucket: AllowedBucket, presets: &PresetTable) -> NewFileVersion {
    let AllowedBucket { tenant, default_access, .. } = bucket;
    let (bucket, key) = (event.bucket.0, event.key.0);
    let etag = event.etag.as_ref().and_then(|etag| identity::bare_etag(&etag.0)).map(str::to_owned);
    let (sequence_name, sequence) = event.sequence.map(|sequence| (sequence.name, sequence.order)).unzip();
    let name = event.name.map_or_else(|| name_of(&key), |name| name.0);
    let declared = DeclaredFacts {
        size: event.size.map(|size| size.0),
        content_type: text(event.content_type),
        etag,
        sha256: event.sha256,
    };
    let format = SourceFormat::declared(&name, declared.content_type.as_deref());
    NewFileVersion {
        tenant: event.tenant.unwrap_or(tenant),
        file_identity: identity::of_file(text(event.source_id).as_deref(), &bucket, &key),
        version_identity: identity::of_version(
            text(event.version_id).as_deref(),
            sequence_name.as_deref(),
            declared.etag.as_deref(),
        ),
        order: VersionOrder { sequence, occurred_at: event.occurred_at.map(|moment| moment.0) },
        name,
        parent: text(event.parent),
        access: event.access.map_or(NewAccess::Default(default_access), NewAccess::Declared),
        source: SourceLocation::Bucket { bucket, key, version: text(event.object_version) },
        declared,
        sha1: None,
        bytes: None,
        lane: event.lane.map_or(Lane::Normal, |lane| lane.0),
        wanted: plan::eager(presets, format),
        condition: Condition::Always,
    }
}

fn deleted(event: DeletedEvent, buckets: &AllowedBuckets) -> Result<Meaning, Refusal> {
    let what = match event.what {
        Gone::File => Deleted::File,
        Gone::Unversioned => Deleted::Unversioned,
        Gone::Version(id) => Deleted::Version(identity::of_version_id(&id.0)),
    };
    let (tenant, file_identity) = match file(event.which, buckets)? {
        Some(file) => file,
        None => return Ok(Meaning::Ignore("it is about a blob of our own".to_owned())),
    };
    Ok(Meaning::Delete(FileDeletion {
        tenant,
        file_identity,
        what,
        order: VersionOrder {
            sequence: event.sequence.map(|sequence| sequence.order),
            occurred_at: event.occurred_at.map(|moment| moment.0),
        },
    }))
}

fn access_changed(event: AccessEvent, buckets: &AllowedBuckets) -> Result<Meaning, Refusal> {
    let Some((tenant, file_identity)) = file(event.which, buckets)? else {
        return Ok(Meaning::Ignore("it is about a blob of our own".to_owned()));
    };
    let occurred_at = event.occurred_at.map(|moment| moment.0);
    Ok(Meaning::ChangeAccess(AccessChange { tenant, file_identity, access: event.access, occurred_at }))
}

/// Whose file it is and its identity; `None` for a blob of our own.
fn file(which: Which, buckets: &AllowedBuckets) -> Result<Option<(Tenant, String)>, Refusal> {
    let bucket = which.bucket.as_ref().map(|bucket| allowed(&bucket.0, buckets)).transpose()?;
    let tenant = which.tenant.or_else(|| bucket.map(|bucket| bucket.tenant.clone())).ok_or(Refusal::WhichFile)?;
    if let Some(source_id) = which.source_id {
        return Ok(Some((tenant, identity::of_source_id(&source_id.0))));
    }
    let (Some(name), Some(key)) = (which.bucket, which.key) else { return Err(Refusal::WhichFile) };
    if bucket.is_some_and(|bucket| bucket.is_own(&key.0)) {
        return Ok(None);
    }
    Ok(Some((tenant, identity::of_file(None, &name.0, &key.0))))
}

fn allowed<'a>(bucket: &str, buckets: &'a AllowedBuckets) -> Result<&'a AllowedBucket, Refusal> {
    buckets.get(bucket).ok_or_else(|| unknown_bucket(bucket, buckets))
}

fn text<const MAX: usize>(text: Option<Text<MAX>>) -> Option<String> {
    text.map(|text| text.0)
}

/// What people call the object: the last segment of its key that can be a name. Keys like `a/..` are legal in S3.
fn name_of(key: &str) -> String {
    let segment = key.rsplit('/').find(|segment| !matches!(*segment, "" | "." | ".."));
    segment.unwrap_or("unnamed").to_owned()
}

fn unknown_bucket(bucket: &str, buckets: &AllowedBuckets) -> Refusal {
    let mut allowed = buckets.names().take(BUCKETS_SHOWN_MAX).map(cut).collect::<Vec<_>>().join(", ");
    match buckets.names().count() {
        0 => allowed.push_str("none"),
        count if count > BUCKETS_SHOWN_MAX => allowed.push_str(&format!(" and {} more", count - BUCKETS_SHOWN_MAX)),
        _ => {}
    }
    Refusal::UnknownBucket { bucket: cut(bucket), allowed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_the_end_of_the_key() {
        for (key, name) in [("a/b/c.jpg", "c.jpg"), ("c.jpg", "c.jpg"), ("scans/", "scans"), ("../a/..", "a")] {
            assert_eq!(name_of(key), name);
        }
        assert_eq!(name_of("../."), "unnamed");
    }
}
