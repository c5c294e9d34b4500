//! `multipart/form-data` (RFC 7578) part by part in bounded memory: whatever is sent, only a chunk of it is held.

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};
use memchr::memmem::Finder;

use super::part_headers::{PartHeaders, parameter};

/// Longest boundary; RFC 2046 allows 70, a few clients use more.
const BOUNDARY_BYTES_MAX: usize = 200;
/// Longest header block of one part, in bytes; a name of 255 characters, percent-encoded, takes a third of it.
const HEADERS_BYTES_MAX: usize = 8 * 1024;
/// Most bytes before the first boundary.
const PREAMBLE_BYTES_MAX: usize = 8 * 1024;
/// Most parts of one form, unless its reader says otherwise.
const PARTS_MAX: usize = 32;

/// A form that cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("the request is not multipart/form-data with a boundary")]
    NotMultipart,
    #[error("the form ends before its last boundary")]
    EndsEarly,
    #[error("the form has no boundary at its beginning")]
    NoBoundary,
    #[error("a boundary of the form is followed by something else than a line end")]
    BadBoundary,
    #[error("the headers of a part are longer than {HEADERS_BYTES_MAX} bytes")]
    HeadersTooLong,
    #[error("the form has more parts than an upload may have")]
    TooManyParts,
    #[error("the connection broke before the form was complete")]
    Connection,
    #[error("the form is longer than an upload may be")]
    TooLong,
}

/// A form that is being read from a stream of chunks.
pub(crate) struct Multipart<'a, S> {
    stream: &'a mut S,
    buffer: BytesMut,
    delimiter: Finder<'static>,
    place: Place,
    parts: usize,
    parts_max: usize,
    bytes_left: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the preamble or in the body of a part.
    Body,
    /// Right behind a delimiter.
    AfterDelimiter,
    /// Behind the last delimiter.
    End,
}

impl<'a, S, E> Multipart<'a, S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    /// `content_type` is the request's; at most `bytes_max` are read of its body.
    pub(crate) fn new(content_type: &str, stream: &'a mut S, bytes_max: u64) -> Result<Self, Broken> {
        let essence = content_type.split(';').next().unwrap_or("").trim();
        let boundary = parameter(content_type, "boundary").unwrap_or_default();
        let is_form = essence.eq_ignore_ascii_case("multipart/form-data");
        if !is_form || boundary.is_empty() || boundary.len() > BOUNDARY_BYTES_MAX {
            return Err(Broken::NotMultipart);
        }
        let delimiter = Finder::new(format!("\r\n--{boundary}").as_bytes()).into_owned();
        // The first boundary has no line before it; with this line end every delimiter looks the same.
        let buffer = BytesMut::from("\r\n");
        Ok(Self {
            stream,
            buffer,
            delimiter,
            place: Place::Body,
            parts: 0,
            parts_max: PARTS_MAX,
            bytes_left: bytes_max,
        })
    }

    /// Another limit for the number of parts.
    pub(crate) fn with_parts_max(self, parts_max: usize) -> Self {
        Self { parts_max, ..self }
    }

    /// The headers of the next part, whose body [`chunk`](Self::chunk) then reads; `None` behind the last one. What
    /// was not read of the part before is skipped.
    pub(crate) async fn next_part(&mut self) -> Result<Option<PartHeaders>, Broken> {
        let mut skipped_bytes = 0;
        while self.place == Place::Body {
            skipped_bytes += self.chunk().await?.map_or(0, |chunk| chunk.len());
            if self.parts == 0 && skipped_bytes > PREAMBLE_BYTES_MAX {
                return Err(Broken::NoBoundary);
            }
        }
        if self.place == Place::End || self.is_last_delimiter().await? {
            self.place = Place::End;
            return Ok(None);
        }
        if self.parts == self.parts_max {
            return Err(Broken::TooManyParts);
        }
        self.parts += 1;
        let headers = self.headers().await?;
        self.place = Place::Body;
        Ok(Some(headers))
    }

    /// More of the current part's body; `None` at its end.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, Broken> {
        if self.place != Place::Body {
            return Ok(None);
        }
        loop {
            match self.delimiter.find(&self.buffer) {
                Some(0) => {
                    let _ = self.buffer.split_to(self.delimiter.needle().len());
                    self.place = Place::AfterDelimiter;
                    return Ok(None);
                }
                Some(at) => return Ok(Some(self.buffer.split_to(at).freeze())),
                None => {}
            }
            // The end of the buffer may be the beginning of a delimiter.
            let certain = (self.buffer.len() + 1).saturating_sub(self.delimiter.needle().len());
            if certain > 0 {
                return Ok(Some(self.buffer.split_to(certain).freeze()));
            }
            self.fill().await?;
        }
    }

    async fn is_last_delimiter(&mut self) -> Result<bool, Broken> {
        while self.buffer.len() < 2 {
            self.fill().await?;
        }
        Ok(self.buffer.starts_with(b"--"))
    }

    /// Reads the rest of the boundary's line and the header block, up to and with the empty line.
    async fn headers(&mut self) -> Result<PartHeaders, Broken> {
        loop {
            let padding = self.buffer.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
            let after = &self.buffer[padding..];
            if !after.starts_with(&b"\r\n"[..after.len().min(2)]) {
                return Err(Broken::BadBoundary);
            }
            // The line end of the boundary is also the beginning of the empty line when there are no headers at all.
            if let Some(end) = memchr::memmem::find(after, b"\r\n\r\n") {
                let block = self.buffer.split_to(padding + end + 4);
                return Ok(PartHeaders::parse(&block[padding..]));
            }
            if self.buffer.len() > HEADERS_BYTES_MAX {
                return Err(Broken::HeadersTooLong);
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Result<(), Broken> {
        let chunk = self.stream.next().await.ok_or(Broken::EndsEarly)?.map_err(|_| Broken::Connection)?;
        self.bytes_left = self.bytes_left.checked_sub(chunk.len() as u64).ok_or(Broken::TooLong)?;
        self.buffer.extend_from_slice(&chunk);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Chunks = futures_util::stream::Iter<std::vec::IntoIter<Result<Bytes, std::io::Error>>>;

    fn chunked(form: &[u8], size: usize) -> Chunks {
        let chunks: Vec<_> = form.chunks(size).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
        futures_util::stream::iter(chunks)
    }

    async fn read(form: &[u8], size: usize) -> Result<Vec<(PartHeaders, Vec<u8>)>, Broken> {
        let mut stream = chunked(form, size);
        let mut multipart = Multipart::new("multipart/form-data; boundary=XX", &mut stream, 1 << 20)?;
        let mut parts = Vec::new();
        while let Some(headers) = multipart.next_part().await? {
            let mut body = Vec::new();
            while let Some(chunk) = multipart.chunk().await? {
                body.extend_from_slice(&chunk);
            }
            parts.push((headers, body));
        }
        Ok(parts)
    }

    const FORM: &[u8] =
        b"preamble\r\n--XX\r\nContent-Disposition: form-data; name=\"attributes\"\r\n\r\n{}\r\n--XX \t\r\n\
        Content-Disposition: form-data; name=\"file\"; filename=\"\"\r\n\r\n\r\n--X\r\n--XY\r\n\r\n--XX\r\n\r\nbare\r\n\
        --XX--\r\nepilogue";

    #[tokio::test]
    async fn parts_are_the_same_however_the_bytes_arrive() {
        for size in 1..=FORM.len() {
            let parts = read(FORM, size).await.unwrap();
            assert_eq!(parts.len(), 3, "in chunks of {size}");
            assert_eq!(parts[0].1, b"{}");
            assert_eq!(parts[1].0.filename.as_deref(), Some(""));
            assert_eq!(parts[1].1, b"\r\n--X\r\n--XY\r\n");
            assert_eq!(parts[2], (PartHeaders::default(), b"bare".to_vec()));
        }
    }

    #[tokio::test]
    async fn every_cut_form_is_broken() {
        let whole = FORM.len() - "--\r\nepilogue".len();
        for end in 0..=whole {
            assert!(matches!(read(&FORM[..end], 7).await, Err(Broken::EndsEarly)), "cut at {end}");
        }
    }

    #[tokio::test]
    async fn parts_that_nobody_reads_are_skipped() {
        let mut stream = chunked(FORM, 5);
        let mut multipart =
            Multipart::new("Multipart/Form-Data; charset=x; boundary=\"XX\"", &mut stream, 1 << 20).unwrap();
        let mut names = Vec::new();
        while let Some(headers) = multipart.next_part().await.unwrap() {
            names.push(headers.name);
        }
        assert_eq!(names, [Some("attributes".to_owned()), Some("file".to_owned()), None]);
    }

    #[tokio::test]
    async fn endless_headers_preambles_and_parts_are_refused() {
        let headers = [b"--XX\r\nX: ".as_slice(), &vec![b'x'; 20_000]].concat();
        assert!(matches!(read(&headers, 1000).await, Err(Broken::HeadersTooLong)));
        assert!(matches!(read(&vec![b'x'; 100_000], 1000).await, Err(Broken::NoBoundary)));
        let parts = b"--XX\r\n\r\n\r\n".repeat(PARTS_MAX + 2);
        assert!(matches!(read(&parts, 1000).await, Err(Broken::TooManyParts)));
        assert!(matches!(read(b"--XXgarbage\r\n\r\n", 1000).await, Err(Broken::BadBoundary)));
    }

    #[tokio::test]
    async fn a_form_without_end_is_refused() {
        let mut stream = chunked(FORM, 5);
        let mut multipart = Multipart::new("multipart/form-data; boundary=XX", &mut stream, 100).unwrap();
        let mut read = multipart.next_part().await;
        while let Ok(Some(_)) = read {
            read = multipart.next_part().await;
        }
        assert!(matches!(read, Err(Broken::TooLong)));
    }

    #[test]
    fn other_types_are_not_forms() {
        for content_type in ["application/json", "multipart/form-data", "multipart/mixed; boundary=XX", ""] {
            let mut stream = chunked(b"", 1);
            assert!(
                matches!(Multipart::new(content_type, &mut stream, 1), Err(Broken::NotMultipart)),
                "{content_type}"
            );
        }
    }
}
