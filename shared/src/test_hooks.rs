//! Promises that a build with the feature `test-hooks` can be told to break, so that `make chaos` can be seen to notice. No release
//! has the feature: `tests/tidy.rs` looks, `thumbline --version` says so, and `thumbline doctor` fails.

use std::sync::OnceLock;

/// A promise that is broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// Intake acks an event before its rows are committed.
    AckBeforeCommit,
    /// A row says `success` before its bytes are stored.
    RowBeforeBlob,
    /// A worker that has lost its lease settles all the same.
    NoLeaseCheck,
}

/// What this process was told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hooks {
    broken: Option<Broken>,
    clock_shift_seconds: i64,
}

static HOOKS: OnceLock<Hooks> = OnceLock::new();

impl Hooks {
    /// From words with commas between them: `ack-before-commit`, `row-before-blob`, `no-lease-check`, `clock=SECONDS`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut hooks = Self::default();
        for word in text.split(',').filter(|word| !word.is_empty()) {
            match word.split_once('=') {
                None if word == "ack-before-commit" => hooks.broken = Some(Broken::AckBeforeCommit),
                None if word == "row-before-blob" => hooks.broken = Some(Broken::RowBeforeBlob),
                None if word == "no-lease-check" => hooks.broken = Some(Broken::NoLeaseCheck),
                Some(("clock", seconds)) if let Ok(seconds) = seconds.parse() => hooks.clock_shift_seconds = seconds,
                _ => return Err(format!("there is no test hook {word:?}")),
            }
        }
        Ok(hooks)
    }

    /// Holds for this process from now on; the first call counts.
    pub fn install(self) {
        let _ = HOOKS.set(self);
    }
}

/// Whether this promise is to be broken.
pub fn breaks(promise: Broken) -> bool {
    HOOKS.get().is_some_and(|hooks| hooks.broken == Some(promise))
}

/// By how many seconds this process's clock is to be wrong.
pub fn clock_shift_seconds() -> i64 {
    HOOKS.get().map_or(0, |hooks| hooks.clock_shift_seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_are_read_and_unknown_ones_refused() {
        let hooks = Hooks::parse("row-before-blob,clock=-3600").unwrap();
        assert_eq!(hooks, Hooks { broken: Some(Broken::RowBeforeBlob), clock_shift_seconds: -3600 });
        assert_eq!(Hooks::parse("").unwrap(), Hooks::default());
        assert!(Hooks::parse("clock=soon").is_err() && Hooks::parse("nothing").is_err());
    }
}
