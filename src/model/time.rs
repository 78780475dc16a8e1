//! Timestamps and spans of time, in whole nanoseconds; timestamps count from the Unix epoch.
//!
//! Nothing here reads a clock: a timestamp is always handed in.

/// A timestamp or a span, in nanoseconds. Timestamps lie in `0..=MAX_TIME`, so that adding a window never overflows.
pub type Nanos = i64;

/// One millisecond.
pub const MS: Nanos = 1_000_000;
/// One second.
pub const SECOND: Nanos = 1_000 * MS;
/// One minute.
pub const MINUTE: Nanos = 60 * SECOND;

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
