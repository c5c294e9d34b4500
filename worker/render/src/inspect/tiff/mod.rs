//! The pages of a TIFF: which directories there are, which of them are pages, and what a page's tags say.

mod directory;
mod page;

use std::collections::HashSet;

use shared::domain::failure::Failure;

pub(crate) use self::directory::{Directory, File};
pub(crate) use self::page::{Alpha, Compression, Numbers, Photometric, TiffPage};
use super::corrupt;

/// Directories beyond this many are not looked for: a chain of millions of empty ones fits into a small file.
const DIRECTORIES_MAX: usize = 65_536;

/// `NewSubfileType`: a smaller copy of another page (bit 0), or a mask for one (bit 2).
const SUBFILE_TYPE: u16 = 254;
const REDUCED_OR_MASK: u64 = 0b101;
const REDUCED: u64 = 0b001;
const SUB_DIRECTORIES: u16 = 330;
const DNG_VERSION: u16 = 50_706;
const COMPRESSION: u16 = 259;
/// Of Sony, Epson and Samsung, Nikon, Kodak, and Pentax.
const MAKERS_CODINGS: [u64; 7] = [32_767, 32_769, 32_770, 34_713, 65_000, 65_024, 65_535];

/// How many pages there are; at least 1.
pub(crate) fn page_count(source: &[u8]) -> u32 {
    let directories = Chain::new(source).map(|directory| is_page(&directory));
    let (pages, all) = directories.fold((0_u32, 0_u32), |(pages, all), page| (pages + u32::from(page), all + 1));
    if pages > 0 { pages } else { all.max(1) }
}

/// The tags of a page, counted from 0.
pub(crate) fn page(source: &[u8], index: u32) -> Result<TiffPage<'_>, Failure> {
    let index = index as usize;
    // Without a single real page, the smaller copies are all there is.
    let directory = Chain::new(source).filter(is_page).nth(index).or_else(|| Chain::new(source).nth(index));
    TiffPage::new(&directory.ok_or_else(|| corrupt(format!("the TIFF has no page {}", index + 1)))?)
}

/// Whether this is a camera's raw file: by its first bytes a TIFF, but its first directory only holds a thumbnail, or has
/// pixels in a coding that only its maker knows.
pub(crate) fn is_camera_raw(source: &[u8]) -> bool {
    if source.get(8..10) == Some(b"CR") {
        return true;
    }
    let first = Chain::new(source).next();
    first.is_some_and(|directory| {
        let thumbnail = directory.number(SUBFILE_TYPE).is_some_and(|kind| kind & REDUCED != 0);
        let coding = directory.number(COMPRESSION);
        directory.has(DNG_VERSION)
            || (thumbnail && directory.has(SUB_DIRECTORIES))
            || coding.is_some_and(|coding| MAKERS_CODINGS.contains(&coding))
    })
}

fn is_page(directory: &Directory<'_>) -> bool {
    directory.number(SUBFILE_TYPE).is_none_or(|kind| kind & REDUCED_OR_MASK == 0)
}

/// The directories in the order of the file, each once, so that a loop ends.
struct Chain<'a> {
    file: Option<File<'a>>,
    next: usize,
    seen: HashSet<usize>,
}

impl<'a> Chain<'a> {
    fn new(source: &'a [u8]) -> Self {
        let (file, next) = File::open(source).map_or((None, 0), |(file, first)| (Some(file), first));
        Self { file, next, seen: HashSet::new() }
    }
}

impl<'a> Iterator for Chain<'a> {
    type Item = Directory<'a>;

    fn next(&mut self) -> Option<Directory<'a>> {
        if self.next == 0 || self.seen.len() >= DIRECTORIES_MAX || !self.seen.insert(self.next) {
            return None;
        }
        let (directory, next) = self.file?.directory(self.next)?;
        self.next = next;
        Some(directory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Directories of one entry (`ImageWidth`) each, every one followed by the one at `next`.
    fn chain(nexts: &[u32]) -> Vec<u8> {
        let mut file = b"II*\0\x08\0\0\0".to_vec();
        for next in nexts {
            file.extend([1, 0, 0, 1, 3, 0, 1, 0, 0, 0, 5, 0, 0, 0]);
            file.extend(next.to_le_bytes());
        }
        file
    }

    #[test]
    fn counts_pages_and_leaves_loops() {
        assert_eq!(page_count(&chain(&[26, 44, 0])), 3);
        assert_eq!(page_count(&chain(&[26, 8])), 2);
        assert_eq!(page_count(&chain(&[26, 26])), 2);
        assert_eq!(page_count(&chain(&[0xffff_ffff])), 1);
        assert_eq!(page_count(b"II*\0\xff\xff\xff\xff"), 1);
    }
}
