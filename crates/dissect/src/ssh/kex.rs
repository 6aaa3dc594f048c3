//! SSH_MSG_KEXINIT (RFC 4253 7.1): the name lists both sides offer, HASSH of them, and what they agree on.
//! HASSH is the MD5 of "kex;encryption;mac;compression" of the sender's own direction.

use md5::{Digest, Md5};
use weir_wire::Cursor;

use crate::text;

/// Longest text of HASSH algorithms kept for show; the hash is made of all of it.
const ALGORITHMS_SHOWN_MAX: usize = 2048;
/// Longest name of an algorithm kept; RFC 4251 6 allows 64.
const NAME_MAX: usize = 64;

/// Name lists of one KEXINIT, in the order of the message.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Offer {
    pub kex: Vec<u8>,
    pub cipher_to_server: Vec<u8>,
    pub cipher_to_client: Vec<u8>,
    pub mac_to_server: Vec<u8>,
    pub mac_to_client: Vec<u8>,
    pub compression_to_server: Vec<u8>,
    pub compression_to_client: Vec<u8>,
}

impl Offer {
    /// Reads a KEXINIT payload behind its message number. `None` when a list is cut.
    pub(super) fn read(payload: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(payload);
        cursor.skip(16)?; // cookie
        let mut list = || {
            let len = cursor.u32()?;
            cursor.take(len as usize).map(<[u8]>::to_vec)
        };
        let kex = list()?;
        let _host_keys = list()?;
        Some(Self {
            kex,
            cipher_to_server: list()?,
            cipher_to_client: list()?,
            mac_to_server: list()?,
            mac_to_client: list()?,
            compression_to_server: list()?,
            compression_to_client: list()?,
        })
    }

    /// The text HASSH is made of, as a client (true) or as a server.
    fn algorithms(&self, as_client: bool) -> Vec<u8> {
        let direction = if as_client {
            [
                &self.cipher_to_server,
                &self.mac_to_server,
                &self.compression_to_server,
            ]
        } else {
            [
                &self.cipher_to_client,
                &self.mac_to_client,
                &self.compression_to_client,
            ]
        };
        [&self.kex, direction[0], direction[1], direction[2]]
            .map(Vec::as_slice)
            .join(&b';')
    }

    /// HASSH and the text it is made of.
    pub(super) fn hassh(&self, as_client: bool) -> (Box<str>, Box<str>) {
        let algorithms = self.algorithms(as_client);
        let hash = text::hex(&Md5::digest(&algorithms));
        let shown = &algorithms[..algorithms.len().min(ALGORITHMS_SHOWN_MAX)];
        (hash, String::from_utf8_lossy(shown).into())
    }
}

/// The first of the client's names the server knows too (RFC 4253 7.1).
pub(super) fn agreed<'a>(client: &'a [u8], server: &[u8]) -> Option<&'a [u8]> {
    let names = |list: &'a [u8]| list.split(|&byte| byte == b',');
    let known = |name: &&[u8]| server.split(|&byte| byte == b',').any(|other| other == *name);
    names(client)
        .filter(|name| !name.is_empty() && name.len() <= NAME_MAX)
        .find(known)
}

/// Length of MAC or tag behind a packet whose own length is readable on the wire: so with encrypt-then-MAC and AES-GCM
/// (RFC 5647 7.3), not so (`None`) with ChaCha20-Poly1305 and the ciphers of RFC 4253.
pub(super) fn readable_tag_len(cipher: &[u8], mac: &[u8]) -> Option<usize> {
    const GCM_TAG: usize = 16;
    if cipher.starts_with(b"aes") && memchr::memmem::find(cipher, b"gcm").is_some() {
        return Some(GCM_TAG);
    }
    let encrypt_then_mac = memchr::memmem::find(mac, b"-etm@").is_some();
    let chacha = cipher.starts_with(b"chacha20");
    (encrypt_then_mac && !chacha).then(|| mac_len(mac)).flatten()
}

fn mac_len(mac: &[u8]) -> Option<usize> {
    let lens: [(&[u8], usize); 7] = [
        (b"hmac-sha2-256", 32),
        (b"hmac-sha2-512", 64),
        (b"hmac-sha1-96", 12),
        (b"hmac-sha1", 20),
        (b"hmac-md5", 16),
        (b"umac-64", 8),
        (b"umac-128", 16),
    ];
    lens.iter()
        .find(|(name, _)| mac.starts_with(name))
        .map(|&(_, len)| len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_of_the_client_wins() {
        assert_eq!(agreed(b"a,b,c", b"c,b"), Some(&b"b"[..]));
        assert_eq!(agreed(b"a,,", b",x"), None);
    }

    #[test]
    fn lengths_on_the_wire() {
        assert_eq!(readable_tag_len(b"aes128-gcm@openssh.com", b""), Some(16));
        assert_eq!(
            readable_tag_len(b"aes128-ctr", b"hmac-sha2-256-etm@openssh.com"),
            Some(32)
        );
        assert_eq!(readable_tag_len(b"aes128-ctr", b"hmac-sha2-256"), None);
        assert_eq!(
            readable_tag_len(b"chacha20-poly1305@openssh.com", b"hmac-sha2-256-etm@openssh.com"),
            None
        );
    }
}
