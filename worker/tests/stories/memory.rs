//! What decoding was predicted to need, from the header, bounds what it takes.
//!
//! Over the samples; with `THUMBLINE_TEST_CORPUS` (directories, separated by colons) over all files there, one fresh
//! child each: `THUMBLINE_TEST_CORPUS=… cargo nextest run --workspace --no-capture -E 'test(predictions_bound)'`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use shared::domain::preset::PresetTable;
use worker::child::SealedSource;

use crate::children::{Story, told_within};
use crate::parent::{children, pool_within, sandbox};
use crate::sandbox::{corpus_limits, files_of};

pub(crate) const ALL: &[Story] =
    &[("predictions_bound_what_decoding_takes", || told_within(1800, predictions_bound_what_decoding_takes()))];

/// What one file took, beyond a child that has done nothing, and what its header said.
struct Measured {
    file: PathBuf,
    took: u64,
    predicted: u64,
}

impl Measured {
    fn ratio(&self) -> f64 {
        self.took as f64 / self.predicted as f64
    }
}

async fn predictions_bound_what_decoding_takes() {
    let mut worst: BTreeMap<String, Measured> = BTreeMap::new();
    let (mut predicted, mut beyond) = (0, Vec::new());
    for file in files_of(&directories()) {
        let Some((format, measured)) = measure(file).await else { continue };
        predicted += 1;
        if measured.ratio() > 1.0 {
            beyond.push(format!("{} took {} of {} bytes", measured.file.display(), measured.took, measured.predicted));
        }
        if worst.get(&format).is_none_or(|known| known.ratio() < measured.ratio()) {
            worst.insert(format, measured);
        }
    }
    eprintln!("{predicted} files decoded; the worst of each format:\nformat  taken / predicted");
    for (format, Measured { file, took, predicted }) in &worst {
        let ratio = *took as f64 / *predicted as f64;
        let name = file.file_name().unwrap().to_string_lossy();
        eprintln!("{format:6}  {:4} / {:4} MiB = {ratio:.2}  {name}", took >> 20, predicted >> 20);
    }
    assert!(predicted >= 3, "only {predicted} files were decoded");
    assert!(beyond.is_empty(), "{} of {predicted} took more than predicted:\n{}", beyond.len(), beyond.join("\n"));
}

/// `None` for what is not decoded.
async fn measure(file: PathBuf) -> Option<(String, Measured)> {
    let pool = pool_within(corpus_limits(), sandbox(), &["render-child"], 100);
    pool.prepare(1).await.unwrap();
    let child = children()[0];
    let idle = peak_resident_bytes(child).unwrap();
    let source = SealedSource::from_bytes(&std::fs::read(&file).unwrap()).unwrap();
    let answer = pool.render(None, &source, PresetTable::built_in().iter().cloned().collect()).await;
    let peak = peak_resident_bytes(child);
    pool.close().await;
    // A child that was killed over its limits has no peak any more.
    let (predicted, peak, made) = (answer.predicted_bytes?, peak?, answer.result.ok()?);
    let measured = Measured { file, took: peak.saturating_sub(idle), predicted };
    Some((made.picture.format.name().to_owned(), measured))
}

fn peak_resident_bytes(process: i32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    kib.trim().trim_end_matches(" kB").trim().parse::<u64>().ok().map(|kib| kib << 10)
}

fn directories() -> String {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let ours = ["src/demo/samples", "tests/fixtures/corpus/hostile"].map(|name| workspace.join(name));
    std::env::var("THUMBLINE_TEST_CORPUS").unwrap_or_else(|_| format!("{}:{}", ours[0].display(), ours[1].display()))
}
