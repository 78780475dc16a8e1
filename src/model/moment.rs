//! A point in time as people type it: absolute, or relative to a recording.

use super::time::{MINUTE, Nanos};
use chrono::NaiveDateTime;

const DAY: Nanos = 24 * 60 * MINUTE;

/// A point in time as it is typed.
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
