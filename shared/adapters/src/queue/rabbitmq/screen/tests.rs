//! Frames as producers and brokers may make them, before and after.

use proptest::prelude::*;

use super::*;

fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&[kind, 0, 1][..], &length, payload, &[0xce]].concat()
}

fn short(text: &[u8]) -> Vec<u8> {
    [&[u8::try_from(text.len()).unwrap()][..], text].concat()
}

fn long(kind: u8, bytes: &[u8]) -> Vec<u8> {
    [&[kind][..], &u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

/// A content header with a table of headers, and a type after it.
fn content_header(table: &[u8], message_type: &[u8]) -> Vec<u8> {
    let flags: u16 = 1 << 13 | 1 << 6 | 1 << 5;
    let table = &long(b'F', table)[1..];
    let payload = [&[0, 60, 0, 0][..], &[0; 8], &flags.to_be_bytes(), table, &[0; 8], &short(message_type)].concat();
    frame(CONTENT_HEADER_FRAME, &payload)
}

fn screened(bytes: &[u8]) -> Vec<u8> {
    let mut screen = Screen::default();
    screen.push(bytes).unwrap();
    let mut out = vec![0; bytes.len() + 1];
    let length = screen.take(&mut out);
    out.truncate(length);
    out
}

fn nested(depth: usize) -> Vec<u8> {
    (0..depth).fold(Vec::new(), |table, _| [short(b"k"), long(b'F', &table)].concat())
}

#[test]
fn ordinary_frames_pass_unchanged() {
    let list = [long(b'S', b"\xff"), vec![b'I', 0, 0, 0, 1]].concat();
    let table = [short("grüße".as_bytes()), long(b'A', &list), short(b"v"), vec![b'V'], short(b"n"), nested(3)];
    let table = [&table[..5].concat()[..], &long(b'F', &table[5])].concat();
    for bytes in [
        content_header(&table, b"type"),
        frame(
            METHOD_FRAME,
            &[&[0, 60, 0, 60][..], &short(b"tag"), &[0; 9], &short(b"uploads"), &short(b"a.b")].concat(),
        ),
        frame(METHOD_FRAME, &[0, 10, 0, 10, 0xff]),
        frame(3, &[0xff; 100]),
        frame(8, &[]),
        b"AMQP\0\0\x09\x01".to_vec(),
    ] {
        assert_eq!(screened(&bytes), bytes);
    }
}

#[test]
fn names_become_utf8() {
    let table = [short(b"n\xfcx"), vec![b't', 1]].concat();
    let patched = [short(b"n?x"), vec![b't', 1]].concat();
    assert_eq!(screened(&content_header(&table, b"\xff\xfe")), content_header(&patched, b"??"));

    let deliver =
        |key| frame(METHOD_FRAME, &[&[0, 60, 0, 60][..], &short(b"t"), &[0; 9], &short(b"x"), &short(key)].concat());
    assert_eq!(screened(&deliver(b"caf\xe9")), deliver(b"caf?"));
}

#[test]
fn deep_tables_become_text() {
    // A depth that would take the library more stack than it has.
    let out = screened(&content_header(&nested(20_000), b""));
    let kinds = out.windows(3).filter(|window| window == b"\x01kS").count();
    assert_eq!(kinds, 1, "exactly one table, the first too deep, became text");
    let shallow = content_header(&nested(DEPTH_MAX - 1), b"");
    assert_eq!(screened(&shallow), shallow);
}

#[test]
fn tables_without_sense_become_one_text() {
    for nonsense in [&b"\x01kZ12345678"[..], b"\x01kF\xff\xff\xff\xff1234", b"\xff1234567890", b"\x01kS\0\0\0\xff1"] {
        let out = screened(&content_header(nonsense, b"t"));
        let text = [b"\x01?", &long(b'S', &nonsense[7..])[..]].concat();
        assert_eq!(out, content_header(&text, b"t"), "{nonsense:?}");
    }
}

#[test]
fn a_nested_table_may_not_reach_beyond_its_own() {
    let inner = [short(b"i"), long(b'S', b"reaches beyond")].concat();
    let mut outer = [short(b"o"), long(b'F', &inner), short(b"p"), vec![b'V']].concat();
    // The nested table claims to be two bytes shorter than what is in it.
    outer[6] -= 2;
    assert_ne!(screened(&content_header(&outer, b"t")), content_header(&outer, b"t"));
}

#[test]
fn a_frame_too_long_to_be_true_is_an_error() {
    assert!(Screen::default().push(&[CONTENT_HEADER_FRAME, 0, 1, 0xff, 0xff, 0xff, 0xff]).is_err());
}

proptest! {
    #[test]
    fn any_bytes_keep_their_number_and_any_cut_gives_the_same(
        payloads in prop::collection::vec((1u8..4, prop::collection::vec(any::<u8>(), 0..200)), 0..5),
        cut in 1usize..50,
    ) {
        let bytes: Vec<u8> = payloads.iter().flat_map(|(kind, payload)| frame(*kind, payload)).collect();
        let whole = screened(&bytes);
        prop_assert_eq!(whole.len(), bytes.len());
        let mut screen = Screen::default();
        let mut in_pieces = Vec::new();
        for piece in bytes.chunks(cut) {
            screen.push(piece).unwrap();
            let mut out = [0; 7];
            while let length @ 1.. = screen.take(&mut out) {
                in_pieces.extend_from_slice(&out[..length]);
            }
        }
        prop_assert_eq!(in_pieces, whole);
    }

    #[test]
    fn any_table_of_headers_is_one_that_can_be_walked_afterwards(table in prop::collection::vec(any::<u8>(), 7..300)) {
        let out = screened(&content_header(&table, b"t"));
        // Head of the frame, class, weight, length of the body, flags, length of the table.
        let start = FRAME_HEAD + 2 + 2 + 8 + 2 + 4;
        let mut out = out[start..start + table.len()].to_vec();
        let again = (Fields { bytes: &mut out, at: 0 }).walk_table();
        prop_assert!(again.is_some());
    }
}
