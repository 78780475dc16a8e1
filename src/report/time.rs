//! Timestamps and spans of time as people read them.

use crate::model::{MINUTE, MS, Nanos, SECOND, to_ms};
use chrono::DateTime;

/// A week, to count events by.
pub(super) const WEEK: f64 = (7 * 24 * 60 * MINUTE) as f64;

/// Writes timestamps in UTC and in relation to the start of a recording.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    from: Option<Nanos>,
    dated: bool,
}

impl Times {
    /// For what happened between these timestamps.
    pub fn new(from: Option<Nanos>, to: Option<Nanos>) -> Self {
        let day = |at: Option<Nanos>| at.map(|at| utc(at, "%F"));
        Times { from, dated: day(from) != day(to) }
    }

    /// The time of day; with the date in front when the recording spans several days.
    pub fn time(self, at: Nanos) -> String {
        utc(at, if self.dated { "%F %T" } else { "%T" })
    }

    /// How long after the start: `+4m39s`.
    pub fn offset(self, at: Nanos) -> String {
        match self.from {
            Some(from) if at >= from => format!("+{}", duration(at - from)),
            Some(from) => format!("-{}", duration(from - at)),
            None => String::new(),
        }
    }
}

/// From when to when: `2026-11-22 09:26:51 to 09:36:21 UTC (9m30s)`.
pub(super) fn covered(from: Option<Nanos>, to: Option<Nanos>) -> String {
    match (from, to) {
        (Some(from), Some(to)) => {
            let until = Times::new(Some(from), Some(to)).time(to);
            format!("{} to {until} UTC ({})", date_time(from), duration(to - from))
        }
        _ => "no data points".to_string(),
    }
}

/// Date and time: `2026-11-22 09:26:51`.
pub(super) fn date_time(at: Nanos) -> String {
    utc(at, "%F %T")
}

fn utc(at: Nanos, format: &str) -> String {
    match DateTime::from_timestamp_millis(to_ms(at)) {
        Some(time) => time.format(format).to_string(),
        None => at.to_string(),
    }
}

/// A span of time: `4m39s`; below ten seconds with tenths, below a second in milliseconds.
pub(super) fn duration(span: Nanos) -> String {
    let span = span.saturating_abs();
    if span == 0 {
        return "0s".to_string();
    }
    if span < SECOND {
        return format!("{}ms", span / MS);
    }
    if span < 10 * SECOND && span % SECOND != 0 {
        return format!("{:.1}s", span as f64 / SECOND as f64);
    }
    let seconds = span / SECOND;
    let parts = [(seconds / 86_400, "d"), (seconds / 3_600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let parts: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect();
    parts.concat()
}

/// A window or a grace period given in milliseconds, as rules are talked about: `5m`, `90s`.
pub(super) fn span_ms(ms: i64) -> String {
    let span = ms.saturating_mul(MS);
    if span % MINUTE != 0 && span % SECOND == 0 && span < 10 * MINUTE {
        return format!("{}s", span / SECOND);
    }
    duration(span)
}
