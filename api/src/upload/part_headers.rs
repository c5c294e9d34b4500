//! The headers of one part of a form: its name, its file name, its media type.

use percent_encoding::percent_decode_str;

/// What the headers of a part say. The kind of quoting, the order and the letter case are the client's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PartHeaders {
    /// `name` of `Content-Disposition`.
    pub(crate) name: Option<String>,
    /// `filename` or `filename*`; `Some("")` for the empty one that some clients send with a file.
    pub(crate) filename: Option<String>,
    /// `Content-Type`.
    pub(crate) content_type: Option<String>,
}

impl PartHeaders {
    /// Reads the lines between a boundary and the body of its part. Lines that mean nothing to us are skipped.
    pub(crate) fn parse(block: &[u8]) -> Self {
        let text = String::from_utf8_lossy(block);
        let mut headers = Self::default();
        for line in text.split("\r\n") {
            let Some((field, value)) = line.split_once(':') else { continue };
            if field.trim().eq_ignore_ascii_case("content-disposition") {
                headers.read_disposition(value);
            } else if field.trim().eq_ignore_ascii_case("content-type") {
                headers.content_type = Some(value.trim().to_owned());
            }
        }
        headers
    }

    fn read_disposition(&mut self, value: &str) {
        let mut extended = None;
        for (name, value) in parameters(value) {
            match name.to_ascii_lowercase().as_str() {
                "name" => self.name = Some(value),
                "filename" => self.filename = Some(value),
                // RFC 8187; older Python clients send only this one for names beyond ASCII.
                "filename*" => extended = decode_extended(&value),
                _ => {}
            }
        }
        if extended.is_some() {
            self.filename = extended;
        }
    }
}

/// The parameter `name` of a header value like a media type, unquoted.
pub(crate) fn parameter(value: &str, name: &str) -> Option<String> {
    parameters(value).into_iter().find(|(present, _)| present.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// The parameters after the first `;`, values unquoted.
fn parameters(value: &str) -> Vec<(String, String)> {
    let mut rest = value.split_once(';').map_or("", |(_, rest)| rest);
    let mut parameters = Vec::new();
    while let Some((name, after)) = rest.split_once('=') {
        let after = after.trim_start();
        let (value, left) = match after.strip_prefix('"') {
            Some(quoted) => unquote(quoted),
            None => {
                let end = after.find(';').unwrap_or(after.len());
                (after[..end].trim().to_owned(), &after[end..])
            }
        };
        parameters.push((name.trim_matches(|c: char| c == ';' || c.is_whitespace()).to_owned(), value));
        rest = left;
    }
    parameters
}

/// The text up to the closing quote, and what follows. Only `\"` and `\\` are escapes: old browsers send whole paths
/// with single backslashes.
fn unquote(quoted: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = quoted.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        match (c, characters.peek()) {
            ('"', _) => return (value, &quoted[at + 1..]),
            ('\\', Some((_, escaped @ ('"' | '\\')))) => {
                value.push(*escaped);
                characters.next();
            }
            _ => value.push(c),
        }
    }
    (value, "")
}

fn decode_extended(value: &str) -> Option<String> {
    let (charset, rest) = value.split_once('\'')?;
    let (_, encoded) = rest.split_once('\'')?;
    let decoded = percent_decode_str(encoded).decode_utf8().ok()?;
    charset.eq_ignore_ascii_case("utf-8").then(|| decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disposition(value: &str) -> PartHeaders {
        PartHeaders::parse(format!("Content-Disposition: {value}").as_bytes())
    }

    fn filename(value: &str) -> Option<String> {
        disposition(value).filename
    }

    #[test]
    fn every_spelling_that_clients_use_is_read() {
        let plain = PartHeaders::parse(
            b"content-disposition: form-data; name=\"file\"; filename=\"a b.jpg\"\r\nCONTENT-TYPE: image/jpeg",
        );
        assert_eq!(plain.name.as_deref(), Some("file"));
        assert_eq!(plain.filename.as_deref(), Some("a b.jpg"));
        assert_eq!(plain.content_type.as_deref(), Some("image/jpeg"));
        assert_eq!(disposition("form-data; filename=x.png; name=content").name.as_deref(), Some("content"));
        assert_eq!(disposition("form-data; name=attributes").filename, None);
    }

    #[test]
    fn an_empty_file_name_is_a_file_name() {
        assert_eq!(filename(r#"form-data; name="file"; filename="""#).as_deref(), Some(""));
    }

    #[test]
    fn quotes_semicolons_and_backslashes_stay_inside_the_name() {
        assert_eq!(filename(r#"form-data; filename="a\"b;c=d.jpg"; name="file""#).as_deref(), Some(r#"a"b;c=d.jpg"#));
        assert_eq!(filename(r#"form-data; filename="C:\dir\x.jpg""#).as_deref(), Some(r"C:\dir\x.jpg"));
        assert_eq!(filename(r#"form-data; filename="tail\\""#).as_deref(), Some(r"tail\"));
        assert_eq!(filename(r#"form-data; filename="never closed"#).as_deref(), Some("never closed"));
    }

    #[test]
    fn a_parameter_inside_a_value_is_not_a_parameter() {
        assert_eq!(filename(r#"form-data; name="x; filename=y""#), None);
        assert_eq!(filename(r#"form-data; xfilename="y""#), None);
    }

    #[test]
    fn names_beyond_ascii_come_raw_or_extended() {
        assert_eq!(filename("form-data; filename=\"grün.jpg\"").as_deref(), Some("grün.jpg"));
        assert_eq!(filename("form-data; filename*=utf-8''gr%C3%BCn.jpg").as_deref(), Some("grün.jpg"));
        assert_eq!(
            filename("form-data; filename=\"g.jpg\"; filename*=UTF-8'de'gr%C3%BCn.jpg").as_deref(),
            Some("grün.jpg")
        );
        assert_eq!(filename("form-data; filename=\"g.jpg\"; filename*=broken").as_deref(), Some("g.jpg"));
    }
}
