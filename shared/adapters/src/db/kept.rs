//! Files as they were read, for as long as nothing is committed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use shared::domain::file::FileState;

use super::moment::Moment;
use super::together::Which;

/// Most files that are kept: some megabytes.
const FILES_MAX: usize = 4096;

/// What was found.
pub(super) type Found = HashMap<Which, Arc<FileState>>;

/// What was read after one moment. It is what would be read after an equal one.
#[derive(Debug, Default)]
pub(super) struct Kept {
    moment: Option<Moment>,
    files: Found,
}

impl Kept {
    /// Those of the wanted that are known at this moment; all else is forgotten once the moment is another one.
    pub(super) fn at(&mut self, moment: &Moment, wanted: &HashSet<Which>) -> Found {
        if self.moment.as_ref() != Some(moment) {
            self.files.clear();
            self.moment = Some(moment.clone());
        }
        let known = |which: &Which| Some((which.clone(), Arc::clone(self.files.get(which)?)));
        wanted.iter().filter_map(known).collect()
    }

    /// Keeps what was read after this moment.
    pub(super) fn put(&mut self, moment: &Moment, read: &Found) {
        if self.moment.as_ref() == Some(moment) && self.files.len() + read.len() <= FILES_MAX {
            self.files.extend(read.iter().map(|(which, state)| (which.clone(), Arc::clone(state))));
        }
    }
}
