//! The `Range` header (RFC 9110 section 14): single ranges only.

use std::ops::Range;

/// Which bytes a request gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All of them; also for several ranges at once and for what is no range: both may be ignored.
    Whole,
    /// These.
    Part(Range<u64>),
    /// None of the bytes asked for exist.
    Unsatisfiable,
}

/// Reads a `Range` header for content of this length.
pub(crate) fn wanted(header: Option<&str>, length_bytes: u64) -> Wanted {
    let Some((first, last)) = header.and_then(single_range) else { return Wanted::Whole };
    let end = |last: u64| last.saturating_add(1).min(length_bytes);
    let range = match (first, last) {
        (Some(first), Some(last)) if first > last => return Wanted::Whole,
        (Some(first), Some(last)) => first..end(last),
        (Some(first), None) => first..length_bytes,
        (None, Some(suffix_length)) => length_bytes.saturating_sub(suffix_length)..length_bytes,
        (None, None) => return Wanted::Whole,
    };
    if range.is_empty() { Wanted::Unsatisfiable } else { Wanted::Part(range) }
}

/// Whether this is one range of bytes, as far as can be said without knowing how long the content is.
pub(crate) fn is_one(header: &str) -> bool {
    match single_range(header) {
        Some((Some(first), Some(last))) => first <= last,
        Some((first, last)) => first.is_some() || last.is_some(),
        None => false,
    }
}

/// First and last position as written.
fn single_range(header: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (unit, range) = header.split_once('=')?;
    let (first, last) = range.trim().split_once('-')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let number = |text: &str| match text {
        "" => Some(None),
        digits if digits.bytes().all(|b| b.is_ascii_digit()) => Some(Some(digits.parse().unwrap_or(u64::MAX))),
        _ => None,
    };
    Some((number(first)?, number(last)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_cut_to_what_exists() {
        for (header, range) in [
            ("bytes=0-0", 0..1),
            ("bytes=2-4", 2..5),
            ("bytes=9-", 9..10),
            ("bytes=5-99999999999999999999", 5..10),
            ("bytes=-3", 7..10),
            ("bytes=-99", 0..10),
            ("Bytes=0-9", 0..10),
        ] {
            assert_eq!(wanted(Some(header), 10), Wanted::Part(range), "{header}");
        }
    }

    #[test]
    fn nothing_beyond_the_end_can_be_had() {
        for header in ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=99999999999999999999-"] {
            assert_eq!(wanted(Some(header), 10), Wanted::Unsatisfiable, "{header}");
        }
        assert_eq!(wanted(Some("bytes=0-"), 0), Wanted::Unsatisfiable);
        assert_eq!(wanted(Some("bytes=-1"), 0), Wanted::Unsatisfiable);
    }

    #[test]
    fn what_is_no_single_range_is_ignored() {
        for header in ["bytes=0-1,3-4", "bytes=4-2", "items=0-1", "bytes=a-b", "bytes=-", "bytes=+1-2", "bytes", ""] {
            assert_eq!(wanted(Some(header), 10), Wanted::Whole, "{header}");
        }
        assert_eq!(wanted(None, 10), Wanted::Whole);
    }
}
