//! What runs in a render child: confine itself, then render order by order until the parent hangs up.

use std::fs::File;
use std::io::{self, IoSliceMut, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use render::{Kept, Picture, Report, Request, SourceMemory, Step, StepObserver};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, recvmsg};
use serde::de::DeserializeOwned;
use shared::domain::failure::{Failure, FailureCode};

use super::confine::{self, Unconfined};
use super::memory_file::MappedSource;
use super::protocol::{
    self, Admitted, Claimed, ClaimedPage, ClaimedRendering, FILES_MAX, FrameError, HEADER_BYTES, Inspected, Order,
    Place, Readiness, Reply, Setup, StepTime, Told,
};
use super::{probe, warm};

/// Exit code of a child that could not be confined, or that cannot go on with its parent.
const UNUSABLE: u8 = 70;

/// What a child does with a source: [`render::render`], unless a test wants to see how another one fails.
pub type Engine = fn(&[u8], &Request<'_>, &mut dyn StepObserver) -> Result<Report, Failure>;

/// The whole life of a render child; descriptor 0 is the socket to the parent. Never returns to other work: the caller
/// ends the process with the exit code.
pub fn main() -> ExitCode {
    main_with(render::render)
}

/// [`main`] with another engine.
pub fn main_with(engine: Engine) -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        // One line for the parent; a backtrace would only push it out of what the parent keeps.
        complain(panic);
    }));
    match serve(engine) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::from(UNUSABLE)
        }
    }
}

/// Tells the parent over standard error; whether it still listens does not matter.
fn complain(what: &dyn std::fmt::Display) {
    let _ = writeln!(io::stderr(), "{what}");
}

/// Why a child cannot go on.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("the render child could not be cut off: {0}")]
    Attached(#[source] io::Error),
    #[error(transparent)]
    Unconfined(#[from] Unconfined),
    #[error("descriptor 0 is not the socket to the parent: {0}")]
    NoSocket(#[source] io::Error),
    #[error("the parent said something unexpected: {0}")]
    Protocol(#[from] FrameError),
    #[error("the setup came without window and output")]
    NoFiles,
    #[error("the order came without its source")]
    NoSource,
    #[error("the source could not be mapped: {0}")]
    Source(#[source] io::Error),
    #[error("the output could not be written: {0}")]
    Output(#[source] io::Error),
}

fn serve(engine: Engine) -> Result<(), Unusable> {
    confine::detach().map_err(Unusable::Attached)?;
    let socket = io::stdin().as_fd().try_clone_to_owned().map_err(Unusable::NoSocket)?;
    let mut socket = UnixStream::from(socket);
    let Some((setup, files)) = next::<Setup>(&mut socket)? else { return Ok(()) };
    let [window, output] = <[File; 2]>::try_from(files).map_err(|_| Unusable::NoFiles)?;
    let window = MappedSource::of_window(&window).map_err(Unusable::Source)?;
    warm::up();
    match confine::lock_in(&setup) {
        Ok(layers) => protocol::write(&mut socket, &Readiness::Ready(layers))?,
        Err(unconfined) => {
            let Unconfined { layer, reason } = &unconfined;
            protocol::write(&mut socket, &Readiness::Unready { layer: *layer, reason: reason.clone() })?;
            return Err(unconfined.into());
        }
    }
    if let Some(attempt) = setup.attempt {
        return Ok(protocol::write(&mut socket, &probe::attempt(attempt, &setup))?);
    }
    while let Some((order, files)) = next::<Order>(&mut socket)? {
        let reply = match (order.source, files.as_slice()) {
            (Place::Window { length }, []) => {
                let source = window.bytes().get(..length).ok_or(Unusable::NoSource)?;
                carry_out(engine, &order, (source, &Kept), &output, &mut socket)?
            }
            (Place::File, [file]) => {
                let source = MappedSource::of(file).map_err(Unusable::Source)?;
                carry_out(engine, &order, (source.bytes(), &source), &output, &mut socket)?
            }
            _ => return Err(Unusable::NoSource),
        };
        protocol::write(&mut socket, &Told::Replied(reply))?;
    }
    Ok(())
}

/// The next message with the files that come with it; `None` when the parent has hung up.
fn next<T: DeserializeOwned>(socket: &mut UnixStream) -> Result<Option<(T, Vec<File>)>, Unusable> {
    let mut files = Vec::new();
    let Some(header) = read_header(socket, &mut files).map_err(FrameError::Ended)? else { return Ok(None) };
    Ok(Some((protocol::read_after(header, socket)?, files)))
}

/// Reads a header, and the descriptors that come with its first byte.
fn read_header(socket: &UnixStream, files: &mut Vec<File>) -> io::Result<Option<[u8; HEADER_BYTES]>> {
    let mut header = [0; HEADER_BYTES];
    let mut filled = 0;
    while filled < HEADER_BYTES {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FILES_MAX))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut iov = [IoSliceMut::new(&mut header[filled..])];
        let received = match recvmsg(socket, &mut iov, &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => continue,
            received => received?,
        };
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(received) = message {
                files.extend(received.map(File::from));
            }
        }
        if received.flags.contains(ReturnFlags::CTRUNC) {
            return Err(io::Error::other("more descriptors than any message has"));
        }
        match (received.bytes, filled) {
            (0, 0) => return Ok(None),
            (0, _) => return Err(io::ErrorKind::UnexpectedEof.into()),
            (bytes, _) => filled += bytes,
        }
    }
    Ok(Some(header))
}

fn carry_out(
    engine: Engine,
    order: &Order,
    (source, memory): (&[u8], &dyn SourceMemory),
    output: &File,
    socket: &mut UnixStream,
) -> Result<Reply, Unusable> {
    let mut watch = Watch { number: order.number, socket, clock: StepClock::default(), broken: None };
    let (presets, limits, original) = (&order.presets, &order.limits, order.original);
    let request = Request { presets, limits, original, memory };
    let rendered = engine(source, &request, &mut watch);
    if let Some(broken) = watch.broken {
        return Err(broken.into());
    }
    let result = match rendered {
        Ok(report) => write_out(report, output).map_err(Unusable::Output)?,
        Err(failure) => Claimed::Failed(failure),
    };
    Ok(Reply { number: order.number, steps: watch.clock.times(), result })
}

/// What the engine tells while it works: it takes the times, and asks the parent before anything is decoded.
struct Watch<'a> {
    number: u64,
    socket: &'a mut UnixStream,
    clock: StepClock,
    /// Why the parent could not be asked.
    broken: Option<FrameError>,
}

impl Watch<'_> {
    fn ask(&mut self, picture: Picture, predicted_bytes: u64) -> Result<(), FrameError> {
        let inspected = Inspected { number: self.number, picture, predicted_bytes };
        protocol::write(self.socket, &Told::Inspected(inspected))?;
        protocol::read::<Admitted>(self.socket).map(drop)
    }
}

impl StepObserver for Watch<'_> {
    fn step(&mut self, step: Step) {
        self.clock.step(step);
    }

    fn admit(&mut self, picture: &Picture, predicted_bytes: u64) -> Result<(), Failure> {
        // The wait belongs to no step.
        self.clock.step(Step::Done);
        self.ask(*picture, predicted_bytes).map_err(|error| {
            let failure = Failure::new(FailureCode::WorkerOverloaded, error.to_string());
            self.broken = Some(error);
            failure
        })
    }
}

/// Writes the pages one behind the other. The engine keeps to the output limit; were it made not to, the kernel would.
fn write_out(report: Report, output: &File) -> io::Result<Claimed> {
    let mut end = 0;
    let mut renderings = Vec::with_capacity(report.renderings.len());
    for rendered in report.renderings {
        let result = match rendered.result {
            Ok(pages) => Ok(write_pages(&pages, output, &mut end)?),
            Err(failure) => Err(failure),
        };
        renderings.push(ClaimedRendering { preset: rendered.preset, result });
    }
    Ok(Claimed::Rendered { picture: report.picture, renderings })
}

fn write_pages(pages: &[render::Page], output: &File, end: &mut u64) -> io::Result<Vec<ClaimedPage>> {
    let mut claimed = Vec::with_capacity(pages.len());
    for page in pages {
        output.write_all_at(&page.bytes, *end)?;
        let length = page.bytes.len() as u64;
        claimed.push(ClaimedPage { offset: *end, length, dimensions: page.dimensions });
        *end += length;
    }
    Ok(claimed)
}

/// Takes the time of every step; steps that come again add up.
#[derive(Default)]
struct StepClock {
    running: Option<(Step, Instant)>,
    spent: Vec<(Step, Duration)>,
}

impl StepClock {
    fn step(&mut self, step: Step) {
        let now = Instant::now();
        if let Some((before, since)) = self.running.replace((step, now)) {
            match self.spent.iter_mut().find(|(known, _)| *known == before) {
                Some((_, spent)) => *spent += now - since,
                None => self.spent.push((before, now - since)),
            }
        }
    }

    /// The times so far; a step that a failure ended counts until now.
    fn times(mut self) -> Vec<StepTime> {
        self.step(Step::Done);
        let time = |(step, spent): (Step, Duration)| StepTime {
            step: step.name().to_owned(),
            micros: spent.as_micros() as u64,
        };
        self.spent.into_iter().filter(|(step, _)| *step != Step::Done).map(time).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_that_come_again_add_up_and_done_has_no_time() {
        let mut clock = StepClock::default();
        for step in [Step::Decode, Step::Resize, Step::Encode, Step::Resize, Step::Encode, Step::Done] {
            clock.step(step);
        }
        let names: Vec<_> = clock.times().into_iter().map(|time| time.step).collect();
        assert_eq!(names, ["decode", "resize", "encode"]);
    }
}
