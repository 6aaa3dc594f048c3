//! User names in SASL exchanges of mail protocols (RFC 4954, 5034, 9051): LOGIN, PLAIN, CRAM-MD5, NTLM, XOAUTH2.
//! Passwords and tokens are passed over: only the user's part is ever copied.

use weir_model::{Field, Transaction};

use crate::{ntlmssp, text};

/// Longest base64 text decoded: an NTLM message with long names.
const ENCODED_MAX: usize = 4096;
/// Longest mechanism name, RFC 4422 3.1.
const MECHANISM_MAX: usize = 20;

/// One authentication exchange in progress.
#[derive(Debug, Default)]
pub(crate) struct Sasl {
    /// Mechanism in upper case.
    pub(crate) mechanism: Box<str>,
    pub(crate) user: Option<Box<str>>,
}

impl Sasl {
    /// The client named a mechanism, perhaps with an initial response.
    pub(crate) fn start(mechanism: &[u8], initial: &[u8]) -> Self {
        let name = &mechanism[..mechanism.len().min(MECHANISM_MAX)];
        let mut sasl = Self {
            mechanism: String::from_utf8_lossy(name).to_ascii_uppercase().into(),
            user: None,
        };
        if !initial.is_empty() && initial != b"=" {
            sasl.response(initial);
        }
        sasl
    }

    /// The client answered a challenge.
    pub(crate) fn response(&mut self, line: &[u8]) {
        if self.user.is_none() {
            let bytes = text::base64(line[..line.len().min(ENCODED_MAX)].trim_ascii());
            self.user = user(&self.mechanism, &bytes).filter(|user| !user.is_empty());
        }
    }

    /// Tells who logs in and how, in the fields of the protocol that carries the exchange.
    pub(crate) fn set(self, login: &mut Transaction, user: &'static Field, mechanism: &'static Field) {
        if let Some(name) = self.user {
            login.set_text(user, name);
        }
        login.set_text(mechanism, self.mechanism);
    }
}

fn user(mechanism: &str, bytes: &[u8]) -> Option<Box<str>> {
    match mechanism {
        // The first answer is the user, the second the password, which `response` does not read.
        "LOGIN" => Some(text::bounded(bytes)),
        // Authorisation identity, NUL, user, NUL, password (RFC 4616).
        "PLAIN" => {
            let mut parts = bytes.split(|&byte| byte == 0);
            let (authorisation, user) = (parts.next()?, parts.next()?);
            Some(text::bounded(if user.is_empty() { authorisation } else { user }))
        }
        // User, blank, digest (RFC 2195).
        "CRAM-MD5" => {
            let blank = bytes.iter().rposition(|&byte| byte == b' ')?;
            Some(text::bounded(&bytes[..blank]))
        }
        "XOAUTH2" => {
            let rest = bytes.strip_prefix(b"user=")?;
            let end = rest.iter().position(|&byte| byte == 1).unwrap_or(rest.len());
            Some(text::bounded(&rest[..end]))
        }
        "NTLM" | "GSS-SPNEGO" => match ntlmssp::find(bytes)? {
            ntlmssp::Message::Authenticate(identity) => Some(identity.user),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_but_no_passwords() {
        assert_eq!(
            Sasl::start(b"plain", b"AGtpbQBzZWNyZXQ=").user.as_deref(),
            Some("kim")
        );
        let mut login = Sasl::start(b"LOGIN", b"");
        login.response(b"a2lt");
        login.response(b"c2VjcmV0");
        assert_eq!(login.user.as_deref(), Some("kim"));
        assert_eq!(
            Sasl::start(b"CRAM-MD5", b"a2ltIDEyMzQ=").user.as_deref(),
            Some("kim")
        );
        assert_eq!(Sasl::start(b"SCRAM-SHA-1", b"biwsbj11c2Vy").user, None);
    }
}
