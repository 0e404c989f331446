//! Numbers and times as words, by whole numbers only: the standard library's exact formatting of floats, and its
//! parsing, are 25 kB of a page, and nothing here needs more than a few digits.

use std::time::Duration;

/// A number with at most `places` digits after the point and no zeros at its end.
///
/// ```
/// use gradus::value::decimal;
/// assert_eq!(decimal(64.0, 3), "64");
/// assert_eq!(decimal(-0.125, 2), "-0.13");
/// assert_eq!(decimal(2.50, 3), "2.5");
/// ```
#[must_use]
pub fn decimal(number: f64, places: u32) -> String {
    let unit = 10u64.saturating_pow(places.min(9));
    // A cast saturates, and what is that large is shown as the largest whole number there is.
    let scaled = (number.abs() * unit as f64).round() as u64;
    let (whole, mut rest) = (scaled / unit, scaled % unit);
    let sign = if number < 0.0 && scaled > 0 { "-" } else { "" };
    if rest == 0 {
        return format!("{sign}{whole}");
    }
    let mut width = places.min(9) as usize;
    while rest.is_multiple_of(10) {
        rest /= 10;
        width -= 1;
    }
    format!("{sign}{whole}.{rest:0width$}")
}

/// Whole milliseconds, in 64 bits: the standard library's 128 bring their own division.
pub(crate) fn millis(time: Duration) -> u64 {
    time.as_secs().saturating_mul(1000).saturating_add(u64::from(time.subsec_millis()))
}

/// Seconds with one digit after the point: "12.3".
///
/// ```
/// use std::time::Duration;
/// assert_eq!(gradus::value::tenths(Duration::from_millis(12_340)), "12.3");
/// ```
#[must_use]
pub fn tenths(time: Duration) -> String {
    let tenths = (millis(time) + 50) / 100;
    format!("{}.{}", tenths / 10, tenths % 10)
}
