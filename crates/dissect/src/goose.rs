//! GOOSE (IEC 61850-8-1, annex A): what protection and control devices tell a group on the Ethernet, frame by frame. The
//! header and the numbers of the message are read; the values of its data set are not kept.

use weir_model::{Anomaly, Kind, Protocol, Transport, Value};
use weir_wire::Cursor;

use crate::fields::fields;
use crate::text::bounded;
use crate::{Dissector, DissectorMeta, Input, Probe, Side, Sink, Want};

fields! {
    APPID = number("goose.appid", "Application identifier");
    REFERENCE = text("goose.reference", "Control block");
    DATASET = text("goose.dataset", "Data set");
    ID = text("goose.id", "Identifier of the message");
    ALIVE = number("goose.alive_ms", "Next message is due within, ms");
    STATE = number("goose.state", "State number: one more for every change of a value");
    SEQUENCE = number("goose.sequence", "Messages sent in this state");
    TEST = flag("goose.test", "Marked as a test or simulation");
    REVISION = number("goose.revision", "Revision of the configuration");
    COMMISSION = flag("goose.commission", "Needs commissioning");
    ENTRIES = number("goose.entries", "Entries of the data set");
    BYTES = number("goose.bytes", "Message by its length field, bytes");
}

/// APPID, length and two reserved words.
const HEADER_BYTES: usize = 8;
/// Longest message: an Ethernet frame, or a jumbo frame, holds no more.
const MESSAGE_BYTES_MAX: usize = 9_000;
/// Tag of the message: application 1, constructed.
const MESSAGE: u8 = 0x61;
/// Elements read of one message; the standard has twelve.
const ELEMENTS_MAX: usize = 16;

/// GOOSE keeps nothing between frames.
#[derive(Default)]
pub struct Goose;

impl Dissector for Goose {
    const META: DissectorMeta = DissectorMeta {
        protocol: Protocol::Goose,
        transports: &[Transport::Link],
        ports: &[],
        about: "GOOSE of IEC 61850 on Ethernet (EtherType 0x88b8), every frame: control block, state and sequence numbers, \
                test mark, size. Endpoints are link-local addresses made from the hardware addresses. Not seen: values, \
                sampled values, GOOSE over UDP.",
        fields: ALL,
    };

    fn probe(data: &[u8], _: Side, _: (u16, u16)) -> Probe {
        match header(data) {
            Some((_, length)) if data.get(HEADER_BYTES) == Some(&MESSAGE) && length <= MESSAGE_BYTES_MAX => {
                Probe::Match
            }
            _ => Probe::NoMatch,
        }
    }

    fn feed(&mut self, input: Input<'_>, sink: &mut Sink<'_>) -> Want {
        match input {
            Input::Bytes { time, data, .. } => {
                let mut transaction = sink.begin(Protocol::Goose, Kind::Request, time);
                match read(data, &mut transaction) {
                    Some(()) => sink.emit(transaction),
                    None => sink.odd(Anomaly::ProtocolError),
                }
                Want::More
            }
            Input::Gap { .. } => Want::More,
            Input::End { .. } => Want::Nothing,
        }
    }
}

/// APPID and length, which counts from the APPID on.
fn header(data: &[u8]) -> Option<(u16, usize)> {
    let mut cursor = Cursor::new(data);
    let (appid, length) = (cursor.u16()?, usize::from(cursor.u16()?));
    (length > HEADER_BYTES).then_some((appid, length))
}

/// Reads a message, also one whose end the capture cut off; `None` when its beginning is none.
fn read(data: &[u8], transaction: &mut weir_model::Transaction) -> Option<()> {
    let (appid, length) = header(data)?;
    // Padding of short frames stands behind.
    let data = data.get(..length).unwrap_or(data);
    let mut rest = data.get(HEADER_BYTES..)?;
    let (tag, inner) = element(&mut rest)?;
    if tag != MESSAGE {
        return None;
    }
    transaction.set_number(&APPID, appid);
    let mut rest = inner;
    for _ in 0..ELEMENTS_MAX {
        let Some((tag, value)) = element(&mut rest) else {
            break;
        };
        match tag {
            0x80 => transaction.set_text(&REFERENCE, bounded(value)),
            0x81 => number(transaction, &ALIVE, value),
            0x82 => transaction.set_text(&DATASET, bounded(value)),
            0x83 => transaction.set_text(&ID, bounded(value)),
            0x85 => number(transaction, &STATE, value),
            0x86 => number(transaction, &SEQUENCE, value),
            0x87 => transaction.set(&TEST, Value::Flag(value.iter().any(|byte| *byte != 0))),
            0x88 => number(transaction, &REVISION, value),
            0x89 => transaction.set(&COMMISSION, Value::Flag(value.iter().any(|byte| *byte != 0))),
            0x8a => number(transaction, &ENTRIES, value),
            _ => {}
        }
    }
    transaction.set_number(&BYTES, length as u64);
    Some(())
}

fn number(transaction: &mut weir_model::Transaction, field: &'static weir_model::Field, value: &[u8]) {
    // An unsigned 32-bit number with a leading zero where its first bit is set; longer ones are none.
    if !value.is_empty() && value.len() <= 5 {
        let number = value.iter().fold(0, |sum: u64, byte| sum << 8 | u64::from(*byte));
        transaction.set_number(field, number);
    }
}

/// Takes the next element of BER (ITU-T X.690) with a tag of one byte: the tag and what there is of its value.
fn element<'a>(rest: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (&tag, after) = rest.split_first()?;
    let (&first, mut after) = after.split_first()?;
    let mut length = usize::from(first);
    if first & 0x80 != 0 {
        let count = usize::from(first & 0x7f);
        // Indefinite lengths are not used, and two bytes reach beyond any frame.
        if !(1..=2).contains(&count) {
            return None;
        }
        let (bytes, behind) = after.split_at_checked(count)?;
        length = bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        after = behind;
    }
    let (value, behind) = after.split_at_checked(length).unwrap_or((after, &[]));
    *rest = behind;
    Some((tag, value))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::Side::Initiator;
    use crate::testing::{check_datagrams, key, run, text};

    fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
        match value.len() {
            0..128 => [&[tag, value.len() as u8], value].concat(),
            long => [&[tag, 0x82, (long >> 8) as u8, long as u8], value].concat(),
        }
    }

    fn frame(state: u8, sequence: &[u8], data: usize) -> Vec<u8> {
        let elements = [
            tlv(0x80, b"IED1LD0/LLN0$GO$gcb1"),
            tlv(0x81, &[0x07, 0xd0]),
            tlv(0x82, b"IED1LD0/LLN0$trip"),
            tlv(0x83, b"IED1"),
            tlv(0x84, &[0; 8]),
            tlv(0x85, &[state]),
            tlv(0x86, sequence),
            tlv(0x87, &[u8::from(state == 9)]),
            tlv(0x88, &[1]),
            tlv(0x89, &[0]),
            tlv(0x8a, &[2]),
            tlv(0xab, &vec![0; data]),
        ];
        let message = tlv(MESSAGE, &elements.concat());
        let length = (HEADER_BYTES + message.len()) as u16;
        [&[0x30, 0x01][..], &length.to_be_bytes(), &[0; 4], &message].concat()
    }

    /// A message; one of a later state in a test with padding behind; one cut by the capture; what is none.
    #[test]
    fn messages() {
        let long = frame(2, &[0, 0xff, 0xff, 0xff, 0xff], 300);
        let parts: &[(Side, &[u8])] = &[
            (Initiator, &frame(1, &[5], 6)),
            (Initiator, &[frame(9, &[0], 6), vec![0; 20]].concat()),
            (Initiator, &long[..100]),
            (Initiator, &[0x30, 1, 0, 20, 0, 0, 0, 0, 0x62, 1, 0]),
            (Initiator, &long[..3]),
        ];
        expect![[r#"
            request unknown 0s
              goose.appid 12289
              goose.reference IED1LD0/LLN0$GO$gcb1
              goose.alive_ms 2000
              goose.dataset IED1LD0/LLN0$trip
              goose.id IED1
              goose.state 1
              goose.sequence 5
              goose.test false
              goose.revision 1
              goose.commission false
              goose.entries 2
              goose.bytes 97
            request unknown 0s
              goose.appid 12289
              goose.reference IED1LD0/LLN0$GO$gcb1
              goose.alive_ms 2000
              goose.dataset IED1LD0/LLN0$trip
              goose.id IED1
              goose.state 9
              goose.sequence 0
              goose.test true
              goose.revision 1
              goose.commission false
              goose.entries 2
              goose.bytes 97
            request unknown 0s
              goose.appid 12289
              goose.reference IED1LD0/LLN0$GO$gcb1
              goose.alive_ms 2000
              goose.dataset IED1LD0/LLN0$trip
              goose.id IED1
              goose.state 2
              goose.sequence 4294967295
              goose.test false
              goose.revision 1
              goose.commission false
              goose.entries 2
              goose.bytes 399
            odd protocol_error x2
        "#]]
        .assert_eq(&text(&run::<Goose>(&key(0, 0), parts)));
        check_datagrams::<Goose>(&key(0, 0), parts);
    }

    #[test]
    fn probes() {
        let good = frame(1, &[5], 6);
        assert_eq!(Goose::probe(&good, Initiator, (0, 0)), Probe::Match);
        assert_eq!(Goose::probe(&good[..8], Initiator, (0, 0)), Probe::NoMatch);
        assert_eq!(
            Goose::probe(&[0, 1, 8, 0, 6, 4, 0, 1, 2], Initiator, (0, 0)),
            Probe::NoMatch,
            "ARP"
        );
    }
}
