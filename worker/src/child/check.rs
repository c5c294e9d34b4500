//! Everything that a render child claims, checked: it has parsed hostile bytes and may say anything.

use std::fs::File;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use render::Step;
use rustix::buffer::spare_capacity;
use rustix::io::pread;
use shared::domain::dimensions::Dimensions;
use shared::domain::failure::{Disposition, Failure, FailureCode};
use shared::domain::file::PictureFacts;
use shared::domain::ids::Sha256Digest;
use shared::domain::limits::Limits;
use shared::domain::preset::{Preset, PresetName};

use super::protocol::{Claimed, ClaimedPage, ClaimedRendering, Inspected, Order, Reply, StepTime};
use super::verify::verify;

/// What came of one source.
#[derive(Debug)]
pub struct Answer {
    /// How long the child was in each step; empty when it died.
    pub steps: Vec<(Step, Duration)>,
    /// Memory that decoding was predicted to need; `None` when the source was refused before.
    pub predicted_bytes: Option<u64>,
    /// What it made, or why nothing could be made of this source.
    pub result: Result<Renderings, Failure>,
}

/// Everything that was made of one source.
#[derive(Debug)]
pub struct Renderings {
    /// What the source shows.
    pub picture: PictureFacts,
    /// One for each preset that was asked for, in that order.
    pub presets: Vec<Rendering>,
}

/// What came of one preset.
#[derive(Debug)]
pub struct Rendering {
    /// Which one.
    pub preset: PresetName,
    /// Its pages, page 1 first and never empty, or why there are none.
    pub result: Result<Vec<RenderedPage>, Failure>,
}

/// One encoded page, read from the output by us.
#[derive(Debug)]
pub struct RenderedPage {
    /// Within the bounds of the preset, and what the encoded bytes say as well.
    pub dimensions: Dimensions,
    /// The encoded bytes.
    pub bytes: Bytes,
    /// Of these bytes, counted by us.
    pub sha256: Sha256Digest,
}

/// What a child claimed that cannot be: it is not used again.
#[derive(Debug, thiserror::Error)]
pub(super) enum Violation {
    #[error("{0}")]
    Claim(String),
    #[error("the output could not be read: {0}")]
    Output(#[source] io::Error),
}

fn violation<T>(what: impl Into<String>) -> Result<T, Violation> {
    Err(Violation::Claim(what.into()))
}

/// Holds what the child says of the header against the limits.
pub(super) fn check_inspected(inspected: &Inspected, order: &Order) -> Result<(), Violation> {
    check_number(inspected.number, order)?;
    check_picture(inspected.picture, order.limits.of(inspected.picture.format))
}

fn check_number(number: u64, order: &Order) -> Result<(), Violation> {
    if number == order.number {
        return Ok(());
    }
    violation(format!("a reply to order {number}, not {}", order.number))
}

/// What a reply wants to have read, in bytes.
pub(super) fn claimed_bytes(reply: &Reply) -> u64 {
    match &reply.result {
        Claimed::Rendered { renderings, .. } => total_bytes(renderings),
        Claimed::Failed(_) => 0,
    }
}

fn total_bytes(claimed: &[ClaimedRendering]) -> u64 {
    let pages = claimed.iter().filter_map(|rendering| rendering.result.as_ref().ok()).flatten();
    pages.fold(0, |total: u64, page| total.saturating_add(page.length))
}

/// Holds the reply against its order, what was said of the header before, and the output file.
pub(super) fn check(
    reply: Reply,
    order: &Order,
    inspected: Option<&Inspected>,
    output: &File,
) -> Result<Answer, Violation> {
    check_number(reply.number, order)?;
    let steps = reply.steps.iter().map(step).collect::<Result<_, _>>()?;
    let result = match reply.result {
        Claimed::Failed(failure) => Err(own_failure(&failure)?),
        // Only the placeholder is learned from the pixels.
        Claimed::Rendered { picture, .. }
            if inspected.is_none_or(|told| told.picture != PictureFacts { placeholder: None, ..picture }) =>
        {
            return violation("pixels of a picture that nobody admitted");
        }
        Claimed::Rendered { picture, renderings } => Ok(check_renderings(picture, renderings, order, output)?),
    };
    Ok(Answer { steps, predicted_bytes: inspected.map(|inspected| inspected.predicted_bytes), result })
}

/// Step names become metric labels: only those that the engine has.
fn step(time: &StepTime) -> Result<(Step, Duration), Violation> {
    match Step::ALL.into_iter().find(|step| step.name() == time.step) {
        Some(step) => Ok((step, Duration::from_micros(time.micros))),
        None => violation("times of a step that does not exist"),
    }
}

/// A child decides only on content: it cannot make us retry, nor count as crashed while it answers.
fn own_failure(failure: &Failure) -> Result<Failure, Violation> {
    if failure.code.disposition() != Disposition::GiveUp || failure.code == FailureCode::DeadlineExceeded {
        return violation(format!("the failure {} is not a child's to report", failure.code));
    }
    Ok(Failure::new(failure.code, legible(&failure.reason)))
}

/// Text of a child without control characters, for rows, logs and terminals.
pub(super) fn legible(text: &str) -> String {
    text.split(char::is_control).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

fn check_renderings(
    picture: PictureFacts,
    claimed: Vec<ClaimedRendering>,
    order: &Order,
    output: &File,
) -> Result<Renderings, Violation> {
    let limits = order.limits.of(picture.format);
    if claimed.len() != order.presets.len() {
        return violation(format!("{} presets for an order of {}", claimed.len(), order.presets.len()));
    }
    let output = Output { file: output, length: output.metadata().map_err(Violation::Output)?.len() };
    check_total(&claimed, limits)?;
    let checked = |(claimed, preset)| check_rendering(claimed, preset, picture, limits, &output);
    let presets = claimed.into_iter().zip(&order.presets).map(checked).collect::<Result<_, _>>()?;
    Ok(Renderings { picture, presets })
}

fn check_picture(picture: PictureFacts, limits: &Limits) -> Result<(), Violation> {
    let Dimensions { width, height } = picture.dimensions;
    // Orientation may have turned the picture, so each side is held against the larger of the two limits.
    let side_max = limits.width_pixels_max.max(limits.height_pixels_max);
    let sides = (1..=side_max).contains(&width) && (1..=side_max).contains(&height);
    if !sides || picture.dimensions.area_pixels() > limits.area_pixels_max || picture.pages == 0 {
        return violation(format!("a picture of {} with {} pages", picture.dimensions, picture.pages));
    }
    Ok(())
}

/// All pages together, so that overlapping claims cannot make us hold more than the limit.
fn check_total(claimed: &[ClaimedRendering], limits: &Limits) -> Result<(), Violation> {
    let total = total_bytes(claimed);
    if total > limits.output_bytes_max {
        return violation(format!("an output of {total} bytes, the limit is {}", limits.output_bytes_max));
    }
    Ok(())
}

fn check_rendering(
    claimed: ClaimedRendering,
    preset: &Preset,
    picture: PictureFacts,
    limits: &Limits,
    output: &Output<'_>,
) -> Result<Rendering, Violation> {
    if claimed.preset != preset.name {
        return violation(format!("preset {} in the place of {}", claimed.preset, preset.name));
    }
    let pages = match claimed.result {
        Ok(pages) => pages,
        Err(failure) => return Ok(Rendering { preset: claimed.preset, result: Err(own_failure(&failure)?) }),
    };
    let pages_max = if preset.paged { limits.pages_max.min(picture.pages) as usize } else { 1 };
    if !(1..=pages_max).contains(&pages.len()) {
        return violation(format!("{} pages of {}, at most {pages_max} can be", pages.len(), preset.name));
    }
    let checked = |page| check_page(page, preset, output);
    let pages = pages.into_iter().map(checked).collect::<Result<_, _>>()?;
    Ok(Rendering { preset: claimed.preset, result: Ok(pages) })
}

fn check_page(claimed: ClaimedPage, preset: &Preset, output: &Output<'_>) -> Result<RenderedPage, Violation> {
    let Dimensions { width, height } = claimed.dimensions;
    if !(1..=preset.width).contains(&width) || !(1..=preset.height).contains(&height) {
        return violation(format!("a page of {} for bounds of {}", claimed.dimensions, preset.bounds()));
    }
    let bytes = output.read(claimed.offset, claimed.length)?;
    if let Err(fault) = verify(preset.format, &bytes, claimed.dimensions) {
        return violation(format!("a page of {} that {fault}", preset.name));
    }
    let sha256 = Sha256Digest::of(&bytes);
    Ok(RenderedPage { dimensions: claimed.dimensions, bytes, sha256 })
}

struct Output<'a> {
    file: &'a File,
    length: u64,
}

impl Output<'_> {
    /// Copies the bytes, so that the child cannot change them after they were checked.
    fn read(&self, offset: u64, length: u64) -> Result<Bytes, Violation> {
        if length == 0 || offset.checked_add(length).is_none_or(|end| end > self.length) {
            return violation(format!("a page at {offset} of {length} bytes in an output of {}", self.length));
        }
        let length = usize::try_from(length).map_err(|e| Violation::Output(io::Error::other(e)))?;
        let mut bytes = Vec::with_capacity(length);
        while bytes.len() < length {
            let at = offset + bytes.len() as u64;
            let read = pread(self.file, spare_capacity(&mut bytes), at).map_err(|e| Violation::Output(e.into()))?;
            if read == 0 {
                return Err(Violation::Output(io::ErrorKind::UnexpectedEof.into()));
            }
        }
        bytes.truncate(length);
        Ok(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use shared::domain::format::SourceFormat;
    use shared::domain::limits::LimitsTable;
    use shared::domain::preset::PresetTable;

    use super::super::protocol::Place;
    use super::*;
    use crate::child::memory_file;

    /// A frame of 320 by 200 and an empty scan: as far as anybody looks.
    const JPEG: &[u8] = &[
        0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 0, 200, 1, 64, 1, 1, 0x11, 0, 0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, 7, 0xff,
        0xd9,
    ];

    fn order() -> Order {
        let table = PresetTable::built_in();
        let presets = ["jpg_320x320", "png_paged_1024x1024"].map(|name| table.get(name).unwrap().clone());
        let limits = Limits {
            source_bytes_max: 1000,
            width_pixels_max: 5000,
            height_pixels_max: 4000,
            area_pixels_max: 1_000_000,
            total_pixels_max: 1_000_000,
            pages_max: 2,
            nesting_max: 1,
            child_memory_bytes_max: 0,
            child_cpu_seconds_max: 1,
            child_seconds_max: 1,
            output_bytes_max: 200,
        };
        Order {
            number: 7,
            source: Place::File,
            presets: presets.into(),
            limits: LimitsTable::same(limits),
            original: None,
        }
    }

    fn page(offset: u64, length: u64) -> ClaimedPage {
        ClaimedPage { offset, length, dimensions: Dimensions { width: 320, height: 200 } }
    }

    fn picture() -> PictureFacts {
        PictureFacts {
            format: SourceFormat::Tiff,
            dimensions: Dimensions { width: 640, height: 400 },
            pages: 2,
            placeholder: None,
        }
    }

    fn inspected() -> Inspected {
        Inspected { number: 7, picture: picture(), predicted_bytes: 1000 }
    }

    fn honest() -> Reply {
        let picture = picture();
        let failure = Failure::new(FailureCode::EncodeFailed, "no\u{1b}[31m ink\n");
        let renderings = vec![
            ClaimedRendering { preset: "jpg_320x320".parse().unwrap(), result: Ok(vec![page(3, JPEG.len() as u64)]) },
            ClaimedRendering { preset: "png_paged_1024x1024".parse().unwrap(), result: Err(failure) },
        ];
        let steps = vec![StepTime { step: "decode".into(), micros: 5 }];
        Reply { number: 7, steps, result: Claimed::Rendered { picture, renderings } }
    }

    fn checked(change: impl FnOnce(&mut Reply)) -> Result<Answer, Violation> {
        let output = memory_file::output().unwrap();
        output.write_all_at(JPEG, 3).unwrap();
        let mut reply = honest();
        change(&mut reply);
        check(reply, &order(), Some(&inspected()), &output)
    }

    fn renderings(reply: &mut Reply) -> (&mut PictureFacts, &mut Vec<ClaimedRendering>) {
        match &mut reply.result {
            Claimed::Rendered { picture, renderings } => (picture, renderings),
            Claimed::Failed(_) => unreachable!("the honest reply has renderings"),
        }
    }

    fn first_pages(reply: &mut Reply) -> &mut Vec<ClaimedPage> {
        renderings(reply).1[0].result.as_mut().unwrap()
    }

    #[test]
    fn an_honest_reply_is_believed() {
        let answer = checked(|_| {}).unwrap();
        let made = answer.result.unwrap();
        let pages = made.presets[0].result.as_ref().unwrap();
        assert_eq!((&pages[0].bytes[..], pages[0].sha256), (JPEG, Sha256Digest::of(JPEG)));
        assert_eq!(made.presets[1].result.as_ref().unwrap_err().reason, "no [31m ink");
        assert_eq!(answer.steps, [(Step::Decode, Duration::from_micros(5))]);
    }

    #[test]
    fn pages_must_lie_in_the_output() {
        let length = JPEG.len() as u64;
        for (offset, length) in [(4, length), (u64::MAX, 2), (u64::MAX, u64::MAX), (3, 0), (length + 3, 1), (3, 150)] {
            assert!(checked(|r| *first_pages(r) = vec![page(offset, length)]).is_err(), "{offset} {length}");
        }
    }

    #[test]
    fn overlapping_pages_do_not_multiply_beyond_the_limit() {
        let many = |count| {
            move |r: &mut Reply| {
                renderings(r).1[1].result = Ok(vec![page(3, 28); count]);
            }
        };
        let told = |count: usize| checked(many(count)).unwrap_err().to_string();
        assert!(told(2).contains("does not begin as a PNG"), "{}", told(2));
        assert!(told(3).contains("3 pages"), "{}", told(3));
        assert!(told(9).contains("the limit is 200"), "{}", told(9));
    }

    #[test]
    fn dimensions_must_be_possible() {
        for (width, height) in [(0, 1), (1, 0), (321, 1), (1, u32::MAX)] {
            assert!(checked(|r| first_pages(r)[0].dimensions = Dimensions { width, height }).is_err());
        }
        for (width, height, pages) in [(0, 1, 1), (5001, 1, 1), (2000, 2000, 1), (1, 1, 0)] {
            let picture = |p: &mut PictureFacts| {
                p.dimensions = Dimensions { width, height };
                p.pages = pages;
            };
            let mut claimed = inspected();
            picture(&mut claimed.picture);
            assert!(check_inspected(&claimed, &order()).is_err(), "{width} {height} {pages}");
            assert!(checked(|r| picture(renderings(r).0)).is_err(), "{width} {height} {pages}");
        }
    }

    #[test]
    fn presets_must_be_those_of_the_order() {
        assert!(checked(|r| renderings(r).1.reverse()).is_err());
        assert!(checked(|r| drop(renderings(r).1.pop())).is_err());
        assert!(checked(|r| renderings(r).1[0].result = Ok(Vec::new())).is_err());
        assert!(checked(|r| renderings(r).1[0].result = Ok(vec![page(3, 4); 2])).is_err());
        let more = |r: &mut Reply| {
            let again = renderings(r).1[0].clone();
            renderings(r).1.push(again);
        };
        assert!(checked(more).is_err());
    }

    #[test]
    fn a_child_may_not_report_the_failures_of_others() {
        for code in FailureCode::ALL {
            let failed = checked(|r| r.result = Claimed::Failed(Failure::new(*code, "x")));
            let own = code.disposition() == Disposition::GiveUp && *code != FailureCode::DeadlineExceeded;
            assert_eq!(failed.is_ok(), own, "{code}");
        }
    }

    #[test]
    fn other_lies() {
        assert!(checked(|r| r.number = 6).is_err());
        assert!(checked(|r| r.steps[0].step = "label\"} 1".into()).is_err());
    }

    #[test]
    fn only_what_was_admitted_is_believed() {
        let output = memory_file::output().unwrap();
        output.write_all_at(JPEG, 3).unwrap();
        assert!(check(honest(), &order(), None, &output).is_err());
        let other = Inspected { picture: PictureFacts { pages: 1, ..picture() }, ..inspected() };
        assert!(check(honest(), &order(), Some(&other), &output).is_err());
        assert!(check_inspected(&inspected(), &order()).is_ok());
        assert!(check_inspected(&Inspected { number: 6, ..inspected() }, &order()).is_err());
    }
}
