//! Moments as text.

use shared::domain::file::UnixMillis;
use time::OffsetDateTime;

/// RFC 3339 in whole seconds with the offset written out, as Box does: `2016-07-11T10:10:32+00:00`.
pub(crate) fn rfc3339(moment: UnixMillis) -> String {
    let moment = OffsetDateTime::from_unix_timestamp(moment.div_euclid(1000)).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}+00:00",
        moment.year(),
        u8::from(moment.month()),
        moment.day(),
        moment.hour(),
        moment.minute(),
        moment.second()
    )
}

/// ISO 8601 in milliseconds with the offset as Jira writes it: `2016-07-11T10:10:32.123+0000`.
pub(crate) fn rfc3339_millis(moment: UnixMillis) -> String {
    let seconds = rfc3339(moment);
    let seconds = seconds.strip_suffix("+00:00").unwrap_or(&seconds);
    format!("{seconds}.{:03}+0000", moment.rem_euclid(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jira_reads_milliseconds_and_an_offset_without_a_colon() {
        assert_eq!(rfc3339_millis(1_468_231_832_007), "2016-07-11T10:10:32.007+0000");
    }

    #[test]
    fn moments_are_cut_to_seconds() {
        assert_eq!(rfc3339(1_468_231_832_999), "2016-07-11T10:10:32+00:00");
        assert_eq!(rfc3339(i64::MAX), "1970-01-01T00:00:00+00:00");
    }
}
