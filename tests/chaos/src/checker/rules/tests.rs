//! A sound end is believed, and each way of spoiling it is found by its rule, and by no other.

use super::*;
use crate::checker::seen::Entry;
use crate::load::plan::{Upload, Way};

const DIGEST: &str = "0123456789abcdef";

/// One upload, accepted, rendered, told.
fn sound() -> (Expected, Seen) {
    let upload = Upload { number: 7, way: Way::Bare, tenant: "acme", content: 3, file: 7, copies: 10 };
    let fresh = PRESETS.into_iter().map(|preset| (preset, Some(DIGEST.to_owned()))).collect();
    let expected = Expected {
        uploads: BTreeMap::from([(7, upload)]),
        accepted: BTreeMap::from([(7, "u7.png".to_owned())]),
        bad: BTreeSet::from([b"bad".to_vec()]),
        fresh: BTreeMap::from([(3, fresh)]),
        deaths: Vec::new(),
    };
    let key = format!("representations/acme/01/{DIGEST}.jpg");
    let row = |preset: &str| Row {
        file_version_id: 1,
        preset: preset.to_owned(),
        state: "success".to_owned(),
        blob: Some(key.clone()),
        ..Row::default()
    };
    let version =
        Version { id: 1, file_id: 1, name: "u7.png".to_owned(), source_blob: None, current_version_id: Some(1) };
    let entry = |kind: &str| Entry {
        file_version_id: 1,
        at: 1,
        kind: kind.to_owned(),
        claim: Some("a".to_owned()),
        presets: PRESETS.join(","),
    };
    let told = |preset: &str| ("representation.success".to_owned(), 1, preset.to_owned());
    let completed = ("file_version.completed".to_owned(), 1, String::new());
    let seen = Seen {
        versions: vec![version],
        rows: PRESETS.into_iter().map(row).collect(),
        entries: vec![entry("claimed"), entry("success")],
        parked: expected.bad.clone(),
        told: PRESETS.into_iter().map(told).chain([completed]).collect(),
        blobs: BTreeMap::from([(key, DIGEST.to_owned())]),
        ..Seen::default()
    };
    (expected, seen)
}

fn broken(spoil: impl FnOnce(&mut Expected, &mut Seen)) -> BTreeSet<Rule> {
    let (mut expected, mut seen) = sound();
    spoil(&mut expected, &mut seen);
    judge(&expected, &seen).into_iter().map(|violation| violation.rule).collect()
}

#[test]
fn a_sound_end_has_no_violations() {
    assert_eq!(broken(|_, _| {}), BTreeSet::new());
}

#[test]
fn every_way_of_spoiling_it_is_found_by_its_rule() {
    let only = |rule| BTreeSet::from([rule]);
    let upload = |number: u32| Upload { number, way: Way::Api, tenant: "acme", content: 9, file: number, copies: 1 };
    assert_eq!(
        broken(|expected, _| {
            expected.accepted.insert(8, "u8.png".into());
        }),
        only(Rule::AcceptedHasRows)
    );
    assert_eq!(
        broken(|_, seen| {
            seen.rows.pop();
        }),
        only(Rule::AcceptedHasRows)
    );
    assert_eq!(
        broken(|_, seen| {
            let twice = Version { id: 2, current_version_id: Some(2), file_id: 2, ..seen.versions[0].clone() };
            seen.versions.push(twice);
        }),
        only(Rule::AcceptedHasRows)
    );
    assert_eq!(
        broken(|expected, _| {
            expected.accepted.clear();
            expected.uploads.clear();
        }),
        only(Rule::NothingElseHasRows)
    );
    assert_eq!(broken(|_, seen| seen.rows[0].code = Some("corrupt_source".into())), only(Rule::EveryRowHasEnded));
    assert_eq!(broken(|_, seen| seen.rows[0].lease_token = Some("a".into())), only(Rule::EveryRowHasEnded));
    assert_eq!(broken(|_, seen| seen.blobs.clear()), only(Rule::SuccessIsReadable));
    assert_eq!(
        broken(|_, seen| seen.blobs.values_mut().for_each(|digest| *digest = "other".into())),
        only(Rule::SuccessIsReadable)
    );
    assert_eq!(
        broken(|expected, _| {
            expected.fresh.entry(3).or_default().insert(PRESETS[0], None);
        }),
        only(Rule::RowEqualsFreshRender)
    );
    assert_eq!(
        broken(|_, seen| {
            seen.blobs.insert("sources/x".into(), "x".into());
        }),
        only(Rule::NoOrphans)
    );
    assert_eq!(
        broken(|_, seen| {
            seen.condemned.insert("sources/x".into());
        }),
        only(Rule::NoOrphans)
    );
    assert_eq!(
        broken(|_, seen| {
            seen.told.pop_first();
        }),
        only(Rule::EveryEndWasTold)
    );
    assert_eq!(broken(|_, seen| seen.untold = 1), only(Rule::EveryEndWasTold));
    assert_eq!(
        broken(|_, seen| {
            seen.queues.insert("q".into(), 1);
        }),
        only(Rule::QueuesAreEmpty)
    );
    assert_eq!(broken(|_, seen| seen.parked.clear()), only(Rule::ParkedIsWhatIsBad));
    assert_eq!(
        broken(|_, seen| {
            seen.parked.insert(b"good".to_vec());
        }),
        only(Rule::ParkedIsWhatIsBad)
    );
    assert_eq!(broken(|_, seen| seen.versions[0].current_version_id = None), only(Rule::NewestIsShown));
    assert_eq!(broken(|_, seen| seen.entries[1].claim = Some("b".into())), only(Rule::OnlyHoldersSettle));
    assert_eq!(broken(|expected, _| expected.deaths.push("worker0".into())), only(Rule::NoProcessEnds));
    assert_eq!(
        broken(|expected, _| {
            expected.uploads.insert(9, upload(9));
        }),
        BTreeSet::new(),
        "sent, not accepted"
    );
}

#[test]
fn a_row_that_waits_breaks_what_it_should() {
    let found = broken(|_, seen| seen.rows[0].state = "pending".into());
    assert!(found.contains(&Rule::EveryRowHasEnded) && found.contains(&Rule::RowEqualsFreshRender), "{found:?}");
}

/// The same, with the first row's bytes at 2..5 of a pack.
fn pack(seen: &mut Seen) {
    let row = &mut seen.rows[0];
    row.blob = Some("packs/acme/ff/ffee".into());
    (row.packed_name, row.packed_offset, row.length_bytes) = (Some(format!("{DIGEST}.jpg")), Some(2), Some(3));
    let part = seen.rows[0].part().unwrap();
    assert_eq!((part.from, part.to), (2, 5));
    seen.parts.insert(part, DIGEST.into());
    seen.blobs.insert("packs/acme/ff/ffee".into(), "ffee".into());
}

#[test]
fn what_is_in_a_pack_is_judged_by_its_part() {
    let packed = |spoil: fn(&mut Seen)| {
        broken(|_, seen| {
            pack(seen);
            spoil(seen);
        })
    };
    assert_eq!(packed(|_| {}), BTreeSet::new());
    let unreadable = BTreeSet::from([Rule::SuccessIsReadable]);
    assert_eq!(packed(|seen| seen.parts.clear()), unreadable);
    assert_eq!(packed(|seen| seen.parts.values_mut().for_each(|digest| *digest = "ffee".into())), unreadable);
    assert_eq!(packed(|seen| seen.rows[0].packed_offset = None), unreadable);
    assert_eq!(packed(|seen| seen.blobs.insert("packs/acme/ff/ffee".into(), "00".into()).map_or((), drop)), unreadable);
    let orphans = packed(|seen| seen.blobs.insert("packs/acme/00/00".into(), "00".into()).map_or((), drop));
    assert_eq!(orphans, BTreeSet::from([Rule::NoOrphans]));
    let other = packed(|seen| {
        let (row, bytes) = (&mut seen.rows[0], "0000");
        row.packed_name = Some(format!("{bytes}.jpg"));
        seen.parts.values_mut().for_each(|digest| *digest = bytes.into());
    });
    assert_eq!(other, BTreeSet::from([Rule::RowEqualsFreshRender]));
}
