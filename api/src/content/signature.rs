//! Signed media URLs: whoever holds one may read exactly what it names, for a short time and without credentials.
//!
//! Clients drop their credentials when a redirect leads to another host or port (contract 0.16), so the URL itself has
//! to carry the right. The signature covers every part of it; the key comes from the configuration, so that all
//! processes of one API accept one another's URLs.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use shared::domain::access::Access;
use shared::domain::ids::{FileId, FileVersionId};

use super::disposition::Kind;

/// Told apart from every other use of the same secret.
const PURPOSE: &[u8] = b"thumbline media URLs, version 1";
/// Before what a mark is made of: no grant begins so, for a grant begins with a number.
const MARK: &[u8] = b"access";
/// Bytes of a mark that are kept. Whoever changes an access by chance into one with the same mark waits for the URL's end.
const MARK_BYTES: usize = 8;

/// What a URL lets its holder read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grant {
    /// The file.
    pub(crate) file: FileId,
    /// The version of it.
    pub(crate) version: FileVersionId,
    /// Which bytes of the version.
    pub(crate) what: Media,
    /// What the client is to do with them, and under which name.
    pub(crate) disposition: Option<(Kind, String)>,
    /// Unix seconds after which it grants nothing.
    pub(crate) expires_at: u64,
    /// Who might see the file when the grant was made, by [`Signer::mark`]: once that changes, it grants nothing.
    pub(crate) access: String,
}

/// Which bytes of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Media {
    /// The source itself.
    Source,
    /// One page of a representation.
    Page {
        /// The preset's name.
        preset: String,
        /// Counted from 1.
        number: u32,
    },
}

impl Media {
    /// As the last segment of the path.
    pub(crate) fn segment(&self) -> String {
        match self {
            Self::Source => "source".to_owned(),
            Self::Page { preset, number } => format!("{preset}.{number}"),
        }
    }

    /// The other way round.
    pub(crate) fn from_segment(segment: &str) -> Option<Self> {
        match segment.split_once('.') {
            None => (segment == "source").then_some(Self::Source),
            Some((preset, number)) => {
                let media = Self::Page { preset: preset.to_owned(), number: number.parse().ok()? };
                // One way to write it only: `+1` and `01` are not signed.
                (media.segment() == segment).then_some(media)
            }
        }
    }
}

/// Signs grants and checks signatures.
#[derive(Clone)]
pub struct Signer {
    key: Hmac<Sha256>,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").finish_non_exhaustive()
    }
}

impl Signer {
    /// From a secret that all processes of the API share. Without one there is a key for this process alone: its URLs
    /// end with it.
    pub fn new(secret: &str) -> Self {
        let random: [u8; 32] = rand::random();
        let secret = if secret.is_empty() { &random[..] } else { secret.as_bytes() };
        let derived = keyed(secret).chain_update(PURPOSE).finalize().into_bytes();
        Self { key: keyed(&derived) }
    }

    /// Stands for an access in a URL: equal for equal ones, and tells nobody who is in it.
    pub(crate) fn mark(&self, access: Option<&Access>) -> String {
        let rules = access.map_or_else(String::new, |access| {
            let groups = access
                .groups()
                .iter()
                .map(|group| group.iter().map(|rule| spelt(&rule.to_string())).collect::<String>());
            groups.map(|group| spelt(&group)).collect()
        });
        let code = self.key.clone().chain_update(MARK).chain_update(rules).finalize().into_bytes();
        hex(&code[..MARK_BYTES])
    }

    /// The signature of a grant in hex.
    pub(crate) fn sign(&self, grant: &Grant) -> String {
        hex(&self.key.clone().chain_update(canonical(grant)).finalize().into_bytes())
    }

    /// Whether this is the grant's signature; takes as long for a wrong one as for the right one.
    pub(crate) fn is_signed(&self, grant: &Grant, signature: &str) -> bool {
        let mut bytes = [0; 32];
        if signature.len() != 64 || !signature.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f')) {
            return false;
        }
        for (byte, pair) in bytes.iter_mut().zip(signature.as_bytes().chunks_exact(2)) {
            let Some(value) = std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()) else {
                return false;
            };
            *byte = value;
        }
        self.key.clone().chain_update(canonical(grant)).verify_slice(&bytes).is_ok()
    }
}

fn keyed(secret: &[u8]) -> Hmac<Sha256> {
    // Keys of HMAC may have any length (RFC 2104), so the error cannot happen; an empty key would be refused above.
    Hmac::new_from_slice(secret).unwrap_or_else(|_| Hmac::new(&Default::default()))
}

/// Every part with its length, so that no two grants are written alike.
fn canonical(grant: &Grant) -> String {
    let (kind, name) = grant.disposition.as_ref().map_or(("", ""), |(kind, name)| (kind.name(), name.as_str()));
    let parts = [
        grant.file.to_string(),
        grant.version.to_string(),
        grant.what.segment(),
        kind.to_owned(),
        name.to_owned(),
        grant.expires_at.to_string(),
        grant.access.clone(),
    ];
    parts.iter().map(|part| spelt(part)).collect()
}

/// A text with its length before it.
fn spelt(text: &str) -> String {
    format!("{}:{text}", text.len())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Seconds since 1970 by this host's clock.
pub(crate) fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant() -> Grant {
        Grant {
            file: FileId::new(1).unwrap(),
            version: FileVersionId::new(23).unwrap(),
            what: Media::Source,
            disposition: Some((Kind::Attachment, "a.jpg".to_owned())),
            expires_at: 1_700_000_000,
            access: String::new(),
        }
    }

    #[test]
    fn processes_with_one_secret_accept_one_anothers_urls() {
        let signature = Signer::new("a secret").sign(&grant());
        assert!(Signer::new("a secret").is_signed(&grant(), &signature));
        assert!(!Signer::new("another secret").is_signed(&grant(), &signature));
        assert!(!Signer::new("").is_signed(&grant(), &Signer::new("").sign(&grant())));
    }

    #[test]
    fn every_part_is_covered() {
        let signer = Signer::new("a secret");
        let signature = signer.sign(&grant());
        let others = [
            Grant { file: FileId::new(12).unwrap(), version: FileVersionId::new(3).unwrap(), ..grant() },
            Grant { version: FileVersionId::new(24).unwrap(), ..grant() },
            Grant { what: Media::Page { preset: "jpg_320x320".to_owned(), number: 1 }, ..grant() },
            Grant { disposition: None, ..grant() },
            Grant { disposition: Some((Kind::Inline, "a.jpg".to_owned())), ..grant() },
            Grant { disposition: Some((Kind::Attachment, "b.jpg".to_owned())), ..grant() },
            Grant { expires_at: 1_700_000_001, ..grant() },
            Grant { access: "0".to_owned(), ..grant() },
        ];
        for other in others {
            assert!(!signer.is_signed(&other, &signature), "{other:?}");
        }
    }

    #[test]
    fn marks_tell_every_two_accesses_apart() {
        let signer = Signer::new("a secret");
        let accesses = [
            None,
            Some(r#"[["anonymous"]]"#),
            Some(r#"[["user:1"]]"#),
            Some(r#"[["user:1","user:2"]]"#),
            Some(r#"[["user:1"],["user:2"]]"#),
            Some(r#"[["user:1user:2"]]"#),
        ];
        let marks = accesses.map(|json| signer.mark(json.map(|json| serde_json::from_str(json).unwrap()).as_ref()));
        assert_eq!(std::collections::BTreeSet::from(marks.clone()).len(), accesses.len());
        assert_eq!(signer.mark(Some(&Access::anonymous())), marks[1]);
        assert_ne!(Signer::new("another").mark(None), marks[0], "who has not the key cannot guess who is in it");
    }

    #[test]
    fn signatures_that_are_none_are_refused() {
        let signer = Signer::new("a secret");
        let signature = signer.sign(&grant());
        let upper = signature.to_uppercase();
        for bad in ["", "zz", &signature[1..], &format!("{signature}0"), &upper, &"é".repeat(32)] {
            assert!(!signer.is_signed(&grant(), bad), "{bad}");
        }
    }

    #[test]
    fn media_are_written_in_one_way_only() {
        for segment in ["source", "jpg_320x320.1", "png_paged_1024x1024.12"] {
            assert_eq!(Media::from_segment(segment).unwrap().segment(), segment);
        }
        for bad in ["", "sources", "jpg.01", "jpg.+1", "jpg.", "jpg.x", ".."] {
            assert_eq!(Media::from_segment(bad), None, "{bad}");
        }
    }
}
