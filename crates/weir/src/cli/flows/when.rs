//! Spans of time as people say them: `last 2 hours`, `yesterday`, `2026-11-22 03:00 - 04:00`. Everything is UTC. A moment
//! is as wide as it is written: a day, an hour or a minute alone is all of it.

use std::ops::Range;

use anyhow::{Result, bail};
use time::{Date, Month, OffsetDateTime};

const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Forms for the error and the manual.
pub(super) const FORMS: &str = "'last 2 hours', 'today', 'yesterday', '2026-11-22', '2026-11-22 03:00 - 04:00', \
    'since 2026-11-22 03:00', 'until yesterday'";

/// The moments a window covers, nanoseconds since 1970, the end not included. `now` is what "last" counts from.
///
/// # Errors
/// When the text is none of [`FORMS`].
pub(in crate::cli) fn window(text: &str, now: i64) -> Result<Range<i64>> {
    let words = text.trim().to_lowercase();
    let found = relative(&words, now)
        .or_else(|| after(&words, &["since ", "after ", "from "], now).map(|span| span.start..i64::MAX))
        .or_else(|| after(&words, &["until ", "before "], now).map(|span| i64::MIN..span.start))
        .or_else(|| between(&words, now))
        .or_else(|| moment(&words, now, None));
    match found {
        Some(span) if span.start < span.end => Ok(span),
        Some(_) => bail!("the window {text:?} ends before it begins"),
        None => bail!("{text:?} is no window of time; say {FORMS}"),
    }
}

/// A length of time such as `1m`, `90 seconds`, `2 hours`, in nanoseconds.
pub(in crate::cli) fn length(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let many: i64 = if digits == 0 {
        1
    } else {
        text[..digits].parse().ok()?
    };
    let unit = match text[digits..].trim() {
        "s" | "sec" | "second" | "seconds" => SECOND,
        "m" | "min" | "minute" | "minutes" => MINUTE,
        "h" | "hour" | "hours" => HOUR,
        "d" | "day" | "days" => DAY,
        "w" | "week" | "weeks" => 7 * DAY,
        _ => return None,
    };
    many.checked_mul(unit).filter(|length| *length > 0)
}

fn relative(words: &str, now: i64) -> Option<Range<i64>> {
    let today = now.div_euclid(DAY) * DAY;
    match words {
        "today" => return Some(today..today + DAY),
        "yesterday" => return Some(today - DAY..today),
        "this hour" => {
            let hour = now.div_euclid(HOUR) * HOUR;
            return Some(hour..hour + HOUR);
        }
        _ => {}
    }
    let rest = words
        .strip_prefix("last ")
        .or_else(|| words.strip_prefix("past "))?;
    let length = length(rest)?;
    Some(now.saturating_sub(length)..now.saturating_add(1))
}

fn after(words: &str, prefixes: &[&str], now: i64) -> Option<Range<i64>> {
    let rest = prefixes.iter().find_map(|prefix| words.strip_prefix(prefix))?;
    moment(rest, now, None)
}

fn between(words: &str, now: i64) -> Option<Range<i64>> {
    for sign in ["..", " - ", " to ", " until ", "-"] {
        for (at, _) in words.match_indices(sign) {
            let (first, second) = (&words[..at], &words[at + sign.len()..]);
            let Some(first) = moment(first.trim(), now, None) else {
                continue;
            };
            let day = first.start.div_euclid(DAY) * DAY;
            let Some(second) = moment(second.trim(), now, Some(day)) else {
                continue;
            };
            // Up to a day is up to its end, up to a time of day is up to that moment.
            let whole_day = second.end - second.start == DAY;
            return Some(first.start..if whole_day { second.end } else { second.start });
        }
    }
    None
}

/// What one moment covers. A time of day alone is of `day`, or of today.
fn moment(text: &str, now: i64, day: Option<i64>) -> Option<Range<i64>> {
    let today = now.div_euclid(DAY) * DAY;
    match text {
        "now" => return Some(now..now.saturating_add(1)),
        "today" => return Some(today..today + DAY),
        "yesterday" => return Some(today - DAY..today),
        _ => {}
    }
    let text = text.trim_end_matches('z');
    let (date, clock) = match text.split_once(['t', ' ', '.']).or_else(|| split_nfdump(text)) {
        Some((date, clock)) => (Some(date), Some(clock.trim())),
        None if text.contains(':') => (None, Some(text)),
        None => (Some(text), None),
    };
    let day = match date {
        Some(date) => day_of(date)?,
        None => day.unwrap_or(today),
    };
    match clock {
        None => Some(day..day.checked_add(DAY)?),
        Some(clock) => {
            let (offset, width) = clock_of(clock)?;
            let start = day.checked_add(offset)?;
            Some(start..start.checked_add(width)?)
        }
    }
}

/// `2026/11/22.03:00:00` as nfdump writes it.
fn split_nfdump(text: &str) -> Option<(&str, &str)> {
    text.contains('/').then(|| text.split_once('.')).flatten()
}

fn day_of(text: &str) -> Option<i64> {
    let mut fields = text.split(['-', '/']);
    let year: i32 = fields.next().filter(|year| year.len() == 4)?.parse().ok()?;
    let month: u8 = fields.next()?.parse().ok()?;
    let day: u8 = fields.next()?.parse().ok()?;
    let date = Date::from_calendar_date(year, Month::try_from(month).ok()?, day).ok()?;
    let seconds = OffsetDateTime::new_utc(date, time::Time::MIDNIGHT).unix_timestamp();
    fields
        .next()
        .is_none()
        .then(|| seconds.checked_mul(SECOND))
        .flatten()
}

/// Nanoseconds into the day and how wide the clock is written: `03`, `03:00`, `03:00:15`, `03:00:15.5`.
fn clock_of(text: &str) -> Option<(i64, i64)> {
    let mut fields = text.split(':');
    let hour: i64 = fields
        .next()?
        .parse()
        .ok()
        .filter(|hour| (0..24).contains(hour))?;
    let Some(minute) = fields.next() else {
        return Some((hour * HOUR, HOUR));
    };
    let minute: i64 = minute.parse().ok().filter(|minute| (0..60).contains(minute))?;
    let offset = hour * HOUR + minute * MINUTE;
    let Some(second) = fields.next() else {
        return Some((offset, MINUTE));
    };
    let (whole, part) = second.split_once('.').unwrap_or((second, ""));
    let whole: i64 = whole.parse().ok().filter(|second| (0..60).contains(second))?;
    if fields.next().is_some() || part.len() > 9 || !part.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let nanos: i64 = format!("{part:0<9}").parse().ok()?;
    let width = 10_i64.pow(9 - part.len() as u32);
    Some((offset + whole * SECOND + nanos, width))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-22T04:30:00Z
    const NOW: i64 = 1_795_321_800 * SECOND;
    const TODAY: i64 = NOW - 4 * HOUR - 30 * MINUTE;

    #[test]
    fn as_people_say_it() {
        for (text, from, to) in [
            ("last 2 hours", NOW - 2 * HOUR, NOW + 1),
            ("Last hour", NOW - HOUR, NOW + 1),
            ("past 90s", NOW - 90 * SECOND, NOW + 1),
            ("today", TODAY, TODAY + DAY),
            ("yesterday", TODAY - DAY, TODAY),
            ("this hour", TODAY + 4 * HOUR, TODAY + 5 * HOUR),
            ("2026-11-22", TODAY, TODAY + DAY),
            ("2026-11-22 03", TODAY + 3 * HOUR, TODAY + 4 * HOUR),
            ("2026-11-22T03:00", TODAY + 3 * HOUR, TODAY + 3 * HOUR + MINUTE),
            ("2026-11-22 03:00 - 04:00", TODAY + 3 * HOUR, TODAY + 4 * HOUR),
            ("2026-11-21 23:00 to 2026-11-22 01:00", TODAY - HOUR, TODAY + HOUR),
            ("2026-11-20 - 2026-11-21", TODAY - 2 * DAY, TODAY),
            ("03:00-04:00", TODAY + 3 * HOUR, TODAY + 4 * HOUR),
            (
                "2026/11/22.03:00:00-2026/11/22.04:00:00",
                TODAY + 3 * HOUR,
                TODAY + 4 * HOUR,
            ),
            ("since yesterday", TODAY - DAY, i64::MAX),
            ("until 2026-11-22 01:00", i64::MIN, TODAY + HOUR),
            ("2026-11-22 00:00:01.5 - now", TODAY + SECOND + SECOND / 2, NOW),
        ] {
            assert_eq!(window(text, NOW).unwrap(), from..to, "{text}");
        }
    }

    #[test]
    fn what_is_no_window() {
        for text in [
            "",
            "last",
            "last 0 hours",
            "2026-13-01",
            "25:00",
            "soon",
            "2026-11-22 03:00 - 02:00",
        ] {
            assert!(window(text, NOW).is_err(), "{text}");
        }
        let error = window("soon", NOW).unwrap_err().to_string();
        assert!(
            error.starts_with("\"soon\" is no window of time; say 'last 2 hours'"),
            "{error}"
        );
    }

    #[test]
    fn lengths() {
        assert_eq!(length("1m"), Some(MINUTE));
        assert_eq!(length("90 seconds"), Some(90 * SECOND));
        assert_eq!(length("hour"), Some(HOUR));
        assert_eq!(length("0s"), None);
        assert_eq!(length("5 parsecs"), None);
    }
}
