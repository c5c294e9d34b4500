//! The other dialects: binary CloudEvents, S3 notifications, EventBridge, and events that are no uploads.

use super::*;

/// A binary-mode CloudEvent with these attributes.
fn binary(prefix: &str, attributes: &[(&str, &str)], body: &Value, content_type: Option<&str>) -> Intake {
    let headers = attributes.iter().map(|(name, value)| (format!("{prefix}{name}"), (*value).to_owned())).collect();
    let message = Message { body: body.to_string().into(), headers, content_type: content_type.map(str::to_owned) };
    read(&message, &buckets(), &PresetTable::built_in())
}

const UPLOAD: [(&str, &str); 4] = [("specversion", "1.0"), ("type", fact::UPLOADED), ("id", "1"), ("source", "/shop")];

/// A notification record of this store.
fn record(source: &str, event_name: &str, object: impl Into<Value>) -> Value {
    json!({"eventSource": source, "eventName": event_name, "eventTime": "2026-03-14T09:26:53.589Z",
        "s3": {"bucket": {"name": "uploads"}, "object": object.into()}})
}

fn notified(records: &[Value]) -> Intake {
    let intake = read_json(&json!({ "Records": records }));
    assert_eq!(intake.dialect, Dialect::S3);
    intake
}

#[test]
fn attributes_are_found_behind_every_prefix_in_use() {
    for prefix in ["cloudEvents:", "cloudEvents_", "ce-", "ce_", "CE-", "cloudevents:"] {
        let intake = binary(prefix, &UPLOAD, &with(json!({})), Some("application/json; charset=utf-8"));
        assert_eq!(intake.dialect, Dialect::CloudEventsBinary, "{prefix}");
        assert_eq!(registered(intake).file_identity, "s3://uploads/a/b.jpg");
    }
}

#[test]
fn the_time_of_a_binary_event_stands_in_for_its_own() {
    let timed: Vec<_> = UPLOAD.iter().copied().chain([("time", "1970-01-01T00:00:01Z")]).collect();
    assert_eq!(registered(binary("ce-", &timed, &with(json!({})), None)).order.occurred_at, Some(1000));
    let own = with(json!({"occurred_at": "1970-01-01T00:00:02Z"}));
    assert_eq!(registered(binary("ce-", &timed, &own, None)).order.occurred_at, Some(2000));
}

#[test]
fn binary_events_with_a_broken_envelope_are_parked() {
    let code = |attributes: &[(&str, &str)], content_type| {
        parked(binary("cloudEvents:", attributes, &with(json!({})), content_type)).code
    };
    assert_eq!(code(&UPLOAD[..3], None), "missing_field");
    assert_eq!(code(&UPLOAD[1..], None), "missing_field");
    assert_eq!(code(&[&[("specversion", "0.3")], &UPLOAD[1..]].concat(), None), "unsupported_specversion");
    assert_eq!(code(&[&[("type", "com.example.sold")], &UPLOAD[2..], &UPLOAD[..1]].concat(), None), "unknown_type");
    assert_eq!(code(&UPLOAD, Some("image/jpeg")), "invalid_field");
}

#[test]
fn an_envelope_in_the_headers_is_not_overlooked() {
    let attributes = [&[("type", fact::DELETED)], &UPLOAD[2..], &UPLOAD[..1]].concat();
    let deletion = deleted(binary("ce-", &attributes, &with(json!({})), None));
    assert_eq!((deletion.file_identity.as_str(), deletion.what), ("s3://uploads/a/b.jpg", Deleted::File));
}

#[test]
fn every_store_writes_keys_by_its_own_rule() {
    for (source, written, key) in [
        ("ceph:s3", "a+b %20ü/c.jpg", "a+b %20ü/c.jpg"),
        ("aws:s3", "a%2Bb+%2520%C3%BC/c.jpg", "a+b %20ü/c.jpg"),
        ("minio:s3", "a%2Bb+%2520%C3%BC%2Fc.jpg", "a+b %20ü/c.jpg"),
        ("rustfs:s3", "a%2Bb+%2520%C3%BC%2Fc.jpg", "a+b %20ü/c.jpg"),
    ] {
        let new = registered(notified(&[record(source, "ObjectCreated:Put", json!({"key": written}))]));
        assert_eq!(
            new.source,
            SourceLocation::Bucket { bucket: "uploads".into(), key: key.into(), version: None },
            "{source}"
        );
        assert_eq!(new.name, "c.jpg");
    }
    let unknown = parked(notified(&[record("other:s3", "ObjectCreated:Put", json!({"key": "a"}))]));
    assert_eq!((unknown.code, unknown.reason.starts_with("record 1: ")), ("invalid_field", true), "{}", unknown.reason);
    let malformed = parked(notified(&[record("aws:s3", "ObjectCreated:Put", json!({"key": "a%ff"}))]));
    assert_eq!(malformed.code, "invalid_field");
}

#[test]
fn facts_of_the_object_arrive() {
    let object = json!({"key": "a.jpg", "size": 7, "eTag": "\"e\"", "versionId": "v", "sequencer": "1234567890123456",
        "contentType": "image/png"});
    let new = registered(notified(&[record("minio:s3", "s3:ObjectCreated:CompleteMultipartUpload", object)]));
    assert_eq!(new.version_identity, VersionIdentity::Named("version_id:v".into()));
    assert_eq!(new.source.object_version(), Some("v"), "that very one is read");
    assert_eq!(new.order.sequence.unwrap(), format!("s{:0<64}", "1234567890123456"));
    assert_eq!(new.order.occurred_at, Some(1_773_480_413_589));
    assert_eq!((new.declared.size, new.declared.etag.as_deref()), (Some(7), Some("e")));
    assert_eq!(new.declared.content_type.as_deref(), Some("image/png"));
}

#[test]
fn buckets_without_versions_are_ordered_by_their_sequencer() {
    for none in ["", "null", "00000000-0000-0000-0000-000000000000"] {
        let object = json!({"key": "a.jpg", "eTag": "e", "versionId": none, "sequencer": "6A"});
        let new = registered(notified(&[record("ceph:s3", "ObjectCreated:Put", object)]));
        assert_eq!(new.version_identity, VersionIdentity::Named("sequence:6A".into()));
        assert_eq!(new.source.object_version(), None);
    }
}

#[test]
fn sequencers_of_ceph_are_ordered_by_the_time_that_they_are() {
    // As Ceph 16 sent them, 30 ms and then a second apart; the last two are at 0x6B02ACFF and 0x6B02AD00 seconds.
    let order = |sequencer: &str| {
        let object = json!({"key": "a.jpg", "eTag": "e", "sequencer": sequencer});
        registered(notified(&[record("ceph:s3", "ObjectCreated:Put", object)])).order
    };
    let sent = ["80AC026B2B5A850C", "80AC026B6D1F4E0E", "81AC026B00000000", "FFAC026BDEAFFF22", "00AD026B01000000"];
    for pair in sent.windows(2) {
        assert!(order(pair[1]).supersedes(&order(pair[0])) && !order(pair[0]).supersedes(&order(pair[1])), "{pair:?}");
    }
    assert_eq!(order("6A").sequence.unwrap(), format!("s{:0<64}", "6A"), "what is no such time is Amazon's");
}

#[test]
fn removals_are_deletions_of_the_file_or_of_one_version() {
    let removal = |name: &str, version: &str| {
        let object = json!({"key": "a.jpg", "eTag": "", "versionId": version, "sequencer": "6B"});
        deleted(notified(&[record("ceph:s3", name, object)]))
    };
    let gone = removal("ObjectRemoved:Delete", "");
    assert_eq!((gone.tenant.as_str(), gone.file_identity.as_str()), ("acme", "s3://uploads/a.jpg"));
    assert_eq!(gone.order.sequence.unwrap(), format!("s{:0<64}", "6B"));
    assert_eq!(gone.what, Deleted::File);
    assert_eq!(removal("ObjectRemoved:Delete", "v").version(), Some("version_id:v"));
    assert_eq!(removal("ObjectRemoved:Delete", "null").what, Deleted::Unversioned);
    // The version that is named here is the marker's.
    assert_eq!(removal("s3:ObjectRemoved:DeleteMarkerCreated", "v").what, Deleted::File);
    assert_eq!(removal("s3:LifecycleExpiration:DeleteMarkerCreated", "v").what, Deleted::File);
    assert_eq!(removal("ObjectLifecycle:Expiration:Current", "").what, Deleted::File);
}

#[test]
fn what_changes_nothing_is_ignored() {
    let of = |name: &str, object: Value| ignored(notified(&[record("ceph:s3", name, object)]));
    assert!(of("ObjectTagging:Put", json!({"key": "a.jpg"})).contains("ObjectTagging:Put"));
    assert!(of("s3:ObjectAccessed:Get", json!({})).contains("ObjectAccessed"));
    assert!(of("ObjectCreated:Put", json!({"key": "scans/", "size": 0})).contains("directory"));
    ignored(notified(&[]));
    let test = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "uploads", "Time": "…"});
    ignored(read_json(&test));
}

#[test]
fn our_own_blobs_are_ignored_in_every_dialect() {
    let own = format!("blobs/sources/acme/{}/{}", &Sha256Digest::of(b"x").to_string()[..2], Sha256Digest::of(b"x"));
    assert!(ignored(read_json(&with(json!({"key": own})))).contains("our own"));
    for name in ["ObjectCreated:Put", "ObjectRemoved:Delete"] {
        assert!(ignored(notified(&[record("ceph:s3", name, json!({"key": own}))])).contains("our own"));
    }
    registered(read_json(&with(json!({"key": "blobs/holiday.jpg"}))));
}

#[test]
fn records_stand_for_themselves() {
    let created = |key: &str| record("ceph:s3", "ObjectCreated:Put", json!({"key": key}));
    let bad = json!({"eventName": "ObjectCreated:Put"});
    let removed = record("ceph:s3", "ObjectRemoved:Delete", json!({"key": "b"}));
    let meanings = notified(&[created("a"), bad, removed]).meanings;
    let [Meaning::Register(_), Meaning::Park(reason), Meaning::Delete(_)] = &meanings[..] else {
        panic!("{meanings:?}")
    };
    assert_eq!((reason.code, reason.reason.starts_with("record 2: ")), ("missing_field", true));
    assert_eq!(parked(notified(&vec![created("a"); 1001])).code, "invalid_field");
}

#[test]
fn event_bridge_is_unwrapped() {
    let event = |detail_type: &str, detail: Value| {
        let intake = read_json(&json!({"version": "0", "source": "aws.s3", "detail-type": detail_type,
            "time": "1970-01-01T00:00:01Z", "detail": detail}));
        assert_eq!(intake.dialect, Dialect::EventBridge);
        intake
    };
    let object = json!({"bucket": {"name": "uploads"},
        "object": {"key": "a+b.jpg", "size": 5, "etag": "e", "version-id": "v", "sequencer": "6A"}});
    let new = registered(event("Object Created", object.clone()));
    assert_eq!((new.file_identity.as_str(), new.order.occurred_at), ("s3://uploads/a+b.jpg", Some(1000)));
    assert_eq!(deleted(event("Object Deleted", object.clone())).version(), Some("version_id:v"));
    let mut marked = object.clone();
    marked["deletion-type"] = json!("Delete Marker Created");
    assert_eq!(deleted(event("Object Deleted", marked)).what, Deleted::File);
    ignored(event("Object Tags Added", object));
    assert_eq!(registered(event(fact::UPLOADED, with(json!({})))).file_identity, "s3://uploads/a/b.jpg");
    let foreign = json!({"detail-type": "Sold", "source": "com.example", "detail": {}});
    assert_eq!(parked(read_json(&foreign)).code, "unknown_type");
}

#[test]
fn deletions_and_access_changes_say_which_file() {
    let typed = |event_type: &str, mut fields: Value| {
        fields["type"] = json!(event_type);
        read_json(&fields)
    };
    let by_id = deleted(typed(fact::DELETED, json!({"tenant": "t", "source_id": "7", "version_id": "3"})));
    assert_eq!((by_id.tenant.as_str(), by_id.file_identity.as_str()), ("t", "id:7"));
    assert_eq!(by_id.version(), Some("version_id:3"));
    assert_eq!(deleted(typed(fact::DELETED, json!({"bucket": "uploads", "source_id": "7"}))).tenant.as_str(), "acme");
    for nobody in
        [json!({}), json!({"source_id": "7"}), json!({"bucket": "uploads"}), json!({"tenant": "t", "key": "a"})]
    {
        assert_eq!(parked(typed(fact::DELETED, nobody)).code, "missing_field");
    }
    assert_eq!(parked(typed(fact::DELETED, json!({"bucket": "other", "key": "a"}))).code, "unknown_bucket");
    let changed = typed(fact::ACCESS_CHANGED, with(json!({"access": [["user:1"]]})));
    let Meaning::ChangeAccess(change) = only(changed) else { panic!("not an access change") };
    assert_eq!(change.access, access(json!([["user:1"]])));
    assert_eq!(parked(typed(fact::ACCESS_CHANGED, with(json!({})))).code, "missing_field");
    assert_eq!(parked(typed(fact::ACCESS_CHANGED, with(json!({"access": []})))).code, "invalid_field");
}

#[test]
fn the_samples_of_the_documentation_mean_what_it_says() {
    for (sample, dialect) in [
        (include_str!("../../../../docs/events/samples/s3-ceph.json"), Dialect::S3),
        (include_str!("../../../../docs/events/samples/s3-minio.json"), Dialect::S3),
        (include_str!("../../../../docs/events/samples/s3-rustfs.json"), Dialect::S3),
        (include_str!("../../../../docs/events/samples/s3-aws.json"), Dialect::S3),
        (include_str!("../../../../docs/events/samples/eventbridge.json"), Dialect::EventBridge),
    ] {
        let intake = read_bytes(sample.as_bytes(), None);
        assert_eq!(intake.dialect, dialect);
        let new = registered(intake);
        assert_eq!(new.file_identity, "s3://uploads/photos/Lisbon at night + 1.jpg");
        assert!(new.order.sequence.is_some() && new.order.occurred_at.is_some());
    }
    deleted(read_bytes(include_bytes!("../../../../docs/events/samples/deleted.json"), None));
    let access = read_bytes(include_bytes!("../../../../docs/events/samples/access-changed.json"), None);
    assert!(matches!(only(access), Meaning::ChangeAccess(_)));
}

/// Any JSON, not too deep.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z:%+/]{0,12}|uploads|ceph:s3|aws:s3|ObjectCreated:Put|ObjectRemoved:Delete|1\\.0".prop_map(Value::from),
    ];
    let names = "Records|eventName|eventSource|eventTime|s3|bucket|object|name|key|size|versionId|sequencer|detail|detail-type|\
                 specversion|type|data|data_base64|source|access|tenant|source_id";
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((names, inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    /// Whatever comes, there is an answer; every refusal has a code and a bounded sentence; nothing outside of the
    /// configured buckets and no other tenant than theirs comes out of a notification.
    #[test]
    fn every_message_has_a_meaning(body in any_json(), prefix in "ce-|cloudEvents:|x-", kind in "[a-z.]{0,8}|thumbline.file.deleted") {
        let headers = [(format!("{prefix}type"), kind), (format!("{prefix}specversion"), "1.0".to_owned())].into();
        for headers in [BTreeMap::new(), headers] {
            let message = Message { body: body.to_string().into(), headers, ..Message::default() };
            let intake = read(&message, &buckets(), &PresetTable::built_in());
            prop_assert!(!intake.meanings.is_empty());
            for meaning in intake.meanings {
                match meaning {
                    Meaning::Park(reason) => prop_assert!(!reason.reason.is_empty() && reason.reason.chars().count() <= 500),
                    Meaning::Register(new) => {
                        prop_assert!(new.source.display().starts_with("s3://uploads/"));
                    }
                    Meaning::Delete(_) | Meaning::ChangeAccess(_) | Meaning::Ignore(_) => {}
                }
            }
        }
    }

    /// A key survives the way through every store's notification.
    #[test]
    fn keys_survive(key in "[^\\x00/]\\PC{0,30}[^/\\x00]") {
        use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
        let form = utf8_percent_encode(&key, NON_ALPHANUMERIC).to_string().replace("%20", "+");
        for (source, written) in [("ceph:s3", &key), ("aws:s3", &form), ("minio:s3", &form), ("rustfs:s3", &form)] {
            let new = registered(notified(&[record(source, "s3:ObjectCreated:Put", json!({"key": written}))]));
            prop_assert_eq!(new.source, SourceLocation::Bucket { bucket: "uploads".into(), key: key.clone(), version: None });
        }
    }
}
