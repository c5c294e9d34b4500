//! Finding the picture for a box, asking for it, and waiting for it for a bounded time.

use std::time::{Duration, Instant};

use shared::domain::dimensions::Bounds;
use shared::domain::file::{FileState, Wanted};
use shared::domain::fit_preset;
use shared::domain::lane::Lane;
use shared::domain::plan;
use shared::domain::preset::{Fit, Preset};
use shared::domain::representation::{PageContent, State};

use crate::App;
use crate::asking::not_trashed;
use crate::error::ApiError;

/// First pause between two looks at a file whose rendering is waited for; doubled up to the longest.
const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_millis(250);

/// A picture that can be sent.
pub(super) struct Picture {
    pub(super) file: FileState,
    pub(super) preset: Preset,
    pub(super) page: PageContent,
}

/// What a look at the rows comes to.
enum Look {
    /// This one.
    Ready(Preset, PageContent),
    /// It is being made.
    Pending,
    /// Nobody has asked for it yet.
    Absent(Preset),
    /// There is none, and never will be.
    Never,
}

impl App {
    /// The picture of the version inside the box. What is not there yet is asked for, and waited for as long as the
    /// configuration says; then the nearest one that is there. `None` when there is none at all.
    pub(super) async fn picture_within(
        &self,
        mut file: FileState,
        bounds: Bounds,
    ) -> Result<Option<Picture>, ApiError> {
        let deadline = Instant::now() + self.deps.jira.thumbnail_wait();
        let (mut pause, mut has_hurried) = (PAUSE_MIN, false);
        loop {
            let is_coming = match self.look(&file, bounds) {
                Look::Ready(preset, page) => return Ok(Some(Picture { file, preset, page })),
                Look::Never => false,
                Look::Absent(preset) => self.start(&file, &preset).await?,
                Look::Pending => {
                    if !std::mem::replace(&mut has_hurried, true) {
                        self.hurry(&file).await?;
                    }
                    true
                }
            };
            if !is_coming || Instant::now() >= deadline {
                let nearest = self.nearest(&file, bounds);
                return Ok(nearest.map(|(preset, page)| Picture { file, preset, page }));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
            // That it is open to the caller was decided when it was found.
            let now = self.deps.store.version(file.file.id, file.version.id).await?;
            match now.and_then(|now| not_trashed(now).ok()) {
                Some(now) => file = now,
                // Deleted meanwhile.
                None => return Ok(None),
            }
        }
    }

    fn look(&self, file: &FileState, bounds: Bounds) -> Look {
        let is_pending = file.representations.iter().any(|row| !row.state.has_settled());
        let Some(picture) = file.version.picture else {
            // How large it is, and whether it is a picture at all, is known once a worker has looked.
            return if is_pending { Look::Pending } else { Look::Never };
        };
        let shown = picture.dimensions.fit_inside(bounds);
        let same = |preset: &Preset| picture.dimensions.fit_inside(preset.bounds()) == shown;
        let exact: Vec<_> = self.whole(file).into_iter().filter(|(preset, _)| same(preset)).collect();
        if let Some((preset, page)) = exact.iter().find_map(|(preset, state)| Some((preset, page_of(state)?))) {
            return Look::Ready(preset.clone(), page);
        }
        if exact.iter().any(|(_, state)| !state.has_settled()) {
            return Look::Pending;
        }
        let preset = fit_preset::for_box(picture.dimensions, bounds);
        match file.representation(&preset.name).map(|row| &row.state) {
            Some(State::Success(content) | State::Viewable(content)) => Look::Ready(preset, content.first().clone()),
            Some(State::Pending) => Look::Pending,
            Some(State::Error(_)) => Look::Never,
            // When nothing else could be made of the source, this could not either.
            None if !is_pending && self.nearest(file, bounds).is_none() => Look::Never,
            None => Look::Absent(preset),
        }
    }

    /// The representations that show the whole picture, each with its state.
    fn whole<'a>(&self, file: &'a FileState) -> Vec<(Preset, &'a State)> {
        let rows = file.representations.iter();
        let known =
            rows.filter_map(|row| Some((self.deps.presets.resolve(row.preset.as_str())?.into_owned(), &row.state)));
        known.filter(|(preset, _)| preset.fit == Fit::Contain).collect()
    }

    /// The smallest picture that is there and fills the box, else the largest one.
    fn nearest(&self, file: &FileState, bounds: Bounds) -> Option<(Preset, PageContent)> {
        let shown = file.version.picture?.dimensions.fit_inside(bounds);
        let there = self.whole(file).into_iter().filter_map(|(preset, state)| Some((preset, page_of(state)?)));
        let fills = |page: &PageContent| page.dimensions.width >= shown.width && page.dimensions.height >= shown.height;
        let (larger, smaller): (Vec<_>, Vec<_>) = there.partition(|(_, page)| fills(page));
        let area = |(_, page): &(Preset, PageContent)| page.dimensions.area_pixels();
        larger.into_iter().min_by_key(area).or_else(|| smaller.into_iter().max_by_key(area))
    }

    /// Whether the preset is being made from now on; not when as many of its kind as may be are kept already.
    async fn start(&self, file: &FileState, preset: &Preset) -> Result<bool, ApiError> {
        let kept = (fit_preset::PREFIX, fit_preset::KEPT_MAX);
        let wanted = plan::wanted(preset);
        let asked = self.deps.store.ask_one_of_few(file.version.id, &wanted, kept, Lane::Interactive).await?;
        if asked.is_some_and(|asked| asked.needs_wake()) {
            self.wake_interactive(file).await;
        }
        Ok(asked.is_some())
    }

    /// Somebody looks at the file right now: what waits moves to the interactive lane.
    async fn hurry(&self, file: &FileState) -> Result<(), ApiError> {
        let waits = file.representations.iter().filter(|row| !row.state.has_settled());
        let wanted: Vec<_> =
            waits.map(|row| Wanted { preset: row.preset.clone(), recipe: row.recipe.clone() }).collect();
        if self.deps.store.ask(file.version.id, &wanted, Lane::Interactive).await?.needs_wake() {
            self.wake_interactive(file).await;
        }
        Ok(())
    }
}

fn page_of(state: &State) -> Option<PageContent> {
    state.content().map(|content| content.first().clone())
}
