//! A TCP proxy between a client and its server, to cut, stall and falsify what they say.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What happens to connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Bytes flow.
    Forward,
    /// Connections stay open, nothing flows.
    Stall,
    /// Open connections are cut, new ones are closed at once.
    Refuse,
}

/// Replaces one run of bytes by another of the same length, in what clients send.
pub(super) type Falsify = Option<(&'static [u8], &'static [u8])>;

/// A proxy on a free loopback port; it ends when dropped.
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    state: Arc<State>,
    accepting: tokio::task::JoinHandle<()>,
}

struct State {
    mode: watch::Sender<Mode>,
    /// Where new connections lead.
    upstream: watch::Sender<String>,
    /// Counts cuts; open connections end when it changes.
    cuts: watch::Sender<u64>,
}

impl Proxy {
    pub(super) async fn start(upstream: String, falsify: Falsify) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            mode: watch::Sender::new(Mode::Forward),
            upstream: watch::Sender::new(upstream),
            cuts: watch::Sender::new(0),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&state), falsify));
        Self { address, state, accepting }
    }

    pub(super) fn set(&self, mode: Mode) {
        self.state.mode.send_replace(mode);
        if mode == Mode::Refuse {
            self.cut();
        }
    }

    /// New connections lead there; open ones stay where they are.
    pub(super) fn lead_to(&self, upstream: String) {
        self.state.upstream.send_replace(upstream);
    }

    /// Cuts all open connections; new ones are welcome.
    pub(super) fn cut(&self) {
        self.state.cuts.send_modify(|count| *count += 1);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

async fn accept(listener: TcpListener, state: Arc<State>, falsify: Falsify) {
    while let Ok((client, _)) = listener.accept().await {
        let mut cut = state.cuts.subscribe();
        if *state.mode.borrow() == Mode::Refuse {
            continue;
        }
        let upstream = state.upstream.borrow().clone();
        let Ok(server) = TcpStream::connect(&upstream).await else { continue };
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        let mode = state.mode.subscribe();
        tokio::spawn(async move {
            tokio::select! {
                () = pump(from_client, to_server, mode.clone(), falsify) => {}
                () = pump(from_server, to_client, mode, None) => {}
                _ = cut.changed() => {}
            }
        });
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut mode: watch::Receiver<Mode>, falsify: Falsify) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if mode.wait_for(|mode| *mode == Mode::Forward).await.is_err() {
            return;
        }
        let bytes = &mut buffer[..length];
        if let Some((what, by)) = falsify
            && let Some(at) = bytes.windows(what.len()).position(|window| window == what)
        {
            bytes[at..at + by.len()].copy_from_slice(by);
        }
        if to.write_all(bytes).await.is_err() {
            return;
        }
    }
}
