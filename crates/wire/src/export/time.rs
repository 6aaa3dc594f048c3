//! Times on the wire of exports: seconds and milliseconds since 1970, and the NTP format of micro- and nanoseconds.

use weir_model::{NANOS_PER_S, Time};

/// Seconds between 1900 (NTP) and 1970.
const NTP_TO_UNIX_S: i64 = 2_208_988_800;

/// Nanoseconds since 1970 of an NTP stamp (32 bits of seconds since 1900, 32 bits of fraction).
pub(super) fn ntp(stamp: u64) -> i64 {
    let secs = (stamp >> 32) as i64 - NTP_TO_UNIX_S;
    let fraction = ((stamp & 0xffff_ffff) * NANOS_PER_S as u64) >> 32;
    secs * NANOS_PER_S + fraction as i64
}

/// The NTP stamp that [`ntp`] reads as this moment to the nanosecond, between 1900 and 2036; others go to the nearer end.
pub(super) fn to_ntp(time: Time) -> u64 {
    let secs = time.0.div_euclid(NANOS_PER_S).saturating_add(NTP_TO_UNIX_S);
    let Ok(secs) = u32::try_from(secs) else {
        return if secs < 0 { 0 } else { u64::MAX };
    };
    // Rounded up, for reading rounds down; a fraction is a quarter of a nanosecond.
    let nanos = time.0.rem_euclid(NANOS_PER_S) as u64;
    u64::from(secs) << 32 | (nanos << 32).div_ceil(NANOS_PER_S as u64)
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

    #[test]
    fn ntp_there_and_back_to_the_nanosecond() {
        for nanos in [
            0,
            1,
            2,
            3,
            123_456_789,
            999_999_999,
            1_795_311_715_016_395_001,
            -1,
            -NANOS_PER_S,
        ] {
            assert_eq!(ntp(to_ntp(Time(nanos))), nanos);
        }
        assert_eq!((to_ntp(Time::MIN), to_ntp(Time::MAX)), (0, u64::MAX));
    }
}
