//! The markers of a file: tables and headers are kept, scans are read.

use shared::domain::dimensions::Dimensions;

use super::Wanted;
use super::bits::Bits;
use super::frame::{Block, Frame, PLACES};
use super::huffman::Huffman;
use super::idct::Idct;
use super::progressive::{self, Band, Coefficients};
use super::restarts::Restarts;
use super::sequential;
use super::strips::Strips;
use crate::jpeg::{COEFFICIENTS, FIRST, OTHERS};

/// The markers of the end and of a scan.
const END: u8 = 0xd9;
const SCAN: u8 = 0xda;

/// Factors in the order of a file.
type Factors = [u16; COEFFICIENTS];

/// What a file has said so far.
#[derive(Debug)]
pub(super) struct File<'a> {
    source: &'a [u8],
    dimensions: Dimensions,
    at: usize,
    frame: Option<Frame>,
    factors: [Option<Factors>; 4],
    first_tables: [Option<Huffman>; 4],
    other_tables: [Option<Huffman>; 4],
    restart_interval: u32,
    jfif: bool,
    /// The transform that Adobe's marker names.
    adobe: Option<u8>,
    /// Factors that each component had in its first scan.
    latched: [Option<Factors>; 3],
    coefficients: Option<[Coefficients; 3]>,
}

/// The header of a scan.
#[derive(Debug)]
struct Scan {
    /// By their number in the frame, with the numbers of their tables.
    components: Vec<(usize, usize, usize)>,
    band: Band,
}

impl<'a> File<'a> {
    /// Before anything was read of a file that has these dimensions; one that has others is not read on.
    pub(super) fn new(source: &'a [u8], dimensions: Dimensions) -> Option<Self> {
        source.starts_with(&[0xff, 0xd8]).then(|| Self {
            source,
            dimensions,
            at: 2,
            frame: None,
            factors: Default::default(),
            first_tables: Default::default(),
            other_tables: Default::default(),
            restart_interval: 0,
            jfif: false,
            adobe: None,
            latched: Default::default(),
            coefficients: None,
        })
    }

    /// Reads it to its end.
    #[inline(always)]
    pub(super) fn planes<I: Idct>(mut self, idct: I, wanted: &[Wanted; 3]) -> Option<[Vec<u8>; 3]> {
        loop {
            match self.segment()? {
                (END, _) => return self.progressive_planes(idct, wanted),
                (SCAN, payload) => {
                    let scan = self.scan(payload)?;
                    let frame = self.frame.clone()?;
                    self.latch(&frame, &scan)?;
                    if !frame.progressive {
                        self.assume_usual_codes();
                        return self.sequential_planes(idct, &frame, &scan, wanted);
                    }
                    self.progressive_scan(&frame, &scan)?;
                }
                (marker, payload) => self.note(marker, payload)?,
            }
        }
    }

    /// Of a sequential file, which ends with its one scan.
    #[inline(always)]
    fn sequential_planes<I: Idct>(
        &self,
        idct: I,
        frame: &Frame,
        scan: &Scan,
        wanted: &[Wanted; 3],
    ) -> Option<[Vec<u8>; 3]> {
        // One component after the other, which cameras do not write, is left to libjpeg.
        let &[luma, blue, red] = scan.components.first_chunk()?;
        let coding = |(component, first, others): (usize, usize, usize)| {
            let (first, others) = (self.first_tables[first].as_ref()?, self.other_tables[others].as_ref()?);
            Some(sequential::Coding::new(first, others, in_places(self.latched[component].as_ref()?)))
        };
        let codings = [coding(luma)?, coding(blue)?, coding(red)?];
        let (restarts, bits) = (Restarts::new(self.restart_interval), Bits::new(self.source, self.at));
        let mut strips = Strips::new(frame, wanted);
        sequential::read(idct, frame, codings, restarts, bits, &mut strips)?;
        strips.finish()
    }

    /// Reads one scan of a progressive file.
    #[inline(always)]
    fn progressive_scan(&mut self, frame: &Frame, scan: &Scan) -> Option<()> {
        let none = || frame.components.each_ref().map(|component| Coefficients::new(frame, component));
        let mut coefficients = self.coefficients.take().unwrap_or_else(none);
        let mut codings = Vec::with_capacity(3);
        for (index, coefficients) in coefficients.iter_mut().enumerate() {
            let Some((_, first, others)) = scan.components.iter().find(|(component, ..)| *component == index) else {
                continue;
            };
            let table = if scan.band.first == 0 { &self.first_tables[*first] } else { &self.other_tables[*others] };
            let component = &frame.components[index];
            codings.push(progressive::Coding { table: table.as_ref(), component, coefficients, before: 0 });
        }
        let (restarts, bits) = (Restarts::new(self.restart_interval), Bits::new(self.source, self.at));
        let behind = progressive::read(frame, scan.band, &mut codings, restarts, bits)?;
        (self.at, _) = behind.marker()?;
        self.coefficients = Some(coefficients);
        Some(())
    }

    /// Of a progressive file, all of whose scans were read.
    #[inline(always)]
    fn progressive_planes<I: Idct>(&self, idct: I, wanted: &[Wanted; 3]) -> Option<[Vec<u8>; 3]> {
        let frame = self.frame.as_ref()?;
        let factors = self.latched.each_ref().map(|factors| factors.as_ref().map(in_places));
        let [Some(luma), Some(blue), Some(red)] = factors else { return None };
        let coefficients = self.coefficients.as_ref().filter(|all| all.iter().all(Coefficients::are_whole))?;
        let mut strips = Strips::new(frame, wanted);
        progressive::write(idct, frame, coefficients, &[luma, blue, red], &mut strips);
        strips.finish()
    }

    /// Factors belong to a component from its first scan on (ITU-T T.81, B.2.4.1).
    fn latch(&mut self, frame: &Frame, scan: &Scan) -> Option<()> {
        for (component, ..) in &scan.components {
            if self.latched[*component].is_none() {
                let factors = self.factors.get(frame.components[*component].quantiser)?;
                self.latched[*component] = Some((*factors)?);
            }
        }
        Some(())
    }

    /// Sequential frames of a film have no codes, and mean the usual ones; libjpeg reads them so, too.
    fn assume_usual_codes(&mut self) {
        for (tables, usual) in [(&mut self.first_tables, FIRST), (&mut self.other_tables, OTHERS)] {
            for (table, codes) in tables.iter_mut().zip(usual).filter(|(table, _)| table.is_none()) {
                *table = Huffman::new(&codes.counts, &codes.symbols);
            }
        }
    }

    /// The next marker and what belongs to it.
    fn segment(&mut self) -> Option<(u8, &'a [u8])> {
        let (at, marker) = Bits::new(self.source, self.at).marker()?;
        self.at = at + 2;
        if matches!(marker, 0x01 | 0xd0..=0xd9) {
            return Some((marker, &[]));
        }
        let length =
            self.source.get(self.at..)?.first_chunk().map(|length| usize::from(u16::from_be_bytes(*length)))?;
        let payload = self.source.get(self.at + 2..self.at + length)?;
        self.at += length;
        Some((marker, payload))
    }

    /// Keeps a table or a header.
    fn note(&mut self, marker: u8, payload: &[u8]) -> Option<()> {
        match marker {
            0xc0..=0xc2 if self.frame.is_none() => {
                self.frame = Some(Frame::new(marker == 0xc2, payload, self.dimensions)?);
            }
            0xc4 => self.codes(payload)?,
            // A second frame, and frames of other processes; lines that are counted at the end.
            0xc0..=0xcf | 0xdc => return None,
            0xdb => self.multipliers(payload)?,
            0xdd => self.restart_interval = u16::from_be_bytes(*payload.first_chunk()?).into(),
            0xe0 => self.jfif |= payload.len() >= 14 && payload.starts_with(b"JFIF\0"),
            0xee if payload.starts_with(b"Adobe") && payload.len() >= 12 => self.adobe = Some(payload[11]),
            _ => {}
        }
        Some(())
    }

    fn codes(&mut self, mut payload: &[u8]) -> Option<()> {
        while let Some((head, rest)) = payload.split_first() {
            let (counts, rest) = rest.split_first_chunk::<16>()?;
            let count = counts.iter().map(|count| usize::from(*count)).sum();
            let (symbols, rest) = rest.split_at_checked(count)?;
            let tables = match head >> 4 {
                // The first coefficient has no zeros before it.
                0 if symbols.iter().all(|symbol| *symbol < 16) => &mut self.first_tables,
                1 => &mut self.other_tables,
                _ => return None,
            };
            *tables.get_mut(usize::from(head & 15))? = Some(Huffman::new(counts, symbols)?);
            payload = rest;
        }
        Some(())
    }

    fn multipliers(&mut self, mut payload: &[u8]) -> Option<()> {
        while let Some((head, rest)) = payload.split_first() {
            let mut factors = [0; COEFFICIENTS];
            let width = if head >> 4 == 0 { 1 } else { 2 };
            let (values, rest) = rest.split_at_checked(factors.len() * width)?;
            for (factor, value) in factors.iter_mut().zip(values.chunks_exact(width)) {
                *factor = value.iter().fold(0, |all, byte| all << 8 | u16::from(*byte));
                // More than our arithmetic holds, and than any picture means.
                if *factor > i16::MAX.cast_unsigned() {
                    return None;
                }
            }
            *self.factors.get_mut(usize::from(head & 15))? = Some(factors);
            payload = rest;
        }
        Some(())
    }

    fn scan(&self, payload: &[u8]) -> Option<Scan> {
        let (count, rest) = payload.split_first()?;
        let (selectors, rest) = rest.split_at_checked(usize::from(*count) * 2)?;
        let &[first, last, approximation] = rest.first_chunk()?;
        let frame = self.frame.as_ref()?;
        if !self.is_ycc(frame) {
            return None;
        }
        let components = selectors.chunks_exact(2).map(|selector| {
            let index = frame.components.iter().position(|component| component.id == selector[0])?;
            let (firsts, others) = (usize::from(selector[1] >> 4), usize::from(selector[1] & 15));
            (firsts < 4 && others < 4).then_some((index, firsts, others))
        });
        let band = Band {
            first: first.into(),
            last: last.into(),
            before: u32::from(approximation >> 4),
            shift: u32::from(approximation & 15),
        };
        let valid = band.first <= band.last && band.last < COEFFICIENTS && band.shift <= 13;
        let components = components.collect::<Option<Vec<_>>>()?;
        // In the order of the frame (ITU-T T.81, B.2.3), and none twice.
        let in_order = components.is_sorted_by(|before, after| before.0 < after.0);
        let valid = in_order && !components.is_empty() && (valid || !frame.progressive);
        valid.then_some(Scan { components, band })
    }

    /// Whether the components are luma and chroma: by the markers, as libjpeg tells.
    fn is_ycc(&self, frame: &Frame) -> bool {
        match self.adobe {
            _ if self.jfif => true,
            Some(transform) => transform != 0,
            None => frame.components.each_ref().map(|component| component.id) != *b"RGB",
        }
    }
}

/// In the order of a block.
fn in_places(factors: &Factors) -> Block {
    let mut places = [0; COEFFICIENTS];
    factors.iter().zip(PLACES).for_each(|(factor, place)| places[usize::from(place)] = factor.cast_signed());
    places
}
