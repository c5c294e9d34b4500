//! Typed identifiers: a file id can't be taken for a version id, nor a digest for a name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// An identifier that does not have the form its kind requires.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is not {expected}")]
pub struct InvalidId {
    /// The text that was refused.
    pub value: String,
    /// What would have been accepted.
    pub expected: &'static str,
}

macro_rules! decimal_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(i64);

        impl $name {
            /// Accepts 1 up to 2^53 - 1: Jira clients read ids as JSON numbers, which are exact only below 2^53.
            pub fn new(value: i64) -> Option<Self> {
                (1..1 << 53).contains(&value).then_some(Self(value))
            }

            /// The number, as stored in the database.
            pub fn get(self) -> i64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let plain = !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
                text.parse()
                    .ok()
                    .filter(|_| plain)
                    .and_then(Self::new)
                    .ok_or_else(|| InvalidId { value: text.to_owned(), expected: "a decimal id below 2^53" })
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }
    };
}

decimal_id! {
    /// A file: the customer's thing over time. Also the Box file id and the Jira attachment id.
    FileId
}
decimal_id! {
    /// One immutable set of uploaded bytes of a file: the unit of work.
    FileVersionId
}

/// Whose file it is: 1 to 64 bytes of `A-Z a-z 0-9 . _ -`, not starting with a dot, so that it can be part of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tenant(String);

impl Tenant {
    /// The tenant's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tenant {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        let valid = (1..=64).contains(&text.len()) && !text.starts_with('.') && text.bytes().all(allowed);
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId {
                value: text.chars().take(80).collect(),
                expected: "a tenant: 1 to 64 of A-Z a-z 0-9 . _ -, not starting with a dot",
            })
        }
    }
}

impl TryFrom<String> for Tenant {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<Tenant> for String {
    fn from(tenant: Tenant) -> String {
        tenant.0
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A SHA-256 that we computed ourselves, or one a producer declared; shown as 64 lower-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha256Digest([u8; 32]);

impl Sha256Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// A digest from its 32 bytes, as an incremental hasher gives them.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Sha256Digest {
    /// As hex, in one piece: tags and keys of everything that is delivered are made of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        let hex: String = digits.map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])).collect();
        f.write_str(&hex)
    }
}

impl FromStr for Sha256Digest {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = || InvalidId { value: text.chars().take(80).collect(), expected: "a SHA-256 of 64 hex digits" };
        if text.len() != 64 {
            return Err(invalid());
        }
        let digit = |ascii: u8| match ascii {
            b'0'..=b'9' => Ok(ascii - b'0'),
            b'a'..=b'f' => Ok(ascii - b'a' + 10),
            b'A'..=b'F' => Ok(ascii - b'A' + 10),
            _ => Err(invalid()),
        };
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Sha256Digest {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<Sha256Digest> for String {
    fn from(digest: Sha256Digest) -> String {
        digest.to_string()
    }
}

/// Names one claim: unique for every claim ever made, so that a worker that lost its lease cannot settle.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClaimToken(String);

impl ClaimToken {
    /// `worker` names the process in logs; `nonce` is random and makes the token unique.
    pub fn new(worker: &str, nonce: u128) -> Self {
        Self(format!("{worker}/{nonce:032x}"))
    }

    /// The token as stored in the row.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_plain_decimals_below_two_to_the_53() {
        assert_eq!("42".parse::<FileId>().unwrap().get(), 42);
        assert_eq!("9007199254740991".parse::<FileId>().unwrap().to_string(), "9007199254740991");
        for bad in ["", "0", "-1", "+1", "007", "9007199254740992", "1e3", " 1", "１"] {
            assert!(bad.parse::<FileId>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn tenants_are_safe_as_path_parts() {
        assert!("acme-1.eu_West".parse::<Tenant>().is_ok());
        for bad in ["", ".", "..", ".a", "a/b", "a b", "ü", &"x".repeat(65)] {
            assert!(bad.parse::<Tenant>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn digests_round_trip_and_refuse_what_is_not_hex() {
        let digest = Sha256Digest::of(b"abc");
        assert_eq!(digest.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(digest.to_string().parse::<Sha256Digest>().unwrap(), digest);
        assert!("+a".repeat(32).parse::<Sha256Digest>().is_err());
        assert!("ba78".parse::<Sha256Digest>().is_err());
    }
}
