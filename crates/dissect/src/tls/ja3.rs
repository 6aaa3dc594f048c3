//! JA3 and JA3S: MD5 over what a client offers and a server chooses, in the order sent, GREASE left out.
//! Browsers shuffle extensions today, so JA3 only serves to match lists of known programs.

use md5::{Digest, Md5};
use weir_wire::Cursor;

use super::hello::{ClientHello, ServerHello, extension, is_grease, list8, list16, u16s};
use crate::text;

/// A fingerprint and the text it is the hash of.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    pub(crate) hash: String,
    pub(crate) raw: String,
}

/// JA3: `version,ciphers,extensions,groups,point formats`, decimal numbers joined by `-`.
pub(crate) fn client(hello: &ClientHello<'_>) -> Fingerprint {
    let mut raw = String::with_capacity(256);
    let find = |kind| hello.extensions.find(kind);
    let groups = find(extension::GROUPS).and_then(|bytes| list16(&mut Cursor::new(bytes)));
    let formats = find(extension::POINT_FORMATS).and_then(|bytes| list8(&mut Cursor::new(bytes)));
    text::push_decimal(hello.version, &mut raw);
    push_list(u16s(hello.ciphers), &mut raw);
    push_list(hello.extensions.kinds(), &mut raw);
    push_list(u16s(groups.unwrap_or_default()), &mut raw);
    push_list(
        formats.unwrap_or_default().iter().map(|&format| format.into()),
        &mut raw,
    );
    hashed(raw)
}

/// JA3S: `version,cipher,extensions`.
pub(crate) fn server(hello: &ServerHello<'_>) -> Fingerprint {
    let mut raw = String::with_capacity(32);
    text::push_decimal(hello.legacy_version, &mut raw);
    push_list(std::iter::once(hello.cipher), &mut raw);
    push_list(hello.extensions.kinds(), &mut raw);
    hashed(raw)
}

fn push_list(numbers: impl Iterator<Item = u16>, raw: &mut String) {
    let mut separator = ',';
    let mut any = false;
    for number in numbers.filter(|&number| !is_grease(number)) {
        raw.push(separator);
        text::push_decimal(number, raw);
        (separator, any) = ('-', true);
    }
    if !any {
        raw.push(',');
    }
}

fn hashed(raw: String) -> Fingerprint {
    Fingerprint {
        hash: text::hex(&Md5::digest(raw.as_bytes())),
        raw,
    }
}
