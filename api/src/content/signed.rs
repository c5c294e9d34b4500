//! Signed links: whoever holds one may read the bytes that it names until it expires, without credentials.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use shared::domain::ids::{FileId, FileVersionId, Sha256Digest};

/// Makes and checks signatures. Processes behind one public URL need the same key.
#[derive(Clone)]
pub struct LinkSigner([u8; 32]);

/// What a link names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    /// The file.
    pub(crate) file: FileId,
    /// Its version.
    pub(crate) version: FileVersionId,
    /// The preset's name, for a representation; `None` for the source.
    pub(crate) representation: Option<String>,
}

impl LinkSigner {
    /// With the configured key; with a random one of this process when that is empty.
    pub fn new(key: &str) -> Self {
        if key.is_empty() { Self(rand::random()) } else { Self(*Sha256Digest::of(key.as_bytes()).as_bytes()) }
    }

    /// When a link made now expires, in unix seconds, and its signature in hex.
    pub(crate) fn sign(&self, named: &Named, lifetime: Duration) -> (u64, String) {
        let expires = now_seconds().saturating_add(lifetime.as_secs());
        let signature = self.mac(named, expires).finalize().into_bytes();
        (expires, signature.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Whether the signature is ours and has not expired. Compares without telling by its time where they differ.
    pub(crate) fn accepts(&self, named: &Named, expires: u64, signature: &str) -> bool {
        let bytes = signature.parse::<Sha256Digest>();
        let is_ours = bytes.is_ok_and(|bytes| self.mac(named, expires).verify_slice(bytes.as_bytes()).is_ok());
        is_ours && now_seconds() < expires
    }

    fn mac(&self, named: &Named, expires: u64) -> Hmac<Sha256> {
        let Named { file, version, representation } = named;
        // Keys of any length are accepted, so this one is.
        let mut mac = Hmac::<Sha256>::new(&self.0.into_iter().chain([0; 32]).collect::<Vec<_>>()[..].try_into().unwrap_or_default());
        mac.update(format!("{file}|{version}|{}|{expires}", representation.as_deref().unwrap_or("")).as_bytes());
        mac
    }
}

fn now_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(file: i64, representation: Option<&str>) -> Named {
        let version = FileVersionId::new(2).unwrap();
        Named { file: FileId::new(file).unwrap(), version, representation: representation.map(str::to_owned) }
    }

    #[test]
    fn a_link_opens_what_it_names_until_it_expires_and_nothing_else() {
        let signer = LinkSigner::new("a key of the configuration");
        let (expires, signature) = signer.sign(&named(1, None), Duration::from_secs(60));
        assert!(signer.accepts(&named(1, None), expires, &signature));
        assert!(LinkSigner::new("a key of the configuration").accepts(&named(1, None), expires, &signature));
        assert!(!signer.accepts(&named(2, None), expires, &signature));
        assert!(!signer.accepts(&named(1, Some("jpg_320x320")), expires, &signature));
        assert!(!signer.accepts(&named(1, None), expires + 1, &signature));
        assert!(!LinkSigner::new("").accepts(&named(1, None), expires, &signature));
        for bad in ["", "00", &signature[..63], &signature.replace(|c: char| c.is_ascii_digit(), "g")] {
            assert!(!signer.accepts(&named(1, None), expires, bad), "{bad}");
        }
        let (expires, signature) = signer.sign(&named(1, None), Duration::ZERO);
        assert!(!signer.accepts(&named(1, None), expires, &signature));
    }
}
