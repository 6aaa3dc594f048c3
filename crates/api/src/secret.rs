//! Secrets: made by the system's generator, kept only as hashes, compared in constant time.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// Bytes of a secret: 256 bits.
const BYTES: usize = 32;

/// The hash of a secret, in hexadecimal. Secrets are random and long, so a plain hash is enough at rest.
pub(crate) fn hash(secret: &str) -> String {
    hex(&Sha256::digest(secret.as_bytes()))
}

/// A new secret of 256 bits as text that needs no escaping in URLs and headers.
///
/// # Panics
/// When the system has no random numbers: nothing can be kept secret then.
pub(crate) fn new() -> String {
    URL_SAFE_NO_PAD.encode(random::<BYTES>())
}

/// An id that need not be secret, 16 letters.
pub(crate) fn short_id() -> String {
    hex(&random::<8>())
}

/// Are they the same? Takes the same time wherever they differ.
pub(crate) fn same(one: &str, other: &str) -> bool {
    one.len() == other.len()
        && one
            .bytes()
            .zip(other.bytes())
            .fold(0, |differences, (a, b)| differences | (a ^ b))
            == 0
}

/// Bytes of the system's generator.
///
/// # Panics
/// As [`new`].
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[expect(clippy::expect_used, reason = "without random numbers no secret can be made")]
    getrandom::fill(&mut bytes).expect("the system gives random numbers");
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_differ_and_compare() {
        let (one, other) = (new(), new());
        assert_eq!(one.len(), 43);
        assert!(same(&one, &one.clone()));
        assert!(!same(&one, &other));
        assert!(!same("a", "ab"));
        assert_eq!(&hash("weir")[..8], &hash("weir")[..8]);
        assert_eq!(hash("").len(), 64);
    }
}
