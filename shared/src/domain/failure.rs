//! Why an attempt failed, what follows from it, and which of Box's words the client reads.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What follows from a failure; decided where the failure is born.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// The same attempt may succeed later: try again on the schedule until the deadline.
    Retry,
    /// It never will: the representation ends as `error`.
    GiveUp,
    /// The render child died. Tried again, counted apart, and given up after a few (quarantine).
    Crash,
}

macro_rules! failure_codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $disposition:ident, $box_code:literal;)*) => {
        /// Why an attempt failed: a stable snake_case word for machines. Clients of the Box API read
        /// [`box_code`](Self::box_code), one of the seven of the contract (section 2.5).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum FailureCode {
            $($(#[$doc])* $variant,)*
        }

        impl FailureCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable word, in rows, logs, metrics and our own API.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What follows from it.
            pub fn disposition(self) -> Disposition {
                match self { $(Self::$variant => Disposition::$disposition,)* }
            }

            /// The word on the Box wire.
            pub fn box_code(self) -> &'static str {
                match self { $(Self::$variant => $box_code,)* }
            }
        }
    };
}

failure_codes! {
    /// The source is not in its bucket yet; producers may announce before the store shows it.
    SourceMissing = "source_missing", Retry, "error_try_again_later";
    /// The bucket's store refused to let us read.
    SourceForbidden = "source_forbidden", Retry, "error_try_again_later";
    /// A store, database or broker did not answer or answered with an error of its own.
    DependencyDown = "dependency_down", Retry, "error_try_again_later";
    /// The worker's configuration has no such preset; another worker's may, while a new configuration rolls out.
    UnknownPreset = "unknown_preset", Retry, "error_try_again_later";
    /// The worker itself could not go on: no memory, no process, no space.
    WorkerOverloaded = "worker_overloaded", Retry, "error_try_again_later";
    /// The deadline passed before an attempt succeeded.
    DeadlineExceeded = "deadline_exceeded", GiveUp, "error_try_again_later";
    /// The file, or this version of it, went to the trash before an attempt succeeded; restored, it waits again.
    Trashed = "trashed", GiveUp, "error_try_again_later";
    /// The source has no bytes.
    ZeroBytes = "zero_bytes", GiveUp, "error_zero_byte_file";
    /// More bytes than the limit.
    TooManyBytes = "too_many_bytes", GiveUp, "error_large_size_file";
    /// More pixels, columns, rows, pages or frames than the limit.
    TooManyPixels = "too_many_pixels", GiveUp, "error_large_size_file";
    /// The content is of no format that we render.
    UnsupportedFormat = "unsupported_format", GiveUp, "error_unsupported_format";
    /// The format is known, but not this feature of it.
    UnsupportedFeature = "unsupported_feature", GiveUp, "error_unsupported_format";
    /// The preset does not exist for this source format.
    NotForThisFormat = "not_for_this_format", GiveUp, "error_unsupported_format";
    /// The content ends too early to show at least half of it.
    Truncated = "truncated", GiveUp, "error_conversion_failed";
    /// The content contradicts its format.
    CorruptSource = "corrupt_source", GiveUp, "error_conversion_failed";
    /// The bytes are not those that the producer declared (SHA-256).
    DigestMismatch = "digest_mismatch", GiveUp, "error_conversion_failed";
    /// The content needs a password.
    PasswordProtected = "password_protected", GiveUp, "error_password_protected";
    /// The encoder could not write the representation.
    EncodeFailed = "encode_failed", GiveUp, "error_conversion_generic";
    /// The render child was ended by a signal or exited in the middle.
    ChildCrashed = "child_crashed", Crash, "error_conversion_failed";
    /// The render child needed more memory than its limit.
    ChildOutOfMemory = "child_out_of_memory", Crash, "error_conversion_failed";
    /// The render child needed more time than its limit and was killed.
    ChildTimeout = "child_timeout", Crash, "error_conversion_failed";
    /// The render child answered with something that is not the protocol.
    ChildProtocol = "child_protocol", Crash, "error_conversion_failed";
}

impl FailureCode {
    /// The code with this [`name`](Self::name).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.name() == name)
    }
}

impl fmt::Display for FailureCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A failure as kept with the row: the code for machines and the reason for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The stable word.
    pub code: FailureCode,
    /// One sentence with the values that matter (`source is 61,000 pixels wide, the limit is 30,000`); no secrets.
    pub reason: String,
}

impl Failure {
    /// Reasons are cut at 500 characters, so that hostile input cannot fill the rows.
    pub fn new(code: FailureCode, reason: impl Into<String>) -> Self {
        let mut reason: String = reason.into();
        if let Some((cut, _)) = reason.char_indices().nth(500) {
            reason.truncate(cut);
        }
        Self { code, reason }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.reason)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Box's seven codes, contract section 2.5.
    const BOX_CODES: [&str; 7] = [
        "error_conversion_failed",
        "error_conversion_generic",
        "error_large_size_file",
        "error_password_protected",
        "error_try_again_later",
        "error_unsupported_format",
        "error_zero_byte_file",
    ];

    #[test]
    fn every_code_maps_onto_one_of_the_seven() {
        assert!(FailureCode::ALL.iter().all(|code| BOX_CODES.contains(&code.box_code())));
    }

    #[test]
    fn names_round_trip_and_agree_with_serde() {
        for code in FailureCode::ALL {
            assert_eq!(FailureCode::from_name(code.name()), Some(*code));
            assert_eq!(serde_json::to_value(code).unwrap(), code.name());
        }
    }

    #[test]
    fn what_may_pass_is_retried_and_clients_are_told_so() {
        for code in FailureCode::ALL {
            if code.disposition() == Disposition::Retry {
                assert_eq!(code.box_code(), "error_try_again_later", "{code}");
            }
        }
    }

    #[test]
    fn long_reasons_are_cut_between_characters() {
        assert_eq!(Failure::new(FailureCode::CorruptSource, "ü".repeat(9_000)).reason.chars().count(), 500);
    }
}
