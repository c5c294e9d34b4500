//! What producers write into frames is made harmless before the AMQP library parses it.
//!
//! AMQP says that names are UTF-8 and does not say how deep tables may nest; brokers look at neither. The library ends
//! the connection over the first, and recurses without a bound into the second, so that a message of a few kilobytes
//! would end the process. Everything is patched in place: no length changes, and bodies are never touched.

use std::io;

/// Header tables and lists nested deeper are handed on as text.
const DEPTH_MAX: usize = 16;
/// Longest frame that is believed; brokers' frames hold 128 KiB, and headers a little more at most.
const FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Bytes before the payload of a frame: type, channel, length.
const FRAME_HEAD: usize = 7;
/// The byte after the payload.
const FRAME_END: usize = 1;
const METHOD_FRAME: u8 = 1;
const CONTENT_HEADER_FRAME: u8 = 2;
/// Class and method of `basic.deliver`.
const DELIVER: (u16, u16) = (60, 60);

/// Takes bytes as they come from the broker and gives out whole frames, screened.
#[derive(Default)]
pub(super) struct Screen {
    /// The beginning of a frame that has not come whole yet.
    partial: Vec<u8>,
    screened: Vec<u8>,
    /// How much of `screened` was given out.
    given: usize,
}

impl Screen {
    /// Takes what came.
    pub(super) fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.given == self.screened.len() {
            self.screened.clear();
            self.given = 0;
        }
        self.partial.extend_from_slice(bytes);
        let mut at = 0;
        while let Some(length) = frame_length(&self.partial[at..])? {
            let frame = &mut self.partial[at..at + length];
            screen_frame(frame);
            self.screened.extend_from_slice(frame);
            at += length;
        }
        self.partial.drain(..at);
        Ok(())
    }

    /// Gives out as much as there is and fits; how many bytes.
    pub(super) fn take(&mut self, into: &mut [u8]) -> usize {
        let length = into.len().min(self.screened.len() - self.given);
        into[..length].copy_from_slice(&self.screened[self.given..self.given + length]);
        self.given += length;
        length
    }
}

/// The length of the frame at the beginning, when it is there as a whole.
fn frame_length(bytes: &[u8]) -> io::Result<Option<usize>> {
    let Some(head) = bytes.first_chunk::<FRAME_HEAD>() else { return Ok(None) };
    if head.starts_with(b"AMQP") {
        // A broker that speaks another version answers with its own in eight bytes, and hangs up.
        return Ok(Some(8).filter(|length| bytes.len() >= *length));
    }
    let payload = u32::from_be_bytes([head[3], head[4], head[5], head[6]]) as usize;
    if payload > FRAME_BYTES_MAX {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("the broker announces a frame of {payload} bytes"),
        ));
    }
    Ok(Some(FRAME_HEAD + payload + FRAME_END).filter(|length| bytes.len() >= *length))
}

/// What is malformed beyond repair is left to the library, which answers it with an error.
fn screen_frame(frame: &mut [u8]) {
    let kind = frame[0];
    let payload_end = frame.len() - FRAME_END;
    let Some(payload) = frame.get_mut(FRAME_HEAD..payload_end) else { return };
    let mut fields = Fields { bytes: payload, at: 0 };
    let _ = match kind {
        METHOD_FRAME => screen_method(&mut fields),
        CONTENT_HEADER_FRAME => screen_properties(&mut fields),
        _ => None,
    };
}

/// The routing key of a delivery is the producer's.
fn screen_method(fields: &mut Fields<'_>) -> Option<()> {
    if (fields.u16()?, fields.u16()?) != DELIVER {
        return None;
    }
    fields.short_string()?; // consumer tag
    fields.skip(8 + 1)?; // delivery tag, redelivered
    fields.short_string()?; // exchange
    fields.short_string() // routing key
}

/// All properties are the producer's: first the flags that say which are there, then those, in this order.
fn screen_properties(fields: &mut Fields<'_>) -> Option<()> {
    const CONTENT_TYPE_AND_ENCODING: [u16; 2] = [1 << 15, 1 << 14];
    const HEADERS: u16 = 1 << 13;
    const DELIVERY_MODE_AND_PRIORITY: [u16; 2] = [1 << 12, 1 << 11];
    const CORRELATION_ID_TO_MESSAGE_ID: [u16; 4] = [1 << 10, 1 << 9, 1 << 8, 1 << 7];
    const TIMESTAMP: u16 = 1 << 6;
    const TYPE_TO_CLUSTER_ID: [u16; 4] = [1 << 5, 1 << 4, 1 << 3, 1 << 2];

    fields.skip(2 + 2 + 8)?; // class, weight, length of the body
    let flags = fields.u16()?;
    let present = |flag: &u16| flags & flag != 0;
    for _ in CONTENT_TYPE_AND_ENCODING.iter().filter(|flag| present(flag)) {
        fields.short_string()?;
    }
    if present(&HEADERS) {
        fields.header_table()?;
    }
    fields.skip(DELIVERY_MODE_AND_PRIORITY.iter().filter(|flag| present(flag)).count())?;
    for _ in CORRELATION_ID_TO_MESSAGE_ID.iter().filter(|flag| present(flag)) {
        fields.short_string()?;
    }
    fields.skip(if present(&TIMESTAMP) { 8 } else { 0 })?;
    for _ in TYPE_TO_CLUSTER_ID.iter().filter(|flag| present(flag)) {
        fields.short_string()?;
    }
    Some(())
}

/// Reads fields one after the other, and patches them. `None`: they end too early, or make no sense.
struct Fields<'a> {
    bytes: &'a mut [u8],
    at: usize,
}

impl Fields<'_> {
    fn take(&mut self, length: usize) -> Option<&mut [u8]> {
        let start = self.at;
        self.at = start.checked_add(length).filter(|end| *end <= self.bytes.len())?;
        self.bytes.get_mut(start..self.at)
    }

    fn skip(&mut self, length: usize) -> Option<()> {
        self.take(length).map(drop)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn length(&mut self) -> Option<usize> {
        self.take(4).map(|bytes| u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize)
    }

    /// A string of at most 255 bytes, which must be UTF-8.
    fn short_string(&mut self) -> Option<()> {
        let length = self.u8()?;
        self.take(length.into()).map(make_utf8)
    }

    /// The table of headers: walked through, or blanked when it can't be.
    fn header_table(&mut self) -> Option<()> {
        let length = self.length()?;
        let table = self.take(length)?;
        if (Fields { bytes: table, at: 0 }).walk_table().is_none() {
            blank(table);
        }
        Some(())
    }

    /// Walks through the entries of a table and of what is nested in it; without recursion, which is the point.
    fn walk_table(&mut self) -> Option<()> {
        // Where each open table or list ends, and whether its entries have names.
        let mut open = vec![(self.bytes.len(), true)];
        while let Some((end, named)) = open.last().copied() {
            if self.at == end {
                open.pop();
                continue;
            }
            if named {
                self.short_string()?;
            }
            let kind_at = self.at;
            let kind = self.u8()?;
            match kind {
                b'V' => {}
                b't' | b'b' | b'B' => self.skip(1)?,
                b's' | b'u' | b'U' => self.skip(2)?,
                b'I' | b'i' | b'f' => self.skip(4)?,
                b'D' => self.skip(5)?,
                b'L' | b'l' | b'd' | b'T' => self.skip(8)?,
                b'S' | b'x' => {
                    let length = self.length()?;
                    self.skip(length)?;
                }
                b'F' | b'A' => {
                    let length = self.length()?;
                    if open.len() < DEPTH_MAX {
                        open.push((self.at.checked_add(length)?, kind == b'F'));
                    } else {
                        // Text has the same layout: a length and bytes.
                        self.bytes[kind_at] = b'S';
                        self.skip(length)?;
                    }
                }
                _ => return None,
            }
            // Nothing may reach beyond what it is in.
            if self.at > end || open.last().is_some_and(|(inner, _)| *inner > end) {
                return None;
            }
        }
        Some(())
    }
}

/// Replaces what is not UTF-8, byte by byte.
fn make_utf8(mut bytes: &mut [u8]) {
    while let Err(error) = std::str::from_utf8(bytes) {
        let (start, length) = (error.valid_up_to(), error.error_len().unwrap_or(bytes.len() - error.valid_up_to()));
        bytes[start..start + length].fill(b'?');
        bytes = &mut bytes[start + length..];
    }
}

/// Makes one entry of text out of a table that makes no sense. One too short for that is left as it is: the library
/// refuses it, the connection ends, and the broker gives up on the message after some deliveries.
fn blank(table: &mut [u8]) {
    const HEAD: usize = 2 + 1 + 4;
    let Some(text) = table.len().checked_sub(HEAD).and_then(|length| u32::try_from(length).ok()) else { return };
    table[..3].copy_from_slice(b"\x01?S");
    table[3..HEAD].copy_from_slice(&text.to_be_bytes());
}

#[cfg(test)]
mod tests;
