//! The engine itself: the steps of one source, page by page.

use fast_image_resize::Resizer;
use shared::domain::dimensions::Dimensions;
use shared::domain::failure::{Failure, FailureCode};
use shared::domain::limits::Limits;
use shared::domain::preset::Preset;

use crate::cascade::Cascade;
use crate::colour::{Recolour, to_srgb};
use crate::cost::predicted_bytes;
use crate::decode::{Decoded, DecodedPlanes, DecodedRaster, Order, decode};
use crate::geometry::{Area, Target, least_whole, smaller};
use crate::inspect::{PageHeader, identified, inspect, page_header};
use crate::orient::{Orientation, orient};
use crate::outputs::Outputs;
use crate::pixels::Pixels;
use crate::placeholder;
use crate::planes::Planes;
use crate::raster::Raster;
use crate::request::{Page, Picture, Report, Request};
use crate::resize::resized;
use crate::step::{Step, StepObserver};

/// Renders every preset of the request from one decode of each page.
///
/// An `Err` is about the source: nothing can be made of it. A failure of one preset is in the report.
pub fn render(source: &[u8], request: &Request<'_>, observer: &mut dyn StepObserver) -> Result<Report, Failure> {
    observer.step(Step::Inspect);
    let format = identified(source)?;
    let limits = request.limits.of(format);
    let picture = inspect(source, format, limits)?;
    observer.admit(&picture, predicted_bytes(source, &picture, request.presets, limits)?)?;
    let outputs = Outputs::new(request.presets, format, limits);
    let mut work =
        Work { source, request, limits, picture, observer, resizer: Resizer::new(), outputs, decoded_pixels: 0 };
    work.page(0, &work.wanted(0))?;
    for page in 1..work.pages_to_render() {
        let wanted = work.wanted(page);
        if let Err(failure) = work.page(page, &wanted) {
            wanted.iter().for_each(|index| work.outputs.add(*index, Err(failure.clone())));
        }
    }
    work.observer.step(Step::Done);
    Ok(Report { picture: work.picture, renderings: work.outputs.finish() })
}

/// One source being rendered.
struct Work<'a, 'o> {
    source: &'a [u8],
    request: &'a Request<'a>,
    limits: &'a Limits,
    picture: Picture,
    observer: &'o mut dyn StepObserver,
    resizer: Resizer,
    outputs: Outputs<'a>,
    /// Of all pages so far.
    decoded_pixels: u64,
}

impl Work<'_, '_> {
    /// All pages up to the limit.
    fn pages_to_render(&self) -> u32 {
        self.picture.pages.min(self.limits.pages_max)
    }

    /// The presets that show this page, by their index: all show the first, the paged ones the others too.
    fn wanted(&self, page: u32) -> Vec<usize> {
        let shows = |index: &usize| self.outputs.is_open(*index) && (page == 0 || self.request.presets[*index].paged);
        (0..self.request.presets.len()).filter(shows).collect()
    }

    /// Decodes one page and makes everything of it that is wanted, largest first.
    fn page(&mut self, page: u32, wanted: &[usize]) -> Result<(), Failure> {
        if wanted.is_empty() {
            return Ok(());
        }
        let header = page_header(self.source, self.picture.format, page, self.limits)?;
        self.count_pixels(page, &header)?;
        let shown = header.orientation.applied(header.dimensions);
        let original = self.request.original.unwrap_or(shown);
        let target = |index: &usize| (*index, Target::of_copy(&self.request.presets[*index], original, shown));
        let mut targets: Vec<(usize, Target)> = wanted.iter().map(target).collect();
        targets.sort_by(|(_, a), (_, b)| b.scale().total_cmp(&a.scale()));

        let least = smaller(least_whole(original, targets.iter().map(|(_, target)| target)), shown);
        self.observer.step(Step::Decode);
        let least_stored = header.orientation.applied(least);
        let (source, memory) = (self.source, self.request.memory);
        let order = Order { source, page, header: &header, least: least_stored, limits: self.limits, memory };
        let in_planes = wanted.iter().all(|index| Planes::suit(&self.request.presets[*index]));
        match decode(self.picture.format, &order, in_planes)? {
            Decoded::Raster(decoded) => {
                let largest = self.raster(decoded, &header, least_stored)?;
                self.sizes(page, Cascade::new(original, largest), &targets)
            }
            Decoded::Planes(planes) => {
                let largest = self.planes(&planes, &header, least_stored)?;
                self.sizes(page, Cascade::new(original, largest), &targets)
            }
        }
    }

    /// Adds a page to the pixels of all; beyond the limit it is not decoded.
    fn count_pixels(&mut self, page: u32, header: &PageHeader) -> Result<(), Failure> {
        self.decoded_pixels += header.dimensions.area_pixels();
        let (pixels, limit) = (self.decoded_pixels, self.limits.total_pixels_max);
        if pixels <= limit {
            return Ok(());
        }
        let reason = format!("the first {} pages have {pixels} pixels together, the limit is {limit}", page + 1);
        Err(Failure::new(FailureCode::TooManyPixels, reason))
    }

    /// The whole page, upright and in sRGB, as large as the largest representation needs it.
    fn raster(&mut self, decoded: DecodedRaster, header: &PageHeader, least: Dimensions) -> Result<Raster, Failure> {
        let DecodedRaster { raster, covered, profile } = decoded;
        self.observer.step(Step::Reduce);
        let raster =
            if raster.dimensions == least { raster } else { resized(&mut self.resizer, &raster, covered, least)? };

        self.observer.step(Step::Colour);
        let raster = to_srgb(raster, profile.as_deref());
        if header.orientation == Orientation::NORMAL {
            return Ok(raster);
        }
        self.observer.step(Step::Orient);
        Ok(orient(raster, header.orientation))
    }

    /// The same in planes.
    fn planes(&mut self, decoded: &DecodedPlanes, header: &PageHeader, least: Dimensions) -> Result<Planes, Failure> {
        let DecodedPlanes { planes, profile } = decoded;
        self.observer.step(Step::Reduce);
        let mut planes = planes.resized(&mut self.resizer, Area::whole(planes.dimensions), least)?;
        if let Some(recolour) = profile.as_deref().and_then(Recolour::of) {
            self.observer.step(Step::Colour);
            planes = planes.recoloured(&recolour);
        }
        if header.orientation == Orientation::NORMAL {
            return Ok(planes);
        }
        self.observer.step(Step::Orient);
        Ok(planes.oriented(header.orientation))
    }

    /// Every representation of the page, and the placeholder of the first one.
    fn sizes<P: Pixels>(
        &mut self,
        page: u32,
        mut cascade: Cascade<P>,
        targets: &[(usize, Target)],
    ) -> Result<(), Failure> {
        for (index, target) in targets {
            let made = self.one(&mut cascade, target, &self.request.presets[*index]);
            self.outputs.add(*index, made);
        }
        if page == 0 {
            self.observer.step(Step::Placeholder);
            let smallest = cascade.smallest();
            let dimensions = smallest.dimensions().fit_inside(placeholder::BOUNDS);
            let small = smallest.resized(&mut self.resizer, Area::whole(smallest.dimensions()), dimensions)?;
            self.picture.placeholder = placeholder::placeholder(dimensions, &small.rgba());
        }
        Ok(())
    }

    /// One preset's representation of the page.
    fn one<P: Pixels>(&mut self, cascade: &mut Cascade<P>, target: &Target, preset: &Preset) -> Result<Page, Failure> {
        if let Some(pixels) = cascade.finished(target) {
            return self.page_of(pixels, preset);
        }
        self.observer.step(Step::Resize);
        let pixels = cascade.make(&mut self.resizer, target)?;
        let page = self.page_of(&pixels, preset);
        if target.whole {
            cascade.keep(pixels);
        }
        page
    }

    /// The file of a picture that has its size.
    fn page_of<P: Pixels>(&mut self, pixels: &P, preset: &Preset) -> Result<Page, Failure> {
        Ok(Page { dimensions: pixels.dimensions(), bytes: pixels.file(preset, self.observer)? })
    }
}
