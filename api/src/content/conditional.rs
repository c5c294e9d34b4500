//! `ETag`, `If-None-Match` and `If-Range` (RFC 9110 section 13) for content whose tag is the digest of its bytes.

use http::HeaderMap;
use http::header::{IF_NONE_MATCH, IF_RANGE};
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
    fn a_range_of_other_bytes_is_not_continued() {
        assert!(range_holds(&HeaderMap::new(), "\"x\""));
        assert!(range_holds(&headers(IF_RANGE, "\"x\""), "\"x\""));
        for other in ["\"y\"", "W/\"x\"", "Wed, 21 Oct 2015 07:28:00 GMT"] {
            assert!(!range_holds(&headers(IF_RANGE, other), "\"x\""), "{other}");
        }
    }
}
