//! From the fields of an upload event to a file version to register, with what the configuration says of its bucket.

use super::fields::cut;
use super::identity;
use super::refusal::Refusal;
use super::wire::{Text, UploadEvent};
use crate::domain::file::{Condition, NewAccess, NewFileVersion, VersionOrder, normal_sequence};
use crate::domain::format::SourceFormat;
use crate::domain::lane::Lane;
use crate::domain::plan;
use crate::domain::preset::PresetTable;
use crate::domain::source::{AllowedBucket, AllowedBuckets, DeclaredFacts, SourceLocation};

/// Most allowed buckets that a refusal lists.
const BUCKETS_SHOWN_MAX: usize = 10;

/// What to register for this event.
pub(super) fn new_file_version(
    event: UploadEvent,
    buckets: &AllowedBuckets,
    presets: &PresetTable,
) -> Result<NewFileVersion, Refusal> {
    let (bucket, key) = (event.bucket.0, event.key.0);
    let AllowedBucket { tenant, default_access } =
        buckets.get(&bucket).cloned().ok_or_else(|| unknown_bucket(&bucket, buckets))?;
    let etag = event.etag.as_ref().and_then(|etag| identity::bare_etag(&etag.0)).map(str::to_owned);
    let sequence = event.sequence.map(|sequence| sequence.0);
    let name = event.name.map_or_else(|| name_of(&key), |name| name.0);
    let declared = DeclaredFacts {
        size: event.size.map(|size| size.0),
        content_type: text(event.content_type),
        etag,
        sha256: event.sha256,
    };
    let format = SourceFormat::declared(&name, declared.content_type.as_deref());
    Ok(NewFileVersion {
        tenant: event.tenant.unwrap_or(tenant),
        file_identity: identity::of_file(text(event.source_id).as_deref(), &bucket, &key),
        version_identity: identity::of_version(
            text(event.version_id).as_deref(),
            sequence.as_deref(),
            declared.etag.as_deref(),
        ),
        order: VersionOrder {
            sequence: sequence.as_deref().map(normal_sequence),
            occurred_at: event.occurred_at.map(|moment| moment.0),
        },
        name,
        parent: text(event.parent),
        access: event.access.map_or(NewAccess::Default(default_access), NewAccess::Declared),
        source: SourceLocation::Bucket { bucket, key },
        declared,
        sha1: None,
        bytes: None,
        lane: event.lane.map_or(Lane::Normal, |lane| lane.0),
        wanted: plan::eager(presets, format),
        condition: Condition::Always,
    })
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
