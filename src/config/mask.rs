//! Hides secrets of the merged table before anybody sees it.

use toml::{Table, Value};

const MASK: &str = "********";

/// Keys whose whole value is secret, in whatever section.
const SECRET_KEYS: [&str; 5] = ["token", "signing_key", "secret_access_key", "session_token", "password"];

/// The table with secrets and passwords inside URLs replaced.
pub fn masked(table: &Table) -> Table {
    table.iter().map(|(key, value)| (key.clone(), mask_value(key, value))).collect()
}

fn mask_value(key: &str, value: &Value) -> Value {
    match value {
        Value::Table(below) => Value::Table(masked(below)),
        Value::Array(list) => Value::Array(list.iter().map(|value| mask_value(key, value)).collect()),
        Value::String(text) if text.is_empty() => value.clone(),
        Value::String(_) if SECRET_KEYS.contains(&key) => Value::String(MASK.to_owned()),
        Value::String(text) => Value::String(mask_url(text)),
        plain @ (Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_)) => plain.clone(),
    }
}

/// `amqp://user:password@host` without the password.
pub(super) fn mask_url(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    // The user part ends at the last @ before the path: passwords may contain one.
    let authority_end = rest.find(['/', '?']).unwrap_or(rest.len());
    let Some(at) = rest[..authority_end].rfind('@') else { return text.to_owned() };
    match rest[..at].split_once(':') {
        Some((user, _)) => format!("{scheme}://{user}:{MASK}{}", &rest[at..]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_urls_and_secret_keys_are_hidden() {
        let table: Table = r#"
            [queue]
            url = "amqp://me:s3cr@t@host:5672/%2f"
            [auth]
            token = "0123456789abcdef"
            [blobs]
            secret_access_key = ""
            [[sources]]
            bucket = "b"
            secret_access_key = "hush"
        "#
        .parse()
        .unwrap();
        let shown = masked(&table).to_string();
        assert!(shown.contains("amqp://me:********@host:5672/%2f"));
        assert!(!shown.contains("s3cr") && !shown.contains("0123456789abcdef") && !shown.contains("hush"));
        assert!(shown.contains("secret_access_key = \"\""), "an empty secret shows that it is not set");
    }
}
