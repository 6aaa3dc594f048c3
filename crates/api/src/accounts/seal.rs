//! Secrets that must be known again (of authenticators) are sealed at rest, with a key in a file of its own beside the
//! accounts: a copy of `accounts.json` alone gives nobody a second factor. ChaCha20-Poly1305 (RFC 8439), bound to the user.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::secret;

/// Name of the key's file.
const FILE: &str = "secret.key";
/// Bytes of the key.
const KEY_BYTES: usize = 32;

/// The key, read when it is first needed and made when it is missing.
pub(super) struct Seal {
    path: PathBuf,
    key: OnceLock<[u8; KEY_BYTES]>,
}

impl Seal {
    /// For accounts that are kept at `accounts`.
    pub(super) fn beside(accounts: &Path) -> Self {
        Self {
            path: accounts.with_file_name(FILE),
            key: OnceLock::new(),
        }
    }

    /// Seals bytes of a user. Makes the key when there is none.
    pub(super) fn seal(&self, user: &str, bytes: &[u8]) -> io::Result<String> {
        let key = match self.read() {
            Err(error) if error.kind() == ErrorKind::NotFound => self.make()?,
            read => read?,
        };
        let nonce = secret::random::<NONCE_LEN>();
        let mut sealed = bytes.to_vec();
        let place = Nonce::assume_unique_for_key(nonce);
        cipher(&key)?
            .seal_in_place_append_tag(place, Aad::from(user.as_bytes()), &mut sealed)
            .map_err(|_| io::Error::other("a secret could not be sealed"))?;
        Ok(STANDARD.encode([nonce.as_slice(), &sealed].concat()))
    }

    /// Opens what was sealed for this user.
    ///
    /// # Errors
    /// When the key is missing or another one, or the text was changed.
    pub(super) fn open(&self, user: &str, text: &str) -> io::Result<Vec<u8>> {
        let wrong = || {
            io::Error::other(format!(
                "the second factor of {user:?} does not open with the key in {}; put the key back that belongs to it",
                self.path.display()
            ))
        };
        let key = self.read().map_err(|error| {
            io::Error::new(
                error.kind(),
                format!(
                    "the key {} is needed and cannot be read: {error}",
                    self.path.display()
                ),
            )
        })?;
        let bytes = STANDARD.decode(text).map_err(|_| wrong())?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>().ok_or_else(wrong)?;
        let mut sealed = sealed.to_vec();
        let opened = cipher(&key)?.open_in_place(
            Nonce::assume_unique_for_key(*nonce),
            Aad::from(user.as_bytes()),
            &mut sealed,
        );
        Ok(opened.map_err(|_| wrong())?.to_vec())
    }

    fn read(&self) -> io::Result<[u8; KEY_BYTES]> {
        if let Some(key) = self.key.get() {
            return Ok(*key);
        }
        let bytes = fs::read(&self.path)?;
        let key = <[u8; KEY_BYTES]>::try_from(bytes).map_err(|bytes| {
            io::Error::other(format!("it has {} bytes, a key has {KEY_BYTES}", bytes.len()))
        })?;
        Ok(*self.key.get_or_init(|| key))
    }

    fn make(&self) -> io::Result<[u8; KEY_BYTES]> {
        let key = secret::random::<KEY_BYTES>();
        let mut options = OpenOptions::new();
        let mut file = options
            .create_new(true)
            .write(true)
            .mode(0o400)
            .open(&self.path)?;
        file.write_all(&key)?;
        file.sync_all()?;
        if let Some(folder) = self.path.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(*self.key.get_or_init(|| key))
    }
}

fn cipher(key: &[u8; KEY_BYTES]) -> io::Result<LessSafeKey> {
    let key = UnboundKey::new(&CHACHA20_POLY1305, key);
    Ok(LessSafeKey::new(
        key.map_err(|_| io::Error::other("the key is no key"))?,
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_the_same_user_and_key_open() {
        let folder = std::env::temp_dir().join(format!("weir-seal-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let accounts = folder.join("accounts.json");
        let seal = Seal::beside(&accounts);
        let missing = seal.open("ann", "AAAA").unwrap_err().to_string();
        assert!(missing.contains("secret.key"), "{missing}");
        let text = seal.seal("ann", b"twenty bytes of this").unwrap();
        assert_ne!(text, seal.seal("ann", b"twenty bytes of this").unwrap());
        let mode = fs::metadata(folder.join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o400);
        let again = Seal::beside(&accounts);
        assert_eq!(again.open("ann", &text).unwrap(), b"twenty bytes of this");
        assert!(again.open("ben", &text).is_err(), "of somebody else");
        for wrong in ["", "no base 64", &text[..text.len() - 4]] {
            assert!(again.open("ann", wrong).is_err());
        }
        fs::remove_file(folder.join(FILE)).unwrap();
        let other = Seal::beside(&accounts);
        other.seal("zoe", b"makes a new key").unwrap();
        assert!(other.open("ann", &text).is_err(), "another key");
        fs::remove_dir_all(&folder).unwrap();
    }
}
