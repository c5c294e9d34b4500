//! What is uploaded: the files and directories of the command line, or the bundled samples.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::source_file;

/// One file to upload.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    /// The name that the API is told.
    pub(crate) name: String,
    /// Where the bytes are.
    pub(crate) content: Content,
}

/// Where the bytes of an upload are.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// In the executable.
    Bundled(&'static [u8]),
    /// On disk.
    File(PathBuf),
}

impl Upload {
    /// Length in bytes, at most `bytes_max`.
    pub(crate) fn length(&self, bytes_max: u64) -> anyhow::Result<u64> {
        let length = match &self.content {
            Content::Bundled(bytes) => bytes.len() as u64,
            Content::File(path) => source_file::length(path)?,
        };
        if length > bytes_max {
            bail!("{} has {length} bytes, the limit is {bytes_max}", self.name);
        }
        Ok(length)
    }

    /// The bytes, read while they are sent.
    pub(crate) async fn open(&self) -> anyhow::Result<reqwest::Body> {
        match &self.content {
            Content::Bundled(bytes) => Ok((*bytes).into()),
            Content::File(path) => {
                let file = tokio::fs::File::open(path).await;
                Ok(file.with_context(|| format!("cannot read {}", path.display()))?.into())
            }
        }
    }

    /// The name that the API is told: Box's rule refuses some characters that screenshot tools like.
    pub(crate) fn acceptable_name(&self) -> String {
        let refused = |c: char| c.is_control() || r#"/\<>:|?*"#.contains(c);
        let name: String = self.name.chars().map(|c| if refused(c) { '_' } else { c }).take(200).collect();
        match name.trim() {
            "" | "." | ".." => "file".to_owned(),
            name => name.to_owned(),
        }
    }
}

/// Origin and licence of each are in `samples/README.md`.
const SAMPLES: [(&str, &[u8]); 5] = [
    ("portrait-phone.jpg", include_bytes!("../demo/samples/portrait-phone.jpg")),
    ("tower-progressive.jpg", include_bytes!("../demo/samples/tower-progressive.jpg")),
    ("transparent.png", include_bytes!("../demo/samples/transparent.png")),
    ("alpha.webp", include_bytes!("../demo/samples/alpha.webp")),
    ("animated.gif", include_bytes!("../demo/samples/animated.gif")),
];

/// The files that the arguments mean, directories walked in name order; the samples when there are none. Everything
/// that cannot be read is told at once.
pub(crate) fn collect(arguments: &[PathBuf]) -> anyhow::Result<Vec<Upload>> {
    if arguments.is_empty() {
        let bundled =
            |(name, bytes): (&str, &'static [u8])| Upload { name: name.to_owned(), content: Content::Bundled(bytes) };
        return Ok(SAMPLES.map(bundled).into());
    }
    let mut uploads = Vec::new();
    let mut unreadable = Vec::new();
    for path in arguments {
        if let Err(error) = walk(path, &mut uploads) {
            unreadable.push(format!("{}: {error}", path.display()));
        }
    }
    if !unreadable.is_empty() {
        bail!("cannot read\n  {}", unreadable.join("\n  "));
    }
    if uploads.is_empty() {
        bail!(
            "there is no file below {}",
            arguments.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ")
        );
    }
    Ok(uploads)
}

fn walk(path: &Path, uploads: &mut Vec<Upload>) -> std::io::Result<()> {
    if path.is_dir() {
        let mut entries: Vec<PathBuf> =
            std::fs::read_dir(path)?.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
        entries.sort();
        return entries.iter().try_for_each(|entry| walk(entry, uploads));
    }
    if !path.is_file() {
        return Err(std::io::Error::other("is not a regular file"));
    }
    std::fs::File::open(path)?;
    let name = path.file_name().map_or_else(|| "file".to_owned(), |name| name.to_string_lossy().into_owned());
    uploads.push(Upload { name, content: Content::File(path.to_owned()) });
    Ok(())
}
