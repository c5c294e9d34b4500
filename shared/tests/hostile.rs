//! Producers and clients that mean harm: events that name addresses, and what fuzzing found in the parsers of the core.

use std::path::PathBuf;

use shared::domain::hint::Hints;
use shared::domain::preset::PresetTable;
use shared::domain::source::{AllowedBucket, AllowedBuckets, SourceLocation};
use shared::event::{self, Meaning};
use shared::ports::work_queue::Message;

#[expect(clippy::unwrap_used, reason = "in a test, the panic is the message")]
fn files(target: &str) -> Vec<Vec<u8>> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/fuzz").join(target);
    let files: Vec<_> = std::fs::read_dir(directory).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(!files.is_empty());
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

#[test]
fn events() {
    for data in files("event") {
        let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(0);
        let (head, body) = data.split_at(end);
        let head = String::from_utf8_lossy(head).into_owned();
        let headers = head.split(';').filter_map(|field| field.split_once('='));
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let content_type = head.split(';').next().map(str::to_owned);
        let message = Message { body: body.to_vec().into(), content_type, headers };
        let _ = event::read(&message, &AllowedBuckets::default(), &PresetTable::built_in());
    }
}

#[test]
fn hints() {
    for data in files("hints") {
        let _ = std::str::from_utf8(&data).map(Hints::parse);
    }
}

/// Whatever an event says, what is fetched is a key of a configured bucket: no name of it is ever an address.
#[test]
fn nothing_in_an_event_is_an_address() {
    let uploads = AllowedBucket { tenant: "acme".parse().unwrap(), default_access: None, own_blobs: None };
    let buckets = AllowedBuckets::new([("uploads".to_owned(), uploads)]);
    let read = |body: serde_json::Value| {
        let message = Message { body: body.to_string().into(), ..Message::default() };
        event::read(&message, &buckets, &PresetTable::built_in()).meanings.remove(0)
    };
    for bucket in [
        "http://169.254.169.254/latest/meta-data",
        "https://evil.example/uploads",
        "file:///etc",
        "127.0.0.1:6379",
        "uploads.evil.example",
        "uploads/../secrets",
        "uploads\u{0}",
        "Uploads",
        "",
    ] {
        let meaning = read(serde_json::json!({ "bucket": bucket, "key": "x.jpg" }));
        assert!(matches!(meaning, Meaning::Park(_)), "{bucket:?}: {meaning:?}");
    }
    for key in ["http://169.254.169.254/latest/meta-data", "//evil.example/x.jpg", "\\\\evil\\share\\x.jpg"] {
        let fields = serde_json::json!({ "bucket": "uploads", "key": key, "url": "http://[::1]/", "endpoint": "evil" });
        let Meaning::Register(new) = read(fields) else { continue };
        assert_eq!(
            new.source,
            SourceLocation::Bucket { bucket: "uploads".to_owned(), key: key.to_owned(), version: None }
        );
    }
}
