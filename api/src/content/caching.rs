//! How long bytes may be kept, and by whom.

use http::HeaderValue;

/// Anybody's bytes under a URL that names them: for good, by every cache on the way.
const PUBLIC_NAMED: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// Anybody's bytes under a URL that does not name them: ask again every time.
const PUBLIC: HeaderValue = HeaderValue::from_static("public, no-cache");
/// Some people's bytes under a URL that names them: whoever loses access keeps them no longer than this.
const PRIVATE_NAMED: HeaderValue = HeaderValue::from_static("private, max-age=300, immutable");
/// Some people's bytes under a URL that does not name them.
const PRIVATE: HeaderValue = HeaderValue::from_static("private, no-cache");

/// `Cache-Control` of content, by who may see it and whether its URL names the very bytes (`?v=`).
pub(crate) fn cache_control(is_public: bool, is_named: bool) -> HeaderValue {
    match (is_public, is_named) {
        (true, true) => PUBLIC_NAMED,
        (true, false) => PUBLIC,
        (false, true) => PRIVATE_NAMED,
        (false, false) => PRIVATE,
    }
}
