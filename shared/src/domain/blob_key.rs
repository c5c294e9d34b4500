//! Names of blobs: the only place that builds or parses them.

use std::fmt;
use std::str::FromStr;

use super::format::OutputFormat;
use super::ids::{InvalidId, Sha256Digest, Tenant};

/// The name of a blob. It contains the digest of the bytes, so a second write of the same content changes nothing,
/// and the tenant, so equal content is shared within a tenant only.
///
/// Layout: `sources/<tenant>/<2 hex>/<sha256>` and `representations/<tenant>/<2 hex>/<sha256>.<extension>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum BlobKey {
    /// The bytes of a file version that was uploaded through our API.
    Source {
        /// Whose it is.
        tenant: Tenant,
        /// Of the bytes.
        digest: Sha256Digest,
    },
    /// One page of a representation.
    Representation {
        /// Whose it is.
        tenant: Tenant,
        /// Of the bytes.
        digest: Sha256Digest,
        /// What the bytes are.
        format: OutputFormat,
    },
}

impl BlobKey {
    /// The digest of the bytes that the key names.
    pub fn digest(&self) -> Sha256Digest {
        match self {
            Self::Source { digest, .. } | Self::Representation { digest, .. } => *digest,
        }
    }
}

impl BlobKey {
    /// What the bytes are; of a source the key does not know.
    pub fn media_type(&self) -> &'static str {
        match self {
            Self::Source { .. } => "application/octet-stream",
            Self::Representation { format, .. } => format.media_type(),
        }
    }
}

impl fmt::Display for BlobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source { tenant, digest } => {
                let hex = digest.to_string();
                write!(f, "sources/{tenant}/{}/{hex}", &hex[..2])
            }
            Self::Representation { tenant, digest, format } => {
                let hex = digest.to_string();
                write!(f, "representations/{tenant}/{}/{hex}.{}", &hex[..2], format.name())
            }
        }
    }
}

impl FromStr for BlobKey {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = || InvalidId { value: text.chars().take(200).collect(), expected: "a blob key" };
        let parts: Vec<&str> = text.split('/').collect();
        let [kind, tenant, fan_out, name] = parts[..] else { return Err(invalid()) };
        let tenant: Tenant = tenant.parse().map_err(|_| invalid())?;
        let key = match (kind, name.split_once('.')) {
            ("sources", None) => Self::Source { tenant, digest: name.parse().map_err(|_| invalid())? },
            ("representations", Some((hex, extension))) => Self::Representation {
                tenant,
                digest: hex.parse().map_err(|_| invalid())?,
                format: OutputFormat::from_name(extension).ok_or_else(invalid)?,
            },
            _ => return Err(invalid()),
        };
        // Parsing is the inverse of building, nothing wider: this refuses upper-case hex and a wrong fan-out part.
        (name.starts_with(fan_out) && key.to_string() == text).then_some(key).ok_or_else(invalid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_round_trip(tenant in "[a-zA-Z0-9_-][a-zA-Z0-9._-]{0,63}", content in any::<Vec<u8>>(), which in 0usize..4) {
            let tenant: Tenant = tenant.parse().unwrap();
            let digest = Sha256Digest::of(&content);
            let key = match OutputFormat::ALL.get(which) {
                Some(format) => BlobKey::Representation { tenant, digest, format: *format },
                None => BlobKey::Source { tenant, digest },
            };
            prop_assert_eq!(key.to_string().parse::<BlobKey>().unwrap(), key);
        }

        #[test]
        fn nothing_else_parses(text in "(sources|representations|[a-z]{0,9})(/[.a-zA-Z0-9]{0,66}){0,4}") {
            if let Ok(key) = text.parse::<BlobKey>() {
                prop_assert_eq!(key.to_string(), text);
            }
        }
    }

    #[test]
    fn climbing_and_wrong_fan_out_are_refused() {
        let hex = Sha256Digest::of(b"x").to_string();
        assert!(format!("sources/../{}/{hex}", &hex[..2]).parse::<BlobKey>().is_err());
        assert!(format!("sources/a/00/{hex}").parse::<BlobKey>().is_err());
        assert!(format!("sources/a//{hex}").parse::<BlobKey>().is_err());
    }
}
