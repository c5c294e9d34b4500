//! The form parser as a function of bytes, for its fuzz target and for the replay of what that found.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::{FutureExt as _, stream};

use crate::upload::Multipart;

/// The first line is the content type, the rest the body, which comes in chunks of 1, 2, 3, … bytes.
pub fn form(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let content_type = String::from_utf8_lossy(&data[..end]);
    let mut body = stream::iter(chunks(data.get(end + 1..).unwrap_or_default()).map(Ok::<_, Infallible>));
    // Nothing is waited for: all chunks are there.
    let _ = read(&content_type, &mut body).now_or_never();
}

fn chunks(mut rest: &[u8]) -> impl Iterator<Item = Bytes> {
    let mut length = 0;
    std::iter::from_fn(move || {
        length += 1;
        let (chunk, after) = rest.split_at(length.min(rest.len()));
        rest = after;
        (!chunk.is_empty()).then(|| Bytes::copy_from_slice(chunk))
    })
}

async fn read<S>(content_type: &str, body: &mut S)
where
    S: futures_util::Stream<Item = Result<Bytes, Infallible>> + Unpin,
{
    let Ok(mut form) = Multipart::new(content_type, body, 1 << 20) else { return };
    while let Ok(Some(_)) = form.next_part().await {
        while let Ok(Some(chunk)) = form.chunk().await {
            assert!(!chunk.is_empty());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fuzzing_found_is_harmless() {
        let directory = format!("{}/../tests/fixtures/fuzz/form", env!("CARGO_MANIFEST_DIR"));
        let files: Vec<_> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(!files.is_empty());
        files.iter().for_each(|file| form(&std::fs::read(file).unwrap()));
    }
}
