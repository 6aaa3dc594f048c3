//! Times as logs write them: seconds since 1970 with a fraction, and dates with or without a zone, exact to the
//! nanosecond. Floating point would lose them: a double holds seconds of today to some hundred nanoseconds.

use weir_model::{NANOS_PER_S, Time};

use super::Bad;

/// Nanoseconds in a millisecond.
const NANOS_PER_MS: i64 = 1_000_000;
/// Seconds since 1970 from which a number must be milliseconds (Zeek can be told to write those): year 5138.
const MILLIS_FROM_S: i64 = 100_000_000_000;

/// A moment: decimal seconds (or whole milliseconds) since 1970, or a date such as `2026-11-22T04:14:08.123456+0100`,
/// `2011/08/10 09:46:53.047277` or `2026-11-22T04:14:08Z`. Without a zone it is taken as UTC.
pub(super) fn moment(text: &str) -> Result<Time, Bad> {
    let millis = text.parse().ok().filter(|&millis: &i64| millis >= MILLIS_FROM_S);
    if let Some(millis) = millis {
        return Ok(Time(millis.checked_mul(NANOS_PER_MS).ok_or(Bad::Time)?));
    }
    decimal(text).map(Time).or_else(|| date(text)).ok_or(Bad::Time)
}

/// A span of seconds with a fraction, in nanoseconds; never negative. Short ones may have an exponent (`4.7e-05`).
pub(super) fn span(text: &str) -> Result<i64, Bad> {
    decimal(text).or_else(|| exponent(text)).ok_or(Bad::Number)
}

/// Nanoseconds of seconds with an exponent; those who write so have no more than a double's digits.
fn exponent(text: &str) -> Option<i64> {
    let secs: f64 = text.parse().ok()?;
    let nanos = (secs * NANOS_PER_S as f64).round();
    (0.0..i64::MAX as f64).contains(&nanos).then_some(nanos as i64)
}

/// Nanoseconds of decimal seconds, as far as they can be held.
fn decimal(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 18 || !digits(whole) || !digits(fraction) {
        return None;
    }
    let secs: i64 = whole.parse().ok()?;
    secs.checked_mul(NANOS_PER_S)?.checked_add(nanos(fraction))
}

/// Nanoseconds of the digits behind the point; further digits are left out.
fn nanos(fraction: &str) -> i64 {
    let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    digits.fold(0, |value, digit| value * 10 + i64::from(digit - b'0'))
}

fn date(text: &str) -> Option<Time> {
    let part = |from: usize, to: usize| -> Option<i64> {
        let digits = text.get(from..to)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then_some(())?;
        digits.parse().ok()
    };
    let at = |place: usize, any: &[u8]| text.as_bytes().get(place).is_some_and(|byte| any.contains(byte));
    let shaped = at(4, b"-/") && at(7, b"-/") && at(10, b"T ._") && at(13, b":") && at(16, b":");
    if !shaped {
        return None;
    }
    let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
    let (hour, minute, second) = (part(11, 13)?, part(14, 16)?, part(17, 19)?);
    let sound = year >= 1970 && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !sound || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let behind = text.get(19..)?;
    let (fraction, zone) = match behind.strip_prefix(['.', ',']) {
        Some(rest) => {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            rest.split_at_checked(digits)?
        }
        None => ("", behind),
    };
    let secs = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset(zone.trim())?;
    Some(Time::from_secs(secs) + nanos(fraction))
}

/// Seconds east of UTC.
fn offset(zone: &str) -> Option<i64> {
    if matches!(zone, "" | "Z" | "z" | "UTC") {
        return Some(0);
    }
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits: String = zone.chars().skip(1).filter(|&sign| sign != ':').collect();
    let number: i64 = digits.parse().ok()?;
    let (hours, minutes) = match digits.len() {
        2 => (number, 0),
        4 => (number / 100, number % 100),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, counted in years that begin in March, so that the leap day
/// is the last of its year.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month < 3 {
        (year - 1, month + 9)
    } else {
        (year, month - 3)
    };
    let leap_days = year / 4 - year / 100 + year / 400;
    let days_of_months = (153 * month + 2) / 5;
    // 719,468 such days lie between the year 0 and 1970.
    year * 365 + leap_days + days_of_months + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_one_moment() {
        let want = Ok(Time(1_312_969_613_047_277_000));
        for text in [
            "1312969613.047277",
            "1312969613.0472770001",
            "2011/08/10 09:46:53.047277",
            "2011-08-10T09:46:53.047277Z",
            "2011-08-10T11:46:53.047277+0200",
            "2011-08-10T04:16:53.047277-05:30",
        ] {
            assert_eq!(moment(text), want, "{text}");
        }
        assert_eq!(moment("1312969613047"), Ok(Time(1_312_969_613_047_000_000)));
        assert_eq!(moment("2000-02-29T00:00:00Z"), Ok(Time::from_secs(951_782_400)));
        assert_eq!(moment("1970-01-01T00:00:00Z"), Ok(Time(0)));
    }

    #[test]
    fn spans() {
        assert_eq!(span("2.5"), Ok(2_500_000_000));
        assert_eq!(span("4.7e-05"), Ok(47_000));
        for text in ["", "-1", "nan", "inf", "1e300", "-1e-3"] {
            assert_eq!(span(text), Err(Bad::Number), "{text}");
        }
    }

    #[test]
    fn what_is_no_time() {
        for text in [
            "",
            ".",
            "-1",
            "1e9",
            "09:46:53.04",
            "2011-13-10T09:46:53Z",
            "2011-08-10T09:46:53+9",
            "99999999999999999999",
            "1969-12-31T23:59:59Z",
            "2011-08-10Tü9:46:53",
        ] {
            assert_eq!(moment(text), Err(Bad::Time), "{text}");
        }
    }
}
