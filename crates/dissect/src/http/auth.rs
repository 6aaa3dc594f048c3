//! Credentials in a request's `Authorization` header (RFC 7617, 7616, 4559): the scheme and the user, never the secret.
//! Only schemes whose answer judges the credentials make a log-in; the others are named and left alone.

use memchr::{memchr, memmem};

use crate::ntlmssp::{self, Message};
use crate::text;

/// Longest scheme word kept; unknown ones are an attacker's text.
const SCHEME_BYTES_MAX: usize = 32;
/// Encoded credentials looked at; NTLM messages with long names have 1 KiB.
const CREDENTIALS_BYTES_MAX: usize = 4096;

/// What a request says of who sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Auth {
    pub(crate) scheme: Box<str>,
    pub(crate) user: Option<Box<str>>,
    /// Carries credentials that the answer accepts or refuses. Not so the opening move of NTLM, which is always
    /// answered with 401, nor tokens, which somebody else has checked.
    pub(crate) is_login: bool,
}

/// Reads the value of an `Authorization` header.
pub(crate) fn read(value: &[u8]) -> Auth {
    let blank = memchr(b' ', value).unwrap_or(value.len());
    let (scheme, rest) = value.split_at(blank);
    let rest = rest.trim_ascii();
    let rest = &rest[..rest.len().min(CREDENTIALS_BYTES_MAX)];
    let is = |known: &str| scheme.eq_ignore_ascii_case(known.as_bytes());
    let (user, is_login) = if is("Basic") {
        let pair = text::base64(rest);
        let colon = memchr(b':', &pair).unwrap_or(pair.len());
        (Some(text::bounded(&pair[..colon])), true)
    } else if is("Digest") {
        (quoted(rest, b"username=\"").map(text::bounded), true)
    } else if is("NTLM") || is("Negotiate") {
        match ntlmssp::find(&text::base64(rest)) {
            Some(Message::Authenticate(identity)) => (Some(identity.user), true),
            Some(_) => (None, false),
            // Kerberos: one message, whose user is encrypted.
            None => (None, is("Negotiate") && !rest.is_empty()),
        }
    } else {
        (None, false)
    };
    Auth {
        scheme: text::bounded(&scheme[..scheme.len().min(SCHEME_BYTES_MAX)]),
        user: user.filter(|user| !user.is_empty()),
        is_login,
    }
}

fn quoted<'a>(parameters: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let value = &parameters[memmem::find(parameters, name)? + name.len()..];
    value.get(..memchr(b'"', value)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &[u8], scheme: &str, user: Option<&str>, is_login: bool) {
        let auth = read(value);
        let seen = (&*auth.scheme, auth.user.as_deref(), auth.is_login);
        assert_eq!(seen, (scheme, user, is_login));
    }

    #[test]
    fn schemes() {
        check(b"Basic a2ltOnNlY3JldA==", "Basic", Some("kim"), true);
        check(b"Basic ???", "Basic", None, true);
        check(
            b"Digest realm=\"r\", username=\"kim\", nonce=\"n\"",
            "Digest",
            Some("kim"),
            true,
        );
        check(b"NTLM TlRMTVNTUAABAAAAB4IIogAAAAA=", "NTLM", None, false);
        check(b"Negotiate YIIabc", "Negotiate", None, true);
        check(b"Bearer abc", "Bearer", None, false);
        check(b"", "", None, false);
    }
}
