//! What was promised: accepted uploads, bad events, and what a fresh render makes of each content.

use std::collections::{BTreeMap, BTreeSet};

use crate::load::{Accepted, Item, Plan, Upload};

/// What a fresh render makes of a content: the digest of each preset's bytes, `None` where it makes none.
pub(crate) type Fresh = BTreeMap<&'static str, Option<String>>;

/// What must be there.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expected {
    /// Everything that was to be sent, by number; what a client tried again may be there more than once.
    pub(crate) uploads: BTreeMap<u32, Upload>,
    /// The names of the file versions that were accepted.
    pub(crate) accepted: BTreeMap<u32, String>,
    /// Bodies of events that nobody can understand.
    pub(crate) bad: BTreeSet<Vec<u8>>,
    /// By the number of the content.
    pub(crate) fresh: BTreeMap<u32, Fresh>,
    /// Processes that ended although nobody ended them, in their own words.
    pub(crate) deaths: Vec<String>,
}

impl Expected {
    pub(crate) fn new(plan: &Plan, accepted: Accepted, deaths: Vec<String>) -> Self {
        let upload = |item: &Item| match item {
            Item::Upload(upload) => Some((upload.number, upload.clone())),
            Item::Bad(_) => None,
        };
        Self {
            uploads: plan.items.iter().filter_map(upload).collect(),
            accepted: accepted.uploads,
            bad: accepted.bad,
            fresh: BTreeMap::new(),
            deaths,
        }
    }

    /// The upload that a file version's name tells of: `u7.png`, or `u7-2.png` for the third try.
    pub(crate) fn upload(&self, name: &str) -> Option<&Upload> {
        let number = name.strip_prefix('u')?.split(['.', '-']).next()?;
        self.uploads.get(&number.parse().ok()?)
    }

    /// The contents of everything that was accepted.
    pub(crate) fn contents(&self) -> BTreeSet<u32> {
        self.accepted.keys().filter_map(|number| self.uploads.get(number)).map(|upload| upload.content).collect()
    }
}
