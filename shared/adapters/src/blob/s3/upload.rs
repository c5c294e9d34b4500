//! Storing objects: small ones in one request, long ones in parts, of which nothing is left when it fails.

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::{ByteStream, Length};
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use shared::ports::blob_store::{BlobBody, BlobError};

use super::bucket::Bucket;
use super::fault;

/// Longest body that is sent in one request, and the length of parts beyond, bytes. Small enough for one try to end
/// within its timeout on a slow line.
const PART_BYTES: u64 = 16 * 1024 * 1024;
/// Most parts of one upload, by the protocol.
const PARTS_MAX: u64 = 10_000;

/// Stores an object.
pub(super) async fn put(bucket: &Bucket, key: &str, body: &BlobBody, content_type: &str) -> Result<(), BlobError> {
    let length = check_length(body).await?;
    if length > PART_BYTES {
        return put_in_parts(bucket, key, body, length, content_type).await;
    }
    let body = section(body, 0, length).await?;
    let request = bucket.sdk.put_object().bucket(&bucket.name).key(bucket.key(key)).content_type(content_type);
    request.body(body).send().await.map(drop).map_err(|error| fault::from_request(bucket, key, error))
}

async fn put_in_parts(
    bucket: &Bucket,
    key: &str,
    body: &BlobBody,
    length: u64,
    content_type: &str,
) -> Result<(), BlobError> {
    let upload = Upload::begin(bucket, key, content_type).await?;
    let mut parts = Vec::new();
    for (number, (start, end)) in (1..).zip(sections(length)) {
        parts.push(upload.part(number, section(body, start, end - start).await?).await?);
    }
    upload.complete(parts).await
}

/// An upload in parts that has begun. Dropped before it is complete, its parts are deleted: unseen, they would cost
/// space for ever.
struct Upload<'a> {
    bucket: &'a Bucket,
    /// Without the prefix.
    key: &'a str,
    id: String,
    complete: bool,
}

impl<'a> Upload<'a> {
    async fn begin(bucket: &'a Bucket, key: &'a str, content_type: &str) -> Result<Self, BlobError> {
        let request = bucket.sdk.create_multipart_upload().bucket(&bucket.name).key(bucket.key(key));
        let answer =
            request.content_type(content_type).send().await.map_err(|error| fault::from_request(bucket, key, error))?;
        let id = answer.upload_id.ok_or_else(|| BlobError::Away("the server gave the upload no id".into()))?;
        Ok(Self { bucket, key, id, complete: false })
    }

    async fn part(&self, number: i32, body: ByteStream) -> Result<CompletedPart, BlobError> {
        let request = self.bucket.sdk.upload_part().bucket(&self.bucket.name).key(self.bucket.key(self.key));
        let request = request.upload_id(&self.id).part_number(number).body(body);
        let answer = request.send().await.map_err(|error| self.fault(error))?;
        Ok(CompletedPart::builder().part_number(number).set_e_tag(answer.e_tag).build())
    }

    async fn complete(mut self, parts: Vec<CompletedPart>) -> Result<(), BlobError> {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let request = self.bucket.sdk.complete_multipart_upload().bucket(&self.bucket.name);
        let request = request.key(self.bucket.key(self.key)).upload_id(&self.id).multipart_upload(parts);
        request.send().await.map_err(|error| self.fault(error))?;
        self.complete = true;
        Ok(())
    }

    /// An upload that is gone is not a blob that is missing: somebody cleaned up, and the next put begins anew.
    fn fault<E>(&self, error: SdkError<E, HttpResponse>) -> BlobError
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        match fault::from_request(self.bucket, self.key, error) {
            BlobError::NotFound(what) => BlobError::Away(format!("the upload of {what} is gone").into()),
            other => other,
        }
    }
}

impl Drop for Upload<'_> {
    fn drop(&mut self) {
        if self.complete {
            return;
        }
        let request = self.bucket.sdk.abort_multipart_upload().bucket(&self.bucket.name);
        let request = request.key(self.bucket.key(self.key)).upload_id(&self.id);
        let what = self.bucket.display(self.key);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            // Bounded by the client's timeouts.
            runtime.spawn(async move {
                if let Err(error) = request.send().await {
                    let error = aws_sdk_s3::error::DisplayErrorContext(error);
                    tracing::warn!(blob = what, %error, "could not delete the parts of an upload that failed");
                }
            });
        }
    }
}

/// Where the parts of a body of this length start and end.
fn sections(length: u64) -> impl Iterator<Item = (u64, u64)> {
    let part = PART_BYTES.max(length.div_ceil(PARTS_MAX));
    (0..length.div_ceil(part)).map(move |index| (index * part, ((index + 1) * part).min(length)))
}

/// The body's length; a file that is shorter by now would make the server wait for the rest.
async fn check_length(body: &BlobBody) -> Result<u64, BlobError> {
    match body {
        BlobBody::Bytes(bytes) => Ok(bytes.len() as u64),
        BlobBody::File { path, length_bytes } => {
            let found = tokio::fs::metadata(path).await.map_err(fault::away)?.len();
            if found >= *length_bytes {
                return Ok(*length_bytes);
            }
            Err(BlobError::Away(format!("the file to store has {found} bytes instead of {length_bytes}").into()))
        }
    }
}

async fn section(body: &BlobBody, start: u64, length: u64) -> Result<ByteStream, BlobError> {
    match body {
        BlobBody::Bytes(bytes) => {
            let end = bytes.len().min(usize::try_from(start + length).unwrap_or(usize::MAX));
            Ok(ByteStream::from(bytes.slice(usize::try_from(start).unwrap_or(end).min(end)..end)))
        }
        BlobBody::File { path, .. } => {
            let section = ByteStream::read_from().path(path).offset(start).length(Length::Exact(length));
            section.build().await.map_err(fault::away)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_the_body_and_are_never_too_many() {
        for length in [PART_BYTES + 1, 3 * PART_BYTES, 5 * PART_BYTES - 1, PARTS_MAX * PART_BYTES + 1] {
            let parts: Vec<_> = sections(length).collect();
            assert!(parts.len() as u64 <= PARTS_MAX, "{length}");
            assert_eq!((parts[0].0, parts[parts.len() - 1].1), (0, length));
            assert!(parts.windows(2).all(|pair| pair[0].1 == pair[1].0), "{length}");
        }
    }
}
