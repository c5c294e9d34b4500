//! Hostile files through the real worker, in both shapes: each ends as its manifest says, the worker stays small, its
//! broker connection holds, and good files in between are served as if nothing were.
//!
//! With the large corpus (`../shared/corpus`, or the directory in `THUMBLINE_TEST_CORPUS_ROOT`) all of it runs; without,
//! the sample in `tests/fixtures/corpus`, and a line says so.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::client::{Client, states};
use crate::harness::pictures;
use crate::harness::process::{Process, thumbline};
use crate::harness::servers::Production;

/// Hostile files between two good ones.
const BETWEEN: usize = 6;
/// The wall-clock limit of a source in these stories, in seconds.
const CHILD_SECONDS_MAX: &str = "20";
/// How many times longer than alone a good file may take, at the median: it waits for the files before it.
const DELAY_FACTOR_MAX: u32 = 40;
/// And at the worst: every permit is held by a file that uses all of its time, in both steps.
const DELAY_MAX: Duration = Duration::from_secs(60);
/// What the worker process may have resident, whatever arrives. The pixels are in its children.
const RESIDENT_BYTES_MAX: u64 = 256 << 20;
/// The longest that the whole corpus may take.
const PATIENCE: Duration = Duration::from_secs(240);

const SETTINGS: [(&str, &str); 4] = [
    ("THUMBLINE__LIMITS__RASTER__CHILD_SECONDS_MAX", CHILD_SECONDS_MAX),
    ("THUMBLINE__LIMITS__RASTER__AREA_PIXELS_MAX", "100000000"),
    ("THUMBLINE__RETRY__SCHEDULE_SECONDS", "[0.2]"),
    ("THUMBLINE__WORKER__CONCURRENCY", "2"),
];

/// One line of a manifest.
struct Entry {
    /// Its path, with slashes made harmless.
    name: String,
    content: Vec<u8>,
    expected: String,
    note: String,
}

fn entries() -> Vec<Entry> {
    let root = corpus_root();
    let manifest = std::fs::read_to_string(root.join("MANIFEST.tsv")).unwrap();
    let ours = ["hostile/", "photos/", "graphics/"];
    let entry = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        Entry {
            name: fields[0].replace('/', "__"),
            content: std::fs::read(root.join(fields[0])).unwrap(),
            expected: fields[8].to_owned(),
            note: fields[9].to_owned(),
        }
    };
    manifest.lines().skip(1).filter(|line| ours.iter().any(|folder| line.starts_with(folder))).map(entry).collect()
}

fn corpus_root() -> PathBuf {
    let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let large = std::env::var_os("THUMBLINE_TEST_CORPUS_ROOT")
        .map_or_else(|| workspace.join("../shared/corpus"), PathBuf::from);
    if large.is_dir() {
        return large;
    }
    println!("there is no corpus at {}: only the sample in tests/fixtures/corpus runs", large.display());
    workspace.join("tests/fixtures/corpus")
}

/// What became of one file: `success`, or the code of the first representation that has one.
fn end(file: &Value) -> String {
    let rows = file["representations"].as_array().unwrap();
    let codes = rows.iter().filter_map(|row| row["code"].as_str());
    let all = states(file);
    match all.iter().all(|(_, state)| state == "success") {
        true => "success".to_owned(),
        false => codes.into_iter().next().unwrap_or("pending").to_owned(),
    }
}

/// What is wrong with how this one ended; `None`: nothing.
fn problem(entry: &Entry, end: &str) -> Option<String> {
    let either = entry.note.starts_with("either;");
    let wrong = match end {
        _ if entry.content.is_empty() => end != "zero_bytes",
        _ if render::sniff(&entry.content).is_none() => end != "unsupported_format",
        "success" => entry.expected == "reject" && !either,
        "encode_failed" | "pending" | "worker_overloaded" | "dependency_down" => true,
        _ => entry.expected == "ok" && !either,
    };
    wrong.then(|| format!("{} ended as {end}; the manifest says {} ({})", entry.name, entry.expected, entry.note))
}

/// Every file that the server knows, by name.
async fn all_files(client: &Client) -> BTreeMap<String, Value> {
    let mut files = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let page = client.json(&format!("/v1/files?limit=100{cursor}")).await;
        for file in page["files"].as_array().unwrap() {
            files.insert(file["name"].as_str().unwrap().to_owned(), file.clone());
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return files,
        }
    }
}

/// Waits until nothing is pending any more.
async fn all_settled(client: &Client, count: usize) -> BTreeMap<String, Value> {
    let begun = Instant::now();
    loop {
        let files = all_files(client).await;
        let pending = files.values().filter(|file| end(file) == "pending").count();
        if pending == 0 && files.len() >= count {
            return files;
        }
        assert!(begun.elapsed() < PATIENCE, "{pending} of {} files have not ended", files.len());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// How the good files fared, alone and in between.
#[derive(Default)]
struct Delays {
    alone: Vec<Duration>,
    between: Vec<Duration>,
}

impl Delays {
    fn median(times: &[Duration]) -> Duration {
        let mut times = times.to_vec();
        times.sort();
        times[times.len() / 2]
    }

    fn check(&self) {
        let (alone, between) = (Self::median(&self.alone), Self::median(&self.between));
        let worst = self.between.iter().max().unwrap();
        println!("good files: {alone:?} alone, {between:?} in between (median), {worst:?} at the worst");
        assert!(between < alone * DELAY_FACTOR_MAX, "{between:?} in between, {alone:?} alone");
        assert!(*worst < DELAY_MAX, "{worst:?}");
    }
}

/// Prints how the files of each folder ended, and fails when one ended otherwise than its manifest says.
fn check_ends(entries: &[Entry], files: &BTreeMap<String, Value>) {
    let mut summary: BTreeMap<(String, String), u32> = BTreeMap::new();
    let mut problems = Vec::new();
    for entry in entries {
        let end = files.get(&entry.name).map_or("lost".to_owned(), end);
        let folder = entry.name.split("__").next().unwrap().to_owned();
        *summary.entry((folder, end.clone())).or_default() += 1;
        problems.extend(problem(entry, &end));
    }
    println!("{:10} {:22} {:>6}", "folder", "ended as", "files");
    for ((folder, end), count) in summary {
        println!("{folder:10} {end:22} {count:>6}");
    }
    assert!(problems.is_empty(), "{} of {}:\n{}", problems.len(), entries.len(), problems.join("\n"));
}

fn check_process(process: &Process) {
    let peak = process.peak_resident_bytes();
    println!("the worker had at most {} MiB resident", peak >> 20);
    assert!(peak < RESIDENT_BYTES_MAX, "{peak} bytes");
}

/// Sends the corpus with `put` and good files in between; `good` says how long one takes.
async fn hurt_nobody(client: &Client, good: impl AsyncFn(String) -> Duration, put: impl AsyncFn(&Entry)) {
    let entries = entries();
    let mut delays = Delays::default();
    for number in 0..5 {
        delays.alone.push(good(format!("alone-{number}.png")).await);
    }
    for (number, some) in entries.chunks(BETWEEN).enumerate() {
        for entry in some {
            put(entry).await;
        }
        delays.between.push(good(format!("between-{number}.png")).await);
    }
    let files = all_settled(client, entries.len()).await;
    check_ends(&entries, &files);
    good("afterwards.png".to_owned()).await;
    delays.check();
}

#[tokio::test]
async fn hostile_files_hurt_nobody_in_one_process() {
    let data = tempfile::tempdir().unwrap();
    let mut command = thumbline(&["all", "--listen", "127.0.0.1:0", "--data", data.path().to_str().unwrap()]);
    command.env("THUMBLINE__OPS__LISTEN", "").envs(SETTINGS);
    let process = Process::start(command);
    let client = Client::new(process.address("api"), None);
    let good = async |name: String| {
        let content = pictures::png(400, 300);
        let begun = Instant::now();
        let id = client.uploaded(&name, &content).await;
        assert_eq!(end(&client.settled(&id).await), "success", "{name}");
        begun.elapsed()
    };
    hurt_nobody(&client, good, async |entry: &Entry| {
        client.uploaded(&entry.name, &entry.content).await;
    })
    .await;
    check_process(&process);
}

#[tokio::test]
#[ignore = "needs RabbitMQ, PostgreSQL and S3: run `make test`"]
async fn hostile_files_hurt_nobody_in_production() {
    let production = Production::start(1, &SETTINGS).await;
    let client = production.client();
    let good = async |name: String| {
        production.put_source(&name, &pictures::png(400, 300)).await;
        let begun = Instant::now();
        production.publish_upload(&name, "1").await;
        let id = production.file_of(&name).await;
        assert_eq!(end(&client.settled(&id).await), "success", "{name}");
        begun.elapsed()
    };
    hurt_nobody(&client, good, async |entry: &Entry| {
        production.put_source(&entry.name, &entry.content).await;
        production.publish_upload(&entry.name, "1").await;
    })
    .await;
    let worker = &production.workers[0];
    check_process(worker);
    let errors = Production::ops(worker).metric(r#"thumbline_dependency_errors_total{dependency="queue"}"#).await;
    assert_eq!(errors, 0.0, "the connection to the broker broke");
    production.finish().await;
}
