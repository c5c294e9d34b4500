//! Events as producers write them, in three of the dialects.

use serde_json::{Value, json};

use super::plan::{Upload, Way};

/// The object's key in the bucket, and so the name of the file version.
pub(crate) fn key(upload: &Upload, extension: &str) -> String {
    format!("u{}.{extension}", upload.number)
}

/// The event that announces it.
pub(crate) fn body(upload: &Upload, bucket: &str, key: &str) -> String {
    match upload.way {
        Way::Bare | Way::Api => fields(upload, bucket, key),
        Way::CloudEvent => json!({
            "specversion": "1.0", "id": format!("e{}", upload.number), "source": "/chaos",
            "type": "thumbline.file.uploaded", "datacontenttype": "application/json",
            "data": fields(upload, bucket, key),
        }),
        Way::Notification => json!({ "Records": [{
            "eventVersion": "2.2", "eventSource": "ceph:s3", "awsRegion": "", "eventTime": "2026-11-22T00:00:00.000Z",
            "eventName": "ObjectCreated:Put",
            "s3": {
                "s3SchemaVersion": "1.0", "bucket": { "name": bucket },
                "object": { "key": key, "versionId": "", "sequencer": format!("{:016X}", upload.number + 1) },
            },
        }] }),
    }
    .to_string()
}

fn fields(upload: &Upload, bucket: &str, key: &str) -> Value {
    json!({
        "bucket": bucket, "key": key, "tenant": upload.tenant, "source_id": format!("f{}", upload.file),
        "version_id": format!("v{}", upload.number), "sequence": upload.number,
    })
}
