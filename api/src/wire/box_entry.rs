//! One entry of Box's `representations`: contract sections 2.2 and 2.3.

use std::collections::BTreeMap;

use serde::Serialize;
use shared::domain::file::FileState;
use shared::domain::hint::{self, Hints};
use shared::domain::preset::{Preset, PresetTable};
use shared::domain::representation::State;

use crate::links::Links;
use crate::wire;

/// An entry; `status` and `content` only where the client gave hints or asked for this one.
#[derive(Debug, Serialize)]
pub(crate) struct Entry {
    representation: &'static str,
    /// All values are text: contract 0.6.
    properties: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata>,
    info: Info,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<ContentLink>,
}

#[derive(Debug, Serialize)]
struct Metadata {
    pages: usize,
}

#[derive(Debug, Serialize)]
struct Info {
    url: String,
}

#[derive(Debug, Serialize)]
struct Status {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct ContentLink {
    url_template: String,
}

impl Entry {
    /// What can be had, without where it stands: contract 0.8.
    pub(crate) fn brief(file: &FileState, preset: &Preset, links: &Links) -> Self {
        Self {
            representation: preset.format.name(),
            properties: hint::properties(preset),
            metadata: None,
            info: Info { url: links.representation(file.file.id, file.version.id, preset) },
            status: None,
            content: None,
        }
    }

    /// The whole entry in this state; `None` is the state `none`.
    pub(crate) fn full(file: &FileState, preset: &Preset, state: Option<&State>, links: &Links) -> Self {
        let content = state.and_then(State::content);
        let code = match state {
            Some(State::Error(failure)) => Some(failure.code.box_code()),
            _ => None,
        };
        Self {
            metadata: content.filter(|_| preset.paged).map(|content| Metadata { pages: content.pages().len() }),
            status: Some(Status { state: state.map_or("none", State::name), code }),
            content: Some(ContentLink {
                url_template: links.content_template(file.file.id, file.version.id, preset, content),
            }),
            ..Self::brief(file, preset, links)
        }
    }
}

/// The entries of a listing: all that can be had, or what the hints select of it, with where each stands.
pub(crate) fn listing(presets: &PresetTable, file: &FileState, hints: Option<&Hints>, links: &Links) -> Vec<Entry> {
    let available = wire::available(presets, file);
    match hints {
        None => available.into_iter().map(|preset| Entry::brief(file, preset, links)).collect(),
        Some(hints) => {
            let state = |preset: &Preset| file.representation(&preset.name).map(|row| &row.state);
            let selected = hints.select(&available).into_iter();
            selected.map(|preset| Entry::full(file, preset, state(preset), links)).collect()
        }
    }
}
