//! Series made simpler: shorter, without gaps, with values that are quick to read.
//!
//! Every function may change what a scenario does; whoever calls it runs the result. Absent on purpose: running.

use crate::model::Nanos;
use crate::scenario::{SampledSeries, SlotSample, SlotValue};

/// How values are made simpler; the number is that of significant digits.
#[derive(Clone, Copy, Debug)]
pub(super) enum Simpler {
    Constant(usize),
    Line(usize),
    Digits(usize),
    /// No fraction.
    Whole,
}

/// From the shortest to the most exact.
pub(super) fn all() -> impl Iterator<Item = Simpler> {
    let constants = (1..=3).map(Simpler::Constant);
    let whole = std::iter::once(Simpler::Whole);
    constants.chain((1..=4).map(Simpler::Line)).chain((1..=6).map(Simpler::Digits)).chain(whole)
}

/// Leaves out what is earlier than this, since the scenario's start.
pub(super) fn cut(series: &mut SampledSeries, before: Nanos) {
    let gone = (before - series.starts).max(0).unsigned_abs().div_ceil(series.interval.unsigned_abs());
    let gone = usize::try_from(gone).unwrap_or(usize::MAX).min(series.samples.len());
    let mut kept = series.samples.split_off(gone);
    let gaps = kept.iter().take_while(|sample| sample.value == SlotValue::Gap).count();
    kept.drain(..gaps);
    series.starts += series.interval * (gone + gaps) as Nanos;
    if let Some(first) = kept.first_mut() {
        // A series begins with a new start time anyway.
        first.restarted = false;
    }
    series.samples = kept;
}

/// Interpolates between two numbers that have a gap between them.
pub(super) fn fill_gaps(samples: &mut [SlotSample]) {
    let mut before: Option<(usize, f64)> = None;
    for at in 0..samples.len() {
        if samples[at].restarted {
            before = None;
        }
        let SlotValue::Number(value) = samples[at].value else { continue };
        if let Some((from, low)) = before {
            let share = (value - low) / (at - from) as f64;
            for (n, gap) in samples[from..at].iter_mut().enumerate().skip(1) {
                gap.value = SlotValue::Number(low + share * n as f64);
            }
        }
        before = Some((at, value));
    }
}

/// Simplifies the numbers between two restarts.
pub(super) fn simplify(samples: &mut [SlotSample], simpler: Simpler) {
    samples.chunk_by_mut(|_, next| !next.restarted).for_each(|life| simplify_life(life, simpler));
}

fn simplify_life(samples: &mut [SlotSample], simpler: Simpler) {
    let number = |(at, sample): (usize, &SlotSample)| match sample.value {
        SlotValue::Number(value) => Some((at, value)),
        SlotValue::Gap | SlotValue::Stale | SlotValue::Histogram(_) => None,
    };
    let numbers: Vec<(usize, f64)> = samples.iter().enumerate().filter_map(number).collect();
    let (Some(&(from, first)), Some(&(to, last))) = (numbers.first(), numbers.last()) else { return };
    let step = if to > from { (last - first) / (to - from) as f64 } else { 0.0 };
    let value = |at: usize, value: f64| match simpler {
        Simpler::Constant(digits) => significant(first, digits),
        Simpler::Line(digits) => significant(first, digits) + significant(step, digits) * (at - from) as f64,
        Simpler::Digits(digits) => significant(value, digits),
        Simpler::Whole => value.round(),
    };
    for (at, old) in numbers {
        samples[at].value = SlotValue::Number(value(at, old));
    }
}

/// The value with so many significant digits, as the number nearest to that decimal.
fn significant(value: f64, digits: usize) -> f64 {
    if !value.is_finite() {
        return value;
    }
    format!("{value:.*e}", digits.saturating_sub(1)).parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::significant;

    #[test]
    fn digits_that_matter() {
        assert_eq!(significant(20_612_345.0, 2), 2.1e7);
        assert_eq!(significant(-0.012_34, 3), -0.0123);
        assert_eq!(significant(0.0, 3), 0.0);
        assert_eq!(significant(767_000_001.0, 3), 7.67e8);
    }
}
