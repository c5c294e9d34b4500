//! Signed links: whoever holds one may read the bytes that it names until it expires, without credentials.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use shared::domain::ids::{FileId, FileVersionId, Sha256Digest};

/// Shortest key, in characters.
const KEY_LENGTH_MIN: usize = 16;

/// The key of the configuration; never shown.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SigningKey(String);

impl SigningKey {
    pub(crate) fn is_too_short(&self) -> bool {
        !self.0.is_empty() && self.0.chars().count() < KEY_LENGTH_MIN
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(hidden)")
    }
}

/// Makes and checks signatures. Processes behind one public URL need the same key.
#[derive(Clone)]
pub struct LinkSigner(Hmac<Sha256>);

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
    pub fn new(SigningKey(key): &SigningKey) -> Self {
        let secret = if key.is_empty() { rand::random() } else { *Sha256Digest::of(key.as_bytes()).as_bytes() };
        // As long as a block of the hash, so that no key can be too long or too short.
        let mut block = [0; 64];
        block[..secret.len()].copy_from_slice(&secret);
        Self(Hmac::new(&block.into()))
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
        let mut mac = self.0.clone();
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
    fn keys_are_long_and_never_shown() {
        let key = |text: &str| SigningKey(text.to_owned());
        assert!(key("hunter2").is_too_short() && !key("").is_too_short() && !key(&"x".repeat(16)).is_too_short());
        assert!(!format!("{:?}", key("hunter2")).contains("hunter2"));
    }

    #[test]
    fn a_link_opens_what_it_names_until_it_expires_and_nothing_else() {
        let key = SigningKey("a key of the configuration".to_owned());
        let signer = LinkSigner::new(&key);
        let (expires, signature) = signer.sign(&named(1, None), Duration::from_secs(60));
        assert!(signer.accepts(&named(1, None), expires, &signature));
        assert!(LinkSigner::new(&key).accepts(&named(1, None), expires, &signature));
        assert!(!signer.accepts(&named(2, None), expires, &signature));
        assert!(!signer.accepts(&named(1, Some("jpg_320x320")), expires, &signature));
        assert!(!signer.accepts(&named(1, None), expires + 1, &signature));
        assert!(!LinkSigner::new(&SigningKey::default()).accepts(&named(1, None), expires, &signature));
        for bad in ["", "00", &signature[..63], &signature.replace(|c: char| c.is_ascii_digit(), "g")] {
            assert!(!signer.accepts(&named(1, None), expires, bad), "{bad}");
        }
        let (expires, signature) = signer.sign(&named(1, None), Duration::ZERO);
        assert!(!signer.accepts(&named(1, None), expires, &signature));
    }
}
