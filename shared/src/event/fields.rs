//! The fields of a JSON object, taken one by one, so that every refusal names its field and shows the value.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::refusal::Refusal;
use super::wire::Text;

/// Most characters of a value that a refusal shows.
const SHOWN_CHARS_MAX: usize = 80;

/// What is left of an object. Fields that nobody takes are ignored; `null` is the same as absent.
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    pub(super) fn of(object: Map<String, Value>) -> Self {
        Self(object)
    }

    pub(super) fn optional<T: DeserializeOwned>(&mut self, field: &'static str) -> Result<Option<T>, Refusal> {
        match self.0.remove(field) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => T::deserialize(&value).map(Some).map_err(|error| invalid(field, &value, &error.to_string())),
        }
    }

    /// Like [`optional`](Self::optional) for writers that say "nothing" with an empty text.
    pub(super) fn optional_text<const MAX: usize>(
        &mut self,
        field: &'static str,
    ) -> Result<Option<Text<MAX>>, Refusal> {
        match self.0.get(field) {
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            _ => self.optional(field),
        }
    }

    pub(super) fn required<T: DeserializeOwned>(&mut self, field: &'static str) -> Result<T, Refusal> {
        self.optional(field)?.ok_or(Refusal::MissingField(field))
    }
}

/// A value that its field cannot have; `problem` says what would be right.
pub(super) fn invalid(field: &'static str, value: &Value, problem: &str) -> Refusal {
    Refusal::InvalidField { field, problem: format!("{}: {}", shown(value), problem) }
}

/// A value for people, cut. Containers are named rather than shown: they may be long.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("an array of {}", items.len()),
        Value::Object(members) => format!("an object of {}", members.len()),
        Value::String(text) => format!("{:?}", cut(text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => cut(&value.to_string()),
    }
}

/// The first characters of a text.
pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
