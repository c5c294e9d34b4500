//! News as a CloudEvent 1.0: the one body that the exchange, webhooks and server-sent events carry.

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::domain::announcement::{News, Position};
use crate::domain::file::{FileState, FileVersion, UnixMillis, VersionIdentity};
use crate::domain::preset::PresetName;
use crate::domain::representation::{Representation, State};
use crate::event::identity;
use crate::ports::work_queue::Message;

/// The media type of the body.
pub const MEDIA_TYPE: &str = "application/cloudevents+json";
/// In front of the topic, it is the event's type.
pub const TYPE_PREFIX: &str = "thumbline.";
/// The event's source: with its id it names the event.
const SOURCE: &str = "/thumbline";

/// The event as JSON; `state` is the version as it stands when the news are told for the first time.
pub fn body(position: Position, at: UnixMillis, news: &News, state: &FileState) -> String {
    json!({
        "specversion": "1.0",
        "id": position.to_string(),
        "source": SOURCE,
        "type": format!("{TYPE_PREFIX}{}", news.topic()),
        "subject": format!("files/{}", state.file.id),
        "time": rfc3339(at),
        "datacontenttype": "application/json",
        // An extension of CloudEvents: texts that sort as the events happened.
        "sequence": format!("{position:020}"),
        "data": data(news, state),
    })
    .to_string()
}

/// The event as a message for a queue.
pub fn message(body: &str) -> Message {
    Message {
        body: body.to_owned().into(),
        content_type: Some(MEDIA_TYPE.to_owned()),
        headers: std::collections::BTreeMap::new(),
    }
}

fn data(news: &News, state: &FileState) -> Value {
    let source = &state.version.source;
    let mut data = json!({
        "file_id": state.file.id,
        "file_version_id": state.version.id,
        "tenant": state.file.tenant,
        "source_id": identity::source_id(&state.file.identity),
        "source": source.address(),
        "object_version": source.object_version(),
        "name": state.version.name,
        "is_current": state.file.current_version == state.version.id,
    });
    match news {
        News::Completed => {
            data["version"] = version(&state.version);
            data["representations"] = state.representations.iter().map(representation).collect();
        }
        News::Success(preset) | News::Error(preset, _) => data["representation"] = told(news, preset, state),
    }
    data
}

/// The representation as it was when it settled, even if it waits again meanwhile.
fn told(news: &News, preset: &PresetName, state: &FileState) -> Value {
    let mut value = state.representation(preset).map_or_else(|| json!({ "name": preset }), representation);
    let (settled_as, code) = match news {
        News::Error(_, code) => ("error", Some(code.name())),
        News::Success(_) | News::Completed => ("success", None),
    };
    value["state"] = settled_as.into();
    value["code"] = code.into();
    value
}

fn representation(row: &Representation) -> Value {
    let content = row.state.content();
    let failure = match &row.state {
        State::Error(failure) => Some(failure),
        State::Pending | State::Viewable(_) | State::Success(_) => None,
    };
    let bytes = content.map(|content| content.pages().iter().map(|page| page.length_bytes).sum::<u64>());
    json!({
        "name": row.preset,
        "state": row.state.name(),
        "code": failure.map(|failure| failure.code.name()),
        "reason": failure.map(|failure| &failure.reason),
        "width": content.map(|content| content.first().dimensions.width),
        "height": content.map(|content| content.first().dimensions.height),
        "bytes": bytes,
        "sha256": content.map(|content| content.first().sha256().to_string()),
        "pages": content.map(|content| content.pages().len()),
    })
}

fn version(version: &FileVersion) -> Value {
    let sequence = match &version.identity {
        VersionIdentity::Named(name) => name.strip_prefix("sequence:"),
        VersionIdentity::ByDigest(_) => None,
    };
    let placeholder = version.picture.and_then(|picture| picture.placeholder);
    json!({
        "sequence": sequence,
        "format": version.picture.map(|picture| picture.format.name()),
        "width": version.picture.map(|picture| picture.dimensions.width),
        "height": version.picture.map(|picture| picture.dimensions.height),
        "pages": version.picture.map(|picture| picture.pages),
        "bytes": version.bytes.map(|bytes| bytes.length_bytes),
        "sha256": version.bytes.map(|bytes| bytes.sha256.to_string()),
        "thumbhash": placeholder.map(|placeholder| placeholder.thumbhash.to_string()),
        "dominant_color": placeholder.map(|placeholder| placeholder.dominant_color.to_string()),
    })
}

/// RFC 3339 in milliseconds, UTC.
pub fn rfc3339(at: UnixMillis) -> Option<String> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at) * 1_000_000).ok()?.format(&Rfc3339).ok()
}
