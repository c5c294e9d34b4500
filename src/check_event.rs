//! `thumbline check-event`: which dialect a message is, what it means, and what is wrong with it.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};
use shared::domain::file::{NewFileVersion, VersionIdentity};
use shared::event::{self, Intake, MESSAGE_BYTES_MAX, Meaning};
use shared::ports::work_queue::Message;

use crate::cli::print_line;
use crate::config::{Inputs, load};
use crate::exit::{Exit, Failed};
use crate::source_file;

/// Arguments of `thumbline check-event`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The message's body; - reads it from the standard input
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
    /// A header of the message, as often as needed (`--header ce-type=thumbline.file.uploaded`)
    #[arg(long, value_name = "NAME=VALUE", value_parser = header)]
    header: Vec<(String, String)>,
    /// The message's content type
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    /// Configuration file (TOML), for [[sources]] and presets
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// A header as the command line takes it.
pub(crate) fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Exit 1 when the message, or a part of it, would be parked.
pub fn run(arguments: Arguments) -> Result<Exit, Failed> {
    let config = load(&Inputs::of_process(arguments.config.as_deref(), Vec::new())).map_err(Failed::usage)?.config;
    let body = body(&arguments.file).map_err(Failed::usage)?;
    let headers: BTreeMap<_, _> = arguments.header.into_iter().collect();
    let message = Message { body: body.into(), content_type: arguments.content_type, headers };
    let intake = event::read(&message, &config.allowed_buckets(), &config.preset_table());
    let told = told(&intake);
    if arguments.json {
        print_line(&told.to_string());
    } else {
        print_line(&format!("dialect: {}", intake.dialect.name()));
        intake.meanings.iter().flat_map(lines).for_each(|line| print_line(&line));
    }
    let has_refusal = intake.meanings.iter().any(|meaning| matches!(meaning, Meaning::Park(_)));
    Ok(if has_refusal { Exit::SomeFailed } else { Exit::Success })
}

/// One byte more than is read of a message shows that it is too long.
fn body(file: &Path) -> anyhow::Result<Vec<u8>> {
    let cannot = || format!("cannot read {}", file.display());
    let reader: Box<dyn Read> = if file == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        source_file::length(file)?;
        Box::new(std::fs::File::open(file).with_context(cannot)?)
    };
    let mut body = Vec::new();
    reader.take(MESSAGE_BYTES_MAX as u64 + 1).read_to_end(&mut body).with_context(cannot)?;
    Ok(body)
}

fn told(intake: &Intake) -> Value {
    let meanings: Vec<Value> = intake.meanings.iter().map(meaning).collect();
    json!({ "dialect": intake.dialect.name(), "meanings": meanings })
}

fn meaning(meaning: &Meaning) -> Value {
    match meaning {
        Meaning::Register(new) => registration(new),
        Meaning::Delete(deletion) => json!({
            "meaning": "delete", "tenant": deletion.tenant, "file": deletion.file_identity, "version": deletion.version(),
            "occurred_at_ms": deletion.order.occurred_at,
        }),
        Meaning::ChangeAccess(change) => json!({
            "meaning": "change_access", "tenant": change.tenant, "file": change.file_identity, "access": change.access,
            "occurred_at_ms": change.occurred_at,
        }),
        Meaning::Ignore(reason) => json!({ "meaning": "ignore", "reason": reason }),
        Meaning::Park(reason) => json!({ "meaning": "park", "code": reason.code, "reason": reason.reason }),
    }
}

fn registration(new: &NewFileVersion) -> Value {
    let version = match &new.version_identity {
        VersionIdentity::Named(name) => Some(name.as_str()),
        VersionIdentity::ByDigest(_) => None,
    };
    json!({
        "meaning": "register", "tenant": new.tenant, "file": new.file_identity, "version": version, "name": new.name,
        "source": new.source.display(), "lane": new.lane, "parent": new.parent, "access": new.access.of_new_file(),
        "declared": new.declared, "occurred_at_ms": new.order.occurred_at,
        "presets": new.wanted.iter().map(|wanted| wanted.preset.as_str()).collect::<Vec<_>>(),
    })
}

/// The same for people: the meaning, then what is known, one fact a line.
fn lines(of: &Meaning) -> Vec<String> {
    let Value::Object(facts) = meaning(of) else { return Vec::new() };
    let title = facts.get("meaning").and_then(Value::as_str).unwrap_or_default().to_owned();
    let known = facts.iter().filter(|(name, value)| *name != "meaning" && !value.is_null());
    let shown = known.map(|(name, value)| match value {
        Value::String(text) => format!("  {name}: {text}"),
        other => format!("  {name}: {other}"),
    });
    std::iter::once(title).chain(shown).collect()
}
