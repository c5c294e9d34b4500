//! An object of a bucket that somebody tells of, in whichever envelope: what it says is the same, only names differ.

use super::fact::Fact;
use super::fields::Fields;
use super::refusal::Refusal;
use super::wire::{
    DeletedEvent, Gone, KEY_BYTES_MAX, Moment, NAME_BYTES_MAX, Sequence, Size, TEXT_BYTES_MAX, Text, UploadEvent, Which,
};

/// What stores write when an object has no version: AWS and Ceph nothing, RustFS the nil UUID.
const NO_VERSION: [&str; 2] = ["", "00000000-0000-0000-0000-000000000000"];
/// The version that an object has which was put while its bucket kept none.
const UNVERSIONED: &str = "null";

/// An object, and the fields that nobody has read yet.
pub(super) struct Object {
    pub bucket: Text<TEXT_BYTES_MAX>,
    /// Decoded by the rule of its source.
    pub key: Text<KEY_BYTES_MAX>,
    pub fields: Fields,
    pub occurred_at: Option<Moment>,
    pub sequencer: Sequencer,
}

/// How a store writes what its events are ordered by.
#[derive(Clone, Copy)]
pub(super) enum Sequencer {
    /// By Amazon's rule: hex that can be compared.
    Comparable,
    /// As Ceph does.
    Ceph,
}

/// What the envelope calls what the object says of itself.
pub(super) struct Names {
    pub version_id: &'static str,
    pub etag: &'static str,
}

impl Object {
    /// It is there, with these bytes.
    pub(super) fn created(mut self, names: &Names) -> Result<Fact, Refusal> {
        let size = self.fields.optional::<Size>("size")?;
        if is_directory(&self.key.0, size.as_ref()) {
            return Ok(Fact::Nothing("it only marks a directory".to_owned()));
        }
        let mut event = UploadEvent::of_object(self.bucket, self.key);
        event.of_version(version_id(&mut self.fields, names.version_id)?.filter(|version| version.0 != UNVERSIONED));
        event.sequence = sequence(&mut self.fields, self.sequencer)?;
        event.size = size;
        event.etag = self.fields.optional_text(names.etag)?;
        event.content_type = self.fields.optional_text("contentType")?;
        event.occurred_at = self.occurred_at;
        Ok(Fact::Uploaded(Box::new(event)))
    }

    /// It is gone; with `whole`, whatever version is named is a delete marker's.
    pub(super) fn deleted(mut self, names: &Names, whole: bool) -> Result<Fact, Refusal> {
        let sequence = sequence(&mut self.fields, self.sequencer)?;
        let what = match version_id(&mut self.fields, names.version_id)? {
            _ if whole => Gone::File,
            None => Gone::File,
            Some(version) if version.0 == UNVERSIONED => Gone::Unversioned,
            Some(version) => Gone::Version(version),
        };
        let which = Which::object(self.bucket, self.key);
        Ok(Fact::Deleted(DeletedEvent { which, what, sequence, occurred_at: self.occurred_at }))
    }
}

fn sequence(fields: &mut Fields, sequencer: Sequencer) -> Result<Option<Sequence>, Refusal> {
    let written = fields.optional_text::<TEXT_BYTES_MAX>("sequencer")?;
    Ok(written.map(|text| match sequencer {
        Sequencer::Comparable => Sequence::of_sequencer(text.0),
        Sequencer::Ceph => Sequence::of_ceph(text.0),
    }))
}

/// The object's version; `None` in buckets without versions.
fn version_id(fields: &mut Fields, name: &'static str) -> Result<Option<Text<NAME_BYTES_MAX>>, Refusal> {
    let named = fields.optional_text(name)?;
    Ok(named.filter(|version: &Text<NAME_BYTES_MAX>| !NO_VERSION.contains(&version.0.as_str())))
}

/// Consoles make empty objects so that a directory can be seen.
pub(super) fn is_directory(key: &str, size: Option<&Size>) -> bool {
    key.ends_with('/') && size.is_none_or(|size| size.0 == 0)
}
