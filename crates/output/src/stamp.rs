//! Times as RFC 3339 in UTC with as many decimals as needed.
//! The one place where event time becomes a calendar, so that no output disagrees with another.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use weir_model::Time;

/// `2026-01-01T00:00:00.117Z`. Times outside the years 0 to 9999 show as seconds since 1970.
pub fn rfc3339(time: Time) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(time.0))
        .ok()
        .and_then(|moment| moment.format(&Rfc3339).ok())
        .unwrap_or_else(|| time.to_string())
}

/// Reads RFC 3339; `None` when it is no such moment, or beyond the years 1678 to 2261 that nanoseconds reach.
pub fn parse(text: &str) -> Option<Time> {
    let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    i64::try_from(moment.unix_timestamp_nanos()).ok().map(Time)
}

/// `2026-01-01 00:00:00`, for people.
pub fn short(time: Time) -> String {
    let whole = Time::from_secs(time.bin(1));
    rfc3339(whole).replace('T', " ").trim_end_matches('Z').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_as_needed() {
        assert_eq!(
            rfc3339(Time(1_767_225_600_117_000_000)),
            "2026-01-01T00:00:00.117Z"
        );
        assert_eq!(rfc3339(Time::from_secs(0)), "1970-01-01T00:00:00Z");
        assert_eq!(short(Time(1_767_225_600_999_000_000)), "2026-01-01 00:00:00");
    }
}
