//! Every picture of the corpus ends as its manifest says.

use std::collections::BTreeMap;
use std::path::Path;

use render::Report;
use shared::domain::failure::{Failure, FailureCode};

use crate::common;

/// One line of the manifest.
struct Entry {
    path: String,
    size: Option<(u32, u32)>,
    expected: String,
    note: String,
    media_type: String,
}

fn entries(root: &Path) -> Vec<Entry> {
    let manifest = std::fs::read_to_string(root.join("MANIFEST.tsv")).unwrap();
    let entry = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let side = |index: usize| fields[index].parse::<u32>().ok();
        Entry {
            path: fields[0].to_owned(),
            size: side(6).zip(side(7)),
            expected: fields[8].to_owned(),
            note: fields[9].to_owned(),
            media_type: fields[5].to_owned(),
        }
    };
    let pictures = |entry: &Entry| ["photos/", "graphics/", "hostile/"].iter().any(|dir| entry.path.starts_with(dir));
    manifest.lines().skip(1).map(entry).filter(pictures).collect()
}

/// What is wrong with how this one ended; `None`: nothing.
fn problem(entry: &Entry, source: &[u8], result: &Result<Report, Failure>) -> Option<String> {
    let either = entry.note.starts_with("either;");
    match result {
        _ if render::sniff(source).is_none() => {
            let expected = if source.is_empty() { FailureCode::ZeroBytes } else { FailureCode::UnsupportedFormat };
            (result.as_ref().err()?.code != expected).then(|| format!("is of no format of ours, yet {result:?}"))
        }
        Ok(report) => {
            let failed = report.renderings.iter().find_map(|rendered| rendered.result.as_ref().err());
            let shown = (report.picture.dimensions.width, report.picture.dimensions.height);
            let turned = entry.size.is_none_or(|size| size == shown || (size.1, size.0) == shown);
            if let Some(failure) = failed {
                Some(format!("one preset failed: {failure}"))
            } else if entry.expected == "reject" && !either {
                Some("was rendered, but should be refused".to_owned())
            } else if !turned && !entry.path.starts_with("hostile/") {
                Some(format!("has {shown:?} pixels, the manifest says {:?}", entry.size))
            } else {
                None
            }
        }
        Err(failure) if entry.expected == "ok" && !either => Some(format!("was refused: {failure}")),
        Err(failure) if failure.code == FailureCode::EncodeFailed => Some(format!("failed in an encoder: {failure}")),
        Err(_) => None,
    }
}

#[test]
fn every_picture_of_the_corpus_ends_as_the_manifest_says() {
    let Some(root) = common::corpus() else {
        eprintln!("skipped: there is no corpus beside the workspace (../shared/corpus)");
        return;
    };
    let mut summary: BTreeMap<String, [u32; 4]> = BTreeMap::new();
    let mut problems = Vec::new();
    for entry in entries(&root) {
        let source = std::fs::read(root.join(&entry.path)).unwrap();
        let began = std::time::Instant::now();
        let result = common::render(&source, &common::eager());
        let seconds = began.elapsed().as_secs_f64();
        if seconds > 3.0 {
            eprintln!("{seconds:.1} s for {}", entry.path);
        }
        if std::env::var_os("CORPUS_VERBOSE").is_some() {
            eprintln!(
                "{}\t{}\t{}",
                entry.path,
                entry.media_type,
                result.as_ref().err().map_or("ok".into(), |e| e.to_string())
            );
        }
        let folder = entry.path.split('/').next().unwrap().to_owned();
        let counts = summary.entry(folder).or_default();
        match (&result, problem(&entry, &source, &result)) {
            (_, Some(problem)) => {
                counts[3] += 1;
                problems.push(format!("{} ({}; {}): {problem}", entry.path, entry.expected, entry.note));
            }
            (_, None) if render::sniff(&source).is_none() => counts[2] += 1,
            (Ok(_), None) => counts[0] += 1,
            (Err(_), None) => counts[1] += 1,
        }
    }
    eprintln!("{:10} {:>9} {:>9} {:>12} {:>10}", "folder", "rendered", "refused", "not ours", "unexpected");
    for (folder, [rendered, refused, foreign, unexpected]) in summary {
        eprintln!("{folder:10} {rendered:>9} {refused:>9} {foreign:>12} {unexpected:>10}");
    }
    assert!(problems.is_empty(), "{} unexpected:\n{}", problems.len(), problems.join("\n"));
}
