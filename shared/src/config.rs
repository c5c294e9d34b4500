//! How a section of the configuration says what is wrong with it; all problems are reported at once.

use std::fmt;

/// One thing that is wrong with the configuration: which key, what it holds, what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Dotted key, as in the file (`queue.url`); the environment variable is `THUMBLINE__QUEUE__URL`.
    pub key: String,
    /// What was found there; never the value of a secret.
    pub value: String,
    /// What is wrong and what would be right.
    pub remedy: String,
}

impl Problem {
    /// A problem with this key.
    pub fn new(key: impl Into<String>, value: impl fmt::Display, remedy: impl Into<String>) -> Self {
        Self { key: key.into(), value: value.to_string(), remedy: remedy.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}: {}", self.key, self.value, self.remedy)
    }
}
