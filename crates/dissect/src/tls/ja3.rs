//! JA3 and JA3S: MD5 over what a client offers and a server chooses, in the order sent, GREASE left out.
//! Browsers shuffle extensions today, so JA3 only serves to match lists of known programs.

use md5::{Digest, Md5};
use weir_wire::Cursor;

use super::hello::{ClientHello, ServerHello, is_grease, list8, list16, u16s};
use crate::text::{self, Ascii};

/// A fingerprint and the text it is the hash of.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    pub(crate) hash: Box<str>,
    pub(crate) raw: Box<str>,
}

/// JA3: `version,ciphers,extensions,groups,point formats`, decimal numbers joined by `-`.
pub(crate) fn client(hello: &ClientHello<'_>) -> Fingerprint {
    let groups = hello
        .offers
        .groups
        .and_then(|bytes| list16(&mut Cursor::new(bytes)));
    let formats = hello
        .offers
        .point_formats
        .and_then(|bytes| list8(&mut Cursor::new(bytes)));
    let mut raw = Ascii::with_capacity(512);
    raw.push_decimal(hello.version);
    push_list(u16s(hello.ciphers), &mut raw);
    push_list(hello.extensions.kinds(), &mut raw);
    push_list(u16s(groups.unwrap_or_default()), &mut raw);
    push_list(
        formats.unwrap_or_default().iter().map(|&format| format.into()),
        &mut raw,
    );
    hashed(&raw)
}

/// JA3S: `version,cipher,extensions`.
pub(crate) fn server(hello: &ServerHello<'_>) -> Fingerprint {
    let mut raw = Ascii::with_capacity(64);
    raw.push_decimal(hello.legacy_version);
    push_list(std::iter::once(hello.cipher), &mut raw);
    push_list(hello.extensions.kinds(), &mut raw);
    hashed(&raw)
}

fn push_list(numbers: impl Iterator<Item = u16>, raw: &mut Ascii) {
    let mut separator = b',';
    let mut any = false;
    for number in numbers.filter(|&number| !is_grease(number)) {
        raw.push(separator);
        raw.push_decimal(number);
        (separator, any) = (b'-', true);
    }
    if !any {
        raw.push(b',');
    }
}

fn hashed(raw: &Ascii) -> Fingerprint {
    Fingerprint {
        hash: text::hex(&Md5::digest(raw.as_bytes())),
        raw: raw.text(),
    }
}
