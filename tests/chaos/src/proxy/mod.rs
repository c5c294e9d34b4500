//! A TCP proxy between Thumbline and a server, to cut, delay, stall and falsify what they say.

mod http;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

const BUFFER_BYTES: usize = 64 * 1024;
/// A server that takes no connection within this is away.
const CONNECT_SECONDS: u64 = 5;

/// What happens to connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Bytes flow.
    Forward,
    /// Every piece comes so much later.
    Delay(Duration),
    /// Connections stay open, and are taken, but nothing flows.
    Hang,
    /// HTTP: every request is answered 503.
    Refuse,
    /// HTTP: every answer ends in the middle, or before its first byte where it has no body.
    Truncate,
}

impl Mode {
    /// Whether a connection in this mode is understood rather than copied.
    fn speaks_http(self) -> bool {
        matches!(self, Self::Refuse | Self::Truncate)
    }
}

/// A proxy on a loopback port; it ends when dropped.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

struct State {
    mode: watch::Sender<Mode>,
    /// Where new connections lead.
    upstream: watch::Sender<SocketAddr>,
    /// Counts cuts; open connections end when it changes.
    cuts: watch::Sender<u64>,
}

impl Proxy {
    pub(crate) async fn start(upstream: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", crate::ports::free())).await.context("a proxy cannot listen")?;
        let state = Arc::new(State {
            mode: watch::Sender::new(Mode::Forward),
            upstream: watch::Sender::new(upstream),
            cuts: watch::Sender::new(0),
        });
        let address = listener.local_addr()?;
        let accepting = tokio::spawn(accept(listener, Arc::clone(&state)));
        Ok(Self { address, state, accepting })
    }

    /// From now on; connections that would be understood otherwise are cut.
    pub(crate) fn set(&self, mode: Mode) {
        let before = self.state.mode.send_replace(mode);
        if before.speaks_http() || mode.speaks_http() {
            self.cut();
        }
    }

    /// New connections lead there, and open ones are cut.
    pub(crate) fn lead_to(&self, upstream: SocketAddr) {
        self.state.upstream.send_replace(upstream);
        self.cut();
    }

    /// Cuts all open connections; new ones are welcome.
    pub(crate) fn cut(&self) {
        self.state.cuts.send_modify(|count| *count += 1);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            // Out of descriptors, most likely: they come back as connections end.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let mut cut = state.cuts.subscribe();
            tokio::select! {
                _ = serve(client, &state) => {}
                _ = cut.changed() => {}
            }
        });
    }
}

/// One connection, until one side ends it. How it ends is nobody's business.
async fn serve(client: TcpStream, state: &State) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    let mut mode = state.mode.subscribe();
    let how = *mode.wait_for(|mode| *mode != Mode::Hang).await.map_err(std::io::Error::other)?;
    if how == Mode::Refuse {
        return http::refuse(client).await;
    }
    let upstream = *state.upstream.borrow();
    let connecting = TcpStream::connect(upstream);
    let server = tokio::time::timeout(Duration::from_secs(CONNECT_SECONDS), connecting).await??;
    server.set_nodelay(true)?;
    if how == Mode::Truncate {
        return http::truncate(client, server).await;
    }
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        ended = pump(from_client, to_server, mode.clone()) => ended,
        ended = pump(from_server, to_client, mode) => ended,
    }
}

/// Copies in one direction, as the mode allows.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut mode: watch::Receiver<Mode>,
) -> std::io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        let how = *mode.wait_for(|mode| *mode != Mode::Hang).await.map_err(std::io::Error::other)?;
        if let Mode::Delay(delay) = how {
            tokio::time::sleep(delay).await;
        }
        to.write_all(&buffer[..length]).await?;
    }
}
