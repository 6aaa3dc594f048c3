//! NTLMSSP messages ([MS-NLMP] 2.2.1): who wants to log in, from which workstation, to which server.
//! They travel inside SPNEGO, whose ASN.1 is not parsed: the signature is found in the security blob by scanning.

use memchr::memmem;

use crate::{le, text};

const SIGNATURE: &[u8] = b"NTLMSSP\0";
/// NTLMSSP_NEGOTIATE_UNICODE: names are UTF-16, else the client's OEM code page.
const FLAG_UNICODE: u32 = 1;
/// AV pairs read of one challenge; [MS-NLMP] 2.2.2.1 defines eleven.
const AV_PAIRS_MAX: usize = 16;
/// MsvAvNbComputerName.
const AV_COMPUTER: u16 = 1;

/// One NTLMSSP message, as far as an observer can use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// Type 1: the client offers NTLM.
    Negotiate,
    /// Type 2: the server's challenge, which tells the server's NetBIOS name.
    Challenge { computer: Option<Box<str>> },
    /// Type 3: the answer that names the user. Empty user and no response = anonymous.
    Authenticate(Identity),
}

/// Names in a type 3 message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    pub user: Box<str>,
    pub domain: Box<str>,
    pub workstation: Box<str>,
}

/// The first NTLMSSP message in a security blob, if any.
pub(crate) fn find(blob: &[u8]) -> Option<Message> {
    let message = blob.get(memmem::find(blob, SIGNATURE)?..)?;
    match le::u32(message, 8)? {
        1 => Some(Message::Negotiate),
        2 => Some(Message::Challenge {
            computer: computer(message),
        }),
        3 => authenticate(message),
        _ => None,
    }
}

/// Bytes of the field whose length and offset stand at `at`.
fn field(message: &[u8], at: usize) -> Option<&[u8]> {
    let len = le::u16(message, at)?;
    let offset = le::u32(message, at + 4)?;
    le::bytes(message, offset as usize, len.into())
}

fn computer(message: &[u8]) -> Option<Box<str>> {
    let mut pairs = field(message, 40)?;
    for _ in 0..AV_PAIRS_MAX {
        let (id, len) = (le::u16(pairs, 0)?, le::u16(pairs, 2)?);
        let value = le::bytes(pairs, 4, len.into())?;
        match id {
            0 => return None,
            AV_COMPUTER => return Some(le::utf16(value)),
            _ => pairs = &pairs[4 + value.len()..],
        }
    }
    None
}

fn authenticate(message: &[u8]) -> Option<Message> {
    // A message cut before its flags is read as UTF-16: every client since Windows 2000 sends it.
    let unicode = le::u32(message, 60).is_none_or(|flags| flags & FLAG_UNICODE != 0);
    let name = |at| {
        let bytes = field(message, at).unwrap_or_default();
        if unicode {
            le::utf16(bytes)
        } else {
            text::bounded(bytes)
        }
    };
    le::u64(message, 36)?;
    Some(Message::Authenticate(Identity {
        domain: name(28),
        user: name(36),
        workstation: name(44),
    }))
}

/// A type 3 message for tests of the protocols that carry it.
#[cfg(test)]
pub(crate) fn sample_authenticate(user: &str, domain: &str, workstation: &str) -> Vec<u8> {
    let utf16 = |text: &str| {
        text.encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect::<Vec<u8>>()
    };
    let mut message = [SIGNATURE, &3u32.to_le_bytes(), &[0; 16]].concat();
    let mut payload = Vec::new();
    for name in [domain, user, workstation] {
        let bytes = utf16(name);
        let len = (bytes.len() as u16).to_le_bytes();
        message.extend([len, len].concat());
        message.extend((64 + payload.len() as u32).to_le_bytes());
        payload.extend(bytes);
    }
    message.extend([0; 8]);
    message.extend(FLAG_UNICODE.to_le_bytes());
    message.extend(payload);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authenticate_names_the_user() {
        let blob = [
            b"\xa1\x82\x01\x0b",
            &sample_authenticate("kim", "LAB", "PC33")[..],
        ]
        .concat();
        let identity = Identity {
            user: "kim".into(),
            domain: "LAB".into(),
            workstation: "PC33".into(),
        };
        assert_eq!(find(&blob), Some(Message::Authenticate(identity)));
    }

    #[test]
    fn challenge_names_the_server() {
        let mut message = [SIGNATURE, &2u32.to_le_bytes(), &[0; 28]].concat();
        message.extend([12, 0, 12, 0, 48, 0, 0, 0]);
        message.extend([1, 0, 4, 0, b'D', 0, b'C', 0, 0, 0, 0, 0]);
        let computer = Some("DC".into());
        assert_eq!(find(&message), Some(Message::Challenge { computer }));
    }

    #[test]
    fn every_cut_is_harmless() {
        let message = sample_authenticate("kim", "LAB", "PC33");
        for end in 0..message.len() {
            find(&message[..end]);
        }
        let mut lying = message;
        lying[36..44].copy_from_slice(&[0xff; 8]);
        assert!(matches!(find(&lying), Some(Message::Authenticate(identity)) if identity.user.is_empty()));
    }
}
