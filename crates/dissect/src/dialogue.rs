//! Dialogues for tests: `C: ` and `S: ` lines of a text protocol, or turns of bytes, in; transactions as text out.
//! Every check also cuts the dialogue into segments and prefixes and damages it, as [`crate::testing`] does.

use expect_test::Expect;

use crate::testing::{self, Part};
use crate::{Dissector, Side};

/// What one side sends at once, built by the test.
pub(crate) type Turn = (Side, Vec<u8>);

/// A client's turn.
pub(crate) fn client(bytes: impl Into<Vec<u8>>) -> Turn {
    (Side::Initiator, bytes.into())
}

/// A server's turn.
pub(crate) fn server(bytes: impl Into<Vec<u8>>) -> Turn {
    (Side::Responder, bytes.into())
}

/// Turns of a text dialogue; every line ends with CR LF on the wire, one second passes per line.
pub(crate) fn turns(dialogue: &str) -> Vec<Turn> {
    let lines = dialogue
        .lines()
        .map(str::trim_start)
        .filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let (who, said) = line.split_at(3.min(line.len()));
            let side = if who == "C: " {
                Side::Initiator
            } else {
                Side::Responder
            };
            (side, format!("{said}\r\n").into_bytes())
        })
        .collect()
}

/// The turns as the test bench of dissectors takes them.
pub(crate) fn parts(turns: &[Turn]) -> Vec<Part<'_>> {
    turns
        .iter()
        .map(|(side, bytes)| (*side, bytes.as_slice()))
        .collect()
}

/// What a dissector makes of the turns, on a TCP flow to its first port; ends with what it wants, when not more.
pub(crate) fn render<D: Dissector>(turns: &[Turn]) -> String {
    let output = testing::run::<D>(&testing::tcp(D::META.ports[0]), &parts(turns));
    let mut text = testing::text(&output);
    if let Some(want) = output.want.filter(|want| *want != crate::Want::More) {
        text.push_str(&format!("want {want:?}\n"));
    }
    text
}

/// Checks what a text dialogue gives, however it is cut, and that no damage to it panics.
pub(crate) fn check<D: Dissector>(dialogue: &str, expected: &Expect) {
    check_turns::<D>(&turns(dialogue), expected);
}

/// Checks what turns of bytes give, however they are cut, and that no damage to them panics.
pub(crate) fn check_turns<D: Dissector>(turns: &[Turn], expected: &Expect) {
    expected.assert_eq(&render::<D>(turns));
    let (key, parts) = (testing::tcp(D::META.ports[0]), parts(turns));
    testing::check_segments::<D>(&key, &parts);
    testing::check_prefixes::<D>(&key, &parts);
    testing::check_hostile::<D>(&key, &parts);
}
