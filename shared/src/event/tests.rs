//! Messages as producers send them, good and bad, through [`read`].

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::domain::access::Access;
use crate::domain::file::{NewAccess, VersionIdentity, VersionOrder, normal_sequence};
use crate::domain::file_change::Deleted;
use crate::domain::ids::Sha256Digest;
use crate::domain::lane::Lane;
use crate::domain::source::{AllowedBucket, OwnBlobs, SourceLocation};

fn buckets() -> AllowedBuckets {
    let bucket = |tenant: &str, default_access| {
        let own = OwnBlobs { source_prefix: "in/".to_owned(), blobs_prefix: "in/blobs/".to_owned() };
        AllowedBucket { tenant: tenant.parse().unwrap(), default_access, own_blobs: Some(own) }
    };
    AllowedBuckets::new([
        ("uploads".to_owned(), bucket("acme", None)),
        ("public".to_owned(), bucket("acme", Some(Access::anonymous()))),
    ])
}

fn read_bytes(body: &[u8], content_type: Option<&str>) -> Intake {
    let message =
        Message { body: body.to_vec().into(), content_type: content_type.map(str::to_owned), ..Message::default() };
    read(&message, &buckets(), &PresetTable::built_in())
}

fn read_json(event: &Value) -> Intake {
    read_bytes(event.to_string().as_bytes(), None)
}

/// The smallest bare event with these fields added or replaced.
fn with(fields: Value) -> Value {
    let mut event = json!({"bucket": "uploads", "key": "a/b.jpg"});
    if let (Value::Object(event), Value::Object(fields)) = (&mut event, fields) {
        event.extend(fields);
    }
    event
}

fn only(intake: Intake) -> Meaning {
    let mut meanings = intake.meanings;
    assert_eq!(meanings.len(), 1, "{meanings:?}");
    meanings.remove(0)
}

fn access(json: Value) -> Access {
    serde_json::from_value(json).unwrap()
}

fn registered(intake: Intake) -> NewFileVersion {
    match only(intake) {
        Meaning::Register(new) => *new,
        other => panic!("not registered: {other:?}"),
    }
}

fn deleted(intake: Intake) -> FileDeletion {
    match only(intake) {
        Meaning::Delete(deletion) => deletion,
        other => panic!("not deleted: {other:?}"),
    }
}

fn ignored(intake: Intake) -> String {
    match only(intake) {
        Meaning::Ignore(reason) => reason,
        other => panic!("not ignored: {other:?}"),
    }
}

fn parked(intake: Intake) -> ParkingReason {
    match only(intake) {
        Meaning::Park(reason) => reason,
        other => panic!("not parked: {other:?}"),
    }
}

#[test]
fn the_smallest_bare_event_takes_everything_else_from_the_configuration() {
    let intake = read_json(&with(json!({})));
    assert_eq!(intake.dialect, Dialect::Bare);
    let new = registered(intake);
    assert_eq!(new.tenant.as_str(), "acme");
    assert_eq!(new.file_identity, "s3://uploads/a/b.jpg");
    assert_eq!(new.version_identity, VersionIdentity::ByDigest(None));
    assert_eq!(new.order, VersionOrder::default());
    assert_eq!((new.name.as_str(), new.lane), ("b.jpg", Lane::Normal));
    assert_eq!((new.access, new.parent), (NewAccess::Default(None), None));
    assert_eq!(new.source, SourceLocation::Bucket { bucket: "uploads".into(), key: "a/b.jpg".into(), version: None });
    assert_eq!(new.wanted.len(), 5);
}

#[test]
fn every_field_of_the_complete_sample_arrives() {
    let new = registered(read_bytes(include_bytes!("../../../docs/events/samples/bare.json"), None));
    assert_eq!(new.file_identity, "id:asset-8812");
    assert_eq!(new.version_identity, VersionIdentity::Named("version_id:3".into()));
    assert_eq!(new.order.sequence.unwrap(), normal_sequence("3"));
    assert_eq!(new.order.occurred_at, Some(1_773_480_413_589));
    assert_eq!((new.name.as_str(), new.parent.as_deref()), ("Lisbon at night.jpg", Some("TRAVEL-17")));
    assert_eq!((new.declared.size, new.declared.content_type.as_deref()), (Some(4_812_331), Some("image/jpeg")));
    assert_eq!(new.declared.sha256, Some(Sha256Digest::of(b"abc")));
    assert_eq!(new.access, NewAccess::Declared(access(json!([["user:42", "group:editors"]]))));
    assert_eq!(new.sha1, None);
}

#[test]
fn a_cloud_event_is_the_same_event_in_an_envelope() {
    let data = with(json!({"version_id": "v1"}));
    let event = json!({"specversion": "1.0", "id": "1", "source": "/x", "type": fact::UPLOADED, "data": data});
    let intake = read_json(&event);
    assert_eq!(intake.dialect, Dialect::CloudEvents);
    assert_eq!(intake.meanings, read_json(&data).meanings);
}

#[test]
fn a_cloud_event_is_recognised_by_its_content_type_too() {
    let intake = read_bytes(br#"{"id":"1"}"#, Some("Application/CloudEvents+JSON; charset=utf-8"));
    assert_eq!(intake.dialect, Dialect::CloudEvents);
    assert_eq!(parked(intake).reason, "the field \"specversion\" is missing; the event needs it");
}

#[test]
fn data_in_base64_is_read_and_the_envelopes_time_stands_in() {
    // {"bucket":"uploads","key":"k"}
    let encoded = "eyJidWNrZXQiOiJ1cGxvYWRzIiwia2V5IjoiayJ9";
    let mut event = json!({"specversion": "1.0", "id": "1", "source": "/x", "type": fact::UPLOADED, "data_base64": encoded,
        "time": "1970-01-01T01:00:00.5+01:00"});
    assert_eq!(registered(read_json(&event)).order.occurred_at, Some(500));
    for bad in [json!("%%%"), json!("Zm9v"), json!(7), json!("WzFd")] {
        event["data_base64"] = bad;
        let reason = parked(read_json(&event));
        assert!(reason.code == "invalid_field" && reason.reason.contains("data_base64"), "{}", reason.reason);
    }
    event["data_base64"] = json!(encoded);
    event["data"] = with(json!({}));
    assert_eq!(parked(read_json(&event)).code, "invalid_field");
}

#[test]
fn versions_are_told_apart_by_the_first_name_they_have() {
    let identity = |fields| match registered(read_json(&with(fields))).version_identity {
        VersionIdentity::Named(name) => name,
        VersionIdentity::ByDigest(_) => "by digest".to_owned(),
    };
    assert_eq!(identity(json!({"version_id": "7", "sequence": 7, "etag": "e"})), "version_id:7");
    assert_eq!(identity(json!({"sequence": 7, "etag": "e"})), "sequence:7");
    assert_eq!(identity(json!({"sequence": "7"})), identity(json!({"sequence": 7.0})));
    assert_eq!(identity(json!({"etag": "\"e\""})), identity(json!({"etag": "e"})));
    assert_eq!(identity(json!({"etag": "\"\""})), "by digest");
}

#[test]
fn a_source_id_that_looks_like_a_place_is_another_file() {
    let by_id = registered(read_json(&with(json!({"source_id": "s3://uploads/a/b.jpg"}))));
    assert_ne!(by_id.file_identity, registered(read_json(&with(json!({})))).file_identity);
}

#[test]
fn access_comes_from_the_event_else_from_the_bucket() {
    let of = |fields| registered(read_json(&with(fields))).access;
    assert_eq!(of(json!({"bucket": "public"})), NewAccess::Default(Some(Access::anonymous())));
    let declared = of(json!({"bucket": "public", "access": [["user:1"]]}));
    assert_eq!(declared, NewAccess::Declared(access(json!([["user:1"]]))));
    assert_eq!(of(json!({})), NewAccess::Default(None));
}

#[test]
fn presets_follow_the_declared_format() {
    let own = crate::domain::preset::Preset {
        name: "for_png".parse().unwrap(),
        sources: [crate::domain::format::SourceFormat::Png].into(),
        ..PresetTable::built_in().get("jpg_320x320").unwrap().clone()
    };
    let presets = PresetTable::new(vec![own]).unwrap();
    let wanted = |fields| {
        let message = Message { body: with(fields).to_string().into(), ..Message::default() };
        registered(read(&message, &buckets(), &presets)).wanted.len()
    };
    assert_eq!(wanted(json!({})), 5);
    assert_eq!(wanted(json!({"name": "b.png"})), 6);
    assert_eq!(wanted(json!({"key": "b", "content_type": "image/png"})), 6);
}

#[test]
fn what_cannot_be_understood_is_parked_with_a_code() {
    let cases: [(&[u8], &str); 12] = [
        (b"", "not_json"),
        (b"{", "not_json"),
        (b"{}{}", "not_json"),
        (b"{\"bucket\":\"\xff\"}", "not_json"),
        (b"\x1f\x8b\x08", "not_json"),
        (b"[]", "not_an_object"),
        (b"\"uploads\"", "not_an_object"),
        (b"{}", "missing_field"),
        (b"{\"bucket\":\"uploads\",\"key\":null}", "missing_field"),
        (b"{\"bucket\":\"uploads\",\"key\":\"a\\u0000b\"}", "invalid_field"),
        (b"{\"Records\":7}", "invalid_field"),
        (b"{\"bucket\":\"other\",\"key\":\"k\"}", "unknown_bucket"),
    ];
    for (body, code) in cases {
        assert_eq!(parked(read_bytes(body, None)).code, code, "{}", String::from_utf8_lossy(body));
    }
    assert_eq!(parked(read_bytes("[".repeat(100_000).as_bytes(), None)).code, "not_json");
}

#[test]
fn absurd_values_are_parked_and_say_which() {
    const UPLOADED: &str = "thumbline.file.uploaded";
    const DELETED: &str = "thumbline.file.deleted";
    const ACCESS: &str = "thumbline.access.changed";
    let cases = [
        (UPLOADED, "size", json!(-1)),
        (UPLOADED, "size", json!(1.5)),
        (UPLOADED, "size", json!(9_007_199_254_740_992_u64)),
        (UPLOADED, "size", json!("12")),
        (UPLOADED, "sequence", json!(-1)),
        (UPLOADED, "sequence", json!(1e300)),
        (DELETED, "sequence", json!("")),
        (UPLOADED, "occurred_at", json!("yesterday")),
        (DELETED, "occurred_at", json!("99999-01-01T00:00:00Z")),
        (DELETED, "occurred_at", json!(1_700_000_000)),
        (UPLOADED, "tenant", json!("../other")),
        (DELETED, "tenant", json!(".hidden")),
        (ACCESS, "tenant", json!(7)),
        (UPLOADED, "sha256", json!("abc")),
        (UPLOADED, "lane", json!("heavy")),
        (UPLOADED, "access", json!([["root"]])),
        (ACCESS, "access", json!({"user": 1})),
    ];
    for (kind, field, value) in cases {
        let data = with(json!({ field: value }));
        let event = json!({"specversion": "1.0", "id": "1", "source": "/x", "type": kind, "data": data});
        let reason = parked(read_json(&event));
        assert_eq!(reason.code, "invalid_field", "{event}");
        assert!(reason.reason.contains(&format!("{field:?}")), "{event}: {}", reason.reason);
    }
    // Beyond what a number can be, it is no JSON.
    assert_eq!(parked(read_bytes(br#"{"bucket":"uploads","key":"k","size":1e999}"#, None)).code, "not_json");
}

#[test]
fn a_key_that_climbs_stays_a_key() {
    for key in ["../../etc/passwd", "/etc/passwd", "a/../../b", "..", "%2e%2e/x", "..\\x"] {
        let new = registered(read_json(&with(json!({ "key": key }))));
        assert_eq!(
            new.source,
            SourceLocation::Bucket { bucket: "uploads".to_owned(), key: key.to_owned(), version: None }
        );
        assert!(!new.name.contains('/') && new.name != "..", "{key}: {}", new.name);
    }
    let foreign = |bucket: &str| parked(read_json(&with(json!({ "bucket": bucket })))).code;
    for bucket in ["other", "uploads/../other", "../uploads", "UPLOADS"] {
        assert_eq!(foreign(bucket), "unknown_bucket", "{bucket}");
    }
}

#[test]
fn a_message_may_be_as_long_as_the_limit() {
    let padded = |length: usize| {
        let mut body = br#"{"bucket":"uploads","key":"k"}"#.to_vec();
        body.resize(length, b' ');
        read_bytes(&body, None)
    };
    registered(padded(MESSAGE_BYTES_MAX));
    assert_eq!(parked(padded(MESSAGE_BYTES_MAX + 1)).code, "too_long");
}

#[test]
fn bounds_are_bytes_not_characters() {
    let reason = |fields| parked(read_json(&with(fields)));
    registered(read_json(&with(json!({"source_id": "ü".repeat(256), "key": "ü".repeat(512)}))));
    assert_eq!(reason(json!({"source_id": "ü".repeat(257)})).code, "invalid_field");
    assert_eq!(reason(json!({"key": "ü".repeat(513)})).code, "invalid_field");
}

#[test]
fn types_that_are_not_ours_are_parked_in_an_envelope_and_overlooked_without() {
    let of_type = |event_type: Value| {
        parked(read_json(
            &json!({"specversion": "1.0", "id": "1", "source": "/x", "type": event_type, "data": with(json!({}))}),
        ))
    };
    assert_eq!(of_type(json!("com.example.sold")).code, "unknown_type");
    assert_eq!(of_type(json!(1)).code, "invalid_field");
    registered(read_json(&with(json!({"type": "holiday photo"}))));
}

#[test]
fn reasons_name_the_field_the_value_and_what_would_be_right() {
    let reason = |event: Value| parked(read_json(&event)).reason;
    assert_eq!(
        reason(with(json!({"size": -5}))),
        "the field \"size\" is not usable: -5: a whole number of bytes from 0 to 9007199254740991 is right"
    );
    assert_eq!(
        reason(with(json!({"bucket": "other"}))),
        "the bucket \"other\" is not configured; allowed: public, uploads; \
         add a table [[sources]] for it, or correct the event"
    );
    assert_eq!(reason(json!({"specversion": "0.3"})), "specversion is \"0.3\", only CloudEvents \"1.0\" is read");
    let long = reason(with(json!({"tenant": "x".repeat(100_000), "access": [["y".repeat(100_000)]]})));
    assert!(long.chars().count() <= 500 && long.contains("\"tenant\"") && long.contains("xxx…"), "{long}");
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_parked_and_never_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(matches!(&read_bytes(&body, None).meanings[..], [Meaning::Park(_)]));
    }

    #[test]
    fn arbitrary_values_in_any_field_never_panic(
        field in "(tenant|source_id|version_id|sequence|bucket|key|name|size|content_type|etag|sha256|occurred_at)|\
                  (parent|access|lane|type|specversion)",
        value in prop_oneof![
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "\\PC{0,40}".prop_map(Value::from),
            "[0-9TZ:.+-]{0,30}".prop_map(Value::from),
            prop::collection::vec(prop::collection::vec("[a-z:\\x00]{0,12}", 0..3), 0..3).prop_map(|rules| json!(rules)),
        ],
    ) {
        let mut event = with(json!({}));
        event[field] = value;
        for meaning in read_json(&event).meanings {
            let Meaning::Park(reason) = meaning else { continue };
            prop_assert!(!reason.reason.is_empty() && reason.reason.chars().count() <= 500);
        }
    }
}

mod dialects;
