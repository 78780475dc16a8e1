//! Timestamps and spans of time, in whole nanoseconds; timestamps count from the Unix epoch. Also a point in time as people
//! type it.
//!
//! Nothing here reads a clock: a timestamp is always handed in.

use chrono::NaiveDateTime;

/// A timestamp or a span, in nanoseconds. Timestamps lie in `0..=MAX_TIME`, so that adding a window never overflows.
pub type Nanos = i64;

/// One millisecond.
pub const MS: Nanos = 1_000_000;
/// One second.
pub const SECOND: Nanos = 1_000 * MS;
/// One minute.
pub const MINUTE: Nanos = 60 * SECOND;
const DAY: Nanos = 24 * 60 * MINUTE;

/// The latest timestamp (in the year 2116); everything later is read as this one.
const MAX_TIME: u64 = 1 << 62;

/// A timestamp from the wire, which is unsigned there.
#[inline]
pub fn clamp_time(unix_nano: u64) -> Nanos {
    unix_nano.min(MAX_TIME) as Nanos
}

/// Whole milliseconds, rounded down.
#[inline]
pub fn to_ms(at: Nanos) -> i64 {
    at.div_euclid(MS)
}

/// A point in time as it is typed: absolute, or relative to a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// A timestamp.
    At(Nanos),
    /// A span after the start of the recording.
    After(Nanos),
    /// A time of the day on which the recording starts.
    Today(Nanos),
}

impl Moment {
    /// Reads `2026-11-22T06:50:00Z`, `06:50:00` or `+5m`.
    pub fn parse(text: &str) -> Result<Moment, String> {
        if let Some(span) = text.strip_prefix('+') {
            let span = humantime::parse_duration(span).map_err(|error| format!("{error}; write +5m or +90s"))?;
            let nanos = Nanos::try_from(span.as_nanos()).map_err(|_| "too far away".to_string())?;
            return Ok(Moment::After(nanos));
        }
        match (timestamp(text), timestamp(&format!("1970-01-01T{text}"))) {
            (Some(at), _) => Ok(Moment::At(at)),
            (None, Some(time)) => Ok(Moment::Today(time)),
            (None, None) => Err("write 2026-11-22T06:50:00Z, 06:50:00 or +5m".into()),
        }
    }

    /// The timestamp, with a recording that starts there.
    pub fn resolve(self, start: Nanos) -> Nanos {
        match self {
            Moment::At(at) => at,
            Moment::After(span) => start.saturating_add(span),
            Moment::Today(time) => start - start.rem_euclid(DAY) + time,
        }
    }
}

/// A timestamp since 1970; the zone is always UTC, and may be left out.
fn timestamp(text: &str) -> Option<Nanos> {
    let text = text.strip_suffix('Z').unwrap_or(text).replacen(' ', "T", 1);
    let time = NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f").ok()?;
    time.and_utc().timestamp_nanos_opt().filter(|at| *at >= 0)
}
