//! Source files named on the command line: only regular ones, and never more bytes than a source may have.

use std::path::Path;

use anyhow::{Context as _, bail};

/// The length in bytes of a regular file; a pipe or a device could go on for ever.
pub(crate) fn length(path: &Path) -> anyhow::Result<u64> {
    let facts = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    if !facts.is_file() {
        bail!("{} is not a regular file", path.display());
    }
    Ok(facts.len())
}

/// All bytes, once their number is known to be within `bytes_max`.
pub(crate) fn read(path: &Path, bytes_max: u64) -> anyhow::Result<Vec<u8>> {
    let length = length(path)?;
    if length > bytes_max {
        bail!("{} has {length} bytes, the limit is {bytes_max}", path.display());
    }
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_and_what_is_too_long_are_refused_before_a_byte_is_read() {
        assert!(read(Path::new("/dev/zero"), 10).unwrap_err().to_string().contains("not a regular file"));
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(11).unwrap();
        assert!(read(file.path(), 10).unwrap_err().to_string().contains("11 bytes, the limit is 10"));
        assert_eq!(read(file.path(), 11).unwrap().len(), 11);
    }
}
