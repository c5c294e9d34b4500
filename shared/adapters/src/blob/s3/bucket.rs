//! One bucket of an S3 server: objects are read, looked at, deleted, and lent by signed URLs.

use std::ops::Range;
use std::time::Duration;

use aws_sdk_s3::presigning::PresigningConfig;
use bytes::Bytes;
use futures_util::stream;
use shared::ports::blob_store::{BlobError, BlobRead, PresignedHeaders, SourceObject};

use super::fault;
use crate::blob::reading;

/// A bucket, and the prefix that all our keys in it have.
pub(in crate::blob) struct Bucket {
    pub(super) sdk: aws_sdk_s3::Client,
    pub(super) name: String,
    /// Empty, or ends with a slash.
    pub(super) prefix: String,
    /// Longest wait for the next bytes of a body.
    pub(super) patience: Duration,
}

impl Bucket {
    /// An object's bytes, or a range of them.
    pub(super) async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<BlobRead, BlobError> {
        self.get_version(key, None, range).await
    }

    /// The same of one version of it, whatever was put over that one since.
    pub(in crate::blob) async fn get_version(
        &self,
        key: &str,
        version: Option<&str>,
        range: Option<Range<u64>>,
    ) -> Result<BlobRead, BlobError> {
        if let Some(range) = &range
            && range.is_empty()
        {
            // The protocol has no way to ask for no bytes.
            self.head(key).await?.ok_or_else(|| BlobError::NotFound(self.display(key)))?;
            return Ok(reading::exactly(0, stream::empty::<Result<Bytes, std::io::Error>>(), self.patience));
        }
        let wanted = range.as_ref().map(|range| range.end - range.start);
        let range = range.map(|range| format!("bytes={}-{}", range.start, range.end - 1));
        let request = self.sdk.get_object().bucket(&self.name).key(self.key(key)).set_range(range);
        let request = request.set_version_id(version.map(str::to_owned));
        let answer = request.send().await.map_err(|error| fault::from_read(self, key, version, error))?;
        let length = answer.content_length.and_then(|length| u64::try_from(length).ok());
        let length = length.ok_or_else(|| BlobError::Away("the server did not say how long the object is".into()))?;
        if wanted.is_some_and(|wanted| wanted != length) {
            return Err(BlobError::Away("the server answered with another range than we asked for".into()));
        }
        let chunks =
            stream::unfold(answer.body, |mut body| async move { body.next().await.map(|chunk| (chunk, body)) });
        Ok(reading::exactly(length, Box::pin(chunks), self.patience))
    }

    /// Whether the object is there, and its length in bytes.
    pub(super) async fn head(&self, key: &str) -> Result<Option<u64>, BlobError> {
        let request = self.sdk.head_object().bucket(&self.name).key(self.key(key));
        match request.send().await.map_err(|error| fault::from_request(self, key, error)) {
            Ok(answer) => Ok(answer.content_length.and_then(|length| u64::try_from(length).ok())),
            Err(BlobError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Deletes the object; a missing one is fine.
    pub(super) async fn delete(&self, key: &str) -> Result<(), BlobError> {
        let request = self.sdk.delete_object().bucket(&self.name).key(self.key(key));
        match request.send().await.map_err(|error| fault::from_request(self, key, error)) {
            Ok(_) | Err(BlobError::NotFound(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Objects after a key, in the order of their keys; at most `limit`, which is at most the protocol's 1000.
    pub(in crate::blob) async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<SourceObject>, BlobError> {
        let limit = limit as usize;
        let (mut found, mut after) = (Vec::new(), after.map(|after| self.key(after)));
        loop {
            let request = self.sdk.list_objects_v2().bucket(&self.name).prefix(self.key(prefix));
            let wanted = i32::try_from(limit - found.len()).unwrap_or(i32::MAX);
            let request = request.set_start_after(after).max_keys(wanted);
            let answer = request.send().await.map_err(|error| fault::from_bucket(self, error))?;
            let (more, objects) = (answer.is_truncated == Some(true), answer.contents.unwrap_or_default());
            after = objects.last().and_then(|object| object.key.clone());
            found.extend(objects.into_iter().filter_map(|object| self.listed(object)));
            // Stores may answer with less than was asked for although there is more.
            if !more || after.is_none() || found.len() >= limit {
                return Ok(found);
            }
        }
    }

    /// A listed object with its version and the other facts of that one; as it was listed where it has none.
    pub(in crate::blob) async fn with_version(&self, listed: SourceObject) -> Result<SourceObject, BlobError> {
        let request = self.sdk.head_object().bucket(&self.name).key(self.key(&listed.key));
        let answer = match request.send().await.map_err(|error| fault::from_request(self, &listed.key, error)) {
            Ok(answer) => answer,
            // Who may not read one object is told when that one is fetched; the listing goes on.
            Err(BlobError::NotFound(_) | BlobError::Forbidden(..)) => return Ok(listed),
            Err(error) => return Err(error),
        };
        // `null` is what was put while the bucket kept no versions: another object of that kind may take its place.
        let version = answer.version_id.filter(|version| !version.is_empty() && version != "null");
        let Some(version) = version else { return Ok(listed) };
        Ok(SourceObject {
            size: answer.content_length.and_then(|length| u64::try_from(length).ok()).unwrap_or(listed.size),
            etag: answer.e_tag.or(listed.etag),
            modified_at: answer.last_modified.and_then(|at| at.to_millis().ok()).or(listed.modified_at),
            version: Some(version),
            key: listed.key,
        })
    }

    fn listed(&self, object: aws_sdk_s3::types::Object) -> Option<SourceObject> {
        let key = object.key?.strip_prefix(&self.prefix)?.to_owned();
        let size = object.size.and_then(|size| u64::try_from(size).ok())?;
        let modified_at = object.last_modified.and_then(|at| at.to_millis().ok());
        Some(SourceObject { key, size, etag: object.e_tag, modified_at, version: None })
    }

    /// A URL that lets anybody read the object for a while. No request is made.
    pub(super) async fn presign(
        &self,
        key: &str,
        lifetime: Duration,
        headers: &PresignedHeaders,
    ) -> Result<String, BlobError> {
        let config = PresigningConfig::expires_in(lifetime).map_err(fault::away)?;
        let request = self
            .sdk
            .get_object()
            .bucket(&self.name)
            .key(self.key(key))
            .set_response_content_type(headers.content_type.clone())
            .set_response_content_disposition(headers.content_disposition.clone())
            .set_response_cache_control(headers.cache_control.clone());
        let signed = request.presigned(config).await.map_err(|error| fault::from_request(self, key, error))?;
        Ok(signed.uri().to_owned())
    }

    /// Answers when the bucket is there and lets us in.
    pub(super) async fn ping(&self) -> Result<(), BlobError> {
        let request = self.sdk.head_bucket().bucket(&self.name);
        request.send().await.map(drop).map_err(|error| fault::from_bucket(self, error))
    }

    /// The whole key of an object.
    pub(super) fn key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// Where the object is, for people.
    pub(super) fn display(&self, key: &str) -> String {
        format!("s3://{}/{}{key}", self.name, self.prefix)
    }
}
