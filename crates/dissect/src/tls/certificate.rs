//! The server's certificate, as TLS up to 1.2 sends it in the clear (RFC 5246 7.4.2, RFC 5280).
//! Only the first of the chain is read: it names the server; fingerprints are of its exact bytes.

use std::net::{Ipv4Addr, Ipv6Addr};

use sha1::Sha1;
use sha2::{Digest, Sha256};
use weir_model::{Transaction, Value};
use weir_wire::Cursor;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::fields;
use crate::text;

/// Alternative names kept; certificates of content networks carry hundreds, which say no more than the first.
const NAMES_MAX: usize = 32;
/// Certificates counted in a chain.
const CHAIN_MAX: usize = 16;
/// Serial numbers have at most 20 bytes (RFC 5280 4.1.2.2).
const SERIAL_BYTES_MAX: usize = 20;

/// Sets the certificate fields from a Certificate message; false when it cannot be read.
pub(crate) fn set(transaction: &mut Transaction, body: &[u8]) -> bool {
    let mut chain = chain(body);
    let Some(leaf) = chain.next() else {
        return false;
    };
    transaction.set_number(&fields::CERT_COUNT, 1 + chain.take(CHAIN_MAX - 1).count() as u64);
    transaction.set_text(&fields::CERT_SHA256, text::hex(&Sha256::digest(leaf)));
    transaction.set_text(&fields::CERT_SHA1, text::hex(&Sha1::digest(leaf)));
    let Ok((_, certificate)) = X509Certificate::from_der(leaf) else {
        return false;
    };
    let (subject, issuer) = (certificate.subject(), certificate.issuer());
    transaction.set_text(
        &fields::CERT_SUBJECT,
        text::bounded(subject.to_string().as_bytes()),
    );
    transaction.set_text(&fields::CERT_ISSUER, text::bounded(issuer.to_string().as_bytes()));
    let self_signed = subject.as_raw() == issuer.as_raw();
    transaction.set(&fields::CERT_SELF_SIGNED, Value::Flag(self_signed));
    let serial = certificate.raw_serial();
    transaction.set_text(
        &fields::CERT_SERIAL,
        text::hex(&serial[..serial.len().min(SERIAL_BYTES_MAX + 1)]),
    );
    let validity = certificate.validity();
    for (field, time) in [
        (&fields::CERT_NOT_BEFORE, validity.not_before),
        (&fields::CERT_NOT_AFTER, validity.not_after),
    ] {
        // Before 1970 is a mistake, and has no place in an unsigned column.
        if let Ok(seconds) = u64::try_from(time.timestamp()) {
            transaction.set_number(field, seconds);
        }
    }
    let names = alternative_names(&certificate);
    if !names.is_empty() {
        transaction.set(&fields::CERT_SAN, Value::Texts(names));
    }
    true
}

/// The certificates of the message, leaf first.
fn chain(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut cursor = Cursor::new(body);
    cursor.skip(3);
    std::iter::from_fn(move || {
        let len = cursor.u24()?;
        cursor.take(len as usize)
    })
}

fn alternative_names(certificate: &X509Certificate<'_>) -> Vec<Box<str>> {
    let named = certificate
        .extensions()
        .iter()
        .find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SubjectAlternativeName(names) => Some(&names.general_names),
            _ => None,
        });
    named
        .into_iter()
        .flatten()
        .filter_map(name_text)
        .take(NAMES_MAX)
        .collect()
}

fn name_text(name: &GeneralName<'_>) -> Option<Box<str>> {
    match name {
        GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) => {
            Some(text::bounded(name.as_bytes()))
        }
        GeneralName::IPAddress(bytes) => match <[u8; 4]>::try_from(*bytes) {
            Ok(octets) => Some(Ipv4Addr::from(octets).to_string().into()),
            Err(_) => Some(
                Ipv6Addr::from(<[u8; 16]>::try_from(*bytes).ok()?)
                    .to_string()
                    .into(),
            ),
        },
        _ => None,
    }
}
