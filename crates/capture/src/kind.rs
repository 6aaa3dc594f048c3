//! What a file is, by its first bytes.
//! Files that are no captures are named where that is possible, because "bad magic number" helps nobody.

use crate::pcap::{FILE_HEADER_BYTES, Pcap};
use crate::pcapng::SECTION_HEADER;

/// Bytes that tell everything Weir reads.
pub(crate) const PREFIX_BYTES: usize = 32;

/// Kind of a file.
pub(crate) enum Kind {
    Pcap(Pcap),
    Pcapng,
    Gzip,
    Zstd,
    /// Too short to tell, but begins like a capture.
    Cut,
    /// None of these: what it begins with.
    Other(String),
}

/// Signatures of other files: offset, bytes, what the file is and what to do.
const OTHERS: &[(usize, &[u8], &str)] = &[
    (0, &[0x0c, 0xa5], "it is an nfdump file, which holds flow records"),
    (0, &[0xa5, 0x0c], "it is an nfdump file, which holds flow records"),
    (
        0,
        b"snoop\0\0\0",
        "it is a snoop file; convert it with `editcap -F pcapng`",
    ),
    (0, b"#separator", "it is a Zeek log"),
    (
        0,
        &[0xfd, b'7', b'z', b'X', b'Z', 0],
        "it is compressed with xz; unpack it with `xz -d`",
    ),
    (
        0,
        &[0x04, 0x22, 0x4d, 0x18],
        "it is compressed with lz4; unpack it with `lz4 -d`",
    ),
    (
        0,
        b"BZh",
        "it is compressed with bzip2; unpack it with `bzip2 -d`",
    ),
    (0, b"PK\x03\x04", "it is a zip archive; unpack it"),
    (0, b"7z\xbc\xaf\x27\x1c", "it is a 7z archive; unpack it"),
    (
        0,
        b"GMBU",
        "it is a Microsoft Network Monitor file; convert it with `editcap -F pcapng`",
    ),
    (
        0,
        b"RTSS",
        "it is a Microsoft Network Monitor file; convert it with `editcap -F pcapng`",
    ),
    (
        0,
        b"TRSNIFF data",
        "it is a Sniffer file; convert it with `editcap -F pcapng`",
    ),
    (0, b"btsnoop\0", "it is a Bluetooth log"),
    (0, b"PAR1", "it is a Parquet file"),
    (0, b"SQLite format 3", "it is an SQLite database"),
    (0, &[0x7f, b'E', b'L', b'F'], "it is a program"),
    (0, b"%PDF", "it is a PDF document"),
];

impl Kind {
    /// The kind of a file that begins with `prefix`, the first `PREFIX_BYTES` of it or all if it is shorter.
    pub(crate) fn of(prefix: &[u8]) -> Self {
        if let Some(header) = prefix.first_chunk::<FILE_HEADER_BYTES>()
            && let Some(pcap) = Pcap::new(header)
        {
            return Self::Pcap(pcap);
        }
        match prefix {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            // A skippable frame, which some compressors put first.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            prefix if prefix.starts_with(&SECTION_HEADER) => Self::Pcapng,
            [0xd4, 0xc3, 0xb2, 0xa1, ..] | [0xa1, 0xb2, 0xc3 | 0x3c | 0xcd, ..] => Self::Cut,
            [0x4d, 0x3c, 0xb2, 0xa1, ..] | [0x34, 0xcd, 0xb2, 0xa1, ..] => Self::Cut,
            _ => Self::Other(describe(prefix)),
        }
    }
}

/// Names a file that is no capture.
fn describe(prefix: &[u8]) -> String {
    for (at, signature, what) in OTHERS {
        if prefix
            .get(*at..)
            .is_some_and(|bytes| bytes.starts_with(signature))
        {
            return (*what).to_owned();
        }
    }
    let what = match prefix {
        [0, 10, ..] if is_ipfix(prefix) => "it is an IPFIX file, which holds flow records",
        _ if is_erf(prefix) => "it looks like an Endace ERF file; convert it with `editcap -F pcapng`",
        _ if is_json(prefix) => "it is JSON text",
        _ if is_text(prefix) => "it is text",
        _ => return format!("it starts with {}", hex(prefix)),
    };
    what.to_owned()
}

/// IPFIX message header (RFC 7011): version 10, a length, and a set id behind it that may be.
fn is_ipfix(prefix: &[u8]) -> bool {
    let number = |at: usize| {
        prefix
            .get(at..)
            .and_then(|bytes| bytes.first_chunk())
            .map(|b| u16::from_be_bytes(*b))
    };
    number(2).is_some_and(|length| length >= 20) && number(16).is_some_and(|set| matches!(set, 2 | 3 | 256..))
}

/// ERF record header: type 1 to 48 at byte 8, record length at 10 not below the header's, wire length at 14.
fn is_erf(prefix: &[u8]) -> bool {
    let Some(header) = prefix.first_chunk::<16>() else {
        return false;
    };
    let (secs_high, kind) = (header[7], header[8]);
    let record_bytes = u16::from_be_bytes([header[10], header[11]]);
    let wire_bytes = u16::from_be_bytes([header[14], header[15]]);
    // Times between 1995 and 2060 have this byte; it makes up for the missing signature.
    let recent = (0x30..0xb0).contains(&secs_high);
    recent && (1..=48).contains(&(kind & 0x7f)) && (16..=9_600).contains(&record_bytes) && wire_bytes <= 9_600
}

fn is_json(prefix: &[u8]) -> bool {
    let begins = prefix.iter().find(|byte| !byte.is_ascii_whitespace());
    begins.is_some_and(|byte| matches!(byte, b'{' | b'[')) && is_text(prefix)
}

/// UTF-8, perhaps cut inside its last character, without control characters.
fn is_text(prefix: &[u8]) -> bool {
    let control = |byte: &u8| byte.is_ascii_control() && !byte.is_ascii_whitespace();
    let utf8 = std::str::from_utf8(prefix)
        .err()
        .is_none_or(|error| error.error_len().is_none());
    utf8 && !prefix.iter().any(control)
}

fn hex(prefix: &[u8]) -> String {
    let pairs: Vec<String> = prefix.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    pairs.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_files_are_named() {
        let other = |prefix: &[u8]| match Kind::of(prefix) {
            Kind::Other(what) => what,
            _ => String::new(),
        };
        let ipfix = [0, 10, 0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 44];
        let erf = [0, 0, 0, 0, 0x12, 0x34, 0x56, 0x5f, 2, 4, 0, 80, 0, 0, 0, 60, 0, 0];
        assert!(other(&ipfix).contains("IPFIX"));
        assert!(other(&erf).contains("ERF"));
        assert!(other(b"#separator \\x09").contains("Zeek"));
        assert!(other(b" {\"a\": 1}\n").contains("JSON"));
        assert!(other("Příliš žluťoučký kůň".as_bytes()).contains("text"));
        assert_eq!(other(&[0xde, 0xad, 0xbe, 0xef]), "it starts with de ad be ef");
    }

    #[test]
    fn cut_headers_are_captures_still() {
        assert!(matches!(Kind::of(&[0xd4, 0xc3, 0xb2, 0xa1, 2, 0]), Kind::Cut));
        assert!(matches!(Kind::of(&[0xa1, 0xb2, 0x3c, 0x4d]), Kind::Cut));
    }
}
