//! Requests and answers as SMB1 and SMB2 have them in common: what a message of either version is read into.
//! Whether they fit together, and what they become, is the business of the exchange.

use weir_model::Time;

use crate::ntlmssp::{Identity, Message};

/// DER of 1.2.840.113554.1.2.2 behind its length, as it begins a Kerberos token in SPNEGO (RFC 4121 4.1).
const KERBEROS_OID: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01\x00";

/// Which file a request means: by its handle, or by the create request before it in the same chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Handle {
    Id(u128),
    CreatedBy(u64),
}

/// A request, as far as its answer needs it.
#[derive(Debug)]
pub(super) enum Request {
    Setup(Box<Attempt>),
    Tree { share: Box<str> },
    Create(Box<Opened>),
    Read(Handle),
    Write(Handle),
    Delete(Handle),
    Rename(Handle),
    Close(Handle),
}

/// One session set-up request.
#[derive(Debug, Default)]
pub(super) struct Attempt {
    /// Names, once the client has told them.
    pub identity: Option<Identity>,
    /// `ntlm`, `kerberos` or `plain`.
    pub auth: Option<&'static str>,
    pub native_os: Option<Box<str>>,
    /// Only offers NTLM: not an attempt yet.
    pub opening: bool,
}

impl Attempt {
    /// Reads the security blob of a session set-up request.
    pub(super) fn of_blob(blob: &[u8]) -> Self {
        match crate::ntlmssp::find(blob) {
            Some(Message::Authenticate(identity)) => Self {
                identity: Some(identity),
                auth: Some("ntlm"),
                ..Self::default()
            },
            Some(_) => Self {
                auth: Some("ntlm"),
                opening: true,
                ..Self::default()
            },
            // Kerberos names its user inside the encrypted ticket.
            None => Self {
                auth: memchr::memmem::find(blob, KERBEROS_OID).map(|_| "kerberos"),
                ..Self::default()
            },
        }
    }

    pub(super) fn is_anonymous(&self) -> bool {
        self.identity
            .as_ref()
            .is_some_and(|identity| identity.user.is_empty())
    }
}

/// A file being opened or open.
#[derive(Debug, Default)]
pub(super) struct Opened {
    pub name: Box<str>,
    pub tree: u32,
    pub session: u64,
    pub delete_on_close: bool,
}

/// Answer to a request, as far as it is the same in all versions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    pub id: u64,
    pub time: Time,
    pub status: u32,
    pub session: u64,
    pub tree: u32,
    pub body: Body,
}

/// What else an answer tells.
#[derive(Clone, Copy, Debug)]
pub(super) enum Body {
    Plain,
    /// The server let the client in as guest or nobody.
    Guest,
    Created {
        handle: u128,
        made: bool,
    },
    /// Bytes read or written.
    Bytes(u64),
}
