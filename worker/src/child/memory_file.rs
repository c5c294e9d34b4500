//! Sources and outputs as anonymous memory files: they travel as descriptors and vanish with the last of them.

use std::cell::RefCell;
use std::ffi::c_void;
use std::fs::File;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::ptr::{self, NonNull};
use std::{io, slice};

use render::SourceMemory;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fstat, memfd_create};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, munmap};

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

    /// What a child was given by its parent, which has sealed it.
    pub(super) fn received(file: OwnedFd) -> Self {
        Self { file: file.into() }
    }
}

impl AsFd for SealedSource {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// An empty output, for one order of a child after the other.
pub(super) fn output() -> io::Result<File> {
    Ok(memfd_create("thumbline-output", MemfdFlags::CLOEXEC)?.into())
}

/// A source in a child's address space: what is read of it takes memory once, in the file.
#[derive(Debug)]
pub(super) struct MappedSource {
    /// Dangling when there are no bytes.
    start: NonNull<c_void>,
    length: usize,
    /// The end of what was passed, not left yet.
    passed: RefCell<Range<usize>>,
}

#[expect(unsafe_code, reason = "the file is sealed: nobody can change or shorten what is mapped, and it is read only")]
impl MappedSource {
    /// Maps a source that its parent has sealed.
    pub(super) fn of(source: &SealedSource) -> io::Result<Self> {
        // Not `metadata`: its system call also takes paths, so a confined child may not make it.
        let length = usize::try_from(fstat(&source.file)?.st_size).map_err(io::Error::other)?;
        if length == 0 {
            return Ok(Self::at(NonNull::dangling(), 0));
        }
        // SAFETY: a new mapping at a place of the kernel's choice touches no memory that anybody has.
        let start = unsafe { mmap(ptr::null_mut(), length, ProtFlags::READ, MapFlags::PRIVATE, &source.file, 0)? };
        let start = NonNull::new(start).ok_or_else(|| io::Error::other("a mapping at address zero"))?;
        Ok(Self::at(start, length))
    }

    fn at(start: NonNull<c_void>, length: usize) -> Self {
        Self { start, length, passed: RefCell::default() }
    }

    /// All of it.
    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: mapped for reading and that long until it is dropped; the seals keep every byte as it is.
        unsafe { slice::from_raw_parts(self.start.as_ptr().cast(), self.length) }
    }

    /// Takes whole pages out of the resident set; read again, they come back from the file.
    fn leave(&self, passed: Range<usize>) {
        let (first, end) = (passed.start.next_multiple_of(PAGE_BYTES), passed.end / PAGE_BYTES * PAGE_BYTES);
        if first < end && end <= self.length {
            // SAFETY: within the mapping, which is private, never written and backed by a file that stays as it is. Where
            // pages are larger, the kernel may refuse; then they stay resident.
            let _ = unsafe { madvise(self.start.as_ptr().byte_add(first), end - first, Advice::LinuxDontNeed) };
        }
    }
}

/// The smallest page that there is.
const PAGE_BYTES: usize = 4096;
/// What is passed piece by piece is left once it is this long: a system call for each row would cost more than it saves.
const LEFT_BYTES: usize = 1 << 20;

impl SourceMemory for MappedSource {
    fn passed(&self, bytes: &[u8]) {
        let Some(start) = (bytes.as_ptr() as usize).checked_sub(self.start.as_ptr() as usize) else { return };
        let before = self.passed.take();
        let follows = (before.end..=before.end.saturating_add(PAGE_BYTES)).contains(&start);
        let passed = if follows { before.start } else { start }..start.saturating_add(bytes.len());
        if passed.len() < LEFT_BYTES {
            self.passed.replace(passed);
            return;
        }
        // The last page may be shared with what comes next.
        self.passed.replace(passed.end / PAGE_BYTES * PAGE_BYTES..passed.end);
        self.leave(passed);
    }
}

impl Drop for MappedSource {
    #[expect(unsafe_code, reason = "what was mapped has to be unmapped")]
    fn drop(&mut self) {
        if self.length > 0 {
            // SAFETY: the whole mapping, which nobody borrows any more.
            let _ = unsafe { munmap(self.start.as_ptr(), self.length) };
        }
    }
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
        assert_eq!(MappedSource::of(&sealed).unwrap().bytes(), b"first second");
    }

    #[test]
    fn what_was_left_behind_can_be_read_again() {
        let bytes: Vec<u8> = (0..5_000_000_u32).map(|n| (n % 251) as u8).collect();
        let mapped = MappedSource::of(&SealedSource::from_bytes(&bytes).unwrap()).unwrap();
        let resident = || {
            let map = std::fs::read_to_string("/proc/self/smaps").unwrap();
            let start = format!("{:x}-", mapped.start.as_ptr() as usize);
            let rss = map.lines().skip_while(|line| !line.starts_with(&start)).find(|line| line.starts_with("Rss:"));
            rss.unwrap().split_whitespace().nth(1).unwrap().parse::<usize>().unwrap()
        };
        assert_eq!(mapped.bytes(), bytes);
        assert!(resident() > 4800, "{} KiB", resident());
        // Pieces that follow one another, smaller than pages, and whatever else anybody may say.
        mapped.bytes().chunks(1000).for_each(|row| mapped.passed(row));
        assert!(resident() < 1300, "{} KiB", resident());
        [&mapped.bytes()[7..9], &bytes[..], &[]].into_iter().for_each(|part| mapped.passed(part));
        assert_eq!(mapped.bytes(), bytes);
    }

    #[test]
    fn an_empty_source_has_no_bytes() {
        assert_eq!(MappedSource::of(&SealedSource::from_bytes(&[]).unwrap()).unwrap().bytes(), b"");
    }
}
