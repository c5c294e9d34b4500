//! Moments as text, to the millisecond.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::file::UnixMillis;

/// RFC 3339 in UTC with milliseconds: `2026-11-22T10:10:32.123Z`. A moment beyond the calendar shows as 1970.
pub fn rfc3339(moment: UnixMillis) -> String {
    let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(moment) * 1_000_000);
    let moment = moment.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        moment.year(),
        u8::from(moment.month()),
        moment.day(),
        moment.hour(),
        moment.minute(),
        moment.second(),
        moment.millisecond()
    )
}

/// The moment that an RFC 3339 text names; `None` when it is none.
pub fn parse_rfc3339(text: &str) -> Option<UnixMillis> {
    let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    i64::try_from(moment.unix_timestamp_nanos().div_euclid(1_000_000)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_round_trip_to_the_millisecond() {
        assert_eq!(rfc3339(1_468_231_832_999), "2016-07-11T10:10:32.999Z");
        assert_eq!(parse_rfc3339("2016-07-11T10:10:32.999Z"), Some(1_468_231_832_999));
        assert_eq!(parse_rfc3339("2016-07-11T12:10:32+02:00"), Some(1_468_231_832_000));
        assert_eq!((rfc3339(i64::MAX), parse_rfc3339("yesterday")), ("1970-01-01T00:00:00.000Z".to_owned(), None));
    }
}
