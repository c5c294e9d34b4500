//! The names of the steps, and how the caller hears of them: the engine has no clock, so who wants times takes them.

use shared::domain::failure::Failure;

use crate::request::Picture;

/// A step of the engine, as told to the observer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Reading the header and checking the limits.
    Inspect,
    /// From the source's bytes to pixels.
    Decode,
    /// The one downscale to the largest picture that is needed.
    Reduce,
    /// To 8-bit sRGB.
    Colour,
    /// Turning and mirroring as the source says.
    Orient,
    /// One preset's own size and crop.
    Resize,
    /// Transparency over the matte.
    Flatten,
    /// From pixels to one preset's bytes.
    Encode,
    /// Nothing is left to do.
    Done,
}

impl Step {
    /// Every step, in the order of a page.
    pub const ALL: [Self; 9] = [
        Self::Inspect,
        Self::Decode,
        Self::Reduce,
        Self::Colour,
        Self::Orient,
        Self::Resize,
        Self::Flatten,
        Self::Encode,
        Self::Done,
    ];

    /// The name in logs, metrics and explanations.
    pub fn name(self) -> &'static str {
        match self {
            Self::Inspect => "inspect",
            Self::Decode => "decode",
            Self::Reduce => "reduce",
            Self::Colour => "colour",
            Self::Orient => "orient",
            Self::Resize => "resize",
            Self::Flatten => "flatten",
            Self::Encode => "encode",
            Self::Done => "done",
        }
    }
}

/// Hears of every step at its start; what passes until the next call belongs to it. Steps with nothing to do are not
/// announced, and `Resize`, `Flatten` and `Encode` come once for every preset and page.
pub trait StepObserver {
    /// The step begins now.
    fn step(&mut self, step: Step);

    /// The header was read and is within the limits; decoding would need about this many bytes of memory. It begins
    /// when this returns, unless that is a failure.
    fn admit(&mut self, _picture: &Picture, _predicted_bytes: u64) -> Result<(), Failure> {
        Ok(())
    }
}

/// An observer that does not care.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl StepObserver for Silent {
    fn step(&mut self, _: Step) {}
}
