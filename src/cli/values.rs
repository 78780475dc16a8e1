//! Values of options as they are typed: durations, sizes, fractions, numbers in a range.
//!
//! A message says what to write, because the parser of arguments puts the option and the value in front of it.

use crate::model::Nanos;
use std::ops::{Bound, RangeBounds};
use std::str::FromStr;
use std::time::Duration;

/// A value of a range; `expected` describes it.
pub(super) fn within<T: FromStr + PartialOrd>(
    text: &str,
    range: impl RangeBounds<T>,
    expected: &str,
) -> Result<T, String> {
    text.parse().ok().filter(|value| range.contains(value)).ok_or_else(|| expected.to_string())
}

/// A duration of a range; `examples` are of durations, `expected` describes the range.
pub(super) fn duration(
    text: &str,
    range: impl RangeBounds<Duration>,
    examples: &str,
    expected: &str,
) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| format!("{error}; write {examples}"))?;
    if range.contains(&duration) { Ok(duration) } else { Err(expected.to_string()) }
}

/// Above 0, at most a year.
pub(super) fn span(text: &str) -> Result<Duration, String> {
    let range = (Bound::Excluded(Duration::ZERO), Bound::Included(Duration::from_secs(365 * 86_400)));
    duration(text, range, "10s, 5m or 1h", "a duration above 0, at most a year")
}

/// In nanoseconds; what is longer than they can say is as long as they can say.
pub(super) fn nanos(span: Duration) -> Nanos {
    Nanos::try_from(span.as_nanos()).unwrap_or(Nanos::MAX)
}

/// A duration as it is typed.
pub(super) fn typed(span: Nanos) -> String {
    humantime::format_duration(Duration::from_nanos(span.unsigned_abs())).to_string()
}

/// A part of something.
pub(super) fn fraction(text: &str) -> Result<f64, String> {
    within(text, (Bound::Excluded(0.0), Bound::Included(1.0)), "a fraction above 0, at most 1")
}

/// `10%`, or a fraction.
pub(super) fn percent(text: &str) -> Result<f64, String> {
    let value = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().map(|percent| percent / 100.0),
        None => text.parse::<f64>().map(|share| if share > 1.0 { f64::NAN } else { share }),
    };
    value.ok().filter(|share| *share >= 0.0).ok_or_else(|| "write 10% or 0.1".to_string())
}

/// `64MiB`, `500kB`, `1024`.
pub(super) fn size(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 8] = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("kB", 1_000),
        ("KB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("B", 1),
    ];
    let text = text.trim();
    let unit = UNITS.iter().find_map(|&(unit, factor)| Some((text.strip_suffix(unit)?, factor)));
    let (digits, factor) = unit.unwrap_or((text, 1));
    let number =
        digits.trim().parse::<u64>().ok().and_then(|n| n.checked_mul(factor)).filter(|&n| n > 0 && n < 1 << 40);
    number.ok_or_else(|| "write a size as 64MiB or 500kB".to_string())
}
