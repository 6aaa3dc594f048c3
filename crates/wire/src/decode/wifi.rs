//! IEEE 802.11 data frames, bare or behind radiotap, Prism or AVS headers.
//! Frames in the clear carry LLC/SNAP; encrypted, aggregated and fragmented ones stay `Net::Other`.

use weir_model::{Anomaly, Mac};

use super::Frame;
use super::tags::{llc, network};

/// Radiotap flags field: the frame ends with its 4-byte checksum.
const HAS_FCS: u8 = 0x10;
/// Radiotap flags field: the header is padded to a multiple of 4 bytes.
const PADDED: u8 = 0x20;
/// Radiotap flags field: the checksum was wrong, so no station took the frame.
const BAD_FCS: u8 = 0x40;
/// Words of the radiotap present bitmap; real drivers chain a few, one per antenna.
const PRESENT_WORDS_MAX: usize = 16;

/// Frame control, first byte: type bits.
const TYPE_MASK: u8 = 0x0c;
const TYPE_MANAGEMENT: u8 = 0x00;
const TYPE_DATA: u8 = 0x08;
const SUBTYPE_NO_DATA: u8 = 0x40;
const SUBTYPE_QOS: u8 = 0x80;
/// Frame control, second byte.
const TO_DS: u8 = 0x01;
const FROM_DS: u8 = 0x02;
const MORE_FRAGMENTS: u8 = 0x04;
const PROTECTED: u8 = 0x40;
const ORDER: u8 = 0x80;

/// Radiotap header: little-endian, its own length at byte 2, optional fields by bitmap.
pub(super) fn radiotap<'a>(frame: &mut Frame<'_, 'a>, bytes: &'a [u8]) {
    let Some(&[version, _, low, high, ..]) = bytes.first_chunk::<8>() else {
        return frame.give_up(Anomaly::HeaderCut, bytes);
    };
    let Some((header, rest)) = bytes.split_at_checked(usize::from(u16::from_le_bytes([low, high]))) else {
        return frame.give_up(Anomaly::HeaderCut, bytes);
    };
    if version != 0 {
        return frame.give_up(Anomaly::HeaderBad, bytes);
    }
    let flags = radiotap_flags(header).unwrap_or(0);
    ieee80211(frame, rest, flags);
}

/// The flags field: second of the optional fields, behind an 8-byte aligned timestamp if that is present.
fn radiotap_flags(header: &[u8]) -> Option<u8> {
    let first_word = word_at(header, 4)?;
    let mut at: usize = 4;
    let mut word = first_word;
    for _ in 0..PRESENT_WORDS_MAX {
        at += 4;
        if word & 0x8000_0000 == 0 {
            break;
        }
        word = word_at(header, at)?;
    }
    if first_word & 1 != 0 {
        at = at.next_multiple_of(8) + 8;
    }
    if first_word & 2 == 0 {
        return None;
    }
    header.get(at).copied()
}

fn word_at(header: &[u8], at: usize) -> Option<u32> {
    header
        .get(at..)?
        .first_chunk()
        .map(|word| u32::from_le_bytes(*word))
}

/// Prism header (its length at byte 4, in either byte order) or AVS header (magic number, length big-endian).
pub(super) fn prism_or_avs<'a>(frame: &mut Frame<'_, 'a>, bytes: &'a [u8]) {
    let Some(&[_, _, _, _, a, b, c, d]) = bytes.first_chunk::<8>() else {
        return frame.give_up(Anomaly::HeaderCut, bytes);
    };
    let header_bytes = match [a, b, c, d] {
        [0, 0, high, low] | [low, high, 0, 0] => usize::from(u16::from_be_bytes([high, low])),
        _ => return frame.give_up(Anomaly::HeaderBad, bytes),
    };
    if header_bytes < 8 {
        return frame.give_up(Anomaly::HeaderBad, bytes);
    }
    match bytes.get(header_bytes..) {
        Some(rest) => ieee80211(frame, rest, 0),
        None => frame.give_up(Anomaly::HeaderCut, bytes),
    }
}

/// IEEE 802.11 frame; `flags` are those of radiotap.
pub(super) fn ieee80211<'a>(frame: &mut Frame<'_, 'a>, bytes: &'a [u8], flags: u8) {
    if flags & BAD_FCS != 0 {
        return frame.give_up(Anomaly::HeaderBad, bytes);
    }
    let bytes = if flags & HAS_FCS == 0 {
        bytes
    } else {
        without_fcs(frame, bytes)
    };
    frame.other(bytes);
    let Some((&[control, more, ..], behind)) = bytes.split_first_chunk::<24>() else {
        return; // Control frames are shorter than the three addresses of others.
    };
    let first = address(bytes, 4);
    let second = address(bytes, 10);
    let third = address(bytes, 16);
    (frame.packet.dst_mac, frame.packet.src_mac) = match (control & TYPE_MASK, more & (TO_DS | FROM_DS)) {
        (TYPE_MANAGEMENT, _) | (TYPE_DATA, 0) => (first, second),
        (TYPE_DATA, TO_DS) => (third, second),
        (TYPE_DATA, FROM_DS) => (first, third),
        (TYPE_DATA, _) => (third, address(bytes, 24)),
        _ => return,
    };
    let fragment = bytes.get(22).is_some_and(|sequence| sequence & 0x0f != 0) || more & MORE_FRAGMENTS != 0;
    let no_data = control & SUBTYPE_NO_DATA != 0 || more & PROTECTED != 0 || fragment;
    if control & TYPE_MASK != TYPE_DATA || no_data {
        return;
    }
    let Some(body) = data_body(control, more, behind, flags & PADDED != 0) else {
        return frame.note(Anomaly::HeaderCut);
    };
    if let Body::Clear(body) = body
        && let Some((kind, rest)) = llc(frame, body)
    {
        network(frame, kind, rest);
    }
}

/// What a data frame carries.
enum Body<'a> {
    Clear(&'a [u8]),
    /// Several frames in one (A-MSDU).
    Aggregate,
}

/// Passes over fourth address, QoS control, HT control and padding; `None` when they are cut.
fn data_body(control: u8, more: u8, behind: &[u8], padded: bool) -> Option<Body<'_>> {
    let mut header_bytes: usize = 0;
    if more & (TO_DS | FROM_DS) == TO_DS | FROM_DS {
        header_bytes += 6;
    }
    if control & SUBTYPE_QOS != 0 {
        let qos = *behind.get(header_bytes)?;
        if qos & 0x80 != 0 {
            return Some(Body::Aggregate);
        }
        header_bytes += 2;
        if more & ORDER != 0 {
            header_bytes += 4;
        }
    }
    if padded {
        header_bytes = header_bytes.next_multiple_of(4);
    }
    behind.get(header_bytes..).map(Body::Clear)
}

/// Takes the checksum off the end, which the capture may have cut already.
fn without_fcs<'a>(frame: &mut Frame<'_, 'a>, bytes: &'a [u8]) -> &'a [u8] {
    let wire_bytes = frame.wire_bytes(bytes).saturating_sub(4);
    frame.limit(bytes, wire_bytes as usize)
}

fn address(bytes: &[u8], at: usize) -> Option<Mac> {
    bytes.get(at..)?.first_chunk().map(|address| Mac(*address))
}
