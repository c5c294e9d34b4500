//! What a source is predicted to cost before anybody has read it, and which lane it belongs to for that.

use std::time::Duration;

use super::file::NewFileVersion;
use super::format::SourceFormat;
use super::lane::Lane;

/// Sources that are predicted to take longer belong on the heavy lane: an ordinary photo takes a twentieth of it.
const HEAVY: Duration = Duration::from_secs(2);
/// Milliseconds to fetch a mebibyte from a store that is no better than it should be.
const FETCH_MS_PER_MIB: u64 = 10;
const MIB: u64 = 1 << 20;

/// How long the source should take one core, fetched and rendered for the eager presets. Rough: it only has to tell a
/// photo from a film.
pub fn predicted(format: Option<SourceFormat>, length_bytes: u64) -> Duration {
    let ms_per_mib = FETCH_MS_PER_MIB + format.map_or(RENDER_MS_PER_MIB_UNKNOWN, render_ms_per_mib);
    Duration::from_millis(length_bytes.saturating_mul(ms_per_mib) / MIB)
}

const RENDER_MS_PER_MIB_UNKNOWN: u64 = 30;

/// Measured with the corpus of the benchmarks and rounded up; formats that pack pixels tighter cost more for each byte.
fn render_ms_per_mib(format: SourceFormat) -> u64 {
    match format {
        // Only the preview in it is decoded.
        SourceFormat::Raw => 2,
        SourceFormat::Bmp | SourceFormat::Tga | SourceFormat::Pnm | SourceFormat::Qoi | SourceFormat::Tiff => 5,
        SourceFormat::Jpeg | SourceFormat::Psd => 10,
        SourceFormat::Png | SourceFormat::Gif | SourceFormat::Webp | SourceFormat::Ico => 40,
        // JPEG XL, and whatever packs like it.
        _ => 150,
    }
}

/// Whether it belongs on the heavy lane.
pub fn is_heavy(format: Option<SourceFormat>, length_bytes: u64) -> bool {
    predicted(format, length_bytes) > HEAVY
}

/// The lane for a new version: what would be on the normal lane and is predicted to be heavy goes to the heavy one. Who
/// asked for another lane gets it. What nobody has said the length of is looked at again when it is opened.
pub fn lane(new: &NewFileVersion) -> Lane {
    let length = new.bytes.map(|bytes| bytes.length_bytes).or(new.declared.size);
    let format = SourceFormat::declared(&new.name, new.declared.content_type.as_deref());
    match (new.lane, length) {
        (Lane::Normal, Some(length)) if is_heavy(format, length) => Lane::Heavy,
        (lane, _) => lane,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::file::{Condition, NewAccess, VersionIdentity, VersionOrder};
    use crate::domain::source::{DeclaredFacts, SourceLocation};

    fn version(name: &str, size: Option<u64>, lane: Lane) -> NewFileVersion {
        NewFileVersion {
            tenant: "acme".parse().unwrap(),
            file_identity: "id:1".into(),
            version_identity: VersionIdentity::ByDigest(None),
            order: VersionOrder::default(),
            name: name.into(),
            parent: None,
            access: NewAccess::Default(None),
            source: SourceLocation::Bucket { bucket: "b".into(), key: name.into(), version: None },
            declared: DeclaredFacts { size, ..DeclaredFacts::default() },
            sha1: None,
            bytes: None,
            lane,
            wanted: Vec::new(),
            condition: Condition::default(),
        }
    }

    #[test]
    fn only_what_is_large_for_its_format_is_heavy() {
        for (name, mib, expected) in [
            ("photo.jpg", 12, Lane::Normal),
            ("poster.jpg", 150, Lane::Heavy),
            ("screen.png", 12, Lane::Normal),
            ("scan.png", 60, Lane::Heavy),
            ("photo.jxl", 14, Lane::Heavy),
            ("scan.tif", 100, Lane::Normal),
            ("who-knows", 60, Lane::Heavy),
        ] {
            assert_eq!(lane(&version(name, Some(mib * MIB), Lane::Normal)), expected, "{name} of {mib} MiB");
        }
    }

    #[test]
    fn who_asked_for_a_lane_gets_it_and_unknown_sizes_are_normal() {
        for asked in [Lane::Interactive, Lane::Backfill, Lane::Heavy] {
            assert_eq!(lane(&version("a.png", Some(u64::MAX), asked)), asked);
        }
        assert_eq!(lane(&version("a.png", None, Lane::Normal)), Lane::Normal);
        assert_eq!(lane(&version("a.png", Some(u64::MAX), Lane::Normal)), Lane::Heavy);
    }
}
