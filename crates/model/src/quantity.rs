//! A measured value with its unit, so that texts and numbers in an explanation come from one place.
//! Printed for people here, with units that fit; encodings for programs are made in `output`.

use std::fmt;
use std::net::IpAddr;

/// A value in an explanation or detail, typed by unit.
#[derive(Clone, Debug, PartialEq)]
pub enum Quantity {
    /// A number of things.
    Count(u64),
    /// Seconds.
    Seconds(f64),
    /// Bytes.
    Bytes(u64),
    /// A ratio or share without unit.
    Ratio(f64),
    /// A yes or no.
    Flag(bool),
    /// A name; may come from traffic, so it is escaped where it is shown.
    Text(Box<str>),
    /// An address.
    Ip(IpAddr),
    /// Several numbers, ports for example.
    Counts(Vec<u64>),
    /// Several names.
    Texts(Vec<Box<str>>),
}

impl Quantity {
    /// The value as a number for comparison in a rule; texts and lists have none.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Count(n) | Self::Bytes(n) => Some(*n as f64),
            Self::Seconds(x) | Self::Ratio(x) => Some(*x),
            Self::Flag(flag) => Some(f64::from(u8::from(*flag))),
            Self::Text(_) | Self::Ip(_) | Self::Counts(_) | Self::Texts(_) => None,
        }
    }
}

/// For people: `195`, `22.9 s`, `61.4 MiB`, `0.02`, `yes`.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(n) => grouped(f, *n),
            Self::Seconds(s) => seconds(f, *s),
            Self::Bytes(n) => bytes(f, *n),
            Self::Ratio(x) => write!(f, "{}", rounded(*x)),
            Self::Flag(flag) => f.write_str(if *flag { "yes" } else { "no" }),
            Self::Text(text) => f.write_str(text),
            Self::Ip(ip) => write!(f, "{ip}"),
            Self::Counts(all) => listed(f, all),
            Self::Texts(all) => listed(f, all),
        }
    }
}

/// Items of a list shown to people; the rest is counted.
const SHOWN_MAX: usize = 5;

fn listed<T: fmt::Display>(f: &mut fmt::Formatter<'_>, all: &[T]) -> fmt::Result {
    for (at, one) in all.iter().take(SHOWN_MAX).enumerate() {
        write!(f, "{}{one}", if at == 0 { "" } else { ", " })?;
    }
    match all.len().saturating_sub(SHOWN_MAX) {
        0 => Ok(()),
        more => write!(f, " and {more} more"),
    }
}

fn grouped(f: &mut fmt::Formatter<'_>, n: u64) -> fmt::Result {
    let digits = n.to_string();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && n >= 10_000 && (digits.len() - at).is_multiple_of(3) {
            f.write_str(",")?;
        }
        write!(f, "{digit}")?;
    }
    Ok(())
}

fn seconds(f: &mut fmt::Formatter<'_>, s: f64) -> fmt::Result {
    match s.abs() {
        a if a == 0.0 || (1.0..120.0).contains(&a) => write!(f, "{} s", rounded(s)),
        a if a < 1.0 => write!(f, "{} ms", rounded(s * 1e3)),
        a if a < 7200.0 => write!(f, "{} min", rounded(s / 60.0)),
        a if a < 172_800.0 => write!(f, "{} h", rounded(s / 3600.0)),
        _ => write!(f, "{} d", rounded(s / 86_400.0)),
    }
}

fn bytes(f: &mut fmt::Formatter<'_>, n: u64) -> fmt::Result {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if n < 1024 {
        return write!(f, "{n} B");
    }
    let mut value = n as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    write!(f, "{} {}", rounded(value), UNITS[unit])
}

/// Three significant digits at most two of them behind the point, without trailing zeros.
fn rounded(x: f64) -> String {
    let places = match x.abs() {
        a if a >= 100.0 => 0,
        a if a >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{x:.places$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_can_read_it() {
        let shown: Vec<String> = [
            Quantity::Count(195),
            Quantity::Count(1_234_567),
            Quantity::Seconds(22.902),
            Quantity::Seconds(0.117),
            Quantity::Seconds(5400.0),
            Quantity::Bytes(64_424_509),
            Quantity::Ratio(0.0213),
            Quantity::Counts(vec![1, 2, 3, 4, 5, 6, 7]),
        ]
        .iter()
        .map(ToString::to_string)
        .collect();
        assert_eq!(
            shown,
            [
                "195",
                "1,234,567",
                "22.9 s",
                "117 ms",
                "90 min",
                "61.4 MiB",
                "0.02",
                "1, 2, 3, 4, 5 and 2 more"
            ]
        );
    }
}
