//! Whether anybody listens where the database should be: asked while a call takes long, so that a server that is down
//! costs its callers a moment rather than the pool's whole patience.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use sea_orm::sqlx::postgres::PgConnectOptions;
use shared::ports::state_store::StoreError;
use tokio::net::{TcpStream, UnixStream};

/// A call that takes no longer is left alone.
const MOMENT: Duration = Duration::from_millis(300);
/// Longest wait for a connection to be accepted or refused; silence proves nothing.
const KNOCK_TIMEOUT: Duration = Duration::from_secs(1);

/// Where the server listens; nowhere for a database that is a file.
#[derive(Debug, Clone)]
pub(super) enum Reach {
    File,
    Tcp(String, u16),
    Unix(PathBuf),
}

impl Reach {
    pub(super) fn of(options: &PgConnectOptions) -> Self {
        let (host, port) = (options.get_host(), options.get_port());
        let directory = options.get_socket().cloned().or_else(|| host.starts_with('/').then(|| PathBuf::from(host)));
        match directory {
            Some(directory) => Self::Unix(directory.join(format!(".s.PGSQL.{port}"))),
            None => Self::Tcp(host.to_owned(), port),
        }
    }

    /// Returns once the server has refused a connection; for a server that is there, or silent, never.
    pub(super) async fn refused(&self) -> StoreError {
        loop {
            tokio::time::sleep(MOMENT).await;
            if let Ok(Err(error)) = tokio::time::timeout(KNOCK_TIMEOUT, self.knock()).await
                && matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound)
            {
                return StoreError::Away(Box::new(error));
            }
        }
    }

    async fn knock(&self) -> std::io::Result<()> {
        match self {
            Self::File => std::future::pending().await,
            Self::Tcp(host, port) => TcpStream::connect((host.as_str(), *port)).await.map(drop),
            Self::Unix(path) => UnixStream::connect(path).await.map(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_refusal_is_told_soon_and_a_listener_is_left_alone() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let reach = Reach::of(&PgConnectOptions::new().host("127.0.0.1").port(port));
        assert!(tokio::time::timeout(MOMENT * 3, reach.refused()).await.is_err(), "somebody listens");
        drop(listener);
        let refused = tokio::time::timeout(Duration::from_secs(5), reach.refused()).await.expect("nobody listens");
        assert!(matches!(refused, StoreError::Away(_)), "{refused}");
    }
}
