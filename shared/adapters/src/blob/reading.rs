//! Streams that end with an error when bytes are missing or do not come.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use shared::ports::blob_store::{BlobError, BlobRead};
use tokio::time::timeout;

/// A read of exactly `length_bytes`: fewer, more, or none within `patience` is an error.
pub(super) fn exactly<S, E>(length_bytes: u64, chunks: S, patience: Duration) -> BlobRead
where
    S: Stream<Item = Result<Bytes, E>> + Send + Unpin + 'static,
    E: Into<Box<dyn Error + Send + Sync>> + Send + 'static,
{
    let stream = stream::try_unfold((chunks, length_bytes), move |(mut chunks, left)| async move {
        let chunk = match timeout(patience, chunks.next()).await {
            Err(_) => return Err(away(format!("no byte came for {patience:?}"))),
            Ok(None) if left == 0 => return Ok(None),
            Ok(None) => return Err(away(format!("{left} of {length_bytes} bytes are missing"))),
            Ok(Some(chunk)) => chunk.map_err(|error| BlobError::Away(error.into()))?,
        };
        match left.checked_sub(chunk.len() as u64) {
            Some(left) => Ok(Some((chunk, (chunks, left)))),
            None => Err(away(format!("more than the promised {length_bytes} bytes came"))),
        }
    });
    BlobRead { length_bytes, stream: Box::pin(stream.into_stream()) }
}

fn away(reason: String) -> BlobError {
    BlobError::Away(reason.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    async fn outcome(length_bytes: u64, chunks: &[&'static str]) -> Result<Vec<Bytes>, String> {
        let chunks: Vec<Result<_, std::io::Error>> =
            chunks.iter().map(|chunk| Ok(Bytes::from_static(chunk.as_bytes()))).collect();
        let read = exactly(length_bytes, stream::iter(chunks), PATIENCE);
        read.stream.try_collect().await.map_err(|error: BlobError| error.to_string())
    }

    #[tokio::test]
    async fn the_promised_number_of_bytes_must_come() {
        assert_eq!(outcome(3, &["ab", "c"]).await.unwrap().concat(), b"abc");
        assert_eq!(outcome(0, &[]).await.unwrap().concat(), b"");
        assert!(outcome(4, &["ab", "c"]).await.unwrap_err().contains("1 of 4 bytes are missing"));
        assert!(outcome(2, &["ab", "c"]).await.unwrap_err().contains("more than the promised 2"));
    }

    #[tokio::test]
    async fn bytes_that_do_not_come_are_not_waited_for_without_end() {
        let silent = stream::pending::<Result<Bytes, std::io::Error>>();
        let read = exactly(1, silent, Duration::from_millis(20));
        let error = read.stream.try_collect::<Vec<_>>().await.unwrap_err();
        assert!(error.to_string().contains("no byte came"), "{error}");
    }
}
