//! Files as they were read, for as long as nothing is committed.

use std::collections::HashMap;
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
    /// Forgets everything, unless it was read after an equal moment.
    pub(super) fn turn_to(&mut self, moment: &Moment) {
        if self.moment.as_ref() != Some(moment) {
            self.files.clear();
            self.moment = Some(moment.clone());
        }
    }

    /// What is known of it at this moment.
    pub(super) fn get(&self, which: &Which) -> Option<Arc<FileState>> {
        self.files.get(which).map(Arc::clone)
    }

    /// Keeps what was read after this moment.
    pub(super) fn put(&mut self, moment: &Moment, read: &Found) {
        if self.moment.as_ref() == Some(moment) && self.files.len() + read.len() <= FILES_MAX {
            self.files.extend(read.iter().map(|(which, state)| (which.clone(), Arc::clone(state))));
        }
    }
}
