//! JA4, the fingerprint of a TLS client that survives shuffled extensions (FoxIO, BSD licence; TCP only here).
//! The other fingerprints of that family are licensed differently and are left out on purpose.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::hello::{ClientHello, extension, is_grease, u16s};
use super::ja3::Fingerprint;
use crate::text;

/// Hash of an empty list.
const NOTHING: &str = "000000000000";
/// Bytes of SHA-256 shown: 12 digits.
const HASH_BYTES: usize = 6;
/// Counts have two digits.
const COUNT_MAX: usize = 99;

/// `a_b_c`: what is offered in ten letters, the sorted ciphers, the sorted extensions with the signature algorithms.
/// The raw form has the lists instead of their hashes.
pub(crate) fn client(hello: &ClientHello<'_>) -> Fingerprint {
    let mut ciphers: Vec<u16> = u16s(hello.ciphers).filter(|&cipher| !is_grease(cipher)).collect();
    let mut extensions: Vec<u16> = hello
        .extensions
        .kinds()
        .filter(|&kind| !is_grease(kind))
        .collect();
    let mut raw = head(hello, ciphers.len(), extensions.len());
    let mut hash = raw.clone();

    ciphers.sort_unstable();
    raw.push('_');
    hash.push('_');
    let start = raw.len();
    push_list(ciphers.into_iter(), &mut raw);
    push_hash(&raw[start..], &mut hash);

    extensions.retain(|&kind| kind != extension::SERVER_NAME && kind != extension::ALPN);
    extensions.sort_unstable();
    raw.push('_');
    hash.push('_');
    let start = raw.len();
    push_list(extensions.into_iter(), &mut raw);
    let mut algorithms = hello
        .signature_algorithms()
        .filter(|&algorithm| !is_grease(algorithm))
        .peekable();
    if algorithms.peek().is_some() {
        raw.push('_');
        push_list(algorithms, &mut raw);
    }
    push_hash(&raw[start..], &mut hash);
    Fingerprint { hash, raw }
}

/// `t13d1516h2`: transport, version, name or address asked for, counts, first application protocol.
fn head(hello: &ClientHello<'_>, ciphers: usize, extensions: usize) -> String {
    let mut head = String::with_capacity(384);
    head.push('t');
    head.push_str(version(hello.version_max()));
    let named = hello.extensions.find(extension::SERVER_NAME).is_some();
    head.push(if named { 'd' } else { 'i' });
    // Writing to a String cannot fail.
    let _ = write!(
        head,
        "{:02}{:02}",
        ciphers.min(COUNT_MAX),
        extensions.min(COUNT_MAX)
    );
    push_alpn(hello.extensions.alpn().next().unwrap_or_default(), &mut head);
    head
}

/// First and last character of the protocol, or of its hexadecimal digits when those characters are no letters or digits.
fn push_alpn(protocol: &[u8], head: &mut String) {
    let (Some(&first), Some(&last)) = (protocol.first(), protocol.last()) else {
        head.push_str("00");
        return;
    };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        head.push(first.into());
        head.push(last.into());
    } else {
        let digits = text::hex(&[first, last]);
        head.push_str(&digits[..1]);
        head.push_str(&digits[3..]);
    }
}

const fn version(version: u16) -> &'static str {
    match version {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        0x0002 => "s2",
        _ => "00",
    }
}

fn push_list(numbers: impl Iterator<Item = u16>, raw: &mut String) {
    for (index, number) in numbers.enumerate() {
        if index > 0 {
            raw.push(',');
        }
        text::push_hex(&number.to_be_bytes(), raw);
    }
}

fn push_hash(list: &str, hash: &mut String) {
    if list.is_empty() {
        hash.push_str(NOTHING);
    } else {
        text::push_hex(&Sha256::digest(list.as_bytes())[..HASH_BYTES], hash);
    }
}
