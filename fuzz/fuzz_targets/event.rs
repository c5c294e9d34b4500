//! What producers send: up to the first line end the content type and headers (`name=value`, between `;`), then the body.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use shared::domain::preset::PresetTable;
use shared::domain::source::{AllowedBucket, AllowedBuckets};
use shared::event::{self, Meaning};
use shared::ports::work_queue::Message;

static PRESETS: LazyLock<PresetTable> = LazyLock::new(PresetTable::built_in);
static BUCKETS: LazyLock<AllowedBuckets> = LazyLock::new(|| {
    let allowed = AllowedBucket { tenant: "acme".parse().expect("a tenant"), default_access: None, own_blobs: None };
    AllowedBuckets::new([("uploads".to_owned(), allowed)])
});

fuzz_target!(|data: &[u8]| {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let (head, body) = data.split_at(end);
    let head = String::from_utf8_lossy(head);
    let mut fields = head.split(';');
    let content_type = fields.next().filter(|text| !text.is_empty()).map(str::to_owned);
    let headers = fields.filter_map(|field| field.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    let message = Message { body: body.to_vec().into(), content_type, headers, ..Message::default() };
    let meanings = event::read(&message, &BUCKETS, &PRESETS).meanings;
    assert!(!meanings.is_empty() || !message.body.is_empty());
    for meaning in meanings {
        if let Meaning::Park(reason) = meaning {
            assert!(!reason.code.is_empty());
        }
    }
});
