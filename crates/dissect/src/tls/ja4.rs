//! JA4, the fingerprint of a TLS client that survives shuffled extensions (FoxIO, BSD licence; TCP only here).
//! The other fingerprints of that family are licensed differently and are left out on purpose.

use sha2::{Digest, Sha256};

use super::hello::{ClientHello, extension, is_grease, u16s};
use super::ja3::Fingerprint;
use crate::text::Ascii;

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
    let mut raw = Ascii::with_capacity(512);
    push_head(hello, ciphers.len(), extensions.len(), &mut raw);
    let mut hash = Ascii::with_capacity(64);
    hash.push_from(&raw, 0);

    ciphers.sort_unstable();
    raw.push(b'_');
    hash.push(b'_');
    let start = raw.as_bytes().len();
    push_list(ciphers.into_iter(), &mut raw);
    push_hash(&raw.as_bytes()[start..], &mut hash);

    extensions.retain(|&kind| kind != extension::SERVER_NAME && kind != extension::ALPN);
    extensions.sort_unstable();
    raw.push(b'_');
    hash.push(b'_');
    let start = raw.as_bytes().len();
    push_list(extensions.into_iter(), &mut raw);
    let mut algorithms = hello
        .signature_algorithms()
        .filter(|&algorithm| !is_grease(algorithm))
        .peekable();
    if algorithms.peek().is_some() {
        raw.push(b'_');
        push_list(algorithms, &mut raw);
    }
    push_hash(&raw.as_bytes()[start..], &mut hash);
    Fingerprint {
        hash: hash.text(),
        raw: raw.text(),
    }
}

/// `t13d1516h2`: transport, version, name or address asked for, counts, first application protocol.
fn push_head(hello: &ClientHello<'_>, ciphers: usize, extensions: usize, head: &mut Ascii) {
    head.push(b't');
    head.push_text(version(hello.version_max()));
    let named = hello.offers.server_name.is_some();
    head.push(if named { b'd' } else { b'i' });
    for count in [ciphers, extensions] {
        let count = count.min(COUNT_MAX) as u8;
        head.push(b'0' + count / 10);
        head.push(b'0' + count % 10);
    }
    push_alpn(hello.alpn().next().unwrap_or_default(), head);
}

/// First and last character of the protocol, or of its hexadecimal digits when those characters are no letters or digits.
fn push_alpn(protocol: &[u8], head: &mut Ascii) {
    let (Some(&first), Some(&last)) = (protocol.first(), protocol.last()) else {
        head.push_text("00");
        return;
    };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        head.push(first);
        head.push(last);
    } else {
        let mut digits = Ascii::with_capacity(4);
        digits.push_hex(&[first, last]);
        head.push(digits.as_bytes()[0]);
        head.push(digits.as_bytes()[3]);
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

fn push_list(numbers: impl Iterator<Item = u16>, raw: &mut Ascii) {
    for (index, number) in numbers.enumerate() {
        if index > 0 {
            raw.push(b',');
        }
        raw.push_hex(&number.to_be_bytes());
    }
}

fn push_hash(list: &[u8], hash: &mut Ascii) {
    if list.is_empty() {
        hash.push_text(NOTHING);
    } else {
        hash.push_hex(&Sha256::digest(list)[..HASH_BYTES]);
    }
}
