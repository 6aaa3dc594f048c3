//! Passwords: length and the commonest ones checked, hashed with argon2id, a few at a time.

use std::sync::{LazyLock, Mutex, PoisonError};

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};

use super::AccountError;

/// Letters a password needs; NIST SP 800-63B asks for 15 where it is the only factor, 8 at least.
const LETTERS_MIN: usize = 12;
/// Bytes at most, so that hashing stays bounded.
const BYTES_MAX: usize = 256;
/// Beginnings that guessers try first; a password made of one and little else is refused.
const COMMON: &[&str] = &[
    "password",
    "passw0rd",
    "qwerty",
    "qwertz",
    "azerty",
    "letmein",
    "welcome",
    "administrator",
    "admin",
    "iloveyou",
    "changeme",
    "1234567890",
    "0987654321",
    "abc123",
    "111111",
    "000000",
    "monkey",
    "dragon",
    "football",
    "weir",
];
/// Letters a password must have beside a common beginning.
const BESIDE_COMMON_MIN: usize = 6;

/// One hash at a time: each takes 19 MiB, and callers from outside choose how many there are.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A hash to compare with when there is no user, so that the answer takes as long.
static NOBODY: LazyLock<Option<String>> = LazyLock::new(|| digest("nobody has this password").ok());

/// Checks and hashes a new password.
pub(super) fn hash(pass: &str) -> Result<String, AccountError> {
    if pass.len() > BYTES_MAX {
        return Err(AccountError::Password("a password has 256 bytes at most"));
    }
    if pass.chars().count() < LETTERS_MIN {
        return Err(AccountError::Password(
            "a password has 12 letters at least; a sentence is best",
        ));
    }
    let lower = pass.to_lowercase();
    let first = lower.chars().next();
    let common = COMMON
        .iter()
        .any(|word| lower.starts_with(word) && lower.chars().count() < word.len() + BESIDE_COMMON_MIN);
    if common || lower.chars().all(|letter| Some(letter) == first) {
        return Err(AccountError::Password(
            "this password is among the first that guessers try",
        ));
    }
    digest(pass)
}

fn digest(pass: &str) -> Result<String, AccountError> {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let hashed = Argon2::default().hash_password(pass.as_bytes());
    hashed
        .map(|hash| hash.to_string())
        .map_err(|_| AccountError::Password("the password cannot be hashed"))
}

/// Is it the password? Without a stored hash the answer is no, after the same time.
pub(super) fn verify(pass: &str, stored: Option<&str>) -> bool {
    let Some(hash) = stored.or(NOBODY.as_deref()) else {
        return false;
    };
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let right = pass.len() <= BYTES_MAX
        && PasswordHash::new(hash)
            .is_ok_and(|hash| Argon2::default().verify_password(pass.as_bytes(), &hash).is_ok());
    right && stored.is_some()
}
