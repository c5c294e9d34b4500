//! What clients paint before a picture has loaded: a ThumbHash and the dominant colour.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::event::base64;

/// Both are made of page 1 as it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Placeholder {
    /// A blurred picture in about 25 bytes.
    pub thumbhash: ThumbHash,
    /// The colour that most of the picture has.
    pub dominant_color: Colour,
}

/// An sRGB colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Colour(
    /// Red, green, blue.
    pub [u8; 3],
);

/// A ThumbHash: luma, two chromas and opacity as a few cosines each, by the public definition of the format.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ThumbHash {
    bytes: [u8; ThumbHash::BYTES_MAX],
    length: u8,
}

impl ThumbHash {
    /// The longest one: square, with opacity.
    pub const BYTES_MAX: usize = 25;

    /// `None` unless the length is the one that the header calls for.
    pub fn new(hash: &[u8]) -> Option<Self> {
        if expected_length(hash)? != hash.len() {
            return None;
        }
        let mut bytes = [0; Self::BYTES_MAX];
        bytes.get_mut(..hash.len())?.copy_from_slice(hash);
        Some(Self { bytes, length: hash.len() as u8 })
    }

    /// The hash.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    /// Cosines of a channel with so many steps across and down, without the constant one: a triangle, because fine
    /// detail in both directions at once matters least.
    pub fn cosines(across: usize, down: usize) -> impl Iterator<Item = (usize, usize)> {
        let row = move |y: usize| (0..across).take_while(move |x| x * down < across * (down - y)).map(move |x| (x, y));
        (0..down).flat_map(row).skip(1)
    }
}

/// The length that these first bytes announce.
fn expected_length(hash: &[u8]) -> Option<usize> {
    let header: &[u8; 5] = hash.first_chunk()?;
    let has_alpha = header[2] & 0x80 != 0;
    let (short, is_landscape) = (usize::from(header[3] & 7), header[4] & 0x80 != 0);
    let long = if has_alpha { 5 } else { 7 };
    let (across, down) = if is_landscape { (long, short) } else { (short, long) };
    let luma = ThumbHash::cosines(across.max(3), down.max(3)).count();
    let chroma = 2 * ThumbHash::cosines(3, 3).count();
    let opacity = if has_alpha { ThumbHash::cosines(5, 5).count() } else { 0 };
    Some(header.len() + usize::from(has_alpha) + (luma + chroma + opacity).div_ceil(2))
}

impl fmt::Display for ThumbHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64::encode(self.as_bytes()))
    }
}

impl fmt::Debug for ThumbHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ThumbHash({self})")
    }
}

impl FromStr for ThumbHash {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        base64::decode(text).and_then(|bytes| Self::new(&bytes)).ok_or_else(|| format!("{text:?} is not a ThumbHash"))
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [r, g, b] = self.0;
        write!(f, "#{r:02x}{g:02x}{b:02x}")
    }
}

impl FromStr for Colour {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix('#').filter(|hex| hex.len() == 6 && hex.bytes().all(|b| b.is_ascii_hexdigit()));
        let value = digits.and_then(|hex| u32::from_str_radix(hex, 16).ok());
        let [_, r, g, b] = value.ok_or_else(|| format!("{text:?} is not a colour like #ffffff"))?.to_be_bytes();
        Ok(Self([r, g, b]))
    }
}

impl TryFrom<String> for ThumbHash {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<ThumbHash> for String {
    fn from(hash: ThumbHash) -> Self {
        hash.to_string()
    }
}

impl TryFrom<String> for Colour {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Colour> for String {
    fn from(colour: Colour) -> Self {
        colour.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the format's own page.
    const PUBLISHED: &str = "1QcSHQRnh493V4dIh4eXh1h4kJUI";

    #[test]
    fn a_published_hash_reads_back() {
        let hash: ThumbHash = PUBLISHED.parse().unwrap();
        assert_eq!(hash.to_string(), PUBLISHED);
        assert_eq!(hash.as_bytes().len(), 21);
    }

    #[test]
    fn a_length_that_the_header_contradicts_is_refused() {
        let bytes = base64::decode(PUBLISHED).unwrap();
        for length in 0..bytes.len() {
            assert_eq!(ThumbHash::new(&bytes[..length]), None, "{length}");
        }
        assert_eq!(ThumbHash::new(&[bytes.as_slice(), &[0]].concat()), None);
        assert_eq!(ThumbHash::new(&[0xff; 64]), None);
    }

    #[test]
    fn the_longest_one_has_opacity_and_seven_steps() {
        let opaque_square = expected_length(&[0, 0, 0, 7, 0]);
        let clear_square = expected_length(&[0, 0, 0x80, 5, 0]);
        assert_eq!((opaque_square, clear_square), (Some(24), Some(ThumbHash::BYTES_MAX)));
    }

    #[test]
    fn colours_are_written_as_on_the_web() {
        assert_eq!(Colour([0, 127, 255]).to_string(), "#007fff");
        assert_eq!("#007FFF".parse(), Ok(Colour([0, 127, 255])));
        for bad in ["", "#fff", "007fff", "#007ff+", "#007fff0"] {
            assert!(bad.parse::<Colour>().is_err(), "{bad:?}");
        }
    }
}
