//! Reassembly on its own: segments in, the bytes and gaps a dissector would see out.

use std::fmt::Write;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

const WRAP: u32 = u32::MAX - 5;

/// What came out, as text: bytes as they are, `<n>` for a gap, `!` for a conflict.
#[derive(Default)]
struct Seen {
    text: String,
    bytes: Vec<u8>,
}

impl Receiver for Seen {
    fn bytes(&mut self, _: Side, _: Time, data: &[u8]) {
        self.bytes.extend(data);
        self.text.push_str(&String::from_utf8_lossy(data));
    }
    fn gap(&mut self, _: Side, _: Time, len: u64, lost: bool) {
        let _ = write!(self.text, "<{len}{}>", if lost { "" } else { " cut" });
    }
    fn conflict(&mut self) {
        self.text.push('!');
    }
    fn wants_input(&self) -> bool {
        true
    }
}

fn budget() -> Budget {
    Budget {
        flow_bytes_max: 64,
        total_bytes_max: 1024,
        total_bytes: 0,
    }
}

/// Steps: `3abc` = bytes abc at offset 3, `3abc+2` = two more were cut off, `@9` = acknowledged up to 9, `.` = end.
fn check(steps: &str, expect: Expect) {
    let (mut stream, mut budget, mut seen) = (Stream::default(), budget(), Seen::default());
    stream.start(Side::Initiator, WRAP);
    for step in steps.split_whitespace() {
        if step == "." {
            stream.finish(&mut budget, &mut seen);
            assert_eq!(budget.total_bytes, 0);
        } else if let Some(ack) = step.strip_prefix('@') {
            let ack = WRAP.wrapping_add(ack.parse().unwrap());
            stream.acknowledge(Side::Responder, ack, &mut budget, &mut seen);
        } else {
            let digits = step.bytes().take_while(u8::is_ascii_digit).count();
            let (offset, rest) = step.split_at(digits);
            let (data, cut) = rest.split_once('+').unwrap_or((rest, "0"));
            let segment = Segment {
                from: Side::Initiator,
                time: Time(0),
                seq: WRAP.wrapping_add(offset.parse().unwrap()),
                data: data.as_bytes(),
                cut: cut.parse().unwrap(),
            };
            stream.segment(segment, &mut budget, &mut seen);
        }
        seen.text.push('|');
    }
    expect.assert_eq(&seen.text);
}

#[test]
fn order_is_restored_across_the_wrap() {
    check("0abc 6ghi 3def 9jkl", expect!["abc||defghi|jkl|"]);
}

#[test]
fn repeated_bytes_are_trimmed() {
    check("0abc 0abc 1bcd 3de 5f", expect!["abc||d|e|f|"]);
}

#[test]
fn the_first_of_two_versions_wins() {
    check("0a 4EF 2cdefgh 1b", expect!["a||!|bcdEFgh|"]);
    check("0a 3DE 1bcde", expect!["a||bc!DE|"]);
}

#[test]
fn a_hole_is_passed_when_acknowledged_or_at_the_end() {
    check("0abc 6ghi @6 @9", expect!["abc||<3>ghi||"]);
    check("@9 0abc 6ghi", expect!["|abc|<3>ghi|"]);
    check("0abc 6ghi 12m .", expect!["abc|||<3>ghi<3>m|"]);
}

#[test]
fn bytes_cut_by_the_snap_length_are_a_gap() {
    check("0ab+2 4ef 8ij+1 6gh 11l", expect!["ab<2 cut>|ef||ghij<1 cut>|l|"]);
}

#[test]
fn a_full_buffer_passes_the_hole() {
    let long = "x".repeat(40);
    check(
        &format!("0a 2{long} 50{long}"),
        expect![[r#"a||<1>xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx|"#]],
    );
}

#[test]
fn a_stream_joined_in_the_middle_begins_with_its_first_segment() {
    let (mut stream, mut budget, mut seen) = (Stream::default(), budget(), Seen::default());
    for (seq, data) in [(500, b"ab"), (502, b"cd")] {
        let segment = Segment {
            from: Side::Responder,
            time: Time(0),
            seq,
            data,
            cut: 0,
        };
        stream.segment(segment, &mut budget, &mut seen);
    }
    assert_eq!(seen.text, "abcd");
}

proptest! {
    /// However a stream is cut, shuffled within the limits and repeated, the same bytes come out.
    #[test]
    fn segmentation_does_not_matter(
        stream_bytes in prop::collection::vec(any::<u8>(), 1..60),
        start in any::<u32>(),
        pieces in prop::collection::vec((any::<prop::sample::Index>(), 1..20usize), 0..40),
    ) {
        let (mut stream, mut budget, mut seen) = (Stream::default(), budget(), Seen::default());
        stream.start(Side::Initiator, start);
        let whole = [(0, stream_bytes.len())];
        let pieces = pieces.iter().map(|(at, len)| (at.index(stream_bytes.len()), *len)).chain(whole);
        for (at, len) in pieces {
            let end = (at + len).min(stream_bytes.len());
            let segment = Segment {
                from: Side::Initiator,
                time: Time(0),
                seq: start.wrapping_add(at as u32),
                data: &stream_bytes[at..end],
                cut: 0,
            };
            stream.segment(segment, &mut budget, &mut seen);
            prop_assert!(budget.total_bytes <= 64);
        }
        prop_assert_eq!(&seen.bytes, &stream_bytes);
        prop_assert!(!seen.text.contains('!') || stream_bytes.contains(&b'!'));
        prop_assert_eq!(budget.total_bytes, 0);
    }
}
