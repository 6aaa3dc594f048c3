//! ClientHello and ServerHello (RFC 5246 7.4.1, RFC 8446 4.1), read where they lie. Order and unknown values are kept
//! as sent, because the fingerprints are made of them.

use weir_wire::Cursor;

/// Extension numbers (IANA "TLS ExtensionType Values").
pub(crate) mod extension {
    pub(crate) const SERVER_NAME: u16 = 0;
    pub(crate) const GROUPS: u16 = 10;
    pub(crate) const POINT_FORMATS: u16 = 11;
    pub(crate) const SIGNATURE_ALGORITHMS: u16 = 13;
    pub(crate) const ALPN: u16 = 16;
    pub(crate) const PRE_SHARED_KEY: u16 = 41;
    pub(crate) const SUPPORTED_VERSIONS: u16 = 43;
}

/// TLS 1.3 as a version number.
pub(crate) const TLS13: u16 = 0x0304;
/// Random of a ServerHello that is a HelloRetryRequest (RFC 8446 4.1.3).
const RETRY_RANDOM: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2,
    0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// What a client offers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientHello<'a> {
    pub(crate) version: u16,
    pub(crate) session_id: &'a [u8],
    pub(crate) ciphers: &'a [u8],
    pub(crate) extensions: Extensions<'a>,
    pub(crate) offers: Offers<'a>,
    /// Read to its end; a fingerprint of less would be wrong.
    pub(crate) whole: bool,
}

/// Data of those extensions of a client that are looked into, each the first of its number.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Offers<'a> {
    pub(crate) server_name: Option<&'a [u8]>,
    pub(crate) groups: Option<&'a [u8]>,
    pub(crate) point_formats: Option<&'a [u8]>,
    signature_algorithms: Option<&'a [u8]>,
    alpn: Option<&'a [u8]>,
    versions: Option<&'a [u8]>,
}

impl<'a> Offers<'a> {
    /// Looks for all of them in one pass.
    fn of(extensions: Extensions<'a>) -> Self {
        let mut offers = Self::default();
        for (kind, data) in extensions.iter() {
            let slot = match kind {
                extension::SERVER_NAME => &mut offers.server_name,
                extension::GROUPS => &mut offers.groups,
                extension::POINT_FORMATS => &mut offers.point_formats,
                extension::SIGNATURE_ALGORITHMS => &mut offers.signature_algorithms,
                extension::ALPN => &mut offers.alpn,
                extension::SUPPORTED_VERSIONS => &mut offers.versions,
                _ => continue,
            };
            slot.get_or_insert(data);
        }
        offers
    }
}

impl<'a> ClientHello<'a> {
    /// Reads a hello. One that is cut within its extensions gives those before the cut.
    pub(crate) fn read(body: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(body);
        let version = cursor.u16()?;
        cursor.skip(32)?;
        let session_id = list8(&mut cursor)?;
        let ciphers = list16(&mut cursor)?;
        list8(&mut cursor)?;
        let (extensions, whole) = Extensions::read(cursor);
        Some(Self {
            version,
            session_id,
            ciphers,
            extensions,
            offers: Offers::of(extensions),
            whole,
        })
    }

    /// Highest version offered, GREASE aside.
    pub(crate) fn version_max(&self) -> u16 {
        let listed = self
            .offers
            .versions
            .and_then(|bytes| list8(&mut Cursor::new(bytes)));
        listed
            .and_then(|list| u16s(list).filter(|&version| !is_grease(version)).max())
            .unwrap_or(self.version)
    }

    /// Host name asked for (RFC 6066 3).
    pub(crate) fn server_name(&self) -> Option<&'a [u8]> {
        let mut cursor = Cursor::new(self.offers.server_name?);
        cursor.skip(2)?;
        let kind = cursor.u8()?;
        list16(&mut cursor).filter(|name| kind == 0 && !name.is_empty())
    }

    /// Signature algorithms in the order sent.
    pub(crate) fn signature_algorithms(&self) -> impl Iterator<Item = u16> + 'a {
        let list = self.offers.signature_algorithms;
        u16s(
            list.and_then(|bytes| list16(&mut Cursor::new(bytes)))
                .unwrap_or_default(),
        )
    }

    /// Application protocols offered (RFC 7301).
    pub(crate) fn alpn(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        protocols(self.offers.alpn)
    }
}

/// What a server chose.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServerHello<'a> {
    /// Version field of the hello itself, as JA3S wants it.
    pub(crate) legacy_version: u16,
    pub(crate) session_id: &'a [u8],
    pub(crate) cipher: u16,
    pub(crate) extensions: Extensions<'a>,
    /// Not a choice, but the request for another ClientHello.
    pub(crate) is_retry: bool,
}

impl<'a> ServerHello<'a> {
    /// Reads a hello.
    pub(crate) fn read(body: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(body);
        let legacy_version = cursor.u16()?;
        let random: [u8; 32] = cursor.array()?;
        let session_id = list8(&mut cursor)?;
        let cipher = cursor.u16()?;
        cursor.skip(1)?;
        Some(Self {
            legacy_version,
            session_id,
            cipher,
            extensions: Extensions::read(cursor).0,
            is_retry: random == RETRY_RANDOM,
        })
    }

    /// Application protocol chosen (RFC 7301).
    pub(crate) fn alpn(&self) -> Option<&'a [u8]> {
        protocols(self.extensions.find(extension::ALPN)).next()
    }

    /// Version chosen.
    pub(crate) fn version(&self) -> u16 {
        let chosen = self.extensions.find(extension::SUPPORTED_VERSIONS);
        chosen
            .and_then(|bytes| Cursor::new(bytes).u16())
            .unwrap_or(self.legacy_version)
    }
}

/// The extensions of a hello, undecoded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extensions<'a>(&'a [u8]);

impl<'a> Extensions<'a> {
    /// Reads the block at the end of a hello; false when it is cut. No block at all is fine (RFC 5246 7.4.1.2).
    fn read(mut cursor: Cursor<'a>) -> (Self, bool) {
        if cursor.is_empty() {
            return (Self(&[]), true);
        }
        let Some(len) = cursor.u16() else {
            return (Self(&[]), false);
        };
        let block = cursor.rest();
        match block.get(..usize::from(len)) {
            Some(block) => {
                let extensions = Self(block);
                let covered: usize = extensions.iter().map(|(_, data)| 4 + data.len()).sum();
                (extensions, covered == block.len())
            }
            None => (Self(block), false),
        }
    }

    /// Numbers and data, in the order sent.
    pub(crate) fn iter(self) -> impl Iterator<Item = (u16, &'a [u8])> {
        let mut cursor = Cursor::new(self.0);
        std::iter::from_fn(move || Some((cursor.u16()?, list16(&mut cursor)?)))
    }

    /// Numbers in the order sent.
    pub(crate) fn kinds(self) -> impl Iterator<Item = u16> {
        self.iter().map(|(kind, _)| kind)
    }

    /// Data of the first extension of this number.
    pub(crate) fn find(self, wanted: u16) -> Option<&'a [u8]> {
        self.iter()
            .find(|&(kind, _)| kind == wanted)
            .map(|(_, data)| data)
    }
}

/// Application protocols an extension lists.
fn protocols(extension: Option<&[u8]>) -> impl Iterator<Item = &[u8]> {
    let list = extension.and_then(|bytes| list16(&mut Cursor::new(bytes)));
    let mut cursor = Cursor::new(list.unwrap_or_default());
    std::iter::from_fn(move || list8(&mut cursor))
}

/// Reserved values that clients sprinkle in at random (RFC 8701): 0x0a0a, 0x1a1a .. 0xfafa.
pub(crate) const fn is_grease(value: u16) -> bool {
    value & 0x0f0f == 0x0a0a && value >> 8 == value & 0xff
}

/// Big-endian 16-bit numbers; an odd byte at the end is left out.
pub(crate) fn u16s(bytes: &[u8]) -> impl Iterator<Item = u16> + '_ {
    bytes.as_chunks().0.iter().map(|&pair| u16::from_be_bytes(pair))
}

/// Bytes behind an 8-bit length.
pub(crate) fn list8<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let len = cursor.u8()?;
    cursor.take(len.into())
}

/// Bytes behind a 16-bit length.
pub(crate) fn list16<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let len = cursor.u16()?;
    cursor.take(len.into())
}
