//! Merges the layers of the configuration against the table of defaults, which knows every key and its type.

use shared::config::Problem;
use toml::{Table, Value};

use super::{Config, DEFAULTS, Inputs};

/// Environment variables of ours start with this.
const PREFIX: &str = "THUMBLINE__";

/// The merged table. Whatever does not fit is told in `problems`; the defaults stay in its place.
pub(super) fn merge(inputs: &Inputs, problems: &mut Vec<Problem>) -> Table {
    let mut table: Table = match DEFAULTS.parse() {
        Ok(table) => table,
        // A test reads the same text, so this cannot reach a user.
        Err(error) => {
            problems.push(Problem::new("config.default.toml", "compiled in", error.to_string()));
            return Table::new();
        }
    };
    if let Some(path) = &inputs.file {
        let shown = path.display().to_string();
        match std::fs::read_to_string(path) {
            Err(error) => problems.push(Problem::new("--config", &shown, format!("cannot be read: {error}"))),
            Ok(text) => match text.parse::<Table>() {
                Err(error) => problems.push(Problem::new("--config", &shown, error.to_string().trim().to_owned())),
                Ok(file) => {
                    for (key, value) in file {
                        set(&mut table, &[&key], value, problems);
                    }
                }
            },
        }
    }
    for (name, text) in &inputs.environment {
        if let Some(key) = name.strip_prefix(PREFIX) {
            set_from_environment(&mut table, &key.to_ascii_lowercase(), text, problems);
        }
    }
    for (key, value) in &inputs.flags {
        set(&mut table, &key.split('.').collect::<Vec<_>>(), value.clone(), problems);
    }
    table
}

/// The typed configuration of a merged table. A section that cannot be read is told in `problems`, and its defaults
/// stand in for it, so that the other sections can be checked all the same.
pub(super) fn typed(table: &Table, problems: &mut Vec<Problem>) -> Option<Config> {
    let defaults: Table = DEFAULTS.parse().ok()?;
    let mut readable = defaults.clone();
    for (section, value) in table {
        let mut alone = defaults.clone();
        alone.insert(section.clone(), value.clone());
        // Types were compared with the defaults already: what is left are enumerations and the lists of tables.
        match Value::Table(alone).try_into::<Config>() {
            Ok(_) => {
                readable.insert(section.clone(), value.clone());
            }
            Err(error) => problems.push(unreadable(section, &error)),
        }
    }
    Value::Table(readable).try_into().ok()
}

fn unreadable(section: &str, error: &toml::de::Error) -> Problem {
    let text = error.to_string();
    let what = text.lines().next().unwrap_or_default();
    let place = text.lines().find_map(|line| line.trim().strip_prefix("in `")).unwrap_or(section);
    Problem::new(place.trim_end_matches('`'), "its value", what)
}

/// Puts `value` where `path` leads, if the defaults know such a key of such a type.
fn set(table: &mut Table, path: &[&str], value: Value, problems: &mut Vec<Problem>) {
    set_below(table, path, "", value, problems);
}

fn set_below(table: &mut Table, path: &[&str], above: &str, value: Value, problems: &mut Vec<Problem>) {
    let [key, rest @ ..] = path else { return };
    let full = if above.is_empty() { (*key).to_owned() } else { format!("{above}.{key}") };
    let known: Vec<String> = table.keys().cloned().collect();
    let Some(present) = table.get_mut(*key) else {
        let full = rest.iter().fold(full, |full, part| format!("{full}.{part}"));
        problems.push(Problem::new(full, shown(&value), format!("unknown key{}", suggestion(key, &known))));
        return;
    };
    match (present, value) {
        (Value::Table(below), value) if !rest.is_empty() => set_below(below, rest, &full, value, problems),
        (Value::Table(below), Value::Table(values)) => {
            for (key, value) in values {
                set_below(below, &[&key], &full, value, problems);
            }
        }
        (_, value) if !rest.is_empty() => {
            let full = rest.iter().fold(full, |full, part| format!("{full}.{part}"));
            problems.push(Problem::new(full, shown(&value), "unknown key"));
        }
        // Whole numbers are fine where fractions may stand.
        (Value::Float(present), Value::Integer(whole)) => *present = whole as f64,
        (present, value) if present.type_str() == value.type_str() => *present = value,
        (present, value) => {
            problems.push(Problem::new(full, shown(&value), format!("must be a {}", type_name(present))));
        }
    }
}

/// Reads a variable's text as the type that the default has. `…_FILE` names a file that holds the text.
fn set_from_environment(table: &mut Table, key: &str, text: &str, problems: &mut Vec<Problem>) {
    let path: Vec<&str> = key.split("__").collect();
    if let Some(present) = lookup(table, &path) {
        match read_as(present, &path, text) {
            Some(value) => set(table, &path, value, problems),
            None => {
                let remedy = format!("must be a {}", type_name(present));
                problems.push(Problem::new(path.join("."), format!("{text:?}"), remedy));
            }
        }
        return;
    }
    let plain =
        key.strip_suffix("_file").filter(|plain| lookup(table, &plain.split("__").collect::<Vec<_>>()).is_some());
    match plain {
        Some(plain) => match std::fs::read_to_string(text) {
            Ok(content) => set_from_environment(table, plain, content.trim_end_matches(['\r', '\n']), problems),
            Err(error) => {
                let remedy = format!("the file it should be read from cannot be read: {error}");
                problems.push(Problem::new(plain.replace("__", "."), text, remedy));
            }
        },
        None => set(table, &path, Value::String("…".to_owned()), problems),
    }
}

fn lookup<'a>(table: &'a Table, path: &[&str]) -> Option<&'a Value> {
    let [key, rest @ ..] = path else { return None };
    let value = table.get(*key)?;
    if rest.is_empty() { Some(value) } else { lookup(value.as_table()?, rest) }
}

fn read_as(present: &Value, path: &[&str], text: &str) -> Option<Value> {
    match present {
        Value::String(_) => Some(Value::String(text.to_owned())),
        Value::Integer(_) => text.trim().parse().ok().map(Value::Integer),
        Value::Float(_) => text.trim().parse().ok().map(Value::Float),
        Value::Boolean(_) => text.trim().parse().ok().map(Value::Boolean),
        Value::Array(_) => read_list(text).or_else(|| (path == ["sources"]).then(|| bucket_names(text))),
        Value::Table(_) | Value::Datetime(_) => None,
    }
}

fn read_list(text: &str) -> Option<Value> {
    let as_json =
        || serde_json::from_str::<Vec<serde_json::Value>>(text).ok().and_then(|list| Value::try_from(list).ok());
    let as_toml = || format!("list = {text}").parse::<Table>().ok().and_then(|mut table| table.remove("list"));
    as_json().or_else(as_toml).filter(Value::is_array)
}

/// `uploads, more`: buckets with nothing but a name.
fn bucket_names(text: &str) -> Value {
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    let bucket = |name: &str| {
        let name = name.strip_prefix("s3://").unwrap_or(name);
        Value::Table(Table::from_iter([("bucket".to_owned(), Value::String(name.to_owned()))]))
    };
    Value::Array(names.map(bucket).collect())
}

fn shown(value: &Value) -> String {
    match value {
        // An unknown key may well be a misspelt secret.
        Value::String(_) => "(text)".to_owned(),
        Value::Table(_) => "(a table)".to_owned(),
        Value::Array(_) => "(a list)".to_owned(),
        plain @ (Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_)) => plain.to_string(),
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "text",
        Value::Integer(_) => "whole number",
        Value::Float(_) => "number",
        Value::Boolean(_) => "true or false",
        Value::Array(_) => "list",
        Value::Table(_) => "section with keys",
        Value::Datetime(_) => "date",
    }
}

/// The known key that looks most like the unknown one, or all of them.
fn suggestion(unknown: &str, known: &[String]) -> String {
    let likeness = |key: &&String| (strsim::normalized_damerau_levenshtein(key, unknown) * 1000.0) as u32;
    match known.iter().max_by_key(likeness) {
        Some(best) if likeness(&best) >= 600 => format!("; did you mean {best}?"),
        _ => format!("; known here: {}", known.join(", ")),
    }
}
