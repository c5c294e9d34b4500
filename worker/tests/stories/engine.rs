//! An engine that fails as the source tells it to: a source `hostile:NAME` does what a bug in a codec could do.

use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use render::{Page, Picture, Rendered, Report, Request, Step, StepObserver};
use rustix::process::{Resource, getpid, getppid, getrlimit, getsid, kill_process};
use shared::domain::dimensions::Dimensions;
use shared::domain::failure::{Failure, FailureCode};
use shared::domain::format::SourceFormat;

use crate::parent::narrow;

pub(crate) fn render(source: &[u8], request: &Request<'_>, observer: &mut dyn StepObserver) -> Result<Report, Failure> {
    let hostile = source.strip_prefix(b"hostile:").map(String::from_utf8_lossy);
    match hostile.as_deref() {
        None => render::render(source, request, observer),
        Some("abort") => std::process::abort(),
        Some("segfault") => segfault(),
        Some("recurse") => Err(Failure::new(FailureCode::CorruptSource, recurse(0).to_string())),
        Some("panic") => panic!("index out of bounds in a codec"),
        Some("exit") => std::process::exit(0),
        Some("loop") => spin(observer),
        Some("allocate") => {
            observer.admit(&claimed(), 1 << 20)?;
            allocate()
        }
        Some("unasked") => Ok(report(request, 100, 10)),
        Some("hold") => {
            observer.admit(&claimed(), u64::MAX)?;
            spin(observer)
        }
        Some("burn") => Err(Failure::new(FailureCode::CorruptSource, burn())),
        Some("who") => Err(Failure::new(FailureCode::CorruptSource, getpid().as_raw_pid().to_string())),
        Some("write") => admitted(report(request, narrow().output_bytes_max as usize + 1, 10), observer),
        Some("write-elsewhere") => write_elsewhere(),
        Some("too-wide") => admitted(report(request, 100, 10_000), observer),
        Some("too-few") => admitted(Report { renderings: Vec::new(), ..report(request, 100, 10) }, observer),
        Some("not-jpeg") => admitted(not_jpeg(request), observer),
        Some("other-size") => admitted(report(request, 100, 11), observer),
        Some("blame") => Err(Failure::new(FailureCode::SourceMissing, "look again for ever")),
        Some("look-around") => Err(Failure::new(FailureCode::CorruptSource, surroundings())),
        Some(escape) if escape.starts_with("escape-") => {
            Err(Failure::new(FailureCode::CorruptSource, break_out(escape)))
        }
        Some(other) => panic!("nobody taught the engine to {other}"),
    }
}

fn segfault() -> ! {
    // The first one goes to Rust's own handler, which looks for a stack overflow and then stands aside.
    loop {
        nix::sys::signal::raise(nix::sys::signal::Signal::SIGSEGV).unwrap();
    }
}

#[expect(unconditional_recursion, reason = "this is what it is for")]
fn recurse(depth: u64) -> u64 {
    black_box([depth; 1000]);
    recurse(depth + 1) + 1
}

/// What code execution inside a decoder would want; returns only when the sandbox lets it.
fn break_out(how: &str) -> String {
    let tried = match how {
        "escape-open" => std::fs::File::open("/etc/passwd").map(drop),
        "escape-stat" => std::fs::metadata("/").map(drop),
        "escape-list" => std::fs::read_dir("/").map(drop),
        "escape-write" => std::fs::write("/tmp/escaped", "x"),
        "escape-connect" => std::net::TcpStream::connect("127.0.0.1:9").map(drop),
        "escape-udp" => std::net::UdpSocket::bind("127.0.0.1:0").map(drop),
        "escape-socket" => std::os::unix::net::UnixStream::pair().map(drop),
        "escape-thread" => std::thread::Builder::new().spawn(|| ()).map(drop),
        "escape-fork" => Command::new("/proc/self/exe").status().map(drop),
        "escape-execve" => Err(Command::new("/proc/self/exe").exec()),
        "escape-ptrace" => nix::sys::ptrace::traceme().map_err(Into::into),
        "escape-kill" => {
            getppid().map_or(Ok(()), |parent| kill_process(parent, rustix::process::Signal::HUP).map_err(Into::into))
        }
        "escape-limits" => Err(std::io::Error::other(format!("{:?}", getrlimit(Resource::As)))),
        "escape-memory-file" => {
            rustix::fs::memfd_create("x", rustix::fs::MemfdFlags::CLOEXEC).map(drop).map_err(Into::into)
        }
        other => panic!("nobody taught the engine to {other}"),
    };
    format!("{how} came back: {tried:?}")
}

fn spin(observer: &mut dyn StepObserver) -> ! {
    observer.step(Step::Decode);
    loop {
        black_box(());
    }
}

fn allocate() -> ! {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    loop {
        kept.push(black_box(Vec::with_capacity(16 << 20)));
    }
}

/// Writes without end into a file that the parent does not know.
fn write_elsewhere() -> ! {
    let file = rustix::fs::memfd_create("elsewhere", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
    let file = std::fs::File::from(file);
    let block = vec![1; 1 << 20];
    let mut offset = 0;
    loop {
        file.write_all_at(&block, offset).unwrap();
        offset += block.len() as u64;
    }
}

/// The header that hostile sources claim to have.
fn claimed() -> Picture {
    Picture { format: SourceFormat::Bmp, dimensions: Dimensions { width: 64, height: 48 }, pages: 1 }
}

/// The report, after the parent was asked as it wants to be.
fn admitted(report: Report, observer: &mut dyn StepObserver) -> Result<Report, Failure> {
    observer.admit(&report.picture, 1 << 20)?;
    Ok(report)
}

/// Half a second of the processor, if it is to be had.
fn burn() -> String {
    let begun = std::time::Instant::now();
    while begun.elapsed() < std::time::Duration::from_millis(500) {
        black_box(());
    }
    "burnt".to_owned()
}

/// A report that looks right but for its lengths and widths.
fn report(request: &Request<'_>, length: usize, width: u32) -> Report {
    let dimensions = Dimensions { width, height: 5 };
    let page = || {
        let mut bytes = vec![0; length];
        bytes[..3].copy_from_slice(&[0xff, 0xd8, 0xff]);
        Page { dimensions, bytes }
    };
    let rendered =
        |preset: &shared::domain::preset::Preset| Rendered { preset: preset.name.clone(), result: Ok(vec![page()]) };
    Report { picture: claimed(), renderings: request.presets.iter().map(rendered).collect() }
}

fn not_jpeg(request: &Request<'_>) -> Report {
    let mut report = report(request, 100, 10);
    for rendered in &mut report.renderings {
        if let Ok(pages) = &mut rendered.result {
            pages[0].bytes = b"<script>".to_vec();
        }
    }
    report
}

/// What the child sees of the world, for the story that looks at it.
fn surroundings() -> String {
    let limit = |resource| getrlimit(resource).maximum.map_or("none".to_owned(), |most| most.to_string());
    format!(
        "environment={:?} own_session={} memory={} file={} core={} descriptors={} directory={}",
        std::env::vars_os().map(|(name, _)| name).collect::<Vec<_>>(),
        getsid(None).unwrap() == getpid(),
        limit(Resource::As),
        limit(Resource::Fsize),
        limit(Resource::Core),
        limit(Resource::Nofile),
        std::env::current_dir().unwrap().display(),
    )
}
