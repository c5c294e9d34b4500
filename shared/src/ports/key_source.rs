//! Where the keys come from that access tokens of an identity provider are signed with.

use async_trait::async_trait;
use bytes::Bytes;

/// Longest key set that is read, in bytes; one of a large provider has a few thousand.
pub const KEY_SET_BYTES_MAX: usize = 256 * 1024;

/// A key set (JWKS, RFC 7517), fetched anew every time. The caller bounds the time and reads what comes with suspicion.
#[async_trait]
pub trait KeySource: Send + Sync + 'static {
    /// The key set as it is written, at most [`KEY_SET_BYTES_MAX`] long.
    async fn fetch(&self) -> Result<Bytes, KeySourceError>;
}

/// Why there is no key set.
#[derive(Debug, thiserror::Error)]
pub enum KeySourceError {
    /// Nobody answered, or something broke on the way.
    #[error("the key set cannot be read: {0}")]
    Away(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// There was an answer, but no key set.
    #[error("the key set's address answered {0}")]
    Status(u16),
    /// It is longer than any key set.
    #[error("the key set is longer than {KEY_SET_BYTES_MAX} bytes")]
    TooLong,
}
