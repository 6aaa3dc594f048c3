//! The Interface Description Block of pcapng: link type, snap length, and what a tick of its clock means.
//! Times are the one thing the format leaves to options, so their arithmetic has a file of its own.

use weir_model::{NANOS_PER_S, Time};
use weir_wire::LinkType;

use crate::reading::Order;

const OPTION_END: u16 = 0;
const OPTION_RESOLUTION: u16 = 9;
const OPTION_OFFSET: u16 = 14;
/// Options of one interface; there are some twenty kinds, a few of which repeat.
const OPTIONS_MAX: usize = 256;

/// An interface of a section.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interface {
    pub(crate) link: LinkType,
    /// 0 when packets are not cut.
    pub(crate) snap_bytes: u32,
    resolution: Resolution,
    offset_s: i64,
}

/// Ticks of the clock to nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resolution {
    /// Nanoseconds per tick.
    Coarse(i64),
    /// Ticks per nanosecond, at least 10.
    Fine(u64),
    /// Ticks per second, as a power of two.
    Binary(u32),
}

impl Interface {
    /// Reads the body of the block; `None` when it is too short. Broken options end the list of options.
    pub(crate) fn parse(body: &[u8], order: Order) -> Option<Self> {
        let mut interface = Self {
            link: LinkType::from_number(order.u16_at(body, 0)?),
            snap_bytes: order.u32_at(body, 4)?,
            resolution: Resolution::Coarse(1_000),
            offset_s: 0,
        };
        let mut options = body.get(8..).unwrap_or_default();
        for _ in 0..OPTIONS_MAX {
            let Some((code, value, rest)) = option(options, order) else {
                break;
            };
            match (code, value) {
                (OPTION_END, _) => break,
                (OPTION_RESOLUTION, &[exponent]) => interface.resolution = Resolution::new(exponent),
                (OPTION_OFFSET, value) => interface.offset_s = offset(value, order).unwrap_or(0),
                _ => {}
            }
            options = rest;
        }
        Some(interface)
    }

    /// The time of a tick count; saturates at the ends of time.
    #[inline]
    pub(crate) fn time(&self, ticks: u64) -> Time {
        let nanos = match self.resolution {
            Resolution::Coarse(nanos) => i64::try_from(ticks)
                .ok()
                .and_then(|ticks| ticks.checked_mul(nanos)),
            Resolution::Fine(ticks_per_nano) => i64::try_from(ticks / ticks_per_nano).ok(),
            Resolution::Binary(shift) => {
                let nanos = u128::from(ticks) * u128::from(NANOS_PER_S.unsigned_abs());
                i64::try_from(nanos >> shift).ok()
            }
        };
        Time(nanos.unwrap_or(i64::MAX)) + self.offset_s.saturating_mul(NANOS_PER_S)
    }
}

impl Resolution {
    /// From the option: the top bit chooses powers of 2, else 10; the rest is the exponent.
    fn new(option: u8) -> Self {
        let exponent = u32::from(option & 0x7f);
        match (option & 0x80 != 0, exponent) {
            (true, _) => Self::Binary(exponent),
            (false, 0..=9) => Self::Coarse(10_i64.pow(9 - exponent)),
            (false, _) => Self::Fine(10_u64.checked_pow(exponent - 9).unwrap_or(u64::MAX)),
        }
    }
}

/// Code, value and rest of a list of options; values are padded to 4 bytes.
fn option(options: &[u8], order: Order) -> Option<(u16, &[u8], &[u8])> {
    let code = order.u16_at(options, 0)?;
    let value_bytes = usize::from(order.u16_at(options, 2)?);
    let value = options.get(4..4 + value_bytes)?;
    let rest = options
        .get(4 + value_bytes.next_multiple_of(4)..)
        .unwrap_or_default();
    Some((code, value, rest))
}

/// Seconds that the interface's times are to be moved by: a signed 64-bit number.
fn offset(value: &[u8], order: Order) -> Option<i64> {
    let bytes: [u8; 8] = value.try_into().ok()?;
    Some(match order {
        Order::Little => i64::from_le_bytes(bytes),
        Order::Big => i64::from_be_bytes(bytes),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(options: &[u8]) -> Interface {
        let body = [&[0, 1, 0, 0, 0, 0, 0xff, 0xff], options].concat();
        Interface::parse(&body, Order::Big).unwrap()
    }

    #[test]
    fn ticks_of_every_resolution() {
        let time = |resolution: u8, ticks: u64| interface(&[0, 9, 0, 1, resolution, 0, 0, 0]).time(ticks);
        assert_eq!(
            interface(&[]).time(1_500_000),
            Time(1_500_000_000),
            "microseconds by default"
        );
        assert_eq!(time(0, 2), Time::from_secs(2));
        assert_eq!(time(9, 7), Time(7));
        assert_eq!(time(12, 7_999), Time(7));
        assert_eq!(time(127, u64::MAX), Time(1), "ticks too fine to count");
        assert_eq!(time(0x80 | 10, 1_536), Time(1_500_000_000));
        assert_eq!(time(0x80 | 127, u64::MAX), Time(0));
        assert_eq!(time(0, u64::MAX), Time::MAX);
    }

    #[test]
    fn offset_and_order_of_options() {
        let options = [
            0, 2, 0, 3, b'e', b'h', b'0', 0, 0, 14, 0, 8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
        ];
        assert_eq!(interface(&options).time(5_000_000), Time::from_secs(3));
        let ended = [&[0, 0, 0, 0][..], &options].concat();
        assert_eq!(interface(&ended).time(5_000_000), Time::from_secs(5));
    }

    #[test]
    fn broken_options_are_left_out() {
        for options in [&[0, 9, 0, 9, 1][..], &[0, 9][..], &[0, 9, 0, 2, 1, 1, 0, 0][..]] {
            assert_eq!(interface(options).time(1), Time(1_000));
        }
        assert!(Interface::parse(&[0, 1, 0, 0, 0, 0, 0], Order::Big).is_none());
    }
}
