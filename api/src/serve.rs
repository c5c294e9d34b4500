//! Connections: accepting, bounding and draining them, with header names written in the letter case that Box clients need.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::seats::{Answer, Seat, Seats};

/// Most connections at a time; more wait until one of them leaves (`seats.rs`).
const CONNECTIONS_MAX: usize = 1024;
/// Time for the head of a request to arrive, and for an idle connection to send the next one.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Most header fields of a request.
const HEADERS_MAX: usize = 100;
/// Longest head of a request, in bytes; also what is buffered of one connection.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Time for running requests to end after shutdown has begun; then their connections are dropped.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);
/// Pause after the listener failed, for example because the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Time that sent bytes may stay unacknowledged; then a client that stopped reading loses its connection.
#[cfg(target_os = "linux")]
const STALL_MILLISECONDS: u32 = 60_000;

/// Serves until `shutdown`, then lets running requests end for a bounded time.
pub async fn serve(listener: TcpListener, router: Router, shutdown: CancellationToken) {
    serve_at_most(CONNECTIONS_MAX, listener, router, shutdown).await;
}

/// [`serve`] with another number of connections.
pub(crate) async fn serve_at_most(
    connections_max: usize,
    listener: TcpListener,
    router: Router,
    shutdown: CancellationToken,
) {
    let seats = Seats::new(connections_max);
    let connections = TaskTracker::new();
    let abort = CancellationToken::new();
    while let Some((stream, seat)) = next_connection(&listener, &seats, &shutdown).await {
        let (router, shutdown, abort, leave) = (router.clone(), shutdown.clone(), abort.clone(), seat.leave());
        connections.spawn(async move {
            let seat = Arc::new(seat);
            tokio::select! {
                () = connection(stream, router, &seat, shutdown) => {}
                () = abort.cancelled() => {}
                () = leave.cancelled() => tracing::debug!("a silent connection makes room for another"),
            }
        });
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(DRAIN_TIMEOUT, connections.wait()).await.is_err() {
        tracing::warn!(connections = connections.len(), "requests did not end within the drain time; dropping them");
        abort.cancel();
        connections.wait().await;
    }
}

/// The next connection with its seat; `None` when shutdown has begun.
async fn next_connection(
    listener: &TcpListener,
    seats: &Arc<Seats>,
    shutdown: &CancellationToken,
) -> Option<(TcpStream, Seat)> {
    let accept = async {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => return Some((stream, seats.take().await)),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(error = %error, "could not accept a connection: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        biased;
        () = shutdown.cancelled() => None,
        connection = accept => connection,
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}

async fn connection(stream: TcpStream, router: Router, seat: &Arc<Seat>, shutdown: CancellationToken) {
    if let Err(error) = bound(&stream) {
        tracing::debug!(error = %error, "could not set options of a connection: {error}");
    }
    let (router, seat) = (TowerToHyperService::new(router), Arc::clone(seat));
    let service = service_fn(move |request| {
        let (answering, answer) = (seat.answering(), router.call(request));
        async move { answer.await.map(|answer| answer.map(|body| Answer::new(body, answering))) }
    });
    // Some clients look up `Retry-After` and `Location` in exactly this letter case: contract section 0.1.
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .title_case_headers(true)
        .header_read_timeout(HEAD_TIMEOUT)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = %error, "a connection broke: {error}");
    }
}

/// Small answers leave at once, and a client that stopped reading does not hold its connection for ever.
fn bound(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    rustix::net::sockopt::set_tcp_user_timeout(stream, STALL_MILLISECONDS)?;
    Ok(())
}
