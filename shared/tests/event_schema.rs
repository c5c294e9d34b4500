//! The published JSON Schemas and the parser accept and refuse the same upload events.
#![expect(clippy::expect_used, reason = "a schema or sample that cannot be read fails the test")]

use jsonschema::{Registry, Validator};
use serde_json::{Value, json};
use shared::domain::preset::PresetTable;
use shared::domain::source::{AllowedBucket, AllowedBuckets};
use shared::event::{Dialect, Meaning, read};
use shared::ports::work_queue::Message;

const BARE: &str = include_str!("../../docs/events/upload.schema.json");
const CLOUD_EVENTS: &str = include_str!("../../docs/events/cloudevents.schema.json");
/// Samples that the documentation shows.
const SAMPLES: [&str; 3] = [
    include_str!("../../docs/events/samples/bare-smallest.json"),
    include_str!("../../docs/events/samples/bare.json"),
    include_str!("../../docs/events/samples/cloudevent.json"),
];

/// Both schemas, compiled as if they lay beside one another; `format` is checked.
struct Schemas {
    bare: Validator,
    cloud_events: Validator,
}

impl Schemas {
    fn load() -> Self {
        let schema = |text: &str| -> Value { serde_json::from_str(text).expect("the schema is JSON") };
        let validator = |text: &str| {
            let bare = ("json-schema:///upload.schema.json", schema(BARE));
            let registry = Registry::new().add(bare.0, bare.1).and_then(|r| r.prepare()).expect("a registry");
            jsonschema::options()
                .should_validate_formats(true)
                .with_base_uri("json-schema:///schema.json")
                .with_registry(&registry)
                .build(&schema(text))
                .expect("the schema is valid")
        };
        Self { bare: validator(BARE), cloud_events: validator(CLOUD_EVENTS) }
    }

    fn allow(&self, event: &Value) -> bool {
        let schema = if event.get("specversion").is_some() { &self.cloud_events } else { &self.bare };
        schema.is_valid(event)
    }
}

fn parser_accepts(event: &Value) -> bool {
    let bucket = AllowedBucket { tenant: "acme".parse().expect("a tenant"), default_access: None, own_blobs: None };
    let buckets = AllowedBuckets::new([("uploads".to_owned(), bucket)]);
    let message = Message { body: event.to_string().into(), ..Message::default() };
    let intake = read(&message, &buckets, &PresetTable::built_in());
    assert_ne!(intake.dialect, Dialect::Unknown, "{event}");
    matches!(&intake.meanings[..], [Meaning::Register(_)])
}

/// A bare event: the smallest one with one field set.
fn bare(field: &str, value: &Value) -> Value {
    let mut event = json!({"bucket": "uploads", "key": "a/b.jpg"});
    event[field] = value.clone();
    event
}

/// A CloudEvent around a bare event, with one attribute set.
fn cloud_event(attribute: &str, value: &Value) -> Value {
    let data = bare("name", &json!("b.jpg"));
    let mut event =
        json!({"specversion": "1.0", "id": "1", "source": "/x", "type": "thumbline.file.uploaded", "data": data});
    event[attribute] = value.clone();
    event
}

/// Field, values that it may have, values that it may not have.
fn fields() -> Vec<(&'static str, Vec<Value>, Vec<Value>)> {
    let long = |length: usize| json!("x".repeat(length));
    let wrong = |more: Vec<Value>| [vec![json!(true), json!({}), json!([])], more].concat();
    let text = |max: usize| {
        (
            vec![json!("x"), json!("ü \u{1F600}\n"), long(max), json!(null)],
            wrong(vec![json!(""), json!(7), json!("a\u{0}b"), long(max + 1)]),
        )
    };
    let (short, not_short) = text(256);
    let (id, not_id) = text(512);
    let (name, not_name) = text(1024);
    vec![
        ("bucket", vec![json!("uploads")], wrong(vec![json!(null), json!(""), json!(1)])),
        (
            "key",
            vec![json!("k"), json!("../k"), json!("/"), long(1024)],
            [vec![json!(null)], not_name.clone()].concat(),
        ),
        (
            "tenant",
            vec![json!(null), json!("a-1.b_C"), long(64)],
            wrong(vec![json!(""), json!(".a"), json!("a/b"), json!("ü"), long(65)]),
        ),
        ("source_id", id, not_id),
        ("version_id", name.clone(), not_name.clone()),
        ("object_version", name.clone(), not_name.clone()),
        ("name", name, not_name),
        ("content_type", short.clone(), not_short.clone()),
        ("parent", short.clone(), not_short.clone()),
        ("etag", [short, vec![json!("\"q\""), json!("W/\"q\"")]].concat(), not_short),
        (
            "sequence",
            vec![json!(null), json!(0), json!(7.0), json!(u64::MAX), json!("0055AED6"), long(256)],
            wrong(vec![json!(-1), json!(1.5), json!(1e30), json!(""), long(257)]),
        ),
        (
            "size",
            vec![json!(null), json!(0), json!(1e3), json!((1_u64 << 53) - 1)],
            wrong(vec![json!(-1), json!(1.5), json!(1_u64 << 53), json!(1e300), json!("12")]),
        ),
        (
            "sha256",
            vec![json!(null), json!("aB".repeat(32))],
            wrong(vec![json!(""), json!("ab"), json!("xy".repeat(32)), json!("ab".repeat(33))]),
        ),
        (
            "occurred_at",
            vec![
                json!(null),
                json!("2026-03-14T09:26:53Z"),
                json!("2026-03-14T09:26:53.123456789+05:30"),
                json!("1969-12-31T23:59:59.5Z"),
            ],
            wrong(vec![
                json!(""),
                json!(1773480413),
                json!("2026-03-14"),
                json!("2026-02-30T00:00:00Z"),
                json!("2026-03-14T09:26:53"),
                json!("yesterday"),
            ]),
        ),
        (
            "access",
            vec![
                json!(null),
                json!([["anonymous"]]),
                json!([["user:1", "group:a b"], ["scope:x:y"]]),
                json!([["user:ü"]]),
            ],
            vec![
                json!([]),
                json!([[]]),
                json!([["user:1"], []]),
                json!("anonymous"),
                json!(["anonymous"]),
                json!([["everybody"]]),
                json!([["user:"]]),
                json!([["user"]]),
                json!([[1]]),
                json!([["user:a\nb"]]),
                json!([["Anonymous"]]),
                json!([["anonymous "]]),
                json!(vec![["anonymous"]; 33]),
                json!([vec!["anonymous"; 65]]),
                json!([[format!("user:{}", "x".repeat(252))]]),
            ],
        ),
        (
            "lane",
            vec![json!(null), json!("interactive"), json!("normal"), json!("backfill")],
            wrong(vec![json!(""), json!("heavy"), json!("Normal"), json!(1)]),
        ),
        (
            "type",
            vec![json!(null), json!("x"), json!(1)],
            vec![json!("thumbline.file.deleted"), json!("thumbline.access.changed")],
        ),
        ("something_else", vec![json!(1), json!([{}])], vec![]),
    ]
}

/// Attribute, values that it may have, values that it may not have.
fn attributes() -> Vec<(&'static str, Vec<Value>, Vec<Value>)> {
    let name = vec![json!("x"), json!("x".repeat(2048))];
    let not_name = vec![json!(null), json!(""), json!(1), json!("x".repeat(2049))];
    vec![
        ("specversion", vec![json!("1.0")], vec![json!(null), json!(1.0), json!("1.0.1"), json!("0.3")]),
        ("id", name.clone(), not_name.clone()),
        ("source", name, not_name),
        (
            "type",
            vec![json!("thumbline.file.uploaded")],
            vec![json!(null), json!(1), json!(""), json!("thumbline.file.deleted"), json!("com.example.sold")],
        ),
        ("time", vec![json!(null), json!("2026-03-14T09:26:53Z")], vec![json!("noon"), json!(0)]),
        (
            "data",
            vec![],
            vec![
                json!(null),
                json!([]),
                json!("{}"),
                json!({}),
                json!({"bucket": "uploads"}),
                bare("size", &json!(-1)),
            ],
        ),
        ("data_base64", vec![json!(null)], vec![json!("e30="), json!(1)]),
        ("traceparent", vec![json!("00-1-2-03"), json!(null)], vec![]),
    ]
}

#[test]
fn schema_and_parser_agree_on_every_field() {
    let schemas = Schemas::load();
    for (field, right, wrong) in fields() {
        for (values, accepted) in [(right, true), (wrong, false)] {
            for value in values {
                let event = bare(field, &value);
                assert_eq!(parser_accepts(&event), accepted, "the parser on {field} = {value}");
                assert_eq!(schemas.allow(&event), accepted, "the schema on {field} = {value}");
                if field != "type" {
                    assert_eq!(schemas.allow(&cloud_event("data", &event)), accepted, "in data: {field} = {value}");
                }
            }
        }
    }
}

#[test]
fn schema_and_parser_agree_on_every_attribute() {
    let schemas = Schemas::load();
    for (attribute, right, wrong) in attributes() {
        for (values, accepted) in [(right, true), (wrong, false)] {
            for value in values {
                let event = cloud_event(attribute, &value);
                assert_eq!(parser_accepts(&event), accepted, "the parser on {attribute} = {value}");
                assert_eq!(schemas.allow(&event), accepted, "the schema on {attribute} = {value}");
            }
        }
    }
}

#[test]
fn events_that_lack_a_required_part_are_refused_by_both() {
    let schemas = Schemas::load();
    let complete = cloud_event("id", &json!("1"));
    for part in ["id", "source", "type", "data"] {
        let mut event = complete.clone();
        event.as_object_mut().expect("an object").remove(part);
        assert!(!parser_accepts(&event) && !schemas.allow(&event), "without {part}");
    }
    for part in ["bucket", "key"] {
        let mut event = bare("name", &json!("b"));
        event.as_object_mut().expect("an object").remove(part);
        assert!(!parser_accepts(&event) && !schemas.allow(&event), "without {part}");
    }
}

#[test]
fn the_samples_of_the_documentation_are_accepted_by_both() {
    let schemas = Schemas::load();
    for sample in SAMPLES {
        let event: Value = serde_json::from_str(sample).expect("the sample is JSON");
        assert!(parser_accepts(&event) && schemas.allow(&event), "{sample}");
    }
}
