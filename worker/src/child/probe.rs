//! Attempts to break out of a child, made from inside a confined one: how `thumbline doctor` proves each layer.

use std::io;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use shared::domain::limits::LimitsTable;

use super::confine;
use super::memory_file;
use super::pool::ChildCommand;
use super::process::{End, RenderChild};
use super::protocol::{self, Probed, Setup};
use super::sandbox::{Layer, LayerState, Sandbox, Standing};
use super::spawner::Spawner;

/// The time that one attempt may take.
const ATTEMPT_SECONDS_MAX: u64 = 5;
/// Where nobody needs to listen: being refused by the other side is as bad as being let in.
const DISCARD_PORT: u16 = 9;

/// One way out, with the layer that has to stop it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Attempt {
    Allocate,
    WriteBeyond,
    HoardDescriptors,
    ReadDirectory,
    ConnectTcp,
    OpenFile,
    MakeSocket,
    Fork,
    RunProgram,
}

impl Attempt {
    const ALL: [Self; 9] = [
        Self::Allocate,
        Self::WriteBeyond,
        Self::HoardDescriptors,
        Self::ReadDirectory,
        Self::ConnectTcp,
        Self::OpenFile,
        Self::MakeSocket,
        Self::Fork,
        Self::RunProgram,
    ];

    /// The layer that has to stop it; those that come after are left out of the child, so that they cannot.
    pub(super) fn layer(self) -> Layer {
        match self {
            Self::Allocate | Self::WriteBeyond | Self::HoardDescriptors => Layer::Rlimits,
            Self::ReadDirectory | Self::ConnectTcp => Layer::Landlock,
            Self::OpenFile | Self::MakeSocket | Self::Fork | Self::RunProgram => Layer::Seccomp,
        }
    }

    fn describe(self) -> &'static str {
        match self {
            Self::Allocate => "allocate beyond the limit",
            Self::WriteBeyond => "write beyond the limit",
            Self::HoardDescriptors => "hoard descriptors",
            Self::ReadDirectory => "read a directory",
            Self::ConnectTcp => "connect",
            Self::OpenFile => "open a file",
            Self::MakeSocket => "make a socket",
            Self::Fork => "fork",
            Self::RunProgram => "run a program",
        }
    }

    /// Runs in the child.
    fn try_out(self, setup: &Setup) -> io::Result<()> {
        match self {
            Self::Allocate => {
                let bytes = usize::try_from(setup.memory_bytes_max).map_err(io::Error::other)?;
                Ok(Vec::<u8>::new().try_reserve_exact(bytes)?)
            }
            Self::WriteBeyond => memory_file::output()?.write_all_at(&[1], setup.output_bytes_max),
            Self::HoardDescriptors => {
                let hoard = (0..=confine::DESCRIPTORS_MAX).map(|_| memory_file::output());
                hoard.collect::<io::Result<Vec<_>>>().map(drop)
            }
            Self::ReadDirectory => std::fs::read_dir("/").map(drop),
            Self::ConnectTcp => TcpStream::connect((Ipv4Addr::LOCALHOST, DISCARD_PORT)).map(drop),
            Self::OpenFile => std::fs::File::open("/proc/self/status").map(drop),
            Self::MakeSocket => UnixStream::pair().map(drop),
            // A thread is made by the same system call as a process.
            Self::Fork => std::thread::Builder::new().spawn(|| ()).map(drop),
            Self::RunProgram => Err(Command::new("/proc/self/exe").exec()),
        }
    }
}

/// What the child says of its attempt, if it still can.
pub(super) fn attempt(attempt: Attempt, setup: &Setup) -> Probed {
    match attempt.try_out(setup) {
        Ok(()) => Probed::Succeeded,
        Err(error) if is_refusal(&error) => Probed::Refused(error.to_string()),
        Err(error) => Probed::GotThrough(error.to_string()),
    }
}

/// Whether it was a layer that said no, rather than somebody behind it.
fn is_refusal(error: &io::Error) -> bool {
    let by_limit = error.raw_os_error() == Some(rustix::io::Errno::MFILE.raw_os_error());
    by_limit || matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::OutOfMemory)
}

/// What came of all attempts on one layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The layer.
    pub layer: Layer,
    /// Whether it held.
    pub verdict: Verdict,
}

/// Whether a layer held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It stopped every attempt; which ones, and how.
    Holds(String),
    /// This kernel does not have it, and it is not required.
    Unavailable(String),
    /// `sandbox.mode = "off"`.
    Off,
    /// An attempt got through, or no child gets ready.
    Broken(String),
}

/// Tries to break out of every layer, each attempt in a child of its own. Must be called within a runtime.
pub async fn prove(command: &ChildCommand, limits: &LimitsTable, sandbox: &Sandbox) -> Vec<Proof> {
    let mut proofs = Vec::with_capacity(Layer::ALL.len());
    for layer in Layer::ALL {
        let verdict = if layer != Layer::Rlimits && !sandbox.is_on() {
            Verdict::Off
        } else {
            prove_layer(layer, command, limits, sandbox).await
        };
        proofs.push(Proof { layer, verdict });
    }
    proofs
}

async fn prove_layer(layer: Layer, command: &ChildCommand, limits: &LimitsTable, sandbox: &Sandbox) -> Verdict {
    let mut stopped = Vec::new();
    for attempt in Attempt::ALL.into_iter().filter(|attempt| attempt.layer() == layer) {
        match try_in_child(attempt, command, limits, sandbox).await {
            Verdict::Holds(how) => stopped.push(format!("{}: {how}", attempt.describe())),
            Verdict::Broken(how) => return Verdict::Broken(format!("{}: {how}", attempt.describe())),
            none @ (Verdict::Unavailable(_) | Verdict::Off) => return none,
        }
    }
    Verdict::Holds(stopped.join("; "))
}

async fn try_in_child(attempt: Attempt, command: &ChildCommand, limits: &LimitsTable, sandbox: &Sandbox) -> Verdict {
    let setup = Setup { attempt: Some(attempt), ..Setup::new(limits, sandbox) };
    // Lives until the child is gone: the kernel ends a child with the thread that started it.
    let spawner = match Spawner::new() {
        Ok(spawner) => spawner,
        Err(error) => return Verdict::Broken(error.to_string()),
    };
    let mut child = match RenderChild::start(&spawner, command, &setup).await {
        Ok(child) => child,
        Err(error) => return Verdict::Broken(error.to_string()),
    };
    let layer = attempt.layer();
    let missing = |state: &LayerState| match &state.standing {
        Standing::Unavailable(why) if state.layer == layer => Some(why.clone()),
        Standing::Unavailable(_) | Standing::Enforced(_) => None,
    };
    if let Some(why) = child.layers().iter().find_map(missing) {
        child.kill().await;
        return Verdict::Unavailable(why);
    }
    let told = tokio::time::timeout(Duration::from_secs(ATTEMPT_SECONDS_MAX), child.probed()).await;
    let end = child.wait().await;
    match told {
        Ok(Ok(probed)) => judge(probed),
        Ok(Err(protocol::FrameError::Ended(_))) => judge_end(layer, &end),
        Ok(Err(error)) => Verdict::Broken(error.to_string()),
        Err(_) => Verdict::Broken(format!("no answer within {ATTEMPT_SECONDS_MAX} s")),
    }
}

fn judge(probed: Probed) -> Verdict {
    match probed {
        Probed::Refused(how) => Verdict::Holds(how),
        Probed::Succeeded => Verdict::Broken("it succeeded".to_owned()),
        Probed::GotThrough(how) => Verdict::Broken(format!("nothing stopped it ({how})")),
    }
}

/// A layer may well kill; any other death proves nothing.
fn judge_end(layer: Layer, end: &End) -> Verdict {
    match (layer, end.status.and_then(|status| status.signal())) {
        (Layer::Seccomp, Some(signal)) if signal == Signal::SYS.as_raw() => Verdict::Holds("killed".to_owned()),
        (Layer::Rlimits, Some(signal)) if signal == Signal::XFSZ.as_raw() => Verdict::Holds("killed".to_owned()),
        _ => Verdict::Broken(format!("the child ended by itself ({:?}): {}", end.status, end.stderr)),
    }
}
