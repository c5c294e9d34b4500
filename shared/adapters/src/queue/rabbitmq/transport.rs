//! The byte stream to the broker: TCP or TLS, screened on the way in, and ended from outside when we give up on it.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use async_rs::traits::Reactor;
use async_rs::util::RuntimeParts;
use async_rs::{Runtime, Tokio};
use futures_core::Stream;
use futures_io::{AsyncRead, AsyncWrite};
use lapin::tcp::{AMQPUriTcpExt as _, AsyncTcpStream, OwnedTLSConfig};
use lapin::uri::AMQPUri;
use lapin::{Connection, ConnectionProperties};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::screen::Screen;

/// Bytes read at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// What the Tokio reactor connects.
type Socket = AsyncTcpStream<<Tokio as Reactor>::TcpStream>;

/// Connects to the broker. The library's thread for this connection ends when `end` is cancelled, wherever it is.
pub(super) async fn connect(
    uri: AMQPUri,
    properties: ConnectionProperties,
    end: CancellationToken,
) -> lapin::Result<Connection> {
    let runtime = Runtime::new(RuntimeParts::new(Tokio::current(), ScreenedTokio(Tokio::current())));
    let open = async move |uri: AMQPUri, _: Runtime<RuntimeParts<Tokio, ScreenedTokio>>| {
        let tokio = Runtime::new(Tokio::current());
        let tls = OwnedTLSConfig::default();
        let opening = uri.connect_with_config_async(tls.as_ref(), &tokio);
        match end.run_until_cancelled(opening).await {
            Some(socket) => Ok(AsyncTcpStream::Plain(Screened::new(socket?, end.clone()))),
            None => Err(io::Error::from(io::ErrorKind::ConnectionAborted).into()),
        }
    };
    Connection::connector(uri, runtime, open, properties).await
}

/// A stream whose incoming frames are screened.
pub(super) struct Screened {
    socket: Socket,
    screen: Screen,
    chunk: Vec<u8>,
    end: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Screened {
    fn new(socket: Socket, end: CancellationToken) -> Self {
        Self { socket, screen: Screen::default(), chunk: vec![0; CHUNK_BYTES], end: Box::pin(end.cancelled_owned()) }
    }

    fn poll_end(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.end.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::ConnectionAborted.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for Screened {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        this.poll_end(context)?;
        loop {
            let given = this.screen.take(into);
            if given > 0 || into.is_empty() {
                return Poll::Ready(Ok(given));
            }
            let length = ready!(Pin::new(&mut this.socket).poll_read(context, &mut this.chunk))?;
            if length == 0 {
                return Poll::Ready(Ok(0));
            }
            this.screen.push(&this.chunk[..length])?;
        }
    }
}

impl AsyncWrite for Screened {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_end(context)?;
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_close(context)
    }
}

/// Tokio, whose streams are screened.
#[derive(Debug, Clone)]
struct ScreenedTokio(Tokio);

impl Reactor for ScreenedTokio {
    type TcpStream = Screened;
    type Sleep = <Tokio as Reactor>::Sleep;

    fn register<H: Read + Write + AsFd + AsRawFd + Send + 'static>(
        &self,
        socket: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        self.0.register(socket)
    }

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        self.0.sleep(duration)
    }

    fn interval(&self, duration: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.0.interval(duration)
    }

    fn tcp_connect_addr(&self, address: SocketAddr) -> impl Future<Output = io::Result<Screened>> + Send + 'static {
        let connecting = self.0.tcp_connect_addr(address);
        async move { Ok(Screened::new(AsyncTcpStream::Plain(connecting.await?), CancellationToken::new())) }
    }
}
