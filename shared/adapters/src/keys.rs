//! Key sets of identity providers: over HTTPS, or from a file.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use shared::ports::key_source::{KEY_SET_BYTES_MAX, KeySource, KeySourceError};

/// The key source that an address names: `https://…`, `http://…` of this host, or `file:PATH`.
pub fn open(address: &str) -> Result<Arc<dyn KeySource>, KeySourceError> {
    if let Some(path) = address.strip_prefix("file:") {
        return Ok(Arc::new(KeyFile(path.into())));
    }
    let uri = address.parse().map_err(away)?;
    let connector = HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
        .map_err(away)?
        .https_or_http()
        .enable_http1()
        .build();
    Ok(Arc::new(KeyEndpoint { client: Client::builder(TokioExecutor::new()).build(connector), uri }))
}

fn away(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> KeySourceError {
    KeySourceError::Away(error.into())
}

struct KeyFile(PathBuf);

#[async_trait]
impl KeySource for KeyFile {
    async fn fetch(&self) -> Result<Bytes, KeySourceError> {
        let length = tokio::fs::metadata(&self.0).await.map_err(away)?.len();
        if length > KEY_SET_BYTES_MAX as u64 {
            return Err(KeySourceError::TooLong);
        }
        Ok(tokio::fs::read(&self.0).await.map_err(away)?.into())
    }
}

struct KeyEndpoint {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    uri: http::Uri,
}

#[async_trait]
impl KeySource for KeyEndpoint {
    /// Redirects are not followed: the configuration names the endpoint itself.
    async fn fetch(&self) -> Result<Bytes, KeySourceError> {
        let answer = self.client.get(self.uri.clone()).await.map_err(away)?;
        if answer.status() != http::StatusCode::OK {
            return Err(KeySourceError::Status(answer.status().as_u16()));
        }
        let body = Limited::new(answer.into_body(), KEY_SET_BYTES_MAX);
        body.collect().await.map(|whole| whole.to_bytes()).map_err(|error| {
            if error.is::<http_body_util::LengthLimitError>() { KeySourceError::TooLong } else { away(error) }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;

    /// A server that gives one answer and ends; its address.
    fn answering(answer: Vec<u8>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(&answer);
        });
        format!("http://{address}/keys")
    }

    #[tokio::test]
    async fn a_key_set_comes_whole_or_not_at_all() {
        let fetch = async |answer: String| open(&answering(answer.into_bytes())).unwrap().fetch().await;
        let good = fetch("HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{\"keys\":[]}".to_owned()).await.unwrap();
        assert_eq!(&good[..], b"{\"keys\":[]}");
        let moved = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n".to_owned();
        assert!(matches!(fetch(moved).await, Err(KeySourceError::Status(302))));
        let long = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(KEY_SET_BYTES_MAX + 1));
        assert!(matches!(fetch(long).await, Err(KeySourceError::TooLong)));
        let broken = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".to_owned();
        assert!(matches!(fetch(broken).await, Err(KeySourceError::Away(_))));
    }

    #[tokio::test]
    async fn a_file_is_read_anew_every_time() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys.json");
        let source = open(&format!("file:{}", path.display())).unwrap();
        assert!(matches!(source.fetch().await, Err(KeySourceError::Away(_))));
        for text in ["one", "two"] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(source.fetch().await.unwrap(), text);
        }
        std::fs::write(&path, vec![b'x'; KEY_SET_BYTES_MAX + 1]).unwrap();
        assert!(matches!(source.fetch().await, Err(KeySourceError::TooLong)));
    }
}
