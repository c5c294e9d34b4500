//! What parent and child say to each other: JSON in frames with a version and a bounded length.

use std::io::{self, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use shared::domain::dimensions::Dimensions;
use shared::domain::failure::Failure;
use shared::domain::file::PictureFacts;
use shared::domain::limits::LimitsTable;
use shared::domain::preset::{Preset, PresetName};

use super::probe::Attempt;
use super::sandbox::{Layer, LayerState, Sandbox};

/// Bumped with every change of a message. The two sides differ only when the executable was replaced while running.
pub(super) const VERSION: u8 = 5;
/// Longest message in bytes; a reply needs about a hundred for a page.
pub(super) const MESSAGE_BYTES_MAX: usize = 4 << 20;
/// One byte of version and four of length, big-endian.
pub(super) const HEADER_BYTES: usize = 5;

/// Most descriptors that come with a message.
pub(super) const FILES_MAX: usize = 2;

/// First message of the parent: what the child may use. Sent once, with two descriptors that the child keeps: its window and its output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Setup {
    pub(super) memory_bytes_max: u64,
    pub(super) output_bytes_max: u64,
    pub(super) sandbox: Sandbox,
    /// What this child is to try instead of rendering, if it is there to prove a layer.
    pub(super) attempt: Option<Attempt>,
}

impl Setup {
    /// For a child that renders.
    pub(super) fn new(limits: &LimitsTable, sandbox: &Sandbox) -> Self {
        let widest = limits.widest();
        Self {
            memory_bytes_max: widest.child_memory_bytes_max,
            output_bytes_max: widest.output_bytes_max,
            sandbox: sandbox.clone(),
            attempt: None,
        }
    }
}

/// First message of the child.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub(super) enum Readiness {
    /// It is confined, by these layers.
    Ready(Vec<LayerState>),
    /// It is not, and exits: this layer could not be set up.
    Unready { layer: Layer, reason: String },
}

/// What came of an attempt to break out, if the child survived it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub(super) enum Probed {
    /// A layer said no.
    Refused(String),
    /// It failed, but not because a layer stopped it.
    GotThrough(String),
    Succeeded,
}

/// One source to render.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Order {
    /// Repeated by the reply.
    pub(super) number: u64,
    pub(super) source: Place,
    pub(super) presets: Vec<Preset>,
    pub(super) limits: LimitsTable,
    /// Of the picture that the source is a smaller copy of.
    pub(super) original: Option<Dimensions>,
}

/// Where the child finds a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub(super) enum Place {
    /// At the beginning of its window, so many bytes long.
    Window { length: usize },
    /// In the sealed file whose descriptor comes with the order.
    File,
}

/// What the child says while it works on an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub(super) enum Told {
    /// It has read the header, and waits for [`Admitted`] before it decodes.
    Inspected(Inspected),
    /// It is done.
    Replied(Reply),
}

/// What decoding would take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Inspected {
    /// Of the order.
    pub(super) number: u64,
    pub(super) picture: PictureFacts,
    pub(super) predicted_bytes: u64,
}

/// The parent has the memory, and the child's limits are those of its source's format: it may decode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Admitted {
    /// Of the order.
    pub(super) number: u64,
}

/// What came of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reply {
    pub(super) number: u64,
    pub(super) steps: Vec<StepTime>,
    pub(super) result: Claimed,
}

/// How long the child was in one step, all pages and presets together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StepTime {
    pub(super) step: String,
    pub(super) micros: u64,
}

/// What the child says it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub(super) enum Claimed {
    Rendered { picture: PictureFacts, renderings: Vec<ClaimedRendering> },
    Failed(Failure),
}

/// What the child says of one preset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClaimedRendering {
    pub(super) preset: PresetName,
    pub(super) result: Result<Vec<ClaimedPage>, Failure>,
}

/// Where the child says one page is in the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClaimedPage {
    pub(super) offset: u64,
    pub(super) length: u64,
    pub(super) dimensions: Dimensions,
}

/// Why a frame could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrameError {
    /// The other side is gone, or goes.
    #[error("the connection ended: {0}")]
    Ended(#[source] io::Error),
    /// It speaks another version.
    #[error("it speaks version {0} of the protocol, not {VERSION}: was the executable replaced while running?")]
    Version(u8),
    /// Longer than any message may be.
    #[error("a message of {0} bytes, the limit is {MESSAGE_BYTES_MAX}")]
    TooLong(usize),
    /// Not the message that was due.
    #[error("a message that nobody can read: {0}")]
    Unreadable(#[source] serde_json::Error),
}

/// The message in its frame.
pub(super) fn frame<T: Serialize>(message: &T) -> Result<Vec<u8>, FrameError> {
    let mut frame = vec![0; HEADER_BYTES];
    serde_json::to_writer(&mut frame, message).map_err(FrameError::Unreadable)?;
    let length = frame.len() - HEADER_BYTES;
    if length > MESSAGE_BYTES_MAX {
        return Err(FrameError::TooLong(length));
    }
    frame[0] = VERSION;
    // Fits: it was compared with the limit just now.
    frame[1..HEADER_BYTES].copy_from_slice(&(length as u32).to_be_bytes());
    Ok(frame)
}

/// The length of the message that follows this header.
pub(super) fn length_of([version, length @ ..]: [u8; HEADER_BYTES]) -> Result<usize, FrameError> {
    let length = u32::from_be_bytes(length) as usize;
    match version {
        VERSION if length <= MESSAGE_BYTES_MAX => Ok(length),
        VERSION => Err(FrameError::TooLong(length)),
        other => Err(FrameError::Version(other)),
    }
}

/// The message of a frame, without its header.
pub(super) fn message<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, FrameError> {
    serde_json::from_slice(bytes).map_err(FrameError::Unreadable)
}

/// Reads one message, blocking; for the child.
pub(super) fn read<T: DeserializeOwned>(source: &mut impl Read) -> Result<T, FrameError> {
    let mut header = [0; HEADER_BYTES];
    source.read_exact(&mut header).map_err(FrameError::Ended)?;
    read_after(header, source)
}

/// Reads the message that follows this header, blocking; for the child.
pub(super) fn read_after<T: DeserializeOwned>(
    header: [u8; HEADER_BYTES],
    source: &mut impl Read,
) -> Result<T, FrameError> {
    let mut bytes = vec![0; length_of(header)?];
    source.read_exact(&mut bytes).map_err(FrameError::Ended)?;
    message(&bytes)
}

/// Writes one message, blocking; for the child.
pub(super) fn write<T: Serialize>(sink: &mut impl Write, message: &T) -> Result<(), FrameError> {
    sink.write_all(&frame(message)?).map_err(FrameError::Ended)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shared::domain::failure::FailureCode;
    use shared::domain::format::SourceFormat;

    use super::*;

    fn read_back<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, FrameError> {
        read(&mut &*bytes)
    }

    proptest! {
        #[test]
        fn replies_round_trip(number: u64, offset: u64, length: u64, width in 1u32.., micros: u64, reason in ".{0,40}") {
            let page = ClaimedPage { offset, length, dimensions: Dimensions { width, height: 7 } };
            let picture = PictureFacts {
                format: SourceFormat::Tiff,
                dimensions: Dimensions { width, height: 9 },
                pages: 3,
                placeholder: None,
            };
            let failed = Failure::new(FailureCode::EncodeFailed, reason);
            let renderings = vec![
                ClaimedRendering { preset: "jpg_320x320".parse().unwrap(), result: Ok(vec![page, page]) },
                ClaimedRendering { preset: "png_paged_1024x1024".parse().unwrap(), result: Err(failed) },
            ];
            let steps = vec![StepTime { step: "decode".into(), micros }];
            let reply = Reply { number, steps, result: Claimed::Rendered { picture, renderings } };
            prop_assert_eq!(read_back::<Reply>(&frame(&reply).unwrap()).unwrap(), reply);
        }

        #[test]
        fn nothing_that_comes_in_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(read_back::<Reply>(&bytes).is_err());
        }
    }

    #[test]
    fn every_way_of_being_wrong_has_its_own_words() {
        let whole = frame(&Readiness::Ready(Vec::new())).unwrap();
        assert!(matches!(read_back::<Readiness>(&whole[..whole.len() - 1]), Err(FrameError::Ended(_))));
        assert!(matches!(read_back::<Readiness>(&whole[..3]), Err(FrameError::Ended(_))));
        assert!(matches!(read_back::<Reply>(&whole), Err(FrameError::Unreadable(_))));
        let mut other = whole.clone();
        other[0] = VERSION + 1;
        assert!(matches!(read_back::<Readiness>(&other), Err(FrameError::Version(6))));
        let huge = [VERSION, 0xff, 0xff, 0xff, 0xff];
        assert!(matches!(read_back::<Readiness>(&huge), Err(FrameError::TooLong(0xffff_ffff))));
    }
}
