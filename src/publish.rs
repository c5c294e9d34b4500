//! `thumbline publish`: emits an event as a producer would.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, anyhow, bail};
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};
use shared::event::MESSAGE_BYTES_MAX;
use shared::ports::work_queue::{Message, QueueError};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::cli::{CommonArguments, print_line};
use crate::exit::{Exit, Failed};
use crate::{platform, source_file};

/// Where events published by hand say that they come from.
const SOURCE: &str = "/thumbline/publish";

/// Arguments of `thumbline publish`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// An object that an event is made for, or a file whose bytes are published as they are
    #[arg(value_name = "s3://BUCKET/KEY|FILE")]
    what: String,
    /// How the event is written
    #[arg(long, value_enum, default_value_t = Written::Cloudevents)]
    dialect: Written,
    /// Say that the object was deleted
    #[arg(long)]
    deleted: bool,
    /// Whose file it is (default: the bucket's tenant)
    #[arg(long, conflicts_with = "deleted")]
    tenant: Option<String>,
    /// The producer's own name for the file
    #[arg(long)]
    source_id: Option<String>,
    /// The producer's name for this version
    #[arg(long)]
    version_id: Option<String>,
    /// The store's own id of the object's version, in a bucket with versions: that very one is read
    #[arg(long, conflicts_with = "deleted")]
    object_version: Option<String>,
    /// Order among the versions of the file
    #[arg(long)]
    sequence: Option<String>,
    /// interactive, normal or backfill
    #[arg(long, conflicts_with = "deleted")]
    lane: Option<String>,
    /// A header of a FILE's message, as often as needed
    #[arg(long, value_name = "NAME=VALUE", value_parser = crate::check_event::header)]
    header: Vec<(String, String)>,
    /// The content type of a FILE's message
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    #[command(flatten)]
    common: CommonArguments,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Dialects that can be written.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Written {
    /// The fields alone
    Bare,
    /// CloudEvents 1.0, structured
    Cloudevents,
    /// CloudEvents 1.0, attributes in headers
    CloudeventsBinary,
    /// A notification as Ceph RGW writes it
    S3,
    /// As Amazon EventBridge wraps S3's events
    Eventbridge,
}

/// Exit 0 once the broker has confirmed the message.
pub async fn run(arguments: Arguments) -> Result<Exit, Failed> {
    let config = arguments.common.load(None)?.config;
    if config.queue.is_in_process() {
        let error = "queue.url is memory:, which no other process can reach: upload through the API, or use amqp://…";
        return Err(Failed::usage(anyhow!(error)));
    }
    let message = message(&arguments).map_err(Failed::usage)?;
    let queue = platform::open_queue(&config).await?;
    queue.publish_upload(&message).await.map_err(|error| match error {
        QueueError::Away(_) | QueueError::Full(_) => Failed::dependency(error),
        QueueError::Unroutable(_) | QueueError::Misconfigured(_) => Failed::usage(error),
    })?;
    let bytes = message.body.len();
    print_line(&if arguments.json {
        json!({ "published": arguments.what, "bytes": bytes }).to_string()
    } else {
        format!("published: {} ({bytes} bytes)", arguments.what)
    });
    Ok(Exit::Success)
}

fn message(arguments: &Arguments) -> anyhow::Result<Message> {
    if let Some(place) = arguments.what.strip_prefix("s3://") {
        let (bucket, key) = place
            .split_once('/')
            .filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty())
            .with_context(|| format!("{} is not s3://BUCKET/KEY", arguments.what))?;
        return event(arguments, bucket, key);
    }
    let body = source_file::read(&PathBuf::from(&arguments.what), MESSAGE_BYTES_MAX as u64)?;
    let headers = arguments.header.iter().cloned().collect();
    Ok(Message { body: body.into(), content_type: arguments.content_type.clone(), headers })
}

fn event(arguments: &Arguments, bucket: &str, key: &str) -> anyhow::Result<Message> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::try_from(now.as_nanos())?)?.format(&Rfc3339)?;
    let event_type = if arguments.deleted { "thumbline.file.deleted" } else { "thumbline.file.uploaded" };
    let mut attributes = vec![
        ("specversion", "1.0".to_owned()),
        ("id", format!("{:032x}", rand::random::<u128>())),
        ("source", SOURCE.to_owned()),
    ];
    attributes.extend([("type", event_type.to_owned()), ("time", time.clone())]);
    let written = |body: Value, content_type: &str, headers: BTreeMap<String, String>| {
        Ok(Message { body: body.to_string().into(), content_type: Some(content_type.to_owned()), headers })
    };
    match arguments.dialect {
        Written::Bare => {
            let mut fields = fields(arguments, bucket, key);
            fields.insert("type".to_owned(), event_type.into());
            written(fields.into(), "application/json", BTreeMap::new())
        }
        Written::Cloudevents => {
            let mut envelope: Map<String, Value> =
                attributes.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
            envelope.insert("data".to_owned(), fields(arguments, bucket, key).into());
            written(envelope.into(), "application/cloudevents+json", BTreeMap::new())
        }
        Written::CloudeventsBinary => {
            let headers = attributes.into_iter().map(|(name, value)| (format!("cloudEvents:{name}"), value)).collect();
            written(fields(arguments, bucket, key).into(), "application/json", headers)
        }
        Written::S3 | Written::Eventbridge => {
            written(notification(arguments, (bucket, key), &time, now.as_nanos())?, "application/json", BTreeMap::new())
        }
    }
}

fn fields(arguments: &Arguments, bucket: &str, key: &str) -> Map<String, Value> {
    let said = [
        ("bucket", Some(bucket)),
        ("key", Some(key)),
        ("tenant", arguments.tenant.as_deref()),
        ("source_id", arguments.source_id.as_deref()),
        ("version_id", arguments.version_id.as_deref()),
        ("object_version", arguments.object_version.as_deref()),
        ("sequence", arguments.sequence.as_deref()),
        ("lane", arguments.lane.as_deref()),
    ];
    said.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))).collect()
}

/// A store's own words have no room for what only producers know.
fn notification(arguments: &Arguments, (bucket, key): (&str, &str), time: &str, nanos: u128) -> anyhow::Result<Value> {
    if arguments.tenant.is_some() || arguments.source_id.is_some() || arguments.lane.is_some() {
        bail!("notifications of stores have no tenant, source_id or lane: use --dialect bare or cloudevents");
    }
    let is_ceph = matches!(arguments.dialect, Written::S3);
    let sequencer = arguments.sequence.clone();
    let sequencer = sequencer.unwrap_or_else(|| if is_ceph { ceph_sequencer(nanos) } else { format!("{nanos:016X}") });
    // A store knows no other name of a version than its own.
    let version_id = arguments.object_version.as_deref().or(arguments.version_id.as_deref()).unwrap_or_default();
    Ok(if is_ceph {
        let name = if arguments.deleted { "ObjectRemoved:Delete" } else { "ObjectCreated:Put" };
        json!({ "Records": [{
            "eventVersion": "2.2", "eventSource": "ceph:s3", "awsRegion": "", "eventTime": time, "eventName": name,
            "s3": {
                "s3SchemaVersion": "1.0", "bucket": { "name": bucket },
                "object": { "key": key, "versionId": version_id, "sequencer": sequencer },
            },
        }] })
    } else {
        let name = if arguments.deleted { "Object Deleted" } else { "Object Created" };
        json!({
            "version": "0", "source": "aws.s3", "detail-type": name, "time": time,
            "detail": {
                "bucket": { "name": bucket },
                "object": { "key": key, "version-id": version_id, "sequencer": sequencer },
            },
        })
    })
}

/// Ceph writes the time's bytes as they lie in memory, seconds and nanoseconds with the least significant byte first.
fn ceph_sequencer(nanos: u128) -> String {
    let (seconds, nanos) = ((nanos / 1_000_000_000) as u32, (nanos % 1_000_000_000) as u32);
    format!("{:08X}{:08X}", seconds.swap_bytes(), nanos.swap_bytes())
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use shared::domain::file_change::Deleted;
    use shared::domain::preset::PresetTable;
    use shared::domain::source::{AllowedBucket, AllowedBuckets};
    use shared::event::{Meaning, read};

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn meaning(line: &str) -> Meaning {
        let line = Line::parse_from(std::iter::once("publish").chain(line.split(' ')));
        let bucket = AllowedBucket { tenant: "acme".parse().unwrap(), default_access: None, own_blobs: None };
        let buckets = AllowedBuckets::new([("uploads".to_owned(), bucket)]);
        let message = message(&line.arguments).unwrap();
        read(&message, &buckets, &PresetTable::built_in()).meanings.remove(0)
    }

    #[test]
    fn every_dialect_says_the_same() {
        for dialect in ["bare", "cloudevents", "cloudevents-binary", "s3", "eventbridge"] {
            let uploaded =
                meaning(&format!("s3://uploads/a+b%20/ü.jpg --version-id v --sequence 7A --dialect {dialect}"));
            let Meaning::Register(new) = uploaded else { panic!("{dialect}: {uploaded:?}") };
            assert_eq!(new.file_identity, "s3://uploads/a+b%20/ü.jpg", "{dialect}");
            assert_eq!(new.order.sequence.as_deref(), Some(&*format!("s{:0<64}", "7A")));
            let deleted = meaning(&format!("s3://uploads/a --deleted --dialect {dialect}"));
            assert!(matches!(&deleted, Meaning::Delete(gone) if gone.what == Deleted::File), "{dialect}: {deleted:?}");
        }
    }

    #[test]
    fn what_a_store_cannot_say_is_refused() {
        let line = Line::parse_from(["publish", "s3://uploads/a", "--dialect", "s3", "--source-id", "7"]);
        assert!(message(&line.arguments).unwrap_err().to_string().contains("source_id"));
        assert!(message(&Line::parse_from(["publish", "s3://uploads"]).arguments).is_err());
    }
}
