//! libjpeg's own interface, for what the crate around it does not hand over: separate planes at every scale.

use std::ffi::{c_int, c_ulong, c_void};
use std::{mem, ptr};

use mozjpeg_sys::{
    J_COLOR_SPACE, JCOEF, JDIMENSION, JSAMPARRAY_MUT, jpeg_common_struct, jpeg_component_info, jpeg_create_decompress,
    jpeg_decompress_struct, jpeg_destroy_decompress, jpeg_error_mgr, jpeg_mem_src, jpeg_read_header,
    jpeg_read_raw_data, jpeg_start_decompress, jpeg_std_error,
};
use shared::domain::failure::Failure;

use crate::inspect::corrupt;
use crate::inspect::jpeg::{JpegHeader, Sampling};

/// Rows of luma that a row of the largest blocks has, and so the most that are written at once.
const ROWS_MAX: usize = 16;

/// The samples of a component, in rows that whole blocks fill.
pub(super) struct Blocks {
    pub(super) samples: Vec<u8>,
    /// Samples of a row.
    pub(super) stride: usize,
}

/// All three components at this scale, luma first; `None` when they are not YCbCr, or when the file ends before they do.
///
/// Chroma is shrunk as luma is. libjpeg would shrink it less where that brings both to the same size.
pub(super) fn components(
    source: &[u8],
    header: &JpegHeader,
    sampling: Sampling,
    eighths: u8,
) -> Result<Option<[Blocks; 3]>, Failure> {
    let mut decoder = Decoder::new();
    decoder.open(source)?;
    let dimensions = header.page.dimensions;
    if (decoder.cinfo.image_width, decoder.cinfo.image_height) != (dimensions.width, dimensions.height) {
        return Err(corrupt("the JPEG has two frame headers"));
    }
    let factors = [(sampling.across, sampling.down), (1, 1), (1, 1)];
    if decoder.cinfo.jpeg_color_space != J_COLOR_SPACE::JCS_YCbCr || !decoder.has_components(factors) {
        return Ok(None);
    }
    let Some(chroma_is_doubled) = chroma_is_doubled(sampling, eighths) else { return Ok(None) };
    let mut idct = Idct { of_luma: None, chroma_is_doubled };
    decoder.start(eighths, &mut idct)?;
    let eighths = usize::from(eighths);
    let mut planes = factors.map(|(across, down)| {
        let blocks = |side: u32, factor: u32, all: u32| (side * factor).div_ceil(all * 8) as usize;
        // Whole rows of the largest blocks, of which the last may reach beyond the picture.
        let stride = blocks(dimensions.width, across, sampling.across) * eighths;
        let rows = dimensions.height.div_ceil(sampling.down * 8) as usize * down as usize * eighths;
        Blocks { samples: vec![0; stride * rows], stride }
    });
    decoder.read(&mut planes, factors.map(|(_, down)| down as usize * eighths))?;
    Ok((!decoder.is_beyond(source)).then_some(planes))
}

/// Whether libjpeg scales chroma so that it has as many samples as luma each way, where that is twice as many as at this
/// scale; `None` where it would be something in between.
fn chroma_is_doubled(sampling: Sampling, eighths: u8) -> Option<bool> {
    match (sampling.across, sampling.down) {
        _ if eighths == 8 => Some(false),
        (1, 1) | (2, 1) | (1, 2) => Some(false),
        (2, 2) => Some(true),
        _ => None,
    }
}

/// What transforms are told.
struct Idct {
    /// What libjpeg has chosen for luma.
    of_luma: Option<Transform>,
    chroma_is_doubled: bool,
}

type Transform =
    unsafe extern "C" fn(*mut jpeg_decompress_struct, *mut jpeg_component_info, *mut JCOEF, JSAMPARRAY_MUT, JDIMENSION);
type Selector = unsafe extern "C" fn(*mut jpeg_decompress_struct, *mut jpeg_component_info, *mut Transform, *mut c_int);

#[expect(unsafe_code, reason = "a function of libjpeg, with its own types where the crate's are wrong")]
unsafe extern "C" {
    fn jpeg_set_idct_method_selector(cinfo: *mut jpeg_decompress_struct, selector: Selector);
}

/// A decoder of libjpeg, which keeps addresses of its parts.
struct Decoder {
    cinfo: Box<jpeg_decompress_struct>,
    _errors: Box<jpeg_error_mgr>,
}

#[expect(unsafe_code, reason = "libjpeg is C")]
impl Decoder {
    fn new() -> Self {
        // SAFETY: both are plain data of C that libjpeg fills in; they stay where they are, in their boxes.
        unsafe {
            let mut errors: Box<jpeg_error_mgr> = Box::new(mem::zeroed());
            jpeg_std_error(&mut errors);
            errors.error_exit = Some(give_up);
            errors.emit_message = Some(say_nothing);
            let mut cinfo: Box<jpeg_decompress_struct> = Box::new(mem::zeroed());
            cinfo.common.err = &raw mut *errors;
            jpeg_create_decompress(&raw mut *cinfo);
            Self { cinfo, _errors: errors }
        }
    }

    /// Reads the header. The source must outlive the decoder, as it does in the one function that makes one.
    fn open(&mut self, source: &[u8]) -> Result<(), Failure> {
        // SAFETY: libjpeg reads within the slice, and what it invents behind its end is its own.
        let found = unsafe {
            jpeg_mem_src(&mut self.cinfo, source.as_ptr(), source.len() as c_ulong);
            jpeg_read_header(&mut self.cinfo, 1)
        };
        if found == 1 { Ok(()) } else { Err(corrupt("no picture in the JPEG")) }
    }

    /// Whether these are the sampling factors of its components.
    fn has_components(&self, factors: [(u32, u32); 3]) -> bool {
        if self.cinfo.num_components != 3 {
            return false;
        }
        // SAFETY: libjpeg has as many as it says.
        let components = unsafe { std::slice::from_raw_parts(self.cinfo.comp_info, 3) };
        let factor = |component: &jpeg_component_info| (component.h_samp_factor, component.v_samp_factor);
        components.iter().map(factor).eq(factors.map(|(across, down)| (across.cast_signed(), down.cast_signed())))
    }

    fn start(&mut self, eighths: u8, idct: &mut Idct) -> Result<(), Failure> {
        self.cinfo.scale_num = eighths.into();
        self.cinfo.scale_denom = 8;
        self.cinfo.raw_data_out = 1;
        self.cinfo.common.client_data = ptr::from_mut(idct).cast::<c_void>();
        // SAFETY: the header was read, and `idct` is still there while rows are read.
        let started = unsafe {
            jpeg_set_idct_method_selector(&raw mut *self.cinfo, select);
            jpeg_start_decompress(&mut self.cinfo)
        };
        if started == 1 { Ok(()) } else { Err(corrupt("the JPEG cannot be decoded")) }
    }

    /// Fills the planes from the top, each with so many rows at a time.
    fn read(&mut self, planes: &mut [Blocks; 3], rows_at_once: [usize; 3]) -> Result<(), Failure> {
        let mut begin = 0;
        while self.cinfo.output_scanline < self.cinfo.output_height {
            let mut rows = [[ptr::null_mut::<u8>(); ROWS_MAX]; 3];
            for ((plane, rows), count) in planes.iter_mut().zip(&mut rows).zip(rows_at_once) {
                let lines = plane.samples.chunks_exact_mut(plane.stride).skip(begin * count).take(count);
                if lines.len() < count {
                    return Err(corrupt("the JPEG has more rows than its header says"));
                }
                rows.iter_mut().zip(lines).for_each(|(row, line)| *row = line.as_mut_ptr());
            }
            let mut parts = rows.each_mut().map(|rows| rows.as_mut_ptr());
            // SAFETY: each component has as many rows as libjpeg writes in one turn, as long as all of its blocks.
            let read = unsafe { jpeg_read_raw_data(&mut self.cinfo, parts.as_mut_ptr(), ROWS_MAX as JDIMENSION) };
            if read == 0 {
                return Err(corrupt("the JPEG has no more rows"));
            }
            begin += 1;
        }
        Ok(())
    }

    /// Whether libjpeg had to invent the end of the file.
    fn is_beyond(&self, source: &[u8]) -> bool {
        // SAFETY: set by `open`, and libjpeg's own.
        let next = unsafe { (*self.cinfo.src).next_input_byte };
        !(source.as_ptr_range().contains(&next) || next == source.as_ptr_range().end)
    }
}

#[expect(unsafe_code, reason = "libjpeg is C")]
impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: created by `new`, and used no more.
        unsafe { jpeg_destroy_decompress(&mut self.cinfo) }
    }
}

/// Unwinds to the fence around all decoders, as the crate's own error handler does.
#[expect(unsafe_code, reason = "called by libjpeg, which is C")]
unsafe extern "C-unwind" fn give_up(cinfo: &mut jpeg_common_struct) {
    // SAFETY: set by `Decoder::new`.
    let code = unsafe { (*cinfo.err).msg_code };
    std::panic::resume_unwind(Box::new(format!("libjpeg's error {code}")));
}

extern "C-unwind" fn say_nothing(_: &mut jpeg_common_struct, _: c_int) {}

/// Asked for each component, luma first: chroma gets the transform of luma.
#[expect(unsafe_code, reason = "called by libjpeg, which is C")]
unsafe extern "C" fn select(
    cinfo: *mut jpeg_decompress_struct,
    component: *mut jpeg_component_info,
    transform: *mut Transform,
    _category: *mut c_int,
) {
    // SAFETY: libjpeg's own, and what `Decoder::start` has put there.
    unsafe {
        let idct = &mut *(*cinfo).common.client_data.cast::<Idct>();
        match (idct.of_luma, (*component).component_index) {
            (_, 0) => idct.of_luma = Some(*transform),
            (Some(_), _) if idct.chroma_is_doubled => *transform = halved,
            _ => {}
        }
    }
}

/// Luma's transform, at the place that a block of half the width and height has.
#[expect(unsafe_code, reason = "called by libjpeg, which is C")]
unsafe extern "C" fn halved(
    cinfo: *mut jpeg_decompress_struct,
    component: *mut jpeg_component_info,
    block: *mut JCOEF,
    rows: JSAMPARRAY_MUT,
    column: JDIMENSION,
) {
    // SAFETY: libjpeg's own, and what `select` has put there; half of a column within twice the row is within the row.
    unsafe {
        let idct = &*(*cinfo).common.client_data.cast::<Idct>();
        if let Some(transform) = idct.of_luma {
            transform(cinfo, component, block, rows, column / 2);
        }
    }
}
