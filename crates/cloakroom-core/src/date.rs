//! Dates as JavaScript prints and parses them, for every millisecond that a JavaScript `Date` can represent.
//!
//! Date crates do not help here: JavaScript writes years beyond 9999 with a sign and six digits, and counts 31 February
//! into March.

mod read;

/// The last millisecond of a JavaScript `Date`, in the year 275760 (ECMAScript 21.4.1.1). The first one is as far before
/// 1970.
///
/// ```
/// use cloakroom_core::{LAST_DATE_MS, to_iso_string};
///
/// assert_eq!(to_iso_string(LAST_DATE_MS).as_deref(), Some("+275760-09-13T00:00:00.000Z"));
/// assert_eq!(to_iso_string(LAST_DATE_MS + 1), None);
/// ```
pub const LAST_DATE_MS: i64 = 8_640_000_000_000_000;
const DAY_MS: i64 = 86_400_000;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH_DAYS: i64 = 719_468;
/// Days before each month of a year that starts in March, so that the leap day comes last.
const DAYS_BEFORE: [i64; 12] = [0, 31, 61, 92, 122, 153, 184, 214, 245, 275, 306, 337];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// From Thursday on, the day of 1970-01-01.
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

/// Formats a time as `new Date(ms).toISOString()` does, which is the text of `expires` in a record.
/// Returns `None` beyond the range of a JavaScript `Date`, where `toISOString` throws.
///
/// ```
/// use cloakroom_core::to_iso_string;
///
/// assert_eq!(to_iso_string(1_700_000_000_000).as_deref(), Some("2023-11-14T22:13:20.000Z"));
/// assert_eq!(to_iso_string(253_402_300_800_000).as_deref(), Some("+010000-01-01T00:00:00.000Z"));
/// assert_eq!(to_iso_string(i64::MAX), None);
/// ```
#[must_use]
pub fn to_iso_string(ms: i64) -> Option<String> {
    let Civil { year, month, day, .. } = Civil::from_ms(ms)?;
    let (hour, minute, second, milli) = time_of_day(ms);
    let mut text = String::with_capacity("+010000-01-01T00:00:00.000Z".len());
    if (0..=9999).contains(&year) {
        push_digits(&mut text, year, 4);
    } else {
        text.push(if year < 0 { '-' } else { '+' });
        push_digits(&mut text, year.abs(), 6);
    }
    for (before, number, width) in [
        ('-', month as i64, 2),
        ('-', day, 2),
        ('T', hour, 2),
        (':', minute, 2),
        (':', second, 2),
        ('.', milli, 3),
    ] {
        text.push(before);
        push_digits(&mut text, number, width);
    }
    text.push('Z');
    Some(text)
}

/// Formats a time as `new Date(ms).toUTCString()` does, which is the text of the `Expires` attribute. Rounds down to
/// whole seconds. Returns `None` beyond the range of a JavaScript `Date`, where the text is `Invalid Date`.
///
/// ```
/// use cloakroom_core::to_utc_string;
///
/// assert_eq!(to_utc_string(1_700_000_000_999).as_deref(), Some("Tue, 14 Nov 2023 22:13:20 GMT"));
/// assert_eq!(to_utc_string(-1).as_deref(), Some("Wed, 31 Dec 1969 23:59:59 GMT"));
/// assert_eq!(to_utc_string(i64::MIN), None);
/// ```
#[must_use]
pub fn to_utc_string(ms: i64) -> Option<String> {
    let Civil { year, month, day, weekday } = Civil::from_ms(ms)?;
    let (hour, minute, second, _) = time_of_day(ms);
    let mut text = String::with_capacity("Tue, 14 Nov 2023 22:13:20 GMT".len() + 3);
    text.extend([weekday, ", "]);
    push_digits(&mut text, day, 2);
    text.extend([" ", MONTHS[month - 1], if year < 0 { " -" } else { " " }]);
    push_digits(&mut text, year.abs(), 4);
    for (before, number) in [(' ', hour), (':', minute), (':', second)] {
        text.push(before);
        push_digits(&mut text, number, 2);
    }
    text.push_str(" GMT");
    Some(text)
}

/// Appends a number of at most six digits with leading zeros, as `{number:0least$}` prints it. Dates are printed for most
/// requests, and the machinery of `format!` takes ten times as long.
fn push_digits(text: &mut String, number: i64, least: usize) {
    let mut digits = [b'0'; 6];
    let (mut at, mut rest) = (digits.len(), number);
    while rest > 0 || digits.len() - at < least {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    text.extend(digits[at..].iter().copied().map(char::from));
}

/// Parses a date as `new Date(text).getTime()` does, in milliseconds since 1970, if it has one of the two formats that
/// JavaScript itself prints. Returns `None` for any other text, even where Node.js would guess.
///
/// - ECMAScript's ISO format: `2023`, `2023-11`, `2023-11-14`, each alone (UTC) or followed by `T22:13`, `T22:13:20` or
///   `T22:13:20.5` (any number of digits, cut to milliseconds) and `Z`, `+01:00` or nothing. Years beyond four digits
///   have a sign and six digits.
/// - `toUTCString`, which is HTTP's own date too: `Tue, 14 Nov 2023 22:13:20 GMT`. The name of the day is not compared
///   with the date, and a year below 100 is between 1950 and 2049, as in Node.js.
///
/// JavaScript reads a time without `Z` or offset as local time. This function reads it as UTC, so that the result does
/// not depend on the machine. As in Node.js, a day up to 31 that the month does not have counts into the next month, and
/// 24:00 is the next day.
///
/// ```
/// use cloakroom_core::parse_date;
///
/// assert_eq!(parse_date("2023-11-14T22:13:20.000Z"), Some(1_700_000_000_000));
/// assert_eq!(parse_date("Tue, 14 Nov 2023 22:13:20 GMT"), Some(1_700_000_000_000));
/// assert_eq!(parse_date("tomorrow"), None);
/// ```
#[must_use]
pub fn parse_date(text: &str) -> Option<i64> {
    read::iso(text)
        .or_else(|| read::utc(text))
        .filter(|ms| (-LAST_DATE_MS..=LAST_DATE_MS).contains(ms))
}

/// A day of the proleptic Gregorian calendar.
struct Civil {
    year: i64,
    /// From 1.
    month: usize,
    day: i64,
    weekday: &'static str,
}

impl Civil {
    fn from_ms(ms: i64) -> Option<Self> {
        if !(-LAST_DATE_MS..=LAST_DATE_MS).contains(&ms) {
            return None;
        }
        let days = ms.div_euclid(DAY_MS);
        let weekday = WEEKDAYS[days.rem_euclid(7) as usize];
        let since_march = days + EPOCH_DAYS;
        let (cycles, rest) = (since_march.div_euclid(146_097), since_march.rem_euclid(146_097));
        // The last century of a cycle, and the last year of four, are a day longer: they end with the leap day.
        let centuries = (rest / 36_524).min(3);
        let rest = rest - centuries * 36_524;
        let (fours, rest) = (rest / 1_461, rest % 1_461);
        let years = (rest / 365).min(3);
        let rest = rest - years * 365;
        let from_march = DAYS_BEFORE.partition_point(|before| *before <= rest) - 1;
        let year = cycles * 400 + centuries * 100 + fours * 4 + years;
        Some(Self {
            year: if from_march < 10 { year } else { year + 1 },
            month: (from_march + 2) % 12 + 1,
            day: rest - DAYS_BEFORE[from_march] + 1,
            weekday,
        })
    }
}

/// Returns the hour, minute, second and millisecond of the day.
fn time_of_day(ms: i64) -> (i64, i64, i64, i64) {
    let ms = ms.rem_euclid(DAY_MS);
    (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60, ms % 1_000)
}

/// Returns the midnight at which a day begins, in milliseconds since 1970. `month` is 1 to 12; a `day` beyond the end of
/// the month counts into the next one.
fn midnight(year: i64, month: i64, day: i64) -> i64 {
    let year = if month < 3 { year - 1 } else { year };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let before = DAYS_BEFORE[((month + 9) % 12) as usize];
    (year * 365 + leap_days + before + day - 1 - EPOCH_DAYS) * DAY_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Node.js 20.20.2 prints.
    #[rustfmt::skip]
    const PRINTED: &[(i64, &str, &str)] = &[
        (0, "1970-01-01T00:00:00.000Z", "Thu, 01 Jan 1970 00:00:00 GMT"),
        (-1, "1969-12-31T23:59:59.999Z", "Wed, 31 Dec 1969 23:59:59 GMT"),
        (1_700_000_000_999, "2023-11-14T22:13:20.999Z", "Tue, 14 Nov 2023 22:13:20 GMT"),
        (-1_700_000_000_001, "1916-02-18T01:46:39.999Z", "Fri, 18 Feb 1916 01:46:39 GMT"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z", "Tue, 29 Feb 2000 00:00:00 GMT"),
        (-30_610_224_000_000, "1000-01-01T00:00:00.000Z", "Wed, 01 Jan 1000 00:00:00 GMT"),
        (-62_135_596_800_000, "0001-01-01T00:00:00.000Z", "Mon, 01 Jan 0001 00:00:00 GMT"),
        (-62_167_219_200_000, "0000-01-01T00:00:00.000Z", "Sat, 01 Jan 0000 00:00:00 GMT"),
        (-62_167_219_200_001, "-000001-12-31T23:59:59.999Z", "Fri, 31 Dec -0001 23:59:59 GMT"),
        (-93_724_128_000_000, "-001000-01-01T00:00:00.000Z", "Wed, 01 Jan -1000 00:00:00 GMT"),
        (-377_705_116_800_001, "-010000-12-31T23:59:59.999Z", "Sun, 31 Dec -10000 23:59:59 GMT"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z", "Fri, 31 Dec 9999 23:59:59 GMT"),
        (253_402_300_800_000, "+010000-01-01T00:00:00.000Z", "Sat, 01 Jan 10000 00:00:00 GMT"),
        (LAST_DATE_MS, "+275760-09-13T00:00:00.000Z", "Sat, 13 Sep 275760 00:00:00 GMT"),
        (-LAST_DATE_MS, "-271821-04-20T00:00:00.000Z", "Tue, 20 Apr -271821 00:00:00 GMT"),
    ];

    /// What `new Date(text).getTime()` gives in Node.js 20.20.2 with `TZ=UTC`; `None` is NaN.
    #[rustfmt::skip]
    const PARSED: &[(&str, Option<i64>)] = &[
        ("2023", Some(1_672_531_200_000)),
        ("2023-11", Some(1_698_796_800_000)),
        ("2023-11-14", Some(1_699_920_000_000)),
        ("2023T22:13Z", Some(1_672_611_180_000)),
        ("2023-11T22:13Z", Some(1_698_876_780_000)),
        ("2023-11-14T22:13Z", Some(1_699_999_980_000)),
        ("2023-11-14T22:13:20", Some(1_700_000_000_000)),
        ("2023-11-14T22:13:20.1Z", Some(1_700_000_000_100)),
        ("2023-11-14T22:13:20.12Z", Some(1_700_000_000_120)),
        ("2023-11-14T22:13:20.9999Z", Some(1_700_000_000_999)),
        ("2023-11-14T22:13:20.0000000000000000001Z", Some(1_700_000_000_000)),
        ("2023-11-14T22:13:20+01:00", Some(1_699_996_400_000)),
        ("2023-11-14T22:13:20+23:59", Some(1_699_913_660_000)),
        ("2023-11-14T22:13:20-00:00", Some(1_700_000_000_000)),
        ("2023-11-14T24:00:00.000Z", Some(1_700_006_400_000)),
        ("2023-02-30", Some(1_677_715_200_000)),
        ("+002023-11-14T22:13:20.000Z", Some(1_700_000_000_000)),
        ("+000000-01-01", Some(-62_167_219_200_000)),
        ("-000001-01-01T00:00:00.000Z", Some(-62_198_755_200_000)),
        ("+275760-09-13T01:00:00.000+01:00", Some(LAST_DATE_MS)),
        ("+275760-09-13T00:00:00.001Z", None),
        ("-000000-01-01T00:00:00Z", None),
        ("2023-11-14T24:00:01Z", None),
        ("2023-11-14T24:00:00.0001Z", None),
        ("2023-11-14T22Z", None),
        ("2023-11-14T22:13:20.Z", None),
        ("2023-11-14T22:13:20,5Z", None),
        ("2023-11-14T22:60:20Z", None),
        ("2023-11-14T22:13:60Z", None),
        ("2023-11-14T22:13:20+24:00", None),
        ("2023-11-14T22:13:20+00:60", None),
        ("2023-13-01", None),
        ("2023-00-01", None),
        ("2023-01-00", None),
        ("2023-02-32", None),
        (" 2023-11-14T22:13:20Z", None),
        ("2023-11-14T22:13:20Z ", None),
        ("Tue, 14 Nov 2023 22:13:20 GMT", Some(1_700_000_000_000)),
        ("Mon, 14 Nov 2023 22:13:20 GMT", Some(1_700_000_000_000)),
        ("Tue, 31 Nov 2023 22:13:20 GMT", Some(1_701_468_800_000)),
        ("Tue, 14 Nov 2023 24:00:00 GMT", Some(1_700_006_400_000)),
        ("Sat, 01 Jan 0050 00:00:00 GMT", Some(-631_152_000_000)),
        ("Sat, 01 Jan 0049 00:00:00 GMT", Some(2_493_072_000_000)),
        ("Sun, 01 Jan 0100 00:00:00 GMT", Some(-59_011_459_200_000)),
        ("Sat, 13 Sep 275760 00:00:00 GMT", Some(LAST_DATE_MS)),
        ("Tue, 14 Nov 2023 24:00:01 GMT", None),
        ("Sun, 00 Nov 2023 22:13:20 GMT", None),
        ("Fri, 31 Dec -0001 23:59:59 GMT", None),
        ("Invalid Date", None),
        ("1700000000000", None),
        ("", None),
    ];

    #[test]
    fn it_prints_what_node_prints() {
        for (ms, iso, utc) in PRINTED {
            assert_eq!(to_iso_string(*ms).as_deref(), Some(*iso));
            assert_eq!(to_utc_string(*ms).as_deref(), Some(*utc));
        }
        for ms in [LAST_DATE_MS + 1, -LAST_DATE_MS - 1, i64::MAX, i64::MIN] {
            assert_eq!((to_iso_string(ms), to_utc_string(ms)), (None, None));
        }
    }

    #[test]
    fn it_reads_what_node_reads() {
        for (text, ms) in PARSED {
            assert_eq!(parse_date(text), *ms, "{text:?}");
        }
    }

    #[test]
    fn what_only_node_guesses_is_not_a_date() {
        for text in [
            "2023-1-1",
            "2023-11-14t22:13:20z",
            "2023-11-14 22:13:20",
            "14 Nov 2023",
            "2023-11-14Z",
        ] {
            assert_eq!(parse_date(text), None, "{text:?}");
        }
    }

    #[test]
    fn every_printed_date_reads_back() {
        let mut ms = -LAST_DATE_MS;
        while ms <= LAST_DATE_MS {
            assert_eq!(to_iso_string(ms).and_then(|text| parse_date(&text)), Some(ms));
            // Node.js reads neither a year before 0 nor the real year of one before 100.
            if ms >= -59_011_459_200_000 {
                let text = to_utc_string(ms).expect("it is within the range");
                assert_eq!(parse_date(&text), Some(ms - ms.rem_euclid(1_000)));
            }
            ms += 172_799_999_999;
        }
    }
}
