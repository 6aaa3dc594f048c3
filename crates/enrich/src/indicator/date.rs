//! Dates as lists write them: `2026-09-01`, `2026-09-01 12:00:00`, RFC 3339. Everything is taken as UTC.

/// Seconds since 1970; `None` for what is no date between 1970 and 2105. Fractions and zones are passed over, because
/// ages are told in days.
pub(crate) fn seconds(text: &str) -> Option<u32> {
    let text = text.trim();
    let mut parts = text
        .split(|c: char| !c.is_ascii_digit())
        .take(6)
        .map(|digits| digits.parse::<i64>().ok().filter(|_| digits.len() <= 4));
    let mut next = || parts.next().flatten();
    let (year, month, day) = (next()?, next()?, next()?);
    let (hour, minute, second) = (next().unwrap_or(0), next().unwrap_or(0), next().unwrap_or(0));
    let good = (1970..=2105).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !good {
        return None;
    }
    u32::try_from(days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second).ok()
}

/// Days since 1970 of a date in the proleptic Gregorian calendar, counted in years that begin in March.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn dates_and_what_is_none() {
        assert_eq!(seconds("1970-01-01"), Some(0));
        assert_eq!(seconds("2026-03-01"), Some(1_772_323_200));
        assert_eq!(seconds(" 2024-02-29 23:59:59 UTC"), Some(1_709_251_199));
        assert_eq!(seconds("2016-04-06T20:03:48.000Z"), Some(1_459_973_028));
        for bad in [
            "",
            "yesterday",
            "2026",
            "2026-13-01",
            "1969-01-01",
            "2026-09-01T25:00",
            "99999-01-01",
        ] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }
}
