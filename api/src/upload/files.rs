//! The form of an upload of several files, as Jira's clients send it: contract section 8.6.

use axum::body::BodyDataStream;
use http::HeaderMap;
use http::header::CONTENT_TYPE;

use super::form::{form_bytes_max, spool};
use super::multipart::{Broken, Multipart};
use super::name;
use super::spool::Spooled;
use crate::error::ApiError;

/// Most files of one request.
pub(crate) const FILES_MAX: usize = 60;
/// Most parts of one form: the files, and fields that mean nothing to us.
const PARTS_MAX: usize = 100;

/// One of the files, completely.
#[derive(Debug)]
pub(crate) struct ReceivedFile {
    /// The file name of the part, checked.
    pub(crate) name: String,
    /// What the client says of the bytes.
    pub(crate) content_type: Option<String>,
    /// The bytes.
    pub(crate) spooled: Spooled,
}

/// Reads the whole form: every part that has a file name, whatever it is called. Nothing is stored before all of them
/// are here and their names are good.
pub(crate) async fn receive_files(
    headers: &HeaderMap,
    body: &mut BodyDataStream,
    config: &crate::Config,
) -> Result<Vec<ReceivedFile>, ApiError> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let mut form = Multipart::new(content_type, body, form_bytes_max(config))?.with_parts_max(PARTS_MAX);
    let mut files = Vec::new();
    while let Some(part) = next_part(&mut form).await? {
        let Some(filename) = part.filename else { continue };
        if files.len() == FILES_MAX {
            return Err(ApiError::TooManyFiles { files_max: FILES_MAX });
        }
        let name = last_segment(&filename).to_owned();
        name::check(&name)?;
        let spooled = spool(&mut form, config).await?;
        files.push(ReceivedFile { name, content_type: part.content_type, spooled });
    }
    if files.is_empty() {
        return Err(ApiError::BadRequest("no part of the form has a file name".to_owned()));
    }
    Ok(files)
}

async fn next_part(
    form: &mut Multipart<'_, BodyDataStream>,
) -> Result<Option<super::part_headers::PartHeaders>, ApiError> {
    match form.next_part().await {
        Err(Broken::TooManyParts) => Err(ApiError::TooManyFiles { files_max: FILES_MAX }),
        part => Ok(part?),
    }
}

/// Some browsers send the whole path.
fn last_segment(filename: &str) -> &str {
    filename.rsplit(['/', '\\']).next().unwrap_or(filename)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_path_only_the_file_counts() {
        assert_eq!(last_segment(r"C:\pictures\a.png"), "a.png");
        assert_eq!(last_segment("../../etc/passwd"), "passwd");
        assert_eq!(last_segment("a.png"), "a.png");
        assert_eq!(last_segment("a/"), "");
    }
}
