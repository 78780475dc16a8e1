//! A point in time as people type it: absolute, or relative to a recording.

use super::time::{MINUTE, Nanos};
use std::time::{Duration, UNIX_EPOCH};

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
        let nanos = |span: Duration| Nanos::try_from(span.as_nanos()).map_err(|_| "too far away".to_string());
        if let Some(span) = text.strip_prefix('+') {
            let span = humantime::parse_duration(span).map_err(|error| format!("{error}; write +5m or +90s"))?;
            return Ok(Moment::After(nanos(span)?));
        }
        let since_epoch = |text: &str| humantime::parse_rfc3339_weak(text).ok()?.duration_since(UNIX_EPOCH).ok();
        match (since_epoch(text), since_epoch(&format!("1970-01-01 {text}"))) {
            (Some(at), _) => Ok(Moment::At(nanos(at)?)),
            (None, Some(time)) => Ok(Moment::Today(nanos(time)?)),
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
