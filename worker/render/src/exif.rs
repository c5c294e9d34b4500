//! Reads the one thing of EXIF that decides pixels: the orientation. Everything else in it is ignored and never kept.

use crate::orient::Orientation;

/// The orientation tag of TIFF and EXIF.
const ORIENTATION: u16 = 274;
/// The type of an unsigned 16-bit value.
const SHORT: u16 = 3;
/// More entries than any real first directory has.
const ENTRIES_MAX: usize = 512;

/// The orientation in the first directory of an EXIF block (which is a small TIFF), with or without the `Exif\0\0` in
/// front. Only that directory is read and no pointer in it is followed, so loops and lying counts cannot matter.
/// Whatever is damaged or undefined is the normal orientation, as every viewer does.
pub(crate) fn orientation(block: &[u8]) -> Orientation {
    let block = block.strip_prefix(b"Exif\0\0").unwrap_or(block);
    find(block).map_or(Orientation::NORMAL, Orientation::from_exif)
}

fn find(block: &[u8]) -> Option<u16> {
    let little = match block.get(..4)? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let short = |at: usize| {
        let bytes: [u8; 2] = block.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    };
    let offset: [u8; 4] = block.get(4..8)?.try_into().ok()?;
    let directory = if little { u32::from_le_bytes(offset) } else { u32::from_be_bytes(offset) } as usize;
    let entries = usize::from(short(directory)?).min(ENTRIES_MAX);
    let places = (0..entries).map(|index| directory + 2 + index * 12);
    places
        .take_while(|place| place + 12 <= block.len())
        .find(|place| short(*place) == Some(ORIENTATION) && short(place + 2) == Some(SHORT))
        .and_then(|place| short(place + 8))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An EXIF block that says nothing but the orientation.
    pub(crate) fn block(orientation: u16) -> Vec<u8> {
        let mut block = b"MM\0*\0\0\0\x08\0\x01".to_vec();
        block.extend([0x01, 0x12, 0, 3, 0, 0, 0, 1]);
        block.extend(orientation.to_be_bytes());
        block.extend([0, 0, 0, 0, 0, 0]);
        block
    }

    #[test]
    fn reads_both_byte_orders_and_both_beginnings() {
        assert_eq!(orientation(&block(6)), Orientation::from_exif(6));
        assert_eq!(orientation(&[b"Exif\0\0".as_slice(), &block(3)].concat()), Orientation::from_exif(3));
        let little = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x08\0\0\0\0\0\0\0";
        assert_eq!(orientation(little), Orientation::from_exif(8));
    }

    #[test]
    fn what_is_damaged_is_normal() {
        assert_eq!(orientation(&block(0)), Orientation::NORMAL);
        assert_eq!(orientation(&block(9)), Orientation::NORMAL);
        assert_eq!(orientation(b"MM\0*\xff\xff\xff\xff"), Orientation::NORMAL);
        assert_eq!(orientation(&block(6)[..18]), Orientation::NORMAL);
        assert_eq!(orientation(b""), Orientation::NORMAL);
    }
}
