//! Values as people write them, both ways: numbers with units, durations, moments, addresses and prefixes, hardware
//! addresses, TCP flags. Whatever is printed reads back as the same value.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;
use weir_model::{Mac, NANOS_PER_S};

use crate::column::{FLAG_LETTERS, Unit, address, flag_bits, mac_number};
use crate::ranges::Point;

/// Suffixes and their factors; k, M, G, T count by 1000, KiB and its kin by 1024. The first fitting one is printed.
const COUNTS: &[(&str, u64)] = &[
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("T", 1_000_000_000_000),
    ("G", 1_000_000_000),
    ("M", 1_000_000),
    ("k", 1_000),
];
/// Spellings of [`COUNTS`] that are read but not printed; all suffixes are read in any case.
const COUNTS_READ: &[(&str, u64)] = &[
    ("b", 1),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("ki", 1 << 10),
    ("mi", 1 << 20),
    ("gi", 1 << 30),
    ("ti", 1 << 40),
];
const NANOS: &[(&str, u64)] = &[
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("min", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];
const MICROS: &[(&str, u64)] = &[
    ("h", 3_600_000_000),
    ("min", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1_000),
    ("us", 1),
];
const MICROS_READ: &[(&str, u64)] = &[("", 1_000), ("m", 60_000_000), ("sec", 1_000_000)];
/// No unit is milliseconds, as nfdump has it.
const NANOS_READ: &[(&str, u64)] = &[("", 1_000_000), ("m", 60_000_000_000), ("sec", 1_000_000_000)];

fn factor(suffix: &str, unit: Unit) -> Option<u64> {
    let (printed, read) = match unit {
        Unit::Nanos => (NANOS, NANOS_READ),
        Unit::Micros => (MICROS, MICROS_READ),
        Unit::Count | Unit::Bytes if suffix.is_empty() => return Some(1),
        Unit::Count | Unit::Bytes => (COUNTS, COUNTS_READ),
    };
    let found = printed
        .iter()
        .chain(read)
        .find(|(name, _)| name.eq_ignore_ascii_case(suffix));
    found.map(|(_, factor)| *factor)
}

/// Splits `1.5M` into digits and suffix.
fn split_suffix(text: &str) -> (&str, &str) {
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    text.split_at(digits)
}

/// Reads a whole number: `445`, `0x0800`, `1.5M`, `10MiB`, `300ms`.
pub(crate) fn number(text: &str, unit: Unit) -> Result<u64, String> {
    if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return u64::from_str_radix(hex, 16).map_err(|_| format!("{text:?} is not a hexadecimal number"));
    }
    let (digits, suffix) = split_suffix(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let wrong = || match unit {
        Unit::Nanos => format!("{text:?} is not a duration such as 300ms, 5s, 2min or 1h"),
        Unit::Micros => format!("{text:?} is not a duration such as 20ms, 1.5ms, 300us or 2s"),
        Unit::Count | Unit::Bytes => format!("{text:?} is not a number such as 445, 10k, 1.5M or 64KiB"),
    };
    if whole.is_empty() || whole.len() + fraction.len() > 30 || fraction.contains('.') {
        return Err(wrong());
    }
    let factor = u128::from(factor(suffix, unit).ok_or_else(wrong)?);
    let mantissa: u128 = format!("{whole}{fraction}").parse().map_err(|_| wrong())?;
    let scale = 10_u128.pow(fraction.len() as u32);
    let scaled = mantissa.checked_mul(factor).ok_or_else(wrong)?;
    if !scaled.is_multiple_of(scale) {
        return Err(format!("{text:?} is not a whole number"));
    }
    u64::try_from(scaled / scale).map_err(|_| format!("{text:?} is too large"))
}

/// Writes a number with the suffix that leaves it shortest.
pub(crate) fn number_text(number: u64, unit: Unit) -> String {
    let table = match unit {
        Unit::Count => return number.to_string(),
        Unit::Bytes => COUNTS,
        Unit::Nanos => NANOS,
        Unit::Micros => MICROS,
    };
    let fitting = table
        .iter()
        .filter(|(_, factor)| number > 0 && number.is_multiple_of(*factor));
    match fitting.max_by_key(|(_, factor)| *factor) {
        Some((suffix, factor)) => format!("{}{suffix}", number / factor),
        None if unit == Unit::Nanos => format!("{number}ns"),
        None if unit == Unit::Micros => format!("{number}us"),
        None => number.to_string(),
    }
}

/// Reads a rate: a number that may have a fraction.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    let wrong = || format!("{text:?} is not a number such as 0.5, 100 or 1.5M");
    let (digits, suffix) = split_suffix(text);
    let factor = factor(suffix, Unit::Count).ok_or_else(wrong)?;
    let value = digits.parse::<f64>().map_err(|_| wrong())? * factor as f64;
    if value.is_finite() {
        Ok(value)
    } else {
        Err(wrong())
    }
}

/// Reads an address or a prefix as a range.
pub(crate) fn addresses(text: &str) -> Result<(u128, u128), String> {
    let wrong = || format!("{text:?} is not an address or prefix such as 10.0.0.5, 10.0.0.0/8 or fe80::1");
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Ok((address(ip), address(ip)));
    }
    if let Ok(net) = text.parse::<IpNet>() {
        let net = net.trunc();
        return match net {
            IpNet::V4(net) => Ok((address(net.network().into()), address(net.broadcast().into()))),
            IpNet::V6(net) => Ok((address(net.network().into()), address(net.broadcast().into()))),
        };
    }
    let (low, high) = text
        .split_once("..")
        .or_else(|| text.split_once('-'))
        .ok_or_else(wrong)?;
    let end = |part: &str| part.parse::<IpAddr>().map(address).map_err(|_| wrong());
    ordered(end(low)?, end(high)?, text)
}

fn ordered<T: Ord>(low: T, high: T, text: &str) -> Result<(T, T), String> {
    if low <= high {
        Ok((low, high))
    } else {
        Err(format!("{text:?} ends before it begins"))
    }
}

/// The address with this number.
pub(crate) fn ip(number: u128) -> IpAddr {
    let ip = Ipv6Addr::from_bits(number);
    ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4)
}

/// Writes a range of addresses: one, a prefix, or from-to.
pub(crate) fn addresses_text((low, high): (u128, u128)) -> String {
    if low == high {
        return ip(low).to_string();
    }
    let bits = (low ^ high).trailing_ones();
    let prefix = low ^ high == ones(bits) && low & ones(bits) == 0;
    match (prefix, ip(low), ip(high)) {
        (true, IpAddr::V4(net), IpAddr::V4(_)) if bits <= 32 => format!("{net}/{}", 32 - bits),
        (true, IpAddr::V6(net), _) => format!("{net}/{}", 128 - bits),
        (_, first, last) => format!("{first}-{last}"),
    }
}

fn ones(bits: u32) -> u128 {
    if bits >= 128 { u128::MAX } else { (1 << bits) - 1 }
}

/// Reads a number or a range of numbers, `1000-2000`.
pub(crate) fn numbers(text: &str, one: impl Fn(&str) -> Result<u64, String>) -> Result<(u64, u64), String> {
    match text.split_once("..").or_else(|| text.split_once('-')) {
        Some((low, high)) => ordered(one(low)?, one(high)?, text),
        None => one(text).map(|number| (number, number)),
    }
}

/// Reads a hardware address.
pub(crate) fn mac(text: &str) -> Result<u64, String> {
    text.parse::<Mac>().map(mac_number)
}

/// Writes a hardware address.
pub(crate) fn mac_text(number: u64) -> String {
    let [_, _, bytes @ ..] = number.to_be_bytes();
    Mac(bytes).to_string()
}

/// Reads a moment or a range of moments, `2026-11-01..2026-11-02T08:30`.
pub(crate) fn moments(text: &str) -> Result<(i64, i64), String> {
    match text.split_once("..") {
        Some((low, high)) => ordered(moment(low)?, moment(high)?, text),
        None => moment(text).map(|time| (time, time)),
    }
}

/// Reads a moment in UTC: `2026-11-01`, `2026-11-01T08`, `...T08:30`, `...T08:30:15.25Z`.
fn moment(text: &str) -> Result<i64, String> {
    let wrong = || format!("{text:?} is not a moment such as 2026-11-01 or 2026-11-01T08:30:15 (UTC)");
    let upper = text.to_ascii_uppercase();
    let (date, clock) = upper.split_once('T').unwrap_or((&upper, "0"));
    let clock = clock.strip_suffix('Z').unwrap_or(clock);
    let part = |text: &str, low: i128, high: i128| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let value = text
            .parse()
            .ok()
            .filter(|value| digits && (low..=high).contains(value));
        value.ok_or_else(wrong)
    };
    let dates: Vec<&str> = date.split('-').collect();
    let [year, month, day] = dates[..] else {
        return Err(wrong());
    };
    let (year, month, day) = (part(year, 1000, 9999)?, part(month, 1, 12)?, part(day, 1, 31)?);
    let days = days(year, month, day);
    if civil(days) != (year, month, day) {
        return Err(format!("{text:?}: this month has no such day"));
    }
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut seconds = days * 86_400;
    let mut unit = 3600;
    for field in clock.split(':') {
        seconds += part(field, 0, if unit == 3600 { 23 } else { 59 })? * unit;
        unit /= 60;
        if unit == 0 && clock.split(':').count() > 3 {
            return Err(wrong());
        }
    }
    let nanos = if fraction.is_empty() {
        0
    } else {
        part(&format!("{fraction:0<9}"), 0, 999_999_999)?
    };
    i64::try_from(seconds * i128::from(NANOS_PER_S) + nanos).map_err(|_| wrong())
}

/// Writes a moment in UTC.
pub(crate) fn moment_text(nanos: i64) -> String {
    let seconds = i128::from(nanos.div_euclid(NANOS_PER_S));
    let fraction = nanos.rem_euclid(NANOS_PER_S);
    let (year, month, day) = civil(seconds.div_euclid(86_400));
    let clock = seconds.rem_euclid(86_400);
    let mut text = format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}",
        clock / 3600,
        clock / 60 % 60,
        clock % 60
    );
    if fraction > 0 {
        text.push_str(format!(".{fraction:09}").trim_end_matches('0'));
    }
    text.push('Z');
    text
}

/// Days since 1970-01-01 of a date of the Gregorian calendar, years counted from March.
fn days(year: i128, month: i128, day: i128) -> i128 {
    let year = year - i128::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The date of a day since 1970-01-01: the inverse of [`days`].
fn civil(days: i128) -> (i128, i128, i128) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    (era * 400 + year_of_era + i128::from(month <= 2), month, day)
}

/// Reads `yes`, `no`, `true`, `false`, `1`, `0`.
pub(crate) fn flag(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "true" | "1" => Ok(true),
        "no" | "false" | "0" => Ok(false),
        _ => Err(format!("{text:?} is neither yes nor no")),
    }
}

/// Reads letters of TCP flags, or their number.
pub(crate) fn flags(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} are not TCP flags; write letters of FSRPAUEC, such as S or SA");
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return number(text, Unit::Count)
            .ok()
            .filter(|bits| *bits <= 0xff)
            .ok_or_else(wrong);
    }
    flag_bits(text).ok_or_else(wrong)
}

/// Writes TCP flags as letters, none as `0`.
pub(crate) fn flags_text(bits: u64) -> String {
    let letters: String = FLAG_LETTERS
        .iter()
        .filter(|(_, bit)| bits & u64::from(*bit) != 0)
        .map(|(letter, _)| *letter)
        .collect();
    if letters.is_empty() {
        "0".to_owned()
    } else {
        letters
    }
}

/// How many zeros a number ends with, decimal or binary: the rounder of two neighbours is what somebody wrote.
pub(crate) fn roundness(number: u64) -> u32 {
    let mut decimal = 0;
    let mut rest = number;
    while rest > 0 && rest.is_multiple_of(10) {
        rest /= 10;
        decimal += 1;
    }
    if number == 0 {
        64
    } else {
        (decimal * 10 / 3).max(number.trailing_zeros())
    }
}

/// Both ends of the values at most, below, above, at least `value`.
pub(crate) fn compared<T: Point>(sign: &str, value: T) -> Option<(T, T)> {
    match sign {
        "<" => value.previous().map(|below| (T::MIN, below)),
        "<=" => Some((T::MIN, value)),
        ">" => value.next().map(|above| (above, T::MAX)),
        ">=" => Some((value, T::MAX)),
        _ => Some((value, value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_units() {
        let bytes = |text| number(text, Unit::Bytes).ok();
        assert_eq!(bytes("1M"), Some(1_000_000));
        assert_eq!(bytes("1.5m"), Some(1_500_000));
        assert_eq!(bytes("64KiB"), Some(65_536));
        assert_eq!(bytes("0x0800"), Some(2048));
        assert_eq!(
            (bytes("1.5"), bytes("99999999999T"), bytes("1.5.2")),
            (None, None, None)
        );
        let nanos = |text| number(text, Unit::Nanos).ok();
        assert_eq!(nanos("5"), Some(5_000_000));
        assert_eq!(
            (nanos("5m"), nanos("0.5h")),
            (Some(300_000_000_000), Some(1_800_000_000_000))
        );
    }

    #[test]
    fn moments_both_ways() {
        for (text, shown) in [
            ("2026-11-01", "2026-11-01T00:00:00Z"),
            ("2026-11-01t08", "2026-11-01T08:00:00Z"),
            ("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.5Z"),
            ("2024-02-29T12:30", "2024-02-29T12:30:00Z"),
        ] {
            assert_eq!(moment_text(moment(text).unwrap()), shown);
        }
        for text in [
            "2026-02-29",
            "2026-11",
            "2026-11-01T24",
            "2026-11-01T1:2:3:4",
            "3000-01-01",
            "2026-1x-01",
        ] {
            assert!(moment(text).is_err(), "{text}");
        }
        for end in [i64::MIN, i64::MAX] {
            assert_eq!(moment(&moment_text(end)), Ok(end));
        }
    }

    #[test]
    fn address_ranges_both_ways() {
        for text in [
            "10.0.0.5",
            "10.0.0.0/8",
            "fe80::/10",
            "::/0",
            "0.0.0.0/0",
            "10.0.0.1-10.0.0.9",
            "::-::1:0:0",
        ] {
            let range = addresses(text).unwrap();
            assert_eq!(addresses(&addresses_text(range)), Ok(range), "{text}");
        }
        assert_eq!(addresses_text(addresses("10.1.2.3/8").unwrap()), "10.0.0.0/8");
    }
}
