//! One render child as its parent sees it: start, order, end.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use rustix::process::{Pid, Signal, kill_process_group};
use serde::de::DeserializeOwned;
use shared::domain::limits::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStderr, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::allowance;
use super::death;
use super::memory_file::{self, Held, SealedSource, Window};
use super::pool::ChildCommand;
use super::protocol::{self, Admitted, FILES_MAX, FrameError, HEADER_BYTES, Order, Probed, Readiness, Setup, Told};
use super::sandbox::{Layer, LayerState};
use super::spawner::Spawner;

/// A child that has not confined itself by then never will.
const START_SECONDS_MAX: u64 = 20;
/// What a child that was killed needs at most to be gone.
const END_SECONDS_MAX: u64 = 5;
/// What a child that has hung up needs at most to exit; freeing its memory takes a while.
const HANG_UP_SECONDS_MAX: u64 = 2;
/// How much of a child's standard error is kept: the end tells what killed it.
const STDERR_BYTES_MAX: usize = 4096;

/// How much of its last output an idle child keeps in memory.
const OUTPUT_KEPT_BYTES: u64 = 1 << 20;

/// Why no child could be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The operating system refused.
    #[error("a render child could not be started: {0}")]
    Spawn(#[source] io::Error),
    /// It started, but could not be confined or speaks another version.
    #[error("a render child did not get ready: {0}")]
    Unready(String),
    /// A layer of the sandbox cannot be set up on this machine; rendering without it is not an option.
    #[error(
        "the sandbox layer {layer} cannot be set up: {reason}; nothing is rendered without it (sandbox.required, \
         sandbox.mode)"
    )]
    Unconfined {
        /// Which one.
        layer: Layer,
        /// Why not.
        reason: String,
    },
}

/// From when processor time counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Since {
    /// From now on.
    Now,
    /// From the moment of the order.
    Order,
}

/// A child that is confined and waits for orders. Dropped, it is killed and reaped by the runtime.
#[derive(Debug)]
pub(super) struct RenderChild {
    process: Child,
    group: Option<Pid>,
    socket: UnixStream,
    stderr: StderrTail,
    layers: Vec<LayerState>,
    /// Into which short sources are written before their order.
    window: Window,
    /// Into which it writes what comes of each order.
    output: Arc<File>,
    orders: u64,
    /// What it had used of the processor when its order came.
    processor_time: Duration,
}

impl RenderChild {
    pub(super) async fn start(spawner: &Spawner, command: &ChildCommand, setup: &Setup) -> Result<Self, StartError> {
        let (ours, theirs) = StdUnixStream::pair().map_err(StartError::Spawn)?;
        ours.set_nonblocking(true).map_err(StartError::Spawn)?;
        let socket = UnixStream::from_std(ours).map_err(StartError::Spawn)?;
        let mut process = spawner.spawn(described(command, theirs)).await.map_err(StartError::Spawn)?;
        let stderr = StderrTail::of(process.stderr.take());
        let group = process.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let window = Window::new().map_err(StartError::Spawn)?;
        let output = Arc::new(memory_file::output().map_err(StartError::Spawn)?);
        let (layers, processor_time) = (Vec::new(), Duration::ZERO);
        let mut child = Self { process, group, socket, stderr, layers, window, output, orders: 0, processor_time };
        match timeout(Duration::from_secs(START_SECONDS_MAX), child.get_ready(setup)).await {
            Ok(Ok(Readiness::Ready(layers))) => {
                child.layers = layers;
                Ok(child)
            }
            Ok(Ok(Readiness::Unready { layer, reason })) => {
                child.kill().await;
                Err(StartError::Unconfined { layer, reason: super::check::legible(&reason) })
            }
            // It is dead or dying: its end says more than that the connection ended.
            Ok(Err(FrameError::Ended(_))) => Err(StartError::Unready(death::told(&child.wait().await))),
            Ok(Err(error)) => Err(child.unready(error.to_string()).await),
            Err(_) => Err(child.unready(format!("no answer within {START_SECONDS_MAX} s")).await),
        }
    }

    async fn get_ready(&mut self, setup: &Setup) -> Result<Readiness, FrameError> {
        let files = [self.window.file().as_fd(), self.output.as_fd()];
        send(&mut self.socket, &protocol::frame(setup)?, &files).await?;
        self.read().await
    }

    async fn unready(self, why: String) -> StartError {
        let end = self.kill().await;
        StartError::Unready(if end.stderr.is_empty() { why } else { end.stderr })
    }

    /// The layers that it is behind.
    pub(super) fn layers(&self) -> &[LayerState] {
        &self.layers
    }

    /// What came of the attempt that it was set up for; the caller bounds the time.
    pub(super) async fn probed(&mut self) -> Result<Probed, FrameError> {
        self.read().await
    }

    /// The number that the next order must have.
    pub(super) fn next_number(&self) -> u64 {
        self.orders + 1
    }

    /// Orders carried out so far.
    pub(super) fn orders(&self) -> u64 {
        self.orders
    }

    /// Bounds what it may use until the next order; before each order, and again once the format is known.
    pub(super) fn allow(&mut self, limits: &Limits, widest: &Limits, since: Since) -> io::Result<()> {
        let Some(process) = self.group else { return Err(io::Error::other("the render child has no process id")) };
        if since == Since::Now {
            self.processor_time = allowance::processor_time(process)?;
        }
        allowance::allow(process, limits, widest, self.processor_time)
    }

    /// Sends the order with its source and waits for what the child tells; the caller bounds the time.
    pub(super) async fn order(&mut self, order: &Order, source: &SealedSource) -> Result<Told, FrameError> {
        self.stderr.clear();
        self.orders += 1;
        let frame = protocol::frame(order)?;
        match source.held() {
            Held::Memory(bytes) => {
                self.window.write(bytes).map_err(FrameError::Ended)?;
                send(&mut self.socket, &frame, &[]).await?;
            }
            Held::File(file) => send(&mut self.socket, &frame, &[file.as_fd()]).await?,
        }
        self.read().await
    }

    /// Lets it decode, and waits for what it tells next; the caller bounds the time.
    pub(super) async fn admit(&mut self) -> Result<Told, FrameError> {
        let frame = protocol::frame(&Admitted { number: self.orders })?;
        self.socket.write_all(&frame).await.map_err(FrameError::Ended)?;
        self.read().await
    }

    /// Where the child says that its pages are.
    pub(super) fn output(&self) -> Arc<File> {
        Arc::clone(&self.output)
    }

    /// Frees what an unusually large output takes. A usual one stays: memory that is there already is what the next order
    /// is written to soonest, and whoever claims to have written it again is not believed without reading it.
    pub(super) fn shrink_output(&self) -> io::Result<()> {
        if self.output.metadata()?.len() > OUTPUT_KEPT_BYTES { self.output.set_len(0) } else { Ok(()) }
    }

    async fn read<T: DeserializeOwned>(&mut self) -> Result<T, FrameError> {
        let mut header = [0; HEADER_BYTES];
        self.socket.read_exact(&mut header).await.map_err(FrameError::Ended)?;
        let mut bytes = vec![0; protocol::length_of(header)?];
        self.socket.read_exact(&mut bytes).await.map_err(FrameError::Ended)?;
        protocol::message(&bytes)
    }

    /// Whether it has exited while nobody looked.
    pub(super) fn has_exited(&mut self) -> bool {
        !matches!(self.process.try_wait(), Ok(None))
    }

    /// Waits for a child that hung up by itself; one that lives on is killed.
    pub(super) async fn wait(mut self) -> End {
        match timeout(Duration::from_secs(HANG_UP_SECONDS_MAX), self.process.wait()).await {
            Ok(status) => End { status: status.ok(), killed: false, stderr: self.stderr.end().await },
            Err(_) => self.kill().await,
        }
    }

    /// Kills it with everything it may have started, and waits until it is gone.
    pub(super) async fn kill(mut self) -> End {
        self.kill_now();
        let waited = timeout(Duration::from_secs(END_SECONDS_MAX), self.process.wait()).await;
        End { status: waited.ok().and_then(Result::ok), killed: true, stderr: self.stderr.end().await }
    }

    /// Sends the signals; whoever calls this waits for the end elsewhere.
    pub(super) fn kill_now(&mut self) {
        // Not reaped yet, so the id is still ours. Before the child made its session the group does not exist, after
        // it exited there is nothing left to kill: neither is an error.
        if let (Some(group), Some(_)) = (self.group, self.process.id()) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.process.start_kill();
    }
}

/// Sends a frame, the descriptors with its first byte.
async fn send(socket: &mut UnixStream, frame: &[u8], files: &[BorrowedFd<'_>]) -> Result<(), FrameError> {
    let sent = if files.is_empty() { 0 } else { send_with_files(socket, frame, files).await? };
    socket.write_all(&frame[sent..]).await.map_err(FrameError::Ended)
}

/// Sends the beginning of the frame together with the descriptors; returns how much went out.
async fn send_with_files(socket: &UnixStream, frame: &[u8], files: &[BorrowedFd<'_>]) -> Result<usize, FrameError> {
    let send = || {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FILES_MAX))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !control.push(SendAncillaryMessage::ScmRights(files)) {
            return Err(io::Error::other(format!("no room for {} descriptors", files.len())));
        }
        Ok(sendmsg(socket, &[IoSlice::new(frame)], &mut control, SendFlags::NOSIGNAL | SendFlags::DONTWAIT)?)
    };
    socket.async_io(Interest::WRITABLE, send).await.map_err(FrameError::Ended)
}

/// A child frees and takes buffers of megabytes all the time; glibc would give each back to the kernel and have it zeroed
/// again, which costs up to a fifth of a render. This much freed memory is kept instead, at most; other libraries' malloc
/// ignores it.
pub const KEEP_FREED_MEMORY: &str = "glibc.malloc.mmap_threshold=67108864:glibc.malloc.trim_threshold=67108864";

/// The variable that holds it.
pub const ALLOCATOR_VARIABLE: &str = "GLIBC_TUNABLES";

/// The command with everything that a child may inherit: a socket, a pipe for complaints, and nothing else.
fn described(command: &ChildCommand, socket: StdUnixStream) -> Command {
    let mut described = Command::new(&command.program);
    described
        .args(&command.arguments)
        .env_clear()
        .env(ALLOCATOR_VARIABLE, KEEP_FREED_MEMORY)
        .current_dir("/")
        .stdin(Stdio::from(OwnedFd::from(socket)))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    described
}

/// How a child ended.
#[derive(Debug)]
pub(super) struct End {
    /// `None` when it could not be waited for in time; the runtime reaps it later.
    pub(super) status: Option<ExitStatus>,
    /// Whether we killed it.
    pub(super) killed: bool,
    /// The end of what it wrote to standard error.
    pub(super) stderr: String,
}

impl End {
    /// Nobody knows how.
    pub(super) fn unknown() -> Self {
        Self { status: None, killed: false, stderr: String::new() }
    }
}

/// The last bytes of a child's standard error; always read, so that a child never blocks on a full pipe.
#[derive(Debug)]
struct StderrTail {
    tail: Arc<Mutex<VecDeque<u8>>>,
    reader: JoinHandle<()>,
}

impl StderrTail {
    fn of(stderr: Option<ChildStderr>) -> Self {
        let tail = Arc::new(Mutex::new(VecDeque::with_capacity(STDERR_BYTES_MAX)));
        let kept = Arc::clone(&tail);
        let reader = tokio::spawn(async move {
            let Some(mut stderr) = stderr else { return };
            let mut buffer = [0; STDERR_BYTES_MAX];
            while let Ok(read @ 1..) = stderr.read(&mut buffer).await {
                let mut tail = kept.lock().unwrap_or_else(PoisonError::into_inner);
                let surplus = (tail.len() + read).saturating_sub(STDERR_BYTES_MAX).min(tail.len());
                tail.drain(..surplus);
                tail.extend(&buffer[..read]);
            }
        });
        Self { tail, reader }
    }

    fn clear(&self) {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// What was said last, once the child is gone; a grandchild that keeps the pipe open is not waited for.
    async fn end(mut self) -> String {
        let _ = timeout(Duration::from_millis(500), &mut self.reader).await;
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = tail.iter().copied().collect();
        super::check::legible(&String::from_utf8_lossy(&bytes))
    }
}

impl Drop for StderrTail {
    fn drop(&mut self) {
        self.reader.abort();
    }
}
