//! `ETag`, `If-Match`, `If-None-Match` and `If-Range` (RFC 9110 section 13) for content whose tag is the digest of its bytes.

use http::header::{IF_MATCH, IF_NONE_MATCH, IF_RANGE};
use http::{HeaderMap, HeaderName};
use shared::domain::ids::Sha256Digest;

/// The strong tag.
pub(crate) fn etag(digest: &Sha256Digest) -> String {
    format!("\"{digest}\"")
}

/// Whether the client says that it has these bytes. Only then may the answer be 304: contract 0.18.
pub(crate) fn is_fresh(headers: &HeaderMap, etag: &str) -> bool {
    headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).any(|list| {
        list.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
    })
}

/// Whether the client expects these bytes, or none in particular (`If-Match`).
pub(crate) fn is_expected(headers: &HeaderMap, etag: &str) -> bool {
    let mut lists = headers.get_all(IF_MATCH).iter().peekable();
    lists.peek().is_none()
        || lists
            .filter_map(|value| value.to_str().ok())
            .any(|list| list.split(',').map(str::trim).any(|tag| tag == "*" || tag == etag))
}

/// What a client that sends `If-Match` or `If-None-Match` of a file has seen. Box's clients send the bare value, others
/// put it in quotes: contract section 4.6. `None` without the header.
pub(crate) fn names_revision(headers: &HeaderMap, name: &HeaderName, revision: u32) -> Option<bool> {
    let mut lists = headers.get_all(name).iter().peekable();
    lists.peek()?;
    let revision = revision.to_string();
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").trim_matches('"') == revision;
    Some(
        lists
            .filter_map(|value| value.to_str().ok())
            .any(|list| list.split(',').any(|tag| tag.trim() == "*" || bare(tag))),
    )
}

/// Whether a range may be answered: a client that has a part of other bytes needs all of these.
pub(crate) fn range_holds(headers: &HeaderMap, etag: &str) -> bool {
    headers.get(IF_RANGE).is_none_or(|value| value.as_bytes() == etag.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: http::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn any_tag_of_the_list_will_do_weak_ones_too() {
        for list in ["\"x\"", "\"a\", \"x\"", "W/\"x\"", "*"] {
            assert!(is_fresh(&headers(IF_NONE_MATCH, list), "\"x\""), "{list}");
        }
        for list in ["\"y\"", "x", "\"xx\"", ""] {
            assert!(!is_fresh(&headers(IF_NONE_MATCH, list), "\"x\""), "{list}");
        }
        assert!(!is_fresh(&HeaderMap::new(), "\"x\""));
    }

    #[test]
    fn what_is_expected_is_compared_strongly() {
        for list in ["\"x\"", "\"a\", \"x\"", "*"] {
            assert!(is_expected(&headers(IF_MATCH, list), "\"x\""), "{list}");
        }
        for list in ["\"y\"", "W/\"x\"", "x", ""] {
            assert!(!is_expected(&headers(IF_MATCH, list), "\"x\""), "{list}");
        }
        assert!(is_expected(&HeaderMap::new(), "\"x\""));
    }

    #[test]
    fn revisions_are_compared_bare_and_quoted() {
        for same in ["7", "\"7\"", "W/\"7\"", " 7 ", "1, 7", "*"] {
            assert_eq!(names_revision(&headers(IF_MATCH, same), &IF_MATCH, 7), Some(true), "{same}");
        }
        for other in ["8", "07", "77", "", "x"] {
            assert_eq!(names_revision(&headers(IF_MATCH, other), &IF_MATCH, 7), Some(false), "{other}");
        }
        assert_eq!(names_revision(&HeaderMap::new(), &IF_MATCH, 7), None);
    }

    #[test]
    fn a_range_of_other_bytes_is_not_continued() {
        assert!(range_holds(&HeaderMap::new(), "\"x\""));
        assert!(range_holds(&headers(IF_RANGE, "\"x\""), "\"x\""));
        for other in ["\"y\"", "W/\"x\"", "Wed, 21 Oct 2015 07:28:00 GMT"] {
            assert!(!range_holds(&headers(IF_RANGE, other), "\"x\""), "{other}");
        }
    }
}
