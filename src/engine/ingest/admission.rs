//! What a sender can be told of its points when they arrive: which of them will be dropped for what they are.
//!
//! The checks are those of the intake up to `future`, in the same order. What depends on the points before (`too_late`,
//! `duplicate`, `too_dense`) is only known when the engine takes the body in, after the sender has its answer.

use crate::engine::ingest::intake::{FUTURE, check_value};
use crate::engine::{DropReason, Timestamps};
use crate::model::{Export, Nanos, PointValue};

/// How many points of a body that arrives at `at` will be dropped, by reason.
pub fn refused(export: &Export, at: Option<Nanos>, timestamps: Timestamps) -> [u64; DropReason::ALL.len()] {
    let mut counts = [0; DropReason::ALL.len()];
    let limit = at.map_or(Nanos::MIN, |at| at.saturating_add(FUTURE));
    let mut first = 0;
    for metric in &export.metrics {
        let points = &export.points[first..metric.points_end as usize];
        first = metric.points_end as usize;
        for point in points {
            let time = match timestamps {
                Timestamps::Event => point.time,
                Timestamps::Arrival => at.unwrap_or(0),
            };
            let finite = matches!(point.value, PointValue::Number(value) if value.is_finite());
            if finite && time != 0 && time <= limit {
                continue;
            }
            let reason = match check_value(export, point, metric.kind) {
                Err(reason) => reason,
                Ok(()) if time == 0 => DropReason::NoTime,
                Ok(()) if time > limit => DropReason::Future,
                Ok(()) => continue,
            };
            counts[reason as usize] += 1;
        }
    }
    counts
}
