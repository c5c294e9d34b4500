//! The headers of the Netpbm formats, P1 to P6 and PAM (P7).

use shared::domain::failure::Failure;

use super::{PageHeader, dimensions, truncated};
use crate::orient::Orientation;
use crate::raster::Layout;

/// Longer than any real header with its comments.
const HEADER_BYTES_MAX: usize = 64 << 10;

/// How samples are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PnmCoding {
    /// One digit each, 1 is black.
    PlainBits,
    /// Decimal numbers.
    PlainNumbers,
    /// Eight in a byte, 1 is black.
    Bits,
    /// One byte, or two with the most significant first.
    Binary,
}

/// What the decoder needs to know before it begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PnmHeader<'a> {
    /// Dimensions.
    pub(crate) page: PageHeader,
    /// What a pixel is.
    pub(crate) layout: Layout,
    /// How its samples are written.
    pub(crate) coding: PnmCoding,
    /// The sample that means full light or opacity; at least 1.
    pub(crate) most: u16,
    /// From the first pixel on.
    pub(crate) pixels: &'a [u8],
}

/// Reads the header.
pub(crate) fn header(source: &[u8]) -> Result<PnmHeader<'_>, Failure> {
    read(source).ok_or_else(|| truncated("the PNM ends in its header, or has one that makes no sense"))
}

/// Two letters are too little for a sniff, so all of the header must make sense.
pub(crate) fn is_pnm(source: &[u8]) -> bool {
    read(source).is_some_and(|header| match header.coding {
        PnmCoding::PlainBits | PnmCoding::PlainNumbers => header
            .pixels
            .iter()
            .find(|byte| !byte.is_ascii_whitespace())
            .is_some_and(|byte| byte.is_ascii_digit() || *byte == b'#'),
        PnmCoding::Bits | PnmCoding::Binary => true,
    })
}

fn read(source: &[u8]) -> Option<PnmHeader<'_>> {
    let mut words = Words { all: source, at: 2 };
    let (coding, layout, bits) = match source.get(..3)? {
        [b'P', kind, end] if end.is_ascii_whitespace() || *end == b'#' => match kind {
            b'1' => (PnmCoding::PlainBits, Layout::Gray, true),
            b'2' => (PnmCoding::PlainNumbers, Layout::Gray, false),
            b'3' => (PnmCoding::PlainNumbers, Layout::Rgb, false),
            b'4' => (PnmCoding::Bits, Layout::Gray, true),
            b'5' => (PnmCoding::Binary, Layout::Gray, false),
            b'6' => (PnmCoding::Binary, Layout::Rgb, false),
            b'7' => return arbitrary(words),
            _ => return None,
        },
        _ => return None,
    };
    let size = dimensions(words.number()?, words.number()?).ok()?;
    let most = if bits { 1 } else { u16::try_from(words.number()?).ok().filter(|most| *most > 0)? };
    let page = PageHeader { dimensions: size, orientation: Orientation::NORMAL };
    Some(PnmHeader { page, layout, coding, most, pixels: words.after() })
}

/// PAM: lines of a word and a value, in any order.
fn arbitrary(mut words: Words<'_>) -> Option<PnmHeader<'_>> {
    let (mut width, mut height, mut depth, mut most) = (None, None, None, None);
    loop {
        match words.word()? {
            b"WIDTH" => width = words.number(),
            b"HEIGHT" => height = words.number(),
            b"DEPTH" => depth = words.number(),
            b"MAXVAL" => most = words.number(),
            b"TUPLTYPE" => drop(words.word()?),
            b"ENDHDR" => break,
            _ => return None,
        }
    }
    let layout = match depth? {
        1 => Layout::Gray,
        2 => Layout::GrayAlpha,
        3 => Layout::Rgb,
        4 => Layout::Rgba,
        _ => return None,
    };
    let page = PageHeader { dimensions: dimensions(width?, height?).ok()?, orientation: Orientation::NORMAL };
    let most = u16::try_from(most?).ok().filter(|most| *most > 0)?;
    Some(PnmHeader { page, layout, coding: PnmCoding::Binary, most, pixels: words.after() })
}

/// The words of a header, comments left out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words<'a> {
    all: &'a [u8],
    at: usize,
}

impl<'a> Words<'a> {
    /// The words of the pixels of a plain file.
    pub(crate) fn new(all: &'a [u8]) -> Self {
        Self { all, at: 0 }
    }

    /// The next number, read up to its end.
    pub(crate) fn number(&mut self) -> Option<u32> {
        std::str::from_utf8(self.word()?).ok()?.parse().ok()
    }

    /// The next digit of 0 and 1, which need no space between them.
    pub(crate) fn bit(&mut self) -> Option<bool> {
        self.skip_space()?;
        let digit = self.all.get(self.at)?;
        self.at += 1;
        matches!(digit, b'0' | b'1').then_some(*digit == b'1')
    }

    fn word(&mut self) -> Option<&'a [u8]> {
        self.skip_space()?;
        let rest = self.all.get(self.at..)?;
        let length = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
        self.at += length;
        (length > 0).then(|| &rest[..length])
    }

    fn skip_space(&mut self) -> Option<()> {
        let begin = self.at;
        while self.at < begin + HEADER_BYTES_MAX {
            match self.all.get(self.at)? {
                b'#' => self.at += self.all[self.at..].iter().position(|byte| *byte == b'\n')?,
                byte if byte.is_ascii_whitespace() => self.at += 1,
                _ => return Some(()),
            }
        }
        None
    }

    /// Behind the one space that ends a header.
    fn after(self) -> &'a [u8] {
        self.all.get(self.at + 1..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_with_comments_and_of_pam() {
        let header = header(b"P5 # grey\n# by hand\n3\t2\n65535\n......").unwrap();
        assert_eq!((header.page.dimensions.to_string(), header.most), ("3x2".to_owned(), 65_535));
        assert_eq!(header.pixels, b"......");
        let pam = b"P7\nHEIGHT 2\nWIDTH 3\nMAXVAL 255\nDEPTH 4\nTUPLTYPE RGB_ALPHA\nENDHDR\nxy";
        let header = super::header(pam).unwrap();
        assert_eq!((header.layout, header.pixels), (Layout::Rgba, b"xy".as_slice()));
    }

    #[test]
    fn text_that_begins_alike_is_no_picture() {
        for text in [
            b"P1 is the first".as_slice(),
            b"P3 10 20 pages",
            b"P3 1 2 3 pages",
            b"P6",
            b"P9 1 1 1\n",
            b"P5 0 1 255\n",
            b"P5 1 1 0\n",
        ] {
            assert!(!is_pnm(text), "{text:?}");
        }
        assert!(is_pnm(b"P1 2 2 0110"));
    }
}
