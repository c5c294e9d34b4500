//! Names of blobs: the only place that builds or parses them.

use std::fmt;
use std::str::FromStr;

use super::format::OutputFormat;
use super::ids::{InvalidId, Sha256Digest, Tenant};

/// The name of a blob. It contains the digest of the bytes, so a second write of the same content changes nothing,
/// and the tenant, so equal content is shared within a tenant only.
///
/// Layout: `sources/<tenant>/<2 hex>/<sha256>`, `representations/<tenant>/<2 hex>/<sha256>.<extension>` and
/// `packs/<tenant>/<2 hex>/<sha256>`.
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
    /// Pages of representations one after the other; rows know where in it each of them is.
    Pack {
        /// Whose they are.
        tenant: Tenant,
        /// Of all the bytes.
        digest: Sha256Digest,
    },
}

impl BlobKey {
    /// The digest of the bytes that the key names.
    pub fn digest(&self) -> Sha256Digest {
        match self {
            Self::Source { digest, .. } | Self::Representation { digest, .. } | Self::Pack { digest, .. } => *digest,
        }
    }

    /// Whose the bytes are.
    pub fn tenant(&self) -> &Tenant {
        match self {
            Self::Source { tenant, .. } | Self::Representation { tenant, .. } | Self::Pack { tenant, .. } => tenant,
        }
    }

    /// What the bytes are; of a source and of a pack the key does not know.
    pub fn media_type(&self) -> &'static str {
        match self {
            Self::Source { .. } | Self::Pack { .. } => "application/octet-stream",
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
            Self::Pack { tenant, digest } => {
                let hex = digest.to_string();
                write!(f, "packs/{tenant}/{}/{hex}", &hex[..2])
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
            ("representations", Some(_)) => {
                let PageName { digest, format } = name.parse().map_err(|_| invalid())?;
                Self::Representation { tenant, digest, format }
            }
            ("packs", None) => Self::Pack { tenant, digest: name.parse().map_err(|_| invalid())? },
            _ => return Err(invalid()),
        };
        // Parsing is the inverse of building, nothing wider: this refuses upper-case hex and a wrong fan-out part.
        (name.starts_with(fan_out) && key.to_string() == text).then_some(key).ok_or_else(invalid)
    }
}

/// The name of a page within a pack: `<sha256>.<extension>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PageName {
    /// Of the bytes of the page.
    pub digest: Sha256Digest,
    /// What they are.
    pub format: OutputFormat,
}

impl fmt::Display for PageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.digest, self.format.name())
    }
}

impl FromStr for PageName {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = || InvalidId { value: text.chars().take(200).collect(), expected: "the name of a page" };
        let (hex, extension) = text.split_once('.').ok_or_else(invalid)?;
        let digest = hex.parse().map_err(|_| invalid())?;
        let name = Self { digest, format: OutputFormat::from_name(extension).ok_or_else(invalid)? };
        (name.to_string() == text).then_some(name).ok_or_else(invalid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_round_trip(tenant in "[a-zA-Z0-9_-][a-zA-Z0-9._-]{0,63}", content in any::<Vec<u8>>(), which in 0usize..8) {
            let tenant: Tenant = tenant.parse().unwrap();
            let digest = Sha256Digest::of(&content);
            let key = match OutputFormat::ALL.get(which) {
                Some(format) => BlobKey::Representation { tenant, digest, format: *format },
                None if which % 2 == 0 => BlobKey::Source { tenant, digest },
                None => BlobKey::Pack { tenant, digest },
            };
            prop_assert_eq!(key.to_string().parse::<BlobKey>().unwrap(), key);
        }

        #[test]
        fn nothing_else_parses(text in "(sources|representations|packs|[a-z]{0,9})(/[.a-zA-Z0-9]{0,66}){0,4}") {
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
        assert!(format!("packs/a/{}/{hex}.jpg", &hex[..2]).parse::<BlobKey>().is_err());
    }

    #[test]
    fn names_of_pages_are_spelled_in_one_way() {
        let name = PageName { digest: Sha256Digest::of(b"x"), format: OutputFormat::Png };
        assert_eq!(name.to_string().parse::<PageName>().unwrap(), name);
        let (hex, upper) = (name.digest.to_string(), name.digest.to_string().to_uppercase());
        for wrong in
            [hex.clone(), format!("{hex}.exe"), format!("{upper}.png"), format!("{hex}.png.png"), String::new()]
        {
            assert!(wrong.parse::<PageName>().is_err(), "{wrong}");
        }
    }
}
