//! Between AMQP's properties and header tables and our messages with text headers.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use shared::ports::work_queue::{CODE_HEADER, Message, REASON_HEADER};

use crate::queue::DELIVERY_LIMIT_CODE;

/// Most bytes of headers, names and values, that we send: AMQP wants all of them in one frame, and brokers' frames
/// hold 128 KiB.
const HEADERS_BYTES_MAX: usize = 64 * 1024;
/// Says how many headers were left out because they were too long to send on.
const OMITTED_HEADER: &str = "x-thumbline-headers-omitted";
/// Set by the broker on dead letters: why the message left its first queue.
const FIRST_DEATH_REASON_HEADER: &str = "x-first-death-reason";
/// Set by the broker on every delivery from a quorum queue; not the sender's, so not part of the message.
const DELIVERY_COUNT_HEADER: &str = "x-delivery-count";
/// Delivery mode 2: the broker writes the message to disk.
const PERSISTENT: u8 = 2;

/// The properties of a message that we publish.
pub(super) fn properties(kind: &str, message: &Message) -> BasicProperties {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mut properties = BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_message_id(format!("{:032x}", rand::random::<u128>()).into())
        .with_timestamp(seconds)
        .with_app_id("thumbline".into())
        .with_type(kind.into());
    if let Some(content_type) = message.content_type.as_deref().and_then(|text| ShortString::try_new(text).ok()) {
        properties = properties.with_content_type(content_type);
    }
    if message.headers.is_empty() { properties } else { properties.with_headers(table(&message.headers)) }
}

/// What arrived, as a message of ours. Text that is not UTF-8, and binary values, are shown with replacement
/// characters; tables and lists as JSON.
pub(super) fn message(properties: &BasicProperties, body: Vec<u8>) -> Message {
    let content_type = properties.content_type().as_ref().map(ToString::to_string);
    let headers = properties.headers().as_ref().map(text_headers).unwrap_or_default();
    Message { body: Bytes::from(body), content_type, headers }
}

/// A message from the parking queue. What the broker put there itself says so in its own header; it gets a reason in
/// ours like the others.
pub(super) fn parked_message(properties: &BasicProperties, body: Vec<u8>) -> Message {
    let mut message = message(properties, body);
    if !message.headers.contains_key(CODE_HEADER)
        && let Some(death) = message.headers.get(FIRST_DEATH_REASON_HEADER)
    {
        let code = if death == "delivery_limit" { DELIVERY_LIMIT_CODE } else { "dead_letter" };
        let reason = format!("the broker gave up on the message: {death}");
        message.headers.insert(CODE_HEADER.into(), code.into());
        message.headers.insert(REASON_HEADER.into(), reason);
    }
    message
}

fn text_headers(table: &FieldTable) -> BTreeMap<String, String> {
    let sent = table.inner().iter().filter(|(name, _)| name.as_str() != DELIVERY_COUNT_HEADER);
    sent.map(|(name, value)| (name.to_string(), text(value))).collect()
}

fn text(value: &AMQPValue) -> String {
    match json(value) {
        serde_json::Value::String(text) => text,
        serde_json::Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn json(value: &AMQPValue) -> serde_json::Value {
    match value {
        AMQPValue::Boolean(value) => (*value).into(),
        AMQPValue::ShortShortInt(value) => (*value).into(),
        AMQPValue::ShortShortUInt(value) => (*value).into(),
        AMQPValue::ShortInt(value) => (*value).into(),
        AMQPValue::ShortUInt(value) => (*value).into(),
        AMQPValue::LongInt(value) => (*value).into(),
        AMQPValue::LongUInt(value) => (*value).into(),
        AMQPValue::LongLongInt(value) => (*value).into(),
        AMQPValue::Float(value) => (*value).into(),
        AMQPValue::Double(value) => (*value).into(),
        AMQPValue::DecimalValue(value) => (f64::from(value.value) / 10f64.powi(value.scale.into())).into(),
        AMQPValue::ShortString(value) => value.as_str().into(),
        AMQPValue::LongString(value) => String::from_utf8_lossy(value.as_bytes()).into(),
        AMQPValue::ByteArray(value) => String::from_utf8_lossy(value.as_slice()).into(),
        AMQPValue::Timestamp(value) => (*value).into(),
        AMQPValue::FieldArray(values) => values.as_slice().iter().map(json).collect(),
        AMQPValue::FieldTable(table) => {
            table.inner().iter().map(|(name, value)| (name.to_string(), json(value))).collect()
        }
        AMQPValue::Void => serde_json::Value::Null,
    }
}

/// Headers as far as they fit: first ours, then the shortest, so that one monster does not cost all the others.
fn table(headers: &BTreeMap<String, String>) -> FieldTable {
    let mut in_order: Vec<_> = headers.iter().collect();
    in_order.sort_by_key(|(name, value)| (!name.starts_with("x-thumbline-"), value.len()));
    let mut table = FieldTable::default();
    let (mut bytes, mut omitted) = (0, 0);
    for (name, value) in in_order {
        let fits = bytes + name.len() + value.len() <= HEADERS_BYTES_MAX;
        match ShortString::try_new(name.as_str()) {
            Ok(name) if fits => {
                bytes += name.as_str().len() + value.len();
                table.insert(name, AMQPValue::LongString(value.as_str().into()));
            }
            _ => omitted += 1,
        }
    }
    if omitted > 0 {
        table.insert(OMITTED_HEADER.into(), AMQPValue::LongInt(omitted));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_every_kind_become_text() {
        let mut nested = FieldTable::default();
        nested.insert("count".into(), AMQPValue::LongLongInt(3));
        let mut table = FieldTable::default();
        for (name, value) in [
            ("text", AMQPValue::LongString("grüße".into())),
            ("latin1", AMQPValue::LongString(vec![b'g', 0xfc].into())),
            ("binary", AMQPValue::ByteArray(vec![0xff].into())),
            ("yes", AMQPValue::Boolean(true)),
            ("number", AMQPValue::LongInt(-7)),
            ("nothing", AMQPValue::Void),
            ("not-a-number", AMQPValue::Double(f64::NAN)),
            ("list", AMQPValue::FieldArray(vec![AMQPValue::FieldTable(nested)].into())),
        ] {
            table.insert(name.into(), value);
        }
        let headers = text_headers(&table);
        let expected = [
            ("text", "grüße"),
            ("latin1", "g\u{fffd}"),
            ("binary", "\u{fffd}"),
            ("yes", "true"),
            ("number", "-7"),
            ("nothing", ""),
            ("not-a-number", ""),
            ("list", r#"[{"count":3}]"#),
        ];
        for (name, value) in expected {
            assert_eq!(headers[name], value, "{name}");
        }
    }

    #[test]
    fn headers_that_do_not_fit_are_left_out_and_counted() {
        let headers = BTreeMap::from([
            ("a-monster".to_owned(), "x".repeat(HEADERS_BYTES_MAX)),
            ("n".repeat(256), "name too long".to_owned()),
            ("small".to_owned(), "kept".to_owned()),
            (REASON_HEADER.to_owned(), "kept".to_owned()),
        ]);
        let sent = text_headers(&table(&headers));
        assert_eq!(sent.keys().collect::<Vec<_>>(), ["small", OMITTED_HEADER, REASON_HEADER]);
        assert_eq!(sent[OMITTED_HEADER], "2");
    }

    #[test]
    fn dead_letters_get_a_reason() {
        let mut table = FieldTable::default();
        table.insert(FIRST_DEATH_REASON_HEADER.into(), AMQPValue::LongString("delivery_limit".into()));
        let properties = BasicProperties::default().with_headers(table);
        let parked = parked_message(&properties, b"body".to_vec());
        assert_eq!(parked.headers[CODE_HEADER], DELIVERY_LIMIT_CODE);
        assert!(!message(&properties, Vec::new()).headers.contains_key(CODE_HEADER));
    }
}
