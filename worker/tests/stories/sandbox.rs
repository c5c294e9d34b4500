//! What must hold of the sandbox: nothing gets out of it, everything renders inside it, and without it nothing renders.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};
use shared::domain::failure::FailureCode;
use shared::domain::limits::{Limits, LimitsTable};
use shared::domain::preset::PresetTable;
use worker::child::{Answer, Layer, Pool, Sandbox, SealedSource, StartError, Verdict, prove};

use crate::children::{Story, failure, renders, told, told_within};
use crate::parent::{children, command, limits, no_sandbox, pool, pool_behind, pool_within, sandbox};

pub(crate) const ALL: &[Story] = &[
    ("nothing_gets_out", || told(nothing_gets_out())),
    ("a_child_is_confined_as_the_kernel_sees_it", || told(a_child_is_confined_as_the_kernel_sees_it())),
    ("what_others_left_open_is_closed", || told(what_others_left_open_is_closed())),
    ("a_required_layer_that_is_missing_stops_the_start", || {
        told(a_required_layer_that_is_missing_stops_the_start());
    }),
    ("a_layer_that_is_not_required_may_be_missing", || told(a_layer_that_is_not_required_may_be_missing())),
    ("every_layer_is_proven", || told(every_layer_is_proven())),
    ("a_missing_layer_is_told_by_the_proof", || told(a_missing_layer_is_told_by_the_proof())),
    ("the_sandbox_changes_no_picture", || told_within(CORPUS_SECONDS_MAX, the_sandbox_changes_no_picture())),
];

/// The samples take a few seconds; a corpus of hundreds of files takes minutes.
const CORPUS_SECONDS_MAX: u64 = 1200;

async fn nothing_gets_out() {
    let pool = pool(&["render-child"], 100);
    let escapes = [
        "open",
        "stat",
        "list",
        "write",
        "connect",
        "udp",
        "socket",
        "thread",
        "fork",
        "execve",
        "ptrace",
        "kill",
        "limits",
        "memory-file",
    ];
    for escape in escapes {
        let failure = failure(&pool, &format!("hostile:escape-{escape}")).await;
        assert_eq!(failure.code, FailureCode::ChildCrashed, "{escape}: {failure}");
        assert!(failure.reason.contains("the sandbox forbids (SIGSYS)"), "{escape}: {failure}");
    }
    assert!(!Path::new("/tmp/escaped").exists());
    renders(&pool).await;
    pool.close().await;
}

async fn a_child_is_confined_as_the_kernel_sees_it() {
    let pool = pool(&["render-child"], 100);
    renders(&pool).await;
    let pid = children()[0];
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    for line in ["Seccomp:\t2", "NoNewPrivs:\t1", "Threads:\t1"] {
        assert!(status.lines().any(|told| told == line), "{line} is not in\n{status}");
    }
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let processes = limits.lines().find(|line| line.starts_with("Max processes")).unwrap();
    assert_eq!(processes.split_whitespace().filter(|word| *word == "0").count(), 2, "{processes}");
    pool.close().await;
}

async fn what_others_left_open_is_closed() {
    let (mut ours, left_open) = std::io::pipe().unwrap();
    rustix::io::fcntl_setfd(&left_open, rustix::io::FdFlags::empty()).unwrap();
    let pool = pool(&["render-child"], 100);
    pool.prepare(1).await.unwrap();
    drop(left_open);
    rustix::io::ioctl_fionbio(&ours, true).unwrap();
    // The end, rather than "nothing yet": no child holds the other side.
    assert_eq!(ours.read(&mut [0]).unwrap(), 0);
    pool.close().await;
}

fn requiring_all() -> Sandbox {
    Sandbox { required: Layer::ALL.to_vec(), ..sandbox() }
}

async fn a_required_layer_that_is_missing_stops_the_start() {
    for (missing, named) in [("landlock", Layer::Landlock), ("seccomp", Layer::Seccomp)] {
        let pool = pool_behind(requiring_all(), &["old-kernel", missing], 100);
        match pool.prepare(1).await {
            Err(StartError::Unconfined { layer, reason }) => assert_eq!(layer, named, "{reason}"),
            other => panic!("without {missing}: {other:?}"),
        }
        let failure = failure(&pool, "anything").await;
        assert_eq!(failure.code, FailureCode::WorkerOverloaded);
        assert!(failure.reason.contains(&format!("the sandbox layer {named} cannot be set up")), "{failure}");
        pool.close().await;
        assert!(children().is_empty());
    }
}

async fn a_layer_that_is_not_required_may_be_missing() {
    let pool = pool(&["old-kernel", "landlock"], 100);
    renders(&pool).await;
    let failure = failure(&pool, "hostile:escape-open").await;
    assert!(failure.reason.contains("SIGSYS"), "{failure}");
    pool.close().await;
}

async fn every_layer_is_proven() {
    for proof in prove(&command(&["render-child"]), &limits(), &sandbox()).await {
        let Verdict::Holds(how) = proof.verdict else { panic!("{proof:?}") };
        let expected = match proof.layer {
            Layer::Rlimits => "allocate beyond the limit",
            Layer::Landlock => "connect: Permission denied",
            Layer::Seccomp => "fork: killed",
        };
        assert!(how.contains(expected), "{how}");
    }
    assert!(children().is_empty());
}

async fn a_missing_layer_is_told_by_the_proof() {
    let proofs = |child: &'static str, sandbox: Sandbox| async move {
        let proofs = prove(&command(&["old-kernel", child]), &limits(), &sandbox).await;
        proofs.into_iter().map(|proof| proof.verdict).collect::<Vec<_>>()
    };
    let verdicts = proofs("landlock", sandbox()).await;
    assert!(matches!(&verdicts[..], [Verdict::Holds(_), Verdict::Unavailable(_), Verdict::Holds(_)]), "{verdicts:?}");
    let verdicts = proofs("landlock", requiring_all()).await;
    assert!(matches!(&verdicts[..], [Verdict::Holds(_), Verdict::Broken(_), Verdict::Broken(_)]), "{verdicts:?}");
    let verdicts = proofs("seccomp", sandbox()).await;
    assert!(matches!(&verdicts[..], [Verdict::Holds(_), Verdict::Holds(_), Verdict::Broken(_)]), "{verdicts:?}");
    let verdicts = proofs("nothing", no_sandbox()).await;
    assert!(matches!(&verdicts[..], [Verdict::Holds(_), Verdict::Off, Verdict::Off]), "{verdicts:?}");
}

/// Every file of `THUMBLINE_TEST_CORPUS` (directories, separated by colons), or of the samples of `thumbline demo`, ends
/// the same with and without the sandbox, in every built-in preset and one in WebP.
async fn the_sandbox_changes_no_picture() {
    let pools = [sandbox(), no_sandbox()].map(|sandbox| pool_within(corpus_limits(), sandbox, &["render-child"], 100));
    let (mut rendered, mut failed) = (0, 0);
    for file in corpus() {
        let source = SealedSource::from_bytes(&std::fs::read(&file).unwrap()).unwrap();
        let mut ends = Vec::new();
        for pool in &pools {
            ends.push(end(&render_all(pool, &source).await));
        }
        assert_eq!(ends[0], ends[1], "{}", file.display());
        *if ends[0].starts_with("rendered") { &mut rendered } else { &mut failed } += 1;
    }
    eprintln!("{rendered} files rendered, {failed} failed, each the same with and without the sandbox");
    assert!(rendered >= 3, "only {rendered} files rendered");
    for pool in &pools {
        pool.close().await;
    }
}

async fn render_all(pool: &Pool, source: &SealedSource) -> Answer {
    let webp = "name = \"webp\"\nformat = \"webp\"\nwidth = 200\nheight = 200";
    let table = PresetTable::new(vec![toml::from_str(webp).unwrap()]).unwrap();
    pool.render(None, source, table.iter().cloned().collect()).await
}

/// What can be compared of an answer: digests, or the code of the failure.
fn end(answer: &Answer) -> String {
    match &answer.result {
        Err(failure) => format!("failed: {} {}", failure.code, failure.reason),
        Ok(made) => {
            let digests = made.presets.iter().map(|rendering| match &rendering.result {
                Ok(pages) => pages.iter().map(|page| format!("{:?}", page.sha256)).collect::<String>(),
                Err(failure) => failure.code.to_string(),
            });
            format!("rendered: {}", digests.collect::<Vec<_>>().join(" "))
        }
    }
}

fn corpus() -> Vec<PathBuf> {
    let samples = || concat!(env!("CARGO_MANIFEST_DIR"), "/../src/demo/samples").to_owned();
    files_of(&std::env::var("THUMBLINE_TEST_CORPUS").unwrap_or_else(|_| samples()))
}

/// Every file in these directories, which colons separate.
pub(crate) fn files_of(directories: &str) -> Vec<PathBuf> {
    let listed = directories.split(':').flat_map(|directory| std::fs::read_dir(directory).unwrap());
    let mut files: Vec<_> = listed.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}

pub(crate) fn corpus_limits() -> LimitsTable {
    LimitsTable::same(Limits {
        source_bytes_max: 500 << 20,
        width_pixels_max: 65_535,
        height_pixels_max: 65_535,
        area_pixels_max: 250_000_000,
        total_pixels_max: 1_000_000_000,
        pages_max: 10,
        nesting_max: 16,
        child_memory_bytes_max: 2 << 30,
        child_cpu_seconds_max: 60,
        child_seconds_max: 60,
        output_bytes_max: 256 << 20,
    })
}

/// A render child on a kernel that lacks the system call of a layer: a filter below answers `ENOSYS` for it.
pub(crate) fn on_a_kernel_without(missing: &str) -> ExitCode {
    let call = match missing {
        "landlock" => Some(libc::SYS_landlock_create_ruleset),
        "seccomp" => Some(libc::SYS_seccomp),
        _ => None,
    };
    if let Some(call) = call {
        let lacking = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
        let architecture = std::env::consts::ARCH.try_into().unwrap();
        let calls = BTreeMap::from([(call, Vec::new())]);
        let filter = SeccompFilter::new(calls, SeccompAction::Allow, lacking, architecture).unwrap();
        apply_filter(&BpfProgram::try_from(filter).unwrap()).unwrap();
    }
    worker::child::main_with(crate::engine::render)
}
