//! The account whose sessions a store records.

use std::fmt;

use crate::credential::Credential;
use crate::operation::CredentialKind;

/// The fingerprint of an API key; stores tell accounts apart by it.
///
/// `Display` prints 16 hexadecimal digits, which do not reveal the key. Each key counts as a separate account: a process does not see
/// the sessions that another process recorded with another key, even if both keys belong to the same account of the service.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account([u8; Self::LENGTH]);

impl Account {
    /// Half of the digits of a UUID are enough to tell a handful of keys apart.
    const LENGTH: usize = 8;

    /// Returns the account of an API key, or `None` for a session token, which does not show its account.
    #[must_use]
    pub fn of(credential: &Credential) -> Option<Self> {
        if credential.kind() != CredentialKind::ApiKey {
            return None;
        }
        // The prefix keeps the fingerprint different from other programs' hashes of the key.
        let mut hash = hmac_sha256::Hash::new();
        hash.update(b"liveavatar-account:");
        hash.update(credential.header());
        let mut fingerprint = [0; Self::LENGTH];
        fingerprint.copy_from_slice(&hash.finalize()[..Self::LENGTH]);
        Some(Self(fingerprint))
    }

    /// Whether `text` is what `Display` prints for some account.
    pub(super) fn is_fingerprint(text: &str) -> bool {
        text.len() == 2 * Self::LENGTH && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Account({self})")
    }
}
