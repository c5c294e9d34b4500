//! Sources and outputs as anonymous memory files: they travel as descriptors and vanish with the last of them.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fstat, memfd_create};

/// A source that is still arriving.
#[derive(Debug)]
pub struct SourceWriter {
    file: File,
    length_bytes: u64,
}

impl SourceWriter {
    /// An empty one; fails when this process has no memory or descriptors left.
    pub fn new() -> io::Result<Self> {
        let file = memfd_create("thumbline-source", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        Ok(Self { file: file.into(), length_bytes: 0 })
    }

    /// Appends.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, self.length_bytes)?;
        self.length_bytes += bytes.len() as u64;
        Ok(())
    }

    /// How much has arrived.
    pub fn length_bytes(&self) -> u64 {
        self.length_bytes
    }

    /// From now on nobody can change it, whoever holds a descriptor.
    pub fn seal(self) -> io::Result<SealedSource> {
        let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
        fcntl_add_seals(&self.file, seals)?;
        Ok(SealedSource { file: self.file })
    }
}

/// A whole source that cannot change any more.
#[derive(Debug)]
pub struct SealedSource {
    file: File,
}

impl SealedSource {
    /// These bytes as a source.
    pub fn from_bytes(bytes: &[u8]) -> io::Result<Self> {
        let mut writer = SourceWriter::new()?;
        writer.write(bytes)?;
        writer.seal()
    }
}

impl AsFd for SealedSource {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// An empty output for one order.
pub(super) fn output() -> io::Result<File> {
    Ok(memfd_create("thumbline-output", MemfdFlags::CLOEXEC)?.into())
}

/// All bytes of a source, read at offsets: the two processes share one file position.
pub(super) fn read_all(source: OwnedFd) -> io::Result<Vec<u8>> {
    let source = File::from(source);
    // Not `metadata`: its system call also takes paths, so a confined child may not make it.
    let length = usize::try_from(fstat(&source)?.st_size).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    source.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_source_keeps_its_bytes() {
        let mut writer = SourceWriter::new().unwrap();
        writer.write(b"first ").unwrap();
        writer.write(b"second").unwrap();
        assert_eq!(writer.length_bytes(), 12);
        let sealed = writer.seal().unwrap();
        let other = File::from(sealed.as_fd().try_clone_to_owned().unwrap());
        assert!(other.write_all_at(b"x", 0).is_err());
        assert!(other.set_len(3).is_err());
        assert_eq!(read_all(other.into()).unwrap(), b"first second");
    }
}
