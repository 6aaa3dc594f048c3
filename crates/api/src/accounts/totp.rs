//! Time-based one-time passwords (RFC 6238 over HOTP, RFC 4226): the second factor of local accounts, as every
//! authenticator program knows it (SHA-1, six digits, thirty seconds).

use sha1::{Digest, Sha1};
use weir_model::{NANOS_PER_S, Time};

/// Seconds a code is valid.
const STEP_S: i64 = 30;
/// Codes before and after the present one that are taken: clocks differ, and people type slowly (RFC 6238, 5.2).
const STEPS_AROUND: i64 = 1;
/// Bytes of a secret: the length of the hash (RFC 4226, 4).
pub(super) const SECRET_BYTES: usize = 20;
/// Bytes of a block of SHA-1.
const BLOCK: usize = 64;

/// HMAC-SHA-1 (RFC 2104). The key is never longer than a block here.
fn hmac(key: &[u8], message: &[u8]) -> [u8; 20] {
    let mut padded = [0; BLOCK];
    padded[..key.len()].copy_from_slice(key);
    let pad = |with: u8| padded.map(|byte| byte ^ with);
    let inner = Sha1::new()
        .chain_update(pad(0x36))
        .chain_update(message)
        .finalize();
    Sha1::new()
        .chain_update(pad(0x5c))
        .chain_update(inner)
        .finalize()
        .into()
}

/// The six digits of a step (RFC 4226, 5.3).
fn code(secret: &[u8; SECRET_BYTES], step: i64) -> u32 {
    let hash = hmac(secret, &step.to_be_bytes());
    let at = usize::from(hash[19] & 15);
    let word = u32::from_be_bytes([hash[at], hash[at + 1], hash[at + 2], hash[at + 3]]);
    (word & 0x7fff_ffff) % 1_000_000
}

/// The step whose code this is, when it is one of now and later than `after`: a code is taken once.
pub(super) fn check(secret: &[u8; SECRET_BYTES], given: &str, now: Time, after: i64) -> Option<i64> {
    let digits: String = given.chars().filter(|c| !c.is_whitespace()).collect();
    if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let given: u32 = digits.parse().ok()?;
    let present = now.0.div_euclid(STEP_S * NANOS_PER_S);
    let steps = (present - STEPS_AROUND)..=(present + STEPS_AROUND);
    steps
        .filter(|step| *step > after)
        .find(|step| code(secret, *step) == given)
}

/// What an authenticator with this secret shows.
#[cfg(test)]
pub(super) fn code_for_tests(secret: &[u8], now: Time) -> String {
    let secret: &[u8; SECRET_BYTES] = secret.try_into().unwrap();
    format!("{:06}", code(secret, now.0.div_euclid(STEP_S * NANOS_PER_S)))
}

/// Base 32 without padding (RFC 4648), as authenticators take secrets.
pub(super) fn base32(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut text = String::new();
    let (mut held, mut bits) = (0_u32, 0);
    for &byte in bytes {
        held = held << 8 | u32::from(byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(LETTERS[(held >> bits & 31) as usize]));
        }
    }
    if bits > 0 {
        text.push(char::from(LETTERS[(held << (5 - bits) & 31) as usize]));
    }
    text
}

/// What authenticators read from a picture: `otpauth://totp/...`.
pub(super) fn uri(secret: &[u8; SECRET_BYTES], user: &str) -> String {
    // Names of users are plain, but for '@'.
    let user = user.replace('@', "%40");
    format!("otpauth://totp/Weir:{user}?secret={}&issuer=Weir", base32(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_of_the_standard() {
        // RFC 6238, appendix B, of which the last six digits.
        let secret = b"12345678901234567890";
        for (second, expected) in [
            (59, 287_082),
            (1_111_111_109, 81_804),
            (1_111_111_111, 50_471),
            (1_234_567_890, 5_924),
            (2_000_000_000, 279_037),
            (20_000_000_000, 353_130),
        ] {
            assert_eq!(code(secret, second / STEP_S), expected, "{second}");
        }
        // RFC 4226, appendix D.
        assert_eq!(code(secret, 0), 755_224);
        assert_eq!(code(secret, 9), 520_489);
    }

    #[test]
    fn a_code_is_taken_once_and_near_its_time() {
        let secret = b"12345678901234567890";
        let at = |second| Time::from_secs(second);
        assert_eq!(check(secret, "287 082", at(59), 0), Some(1));
        assert_eq!(check(secret, "287082", at(89), 0), Some(1), "a step later");
        assert_eq!(check(secret, "287082", at(120), 0), None, "too late");
        assert_eq!(check(secret, "287082", at(59), 1), None, "a second time");
        for wrong in ["", "287083", "28708", "+87082", "2870822"] {
            assert_eq!(check(secret, wrong, at(59), 0), None, "{wrong}");
        }
    }

    #[test]
    fn base_32() {
        // RFC 4648, 10.
        for (bytes, text) in [("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foobar", "MZXW6YTBOI")] {
            assert_eq!(base32(bytes.as_bytes()), text);
        }
    }
}
