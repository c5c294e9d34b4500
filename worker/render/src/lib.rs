//! The render engine: bytes in, encoded representations out; no I/O, no clock, no threads, no environment.
//!
//! Read it as the list of its steps, in the order in which they run:
//!
//! | step | file | what it does |
//! |---|---|---|
//! | sniff | `sniff.rs` | which format the bytes are, by content alone |
//! | inspect | `inspect/` | dimensions, orientation and pages from the header; every limit is checked here |
//! | admit | `cost.rs` | how much memory decoding will need; the observer says when it may begin |
//! | plan | `geometry.rs` | which part of the picture each preset shows, and how large |
//! | decode | `decode/` | pixels, already shrunk as far as the codec can for free |
//! | reduce | `resize.rs` | one good downscale to the largest picture that any preset needs |
//! | colour | `colour.rs` | ICC profile to sRGB, 16 bits to 8, ink to light |
//! | orient | `orient.rs` | the EXIF orientation, on the small picture |
//! | resize | `cascade.rs`, `resize_plane.rs`, `weights.rs` | every other size from the next larger one |
//! | flatten | `flatten.rs` | transparency over the matte, where the output has none |
//! | encode | `encode/` | JPEG, PNG or WebP, with no byte of the source's metadata |
//! | placeholder | `placeholder.rs` | what clients paint until the picture has loaded |
//!
//! A JPEG whose representations are all JPEG in 4:2:0 never becomes RGB: its luma and chroma planes (`planes.rs`) take the
//! same steps. Where a profile gives its colours another meaning, only the largest picture does, for the step colour
//! (`jfif.rs`).

mod cascade;
mod colour;
mod cost;
mod decode;
mod encode;
mod exif;
mod fence;
mod flatten;
mod geometry;
mod inspect;
mod jfif;
mod jpeg;
mod lanczos;
mod orient;
mod outputs;
mod pipeline;
mod pixels;
mod placeholder;
mod planes;
#[cfg(target_arch = "x86_64")]
mod processor;
mod raster;
mod request;
mod resize;
mod resize_plane;
mod samples;
mod shrink;
mod sniff;
mod step;
mod weights;

pub use encode::writes;
pub use inspect::inspect;
pub use pipeline::render;
pub use request::{Kept, Page, Picture, Rendered, Report, Request, SourceMemory};
pub use samples::sample;
pub use sniff::sniff;
pub use step::{Silent, Step, StepObserver};

/// Whether libjpeg, which decodes and encodes the rarer kinds of JPEG, has SIMD; without (nasm was missing when this was built) it is
/// slower and looks the same.
pub const fn has_simd_jpeg() -> bool {
    cfg!(simd_jpeg)
}
