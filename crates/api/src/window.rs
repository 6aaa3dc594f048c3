//! The span of time a question is about: always bounded, with a default, so that no question scans everything by accident.

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;
use weir_model::{NANOS_PER_S, Time};

use crate::problem::{Problem, Result};

/// Span when nothing is asked: a day.
const DEFAULT_S: i64 = 86_400;
/// Steps of a series when nothing is asked, and at most.
const STEPS_DEFAULT: i64 = 120;
const STEPS_MAX: i64 = 2000;
/// Round steps, seconds.
const STEPS_S: &[i64] = &[
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400,
];

/// The span of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) since: Time,
    /// Not part of the span.
    pub(crate) until: Time,
}

/// The span of an answer, as shown.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Span {
    /// RFC 3339 in UTC.
    #[schema(example = "2026-01-01T00:00:00Z")]
    pub since: String,
    /// RFC 3339 in UTC; not part of the span.
    #[schema(example = "2026-01-02T00:00:00Z")]
    pub until: String,
}

impl Window {
    /// Reads the parameters; `now` is what relative times count from.
    pub(crate) fn read(since: Option<&str>, until: Option<&str>, now: Time) -> Result<Self> {
        let until = until.map_or(Ok(now), |text| moment("until", text, now))?;
        let since = since.map_or(Ok(until - DEFAULT_S * NANOS_PER_S), |text| {
            moment("since", text, now)
        })?;
        if since >= until {
            return Err(Problem::at("since", "must be before until"));
        }
        Ok(Self { since, until })
    }

    /// The span of the same length just before.
    pub(crate) fn before(self) -> Self {
        Self {
            since: self.since - self.until.since(self.since),
            until: self.since,
        }
    }

    /// A round step: the one asked for (seconds), or one that gives about 120 steps; never more than 2,000 steps.
    pub(crate) fn step_ns(self, asked_s: Option<u32>) -> i64 {
        let span_s = self.until.since(self.since) / NANOS_PER_S;
        let least = span_s
            / if asked_s.is_some() {
                STEPS_MAX
            } else {
                STEPS_DEFAULT
            };
        let asked = asked_s.map_or(1, i64::from).max(1);
        let step = if asked >= least && asked_s.is_some() {
            asked
        } else {
            let round = STEPS_S.iter().copied().find(|step| *step >= least);
            round.unwrap_or_else(|| least - least.rem_euclid(86_400) + 86_400)
        };
        step.saturating_mul(NANOS_PER_S)
    }

    /// As shown.
    pub(crate) fn span(self) -> Span {
        Span {
            since: rfc3339(self.since),
            until: rfc3339(self.until),
        }
    }
}

/// RFC 3339 in UTC; a moment no calendar has stands as seconds.
pub(crate) fn rfc3339(time: Time) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(time.0))
        .ok()
        .and_then(|moment| moment.format(&Rfc3339).ok())
        .unwrap_or_else(|| time.to_string())
}

/// `now`, `now-90m`, `now-2h`, `now-7d`, or RFC 3339.
fn moment(place: &str, text: &str, now: Time) -> Result<Time> {
    let wrong = || {
        let example = "2026-01-01T00:00:00Z";
        Problem::at(
            place,
            format!("{text:?} is no time: write {example}, now, or now-2h (s, m, h, d)"),
        )
    };
    if let Some(rest) = text.strip_prefix("now") {
        if rest.is_empty() {
            return Ok(now);
        }
        let rest = rest.strip_prefix('-').ok_or_else(wrong)?;
        let unit = rest.chars().last().ok_or_else(wrong)?;
        let unit_s = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return Err(wrong()),
        };
        let count: i64 = rest[..rest.len() - 1].parse().map_err(|_| wrong())?;
        return Ok(now - count.saturating_mul(unit_s).saturating_mul(NANOS_PER_S));
    }
    // A plus in a URL is a blank.
    let moment = OffsetDateTime::parse(&text.replace(' ', "+"), &Rfc3339).map_err(|_| wrong())?;
    let nanos = i64::try_from(moment.unix_timestamp_nanos()).map_err(|_| wrong())?;
    Ok(Time(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_secs(1_767_312_000);

    fn check(since: Option<&str>, until: Option<&str>) -> String {
        match Window::read(since, until, NOW) {
            Ok(window) => {
                let span = window.span();
                format!(
                    "{} {} {}",
                    span.since,
                    span.until,
                    window.step_ns(None) / NANOS_PER_S
                )
            }
            Err(_) => "refused".to_owned(),
        }
    }

    #[test]
    fn spans() {
        assert_eq!(check(None, None), "2026-01-01T00:00:00Z 2026-01-02T00:00:00Z 900");
        assert_eq!(
            check(Some("now-90m"), None),
            "2026-01-01T22:30:00Z 2026-01-02T00:00:00Z 60"
        );
        assert_eq!(
            check(Some("2026-01-01T02:00:00+02:00"), Some("now-1d")),
            "refused",
            "the same moment is no span"
        );
        assert_eq!(check(Some("now-1é"), None), "refused");
        assert_eq!(
            check(Some("now-99999999999999d"), None).split(' ').nth(1),
            Some("2026-01-02T00:00:00Z")
        );
        assert_eq!(check(Some("yesterday"), None), "refused");
        assert_eq!(check(Some("now"), Some("now-1h")), "refused");
    }

    #[test]
    fn steps_are_bounded() {
        let day = Window::read(None, None, NOW).unwrap();
        assert_eq!(day.step_ns(Some(60)), 60 * NANOS_PER_S);
        assert_eq!(
            day.step_ns(Some(1)),
            60 * NANOS_PER_S,
            "43 s would do, 60 is round"
        );
        assert_eq!(day.before().until, day.since);
        let years = Window::read(Some("2000-01-01T00:00:00Z"), None, NOW).unwrap();
        assert_eq!(years.step_ns(None) / NANOS_PER_S % 86_400, 0);
    }
}
