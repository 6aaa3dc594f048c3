//! Times on the wire of exports: seconds and milliseconds since 1970, and the NTP format of micro- and nanoseconds.

use weir_model::NANOS_PER_S;

/// Seconds between 1900 (NTP) and 1970.
const NTP_TO_UNIX_S: i64 = 2_208_988_800;

/// Nanoseconds since 1970 of an NTP stamp (32 bits of seconds since 1900, 32 bits of fraction).
pub(super) fn ntp(stamp: u64) -> i64 {
    let secs = (stamp >> 32) as i64 - NTP_TO_UNIX_S;
    let fraction = ((stamp & 0xffff_ffff) * NANOS_PER_S as u64) >> 32;
    secs * NANOS_PER_S + fraction as i64
}

/// As [`ntp`] with the lowest 11 bits of the fraction ignored, as `dateTimeMicroseconds` demands.
pub(super) fn ntp_micros(stamp: u64) -> i64 {
    ntp(stamp & !0x7ff)
}

/// Nanoseconds since 1970; saturates.
pub(super) fn millis(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX).saturating_mul(1_000_000)
}

/// Nanoseconds since 1970; saturates.
pub(super) fn secs(value: u64) -> i64 {
    i64::try_from(value)
        .unwrap_or(i64::MAX)
        .saturating_mul(NANOS_PER_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ntp_half_a_second_after_1970() {
        assert_eq!(ntp((NTP_TO_UNIX_S as u64) << 32 | 0x8000_0000), NANOS_PER_S / 2);
        assert_eq!(ntp_micros((NTP_TO_UNIX_S as u64) << 32 | 0x7ff), 0);
        assert_eq!(millis(u64::MAX), i64::MAX);
    }
}
