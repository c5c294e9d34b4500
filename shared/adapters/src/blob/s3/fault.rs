//! From an S3 server's errors to ours.

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use shared::ports::blob_store::BlobError;

use time::format_description::well_known::Rfc2822;
use time::{Duration, OffsetDateTime};

use super::bucket::Bucket;

/// Servers refuse requests whose time is a quarter of an hour from theirs. When one refuses us and the clocks differ by
/// more than this, that is what to tell.
const CLOCKS_DIFFER: Duration = Duration::minutes(5);

/// Codes of servers that have no space left, or none left for us. Ceph answers 403 with the first one.
const NO_SPACE_CODES: [&str; 4] =
    ["QuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "XMinioAdminBucketQuotaExceeded"];

/// What a failed request for `key` means.
pub(super) fn from_request<E>(bucket: &Bucket, key: &str, error: SdkError<E, HttpResponse>) -> BlobError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code).unwrap_or_default();
    match (status, code) {
        (_, "NoSuchBucket") => no_bucket(bucket),
        (_, code) if NO_SPACE_CODES.contains(&code) => BlobError::NoSpace,
        (Some(507), _) => BlobError::NoSpace,
        (_, "RequestTimeTooSkewed" | "RequestExpired") => clocks_differ(&error),
        (Some(401 | 403), _) if is_elsewhen(&error) => clocks_differ(&error),
        (Some(404), _) => BlobError::NotFound(bucket.display(key)),
        (Some(401 | 403), _) => BlobError::Forbidden(bucket.display(key), words(&error)),
        _ => away(error),
    }
}

/// What a failed read of `key`, or of one version of it, means. Stores refuse a version id that is none of theirs as a bad
/// request, and to read a delete marker as a wrong method: either way there are no such bytes.
pub(super) fn from_read<E>(
    bucket: &Bucket,
    key: &str,
    version: Option<&str>,
    error: SdkError<E, HttpResponse>,
) -> BlobError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let Some(version) = version else { return from_request(bucket, key, error) };
    let named = || format!("{}?versionId={version}", bucket.display(key));
    let status = error.raw_response().map(|response| response.status().as_u16());
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
    if status == Some(405) || code.is_some_and(|code| matches!(code, "InvalidArgument" | "NoSuchVersion")) {
        return BlobError::NotFound(named());
    }
    match from_request(bucket, key, error) {
        BlobError::NotFound(_) => BlobError::NotFound(named()),
        other => other,
    }
}

/// What a failed request for the bucket itself means.
pub(super) fn from_bucket<E>(bucket: &Bucket, error: SdkError<E, HttpResponse>) -> BlobError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match from_request(bucket, "", error) {
        BlobError::NotFound(_) => no_bucket(bucket),
        BlobError::Forbidden(_, words) => BlobError::Forbidden(format!("bucket {}", bucket.name), words),
        other => other,
    }
}

/// The request failed for another reason, which may pass.
pub(super) fn away(error: impl std::error::Error + Send + Sync + 'static) -> BlobError {
    // The SDK's errors say only "service error"; what happened is in their sources.
    BlobError::Away(DisplayErrorContext(error).to_string().into())
}

/// Not a refusal of the credentials: it passes once the clock is right, and other workers may have a better one.
fn clocks_differ<E>(error: &SdkError<E, HttpResponse>) -> BlobError {
    let theirs = server_time(error).map_or_else(|| "another time".to_owned(), |time| time.to_string());
    let ours = own_time();
    let words =
        format!("the server says it is {theirs}, this machine says {ours}: set the clock of this machine right");
    BlobError::Away(words.into())
}

/// Answers to HEAD have no code, but every answer has a date.
fn is_elsewhen<E>(error: &SdkError<E, HttpResponse>) -> bool {
    server_time(error).is_some_and(|theirs| (own_time() - theirs).abs() > CLOCKS_DIFFER)
}

#[expect(clippy::disallowed_methods, reason = "whether this very clock is right is the question")]
fn own_time() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

fn server_time<E>(error: &SdkError<E, HttpResponse>) -> Option<OffsetDateTime> {
    let date = error.raw_response()?.headers().get("date")?;
    OffsetDateTime::parse(date, &Rfc2822).ok()
}

fn no_bucket(bucket: &Bucket) -> BlobError {
    let name = &bucket.name;
    BlobError::Away(format!("the server has no bucket {name:?}: create it, or name another one").into())
}

/// The server's own words, or at least its status.
fn words<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> String {
    let answer = error.as_service_error();
    let code = answer.and_then(ProvideErrorMetadata::code);
    let message = answer.and_then(ProvideErrorMetadata::message);
    match (code, message) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        _ => "it refuses these credentials".to_owned(),
    }
}
