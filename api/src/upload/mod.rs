//! Taking in one upload: form, file name, and the spool that holds the bytes until all of them are there.

use std::time::Duration;

use axum::body::BodyDataStream;
use futures_util::StreamExt as _;
use http::HeaderMap;
use http::header::EXPECT;

mod arrival;
mod files;
mod form;
mod multipart;
pub(crate) mod name;
mod part_headers;
mod spool;

pub(crate) use arrival::Target;
pub(crate) use files::receive_files;
pub(crate) use form::{Received, check_length, receive};
#[cfg(any(test, fuzzing))]
pub(crate) use multipart::Multipart;
pub use spool::remove_abandoned;

/// What is still read of a request that was refused, so that a client in the middle of sending sees the answer rather
/// than a broken connection: this many bytes, for this long.
const LINGER_BYTES_MAX: usize = 64 * 1024 * 1024;
const LINGER_TIMEOUT: Duration = Duration::from_secs(10);

/// For a request that is refused before any of its body was read. A client that waits for `100 Continue` has sent
/// nothing yet, and reading would tell it to begin.
pub(crate) fn linger_unread(headers: &HeaderMap, body: BodyDataStream) {
    let waits = headers.get(EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
    if !waits {
        linger(body);
    }
}

/// Reads on in the background, within bounds, and forgets what it reads.
pub(crate) fn linger(mut body: BodyDataStream) {
    tokio::spawn(tokio::time::timeout(LINGER_TIMEOUT, async move {
        let mut left = LINGER_BYTES_MAX;
        while let Some(Ok(chunk)) = body.next().await {
            match left.checked_sub(chunk.len()) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    }));
}
