//! What makes a file the same file and a version the same version: the only place that builds these names.

use crate::domain::file::VersionIdentity;

/// The identity of a file within its tenant: `id:SOURCE_ID` when the producer names its files, else `s3://BUCKET/KEY`.
/// The prefixes keep the two apart: a `source_id` that reads `s3://bucket/key` is still another file. Bucket names have
/// no slash, so bucket and key cannot be taken for one another either.
pub fn of_file(source_id: Option<&str>, bucket: &str, key: &str) -> String {
    match source_id {
        Some(id) => of_source_id(id),
        None => format!("s3://{bucket}/{key}"),
    }
}

/// The identity of a file that its producer calls `source_id`.
pub fn of_source_id(source_id: &str) -> String {
    format!("id:{source_id}")
}

/// The producer's own name for the file with this identity, if it gave one.
pub fn source_id(file_identity: &str) -> Option<&str> {
    file_identity.strip_prefix("id:")
}

/// The identity of a version within its file: its `version_id`, else its `sequence`, else its `etag`, else our digest.
/// The prefix tells which, so that sequence 7 is not taken for a version called "7".
pub fn of_version(version_id: Option<&str>, sequence: Option<&str>, etag: Option<&str>) -> VersionIdentity {
    let named = |kind: &str, name: &str| format!("{kind}:{name}");
    version_id
        .map(of_version_id)
        .or_else(|| sequence.map(|name| named("sequence", name)))
        .or_else(|| etag.map(|name| named("etag", name)))
        .map_or(VersionIdentity::ByDigest(None), VersionIdentity::Named)
}

/// The name of the version that its producer calls `version_id`.
pub fn of_version_id(version_id: &str) -> String {
    format!("version_id:{version_id}")
}

/// An entity tag without its quotes and weakness mark: stores put them in headers and leave them out of events.
/// `None` when nothing is left.
pub fn bare_etag(etag: &str) -> Option<&str> {
    let bare = etag.strip_prefix("W/").unwrap_or(etag).trim_matches('"');
    (!bare.is_empty()).then_some(bare)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_name_that_the_producer_gave_decides() {
        let named = |text: &str| VersionIdentity::Named(text.to_owned());
        assert_eq!(of_version(Some("v1"), Some("7"), Some("abc")), named("version_id:v1"));
        assert_eq!(of_version(None, Some("7"), Some("abc")), named("sequence:7"));
        assert_eq!(of_version(None, None, Some("abc")), named("etag:abc"));
        assert_eq!(of_version(None, None, None), VersionIdentity::ByDigest(None));
        assert_ne!(of_version(Some("7"), None, None), of_version(None, Some("7"), None));
    }

    #[test]
    fn etags_are_the_same_with_and_without_quotes() {
        for etag in ["abc-2", "\"abc-2\"", "W/\"abc-2\""] {
            assert_eq!(bare_etag(etag), Some("abc-2"));
        }
        assert_eq!(bare_etag("\"\""), None);
    }

    proptest! {
        #[test]
        fn a_source_id_is_never_taken_for_a_place(
            id in "\\PC{1,40}|s3://[a-z]{3}/[a-z]{1,5}",
            bucket in "[a-z]{3}",
            key in "[a-z]{1,5}",
        ) {
            let identity = of_file(Some(&id), &bucket, &key);
            let place = of_file(None, &bucket, &key);
            prop_assert_ne!(&identity, &place);
            prop_assert_eq!(source_id(&identity), Some(id.as_str()));
            prop_assert_eq!(source_id(&place), None);
        }
    }
}
