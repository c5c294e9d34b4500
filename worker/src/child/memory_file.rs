//! Sources and outputs in anonymous memory files: they travel as descriptors and vanish with the last of them.

use std::cell::RefCell;
use std::ffi::c_void;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::ptr::{self, NonNull};
use std::{io, slice};

use render::SourceMemory;
use rustix::fs::{FallocateFlags, MemfdFlags, SealFlags, fallocate, fcntl_add_seals, fstat, memfd_create};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, munmap};

use super::protocol::Place;

/// What a child's window holds. Longer sources travel in memory files of their own, whose pages cost more than copying
/// bytes does (docs/BENCHMARKS.md, "The child").
pub(super) const WINDOW_BYTES: usize = 4 << 20;

/// Where the bytes of a source are.
#[derive(Debug)]
pub(super) enum Held {
    /// In the parent's own memory; a child gets them in its window.
    Memory(Vec<u8>),
    /// In a memory file, which a child is given.
    File(File),
}

/// A source that is still arriving.
#[derive(Debug)]
pub struct SourceWriter {
    held: Held,
    length_bytes: u64,
}

impl SourceWriter {
    /// An empty one with room for what is expected, which may turn out to be wrong. Fails when this process has no memory
    /// or descriptors left.
    pub fn new(expected_bytes: u64) -> io::Result<Self> {
        let held = match usize::try_from(expected_bytes) {
            Ok(expected @ ..=WINDOW_BYTES) => {
                let mut bytes = Vec::new();
                bytes.try_reserve_exact(expected).map_err(io::Error::other)?;
                Held::Memory(bytes)
            }
            _ => Held::File(sealable("thumbline-source")?),
        };
        Ok(Self { held, length_bytes: 0 })
    }

    /// Appends.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Held::Memory(collected) = &mut self.held {
            if collected.len() + bytes.len() <= WINDOW_BYTES {
                collected.try_reserve(bytes.len()).map_err(io::Error::other)?;
                collected.extend_from_slice(bytes);
            } else {
                let file = sealable("thumbline-source")?;
                file.write_all_at(collected, 0)?;
                self.held = Held::File(file);
            }
        }
        if let Held::File(file) = &self.held {
            file.write_all_at(bytes, self.length_bytes)?;
        }
        self.length_bytes += bytes.len() as u64;
        Ok(())
    }

    /// How much has arrived.
    pub fn length_bytes(&self) -> u64 {
        self.length_bytes
    }

    /// From now on nobody can change it, whoever holds a descriptor.
    pub fn seal(self) -> io::Result<SealedSource> {
        if let Held::File(file) = &self.held {
            fcntl_add_seals(file, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
        }
        Ok(SealedSource { held: self.held })
    }
}

/// A whole source that cannot change any more.
#[derive(Debug)]
pub struct SealedSource {
    held: Held,
}

impl SealedSource {
    /// These bytes as a source.
    pub fn from_bytes(bytes: &[u8]) -> io::Result<Self> {
        let mut writer = SourceWriter::new(bytes.len() as u64)?;
        writer.write(bytes)?;
        writer.seal()
    }

    pub(super) fn held(&self) -> &Held {
        &self.held
    }

    /// Where a child will find it.
    pub(super) fn place(&self) -> Place {
        match &self.held {
            Held::Memory(bytes) => Place::Window { length: bytes.len() },
            Held::File(_) => Place::File,
        }
    }
}

fn sealable(name: &str) -> io::Result<File> {
    Ok(memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?.into())
}

/// What a parent and its child share while the child lives: the parent writes a source into it before each order, and
/// nothing in between. Its length is sealed, so that neither can pull it from under the other.
#[derive(Debug)]
pub(super) struct Window {
    file: File,
    /// All of it, mapped: copying into it spares the kernel's work for each page of a write.
    start: NonNull<c_void>,
}

#[expect(unsafe_code, reason = "nobody can shorten what is mapped; it is only ever written to")]
// SAFETY: the mapping belongs to the window alone and may be written to from any thread, by one at a time.
unsafe impl Send for Window {}
#[expect(unsafe_code, reason = "as above")]
// SAFETY: shared, nothing can be done with the mapping.
unsafe impl Sync for Window {}

impl Window {
    /// An empty one. Fails when this process has no memory or descriptors left.
    pub(super) fn new() -> io::Result<Self> {
        let file = sealable("thumbline-window")?;
        // With its memory: there is no error for a copy that finds none, only a signal.
        fallocate(&file, FallocateFlags::empty(), 0, WINDOW_BYTES as u64)?;
        fcntl_add_seals(&file, SealFlags::GROW | SealFlags::SHRINK)?;
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        #[expect(unsafe_code, reason = "what is written to has to be mapped")]
        // SAFETY: a new mapping at a place of the kernel's choice touches no memory that anybody has.
        let start = unsafe { mmap(ptr::null_mut(), WINDOW_BYTES, protection, MapFlags::SHARED, &file, 0)? };
        let start = NonNull::new(start).ok_or_else(|| io::Error::other("a mapping at address zero"))?;
        let window = Self { file, start };
        // Nobody who is given the file can write to it, nor take pages out of it.
        fcntl_add_seals(&window.file, SealFlags::FUTURE_WRITE | SealFlags::SEAL)?;
        Ok(window)
    }

    /// What a child is given.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Writes a source. Fails when it is longer than the window.
    pub(super) fn write(&mut self, source: &[u8]) -> io::Result<()> {
        if source.len() > WINDOW_BYTES {
            return Err(io::Error::other("the source is longer than the window of its render child"));
        }
        #[expect(unsafe_code, reason = "the child maps the same memory, so there may be no reference to it here")]
        // SAFETY: mapped for writing, at least that long, until it is dropped; nobody here has a reference into it.
        unsafe {
            ptr::copy_nonoverlapping(source.as_ptr(), self.start.as_ptr().cast(), source.len());
        }
        Ok(())
    }
}

impl Drop for Window {
    #[expect(unsafe_code, reason = "what was mapped has to be unmapped")]
    fn drop(&mut self) {
        // SAFETY: the whole mapping, into which there are no references.
        let _ = unsafe { munmap(self.start.as_ptr(), WINDOW_BYTES) };
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

#[expect(unsafe_code, reason = "nobody can shorten what is mapped, nor change it while it is read; it is read only")]
impl MappedSource {
    /// Maps a source that its parent has sealed.
    pub(super) fn of(sealed: &File) -> io::Result<Self> {
        // Not `metadata`: its system call also takes paths, so a confined child may not make it.
        let length = usize::try_from(fstat(sealed)?.st_size).map_err(io::Error::other)?;
        Self::map(sealed, length, MapFlags::PRIVATE)
    }

    /// Maps the whole of a child's window, for as long as the child lives.
    pub(super) fn of_window(window: &File) -> io::Result<Self> {
        Self::map(window, WINDOW_BYTES, MapFlags::SHARED)
    }

    fn map(file: &File, length: usize, flags: MapFlags) -> io::Result<Self> {
        if length == 0 {
            return Ok(Self::at(NonNull::dangling(), 0));
        }
        // SAFETY: a new mapping at a place of the kernel's choice touches no memory that anybody has.
        let start = unsafe { mmap(ptr::null_mut(), length, ProtFlags::READ, flags, file, 0)? };
        let start = NonNull::new(start).ok_or_else(|| io::Error::other("a mapping at address zero"))?;
        Ok(Self::at(start, length))
    }

    fn at(start: NonNull<c_void>, length: usize) -> Self {
        Self { start, length, passed: RefCell::default() }
    }

    /// All of it.
    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: mapped for reading and that long until it is dropped; the length is sealed. The bytes of a source are
        // sealed as well, and those of a window change only while its child waits for an order, and holds none of them.
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

    fn file(source: &SealedSource) -> &File {
        match source.held() {
            Held::File(file) => file,
            Held::Memory(_) => panic!("it is held in memory"),
        }
    }

    #[test]
    fn a_sealed_source_keeps_its_bytes() {
        // Longer than was expected, and than a window.
        let mut writer = SourceWriter::new(6).unwrap();
        writer.write(b"first ").unwrap();
        writer.write(&vec![7; WINDOW_BYTES]).unwrap();
        writer.write(b"last").unwrap();
        assert_eq!(writer.length_bytes(), WINDOW_BYTES as u64 + 10);
        let sealed = writer.seal().unwrap();
        assert_eq!(sealed.place(), Place::File);
        assert!(file(&sealed).write_all_at(b"x", 0).is_err());
        assert!(file(&sealed).set_len(3).is_err());
        let whole = [b"first ".as_slice(), &vec![7; WINDOW_BYTES], b"last"].concat();
        assert!(MappedSource::of(file(&sealed)).unwrap().bytes() == whole);
    }

    #[test]
    fn what_fits_a_window_needs_no_file() {
        let mut writer = SourceWriter::new(6).unwrap();
        writer.write(b"first ").unwrap();
        writer.write(&vec![7; WINDOW_BYTES - 6]).unwrap();
        assert_eq!(writer.seal().unwrap().place(), Place::Window { length: WINDOW_BYTES });
        assert_eq!(SealedSource::from_bytes(&[]).unwrap().place(), Place::Window { length: 0 });
    }

    #[test]
    fn a_window_shows_what_was_written_last_and_keeps_its_length() {
        let mut window = Window::new().unwrap();
        let mapped = MappedSource::of_window(window.file()).unwrap();
        for bytes in [b"first", b"other"] {
            window.write(bytes).unwrap();
            assert_eq!(&mapped.bytes()[..5], bytes);
        }
        window.write(&vec![7; WINDOW_BYTES]).unwrap();
        assert_eq!(mapped.bytes(), vec![7; WINDOW_BYTES]);
        assert!(window.write(&vec![8; WINDOW_BYTES + 1]).is_err());
        assert_eq!(mapped.bytes()[0], 7);
        assert!(window.file().set_len(0).is_err() && window.file().write_all_at(b"x", 0).is_err());
    }

    #[test]
    fn what_was_left_behind_can_be_read_again() {
        let bytes: Vec<u8> = (0..5_000_000_u32).map(|n| (n % 251) as u8).collect();
        let mapped = MappedSource::of(file(&SealedSource::from_bytes(&bytes).unwrap())).unwrap();
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
    fn an_empty_file_has_no_bytes() {
        assert_eq!(MappedSource::of(&sealable("empty").unwrap()).unwrap().bytes(), b"");
    }
}
