//! What the readers of all formats share: the window, the counters, and the sentence about what went wrong.
//! The sentence is for people; counters are for metrics. Neither goes missing when the other is written.

use std::io;

use weir_model::{Anomaly, AnomalyCounts, Time};
use weir_wire::LinkType;

use crate::window::Window;

/// How far behind a broken header the next good one is looked for.
pub(crate) const RESYNC_BYTES: usize = 1 << 20;

/// A packet found in the window, by place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    pub(crate) time: Time,
    pub(crate) link: LinkType,
    pub(crate) frame_bytes: u32,
    pub(crate) interface: u32,
    /// Place of the packet in the buffer of the window.
    pub(crate) position: usize,
    pub(crate) kept_bytes: usize,
}

/// A stream being read as a capture.
pub(crate) struct Reading {
    pub(crate) window: Window,
    pub(crate) anomalies: AnomalyCounts,
    pub(crate) packets: u64,
    trouble: Option<String>,
    ended_early: bool,
}

impl Reading {
    pub(crate) fn new(window: Window) -> Self {
        let anomalies = AnomalyCounts::default();
        Self {
            window,
            anomalies,
            packets: 0,
            trouble: None,
            ended_early: false,
        }
    }

    /// What went wrong, if anything did: where reading ended early, else what was skipped first.
    pub(crate) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// The stream is over. `incomplete` names what it ends inside of, if it does.
    pub(crate) fn end(&mut self, incomplete: Option<&str>) {
        let place = self.place();
        match (self.window.failure(), incomplete) {
            (Some(failure), _) => {
                let anomaly = match failure.kind() {
                    io::ErrorKind::UnexpectedEof => Anomaly::CaptureCut,
                    _ => Anomaly::CaptureCorrupt,
                };
                let sentence = format!("stopped {place}: the file could not be read further ({failure})");
                self.end_early(anomaly, sentence);
            }
            (None, Some(what)) => {
                self.end_early(Anomaly::CaptureCut, format!("cut {place}: {what} is incomplete"));
            }
            (None, None) => {}
        }
    }

    /// No sound header was found behind a broken one.
    pub(crate) fn end_corrupt(&mut self, what: &str) {
        if self.window.failure().is_some() {
            return self.end(None);
        }
        let place = self.place();
        let sentence =
            format!("corrupt {place}: {what} makes no sense and none that does follows within 1 MiB");
        self.end_early(Anomaly::CaptureCorrupt, sentence);
    }

    fn end_early(&mut self, anomaly: Anomaly, sentence: String) {
        if !self.ended_early {
            self.ended_early = true;
            self.anomalies.count(anomaly);
            self.trouble = Some(sentence);
        }
    }

    /// Passes over bytes that make no sense.
    pub(crate) fn skip_corrupt(&mut self, bytes: usize, what: &str) {
        self.anomalies.count(Anomaly::CaptureCorrupt);
        if self.trouble.is_none() {
            let place = self.place();
            let bytes = grouped(bytes as u64);
            self.trouble = Some(format!(
                "corrupt {place}: {what} makes no sense, {bytes} bytes were skipped"
            ));
        }
        self.window.pass(bytes);
    }

    fn place(&self) -> String {
        format!(
            "after packet {} at byte {}",
            grouped(self.packets),
            grouped(self.window.offset())
        )
    }
}

/// A number with commas between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Byte order of the numbers in a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Little,
    Big,
}

impl Order {
    #[inline]
    pub(crate) fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }

    #[inline]
    pub(crate) fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }

    /// The four bytes at `at` as a number; `None` behind the end.
    #[inline]
    pub(crate) fn u32_at(self, bytes: &[u8], at: usize) -> Option<u32> {
        bytes.get(at..)?.first_chunk().map(|number| self.u32(*number))
    }

    /// The two bytes at `at` as a number; `None` behind the end.
    #[inline]
    pub(crate) fn u16_at(self, bytes: &[u8], at: usize) -> Option<u16> {
        bytes.get(at..)?.first_chunk().map(|number| self.u16(*number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_have_commas() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }
}
