//! What each content should look like: `thumbline render` makes every preset of it once more, without any server.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::PRESETS;
use super::blobs::hex;
use super::expected::{Expected, Fresh};
use crate::load::contents::Contents;
use crate::system::System;

/// Files rendered by one process.
const BATCH: usize = 100;

/// By the number of the content; equal contents are rendered once.
pub(super) async fn render(
    system: &Arc<System>,
    contents: &Contents,
    expected: &Expected,
) -> anyhow::Result<BTreeMap<u32, Fresh>> {
    let directory = system.guard.subdirectory("fresh")?;
    let (sources, out) = (directory.join("sources"), directory.join("out"));
    std::fs::create_dir_all(&sources)?;
    let mut digests = BTreeMap::new();
    for number in expected.contents() {
        let bytes = contents.get(number)?.bytes;
        let digest = hex(&bytes);
        std::fs::write(sources.join(&digest), bytes)?;
        digests.insert(number, digest);
    }
    let mut distinct: Vec<&String> = digests.values().collect();
    distinct.sort();
    distinct.dedup();
    for some in distinct.chunks(BATCH) {
        let mut command = system.executable.command(&["render", "--preset", &PRESETS.join(",")]);
        command.arg("--out").arg(&out).args(some.iter().map(|digest| sources.join(digest)));
        // That some of them cannot be rendered is what we want to know.
        tokio::process::Command::from(command).output().await?;
    }
    let fresh = |(number, digest): (u32, String)| (number, outcome(&out, &digest));
    Ok(digests.into_iter().map(fresh).collect())
}

fn outcome(out: &Path, digest: &str) -> Fresh {
    let rendered = |preset: &'static str| {
        let bytes = std::fs::read(out.join(format!("{digest}.{preset}.jpg"))).ok();
        (preset, bytes.map(|bytes| hex(&bytes)))
    };
    PRESETS.into_iter().map(rendered).collect()
}
