//! The window ladder: what windows of several lengths say of a process' minima, taken together.
//!
//! A window's minima are merged into a few points. A leak is a window whose points rise beyond chance, by enough, in both
//! halves alike, above every minimum before the window, while no longer window slows down. The shape conditions do the real
//! work: what fools a test for trends is not chance but real growth that ends, a warm-up, a ramp, a cycle.

use super::minima::{BUCKET, BucketMinimum, Minima};
use super::statistics::{Point, Scratch};
use crate::definition::{TrendParameters, WindowLevel};
use crate::model::{MS, Nanos, SECOND};

/// Fewer points than this say nothing, not even that growth slows down.
const FEWEST: usize = 6;

/// What one window says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// The time of the evaluation.
    pub evaluation_time: Nanos,
    /// Length of the window.
    pub window: Nanos,
    /// Points in it.
    pub points: usize,
    /// Bytes a second.
    pub slope: f64,
    /// Nominal lower 95 % limit of the slope.
    pub low: f64,
    /// Nominal upper 95 % limit of the slope.
    pub high: f64,
    /// Mann-Kendall's Z.
    pub z: f64,
    /// Its chance without a trend, one-sided and nominal.
    pub p: f64,
    /// Mann-Kendall's tau.
    pub tau: f64,
    /// Slope of the first half of the points.
    pub first_half: f64,
    /// Slope of the last half of the points.
    pub last_half: f64,
    /// Median of the points.
    pub level: f64,
    /// The newest point.
    pub last: f64,
    /// The bucket of the oldest point and that of the newest.
    pub buckets: (i64, i64),
    /// The smallest steady growth, in bytes a second, that this window would have shown over its noise.
    pub smallest: f64,
}

impl Figures {
    /// Growth over the window, in bytes.
    pub fn growth(&self) -> f64 {
        self.slope * (self.window as f64 / SECOND as f64)
    }
}

/// What all windows say at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// The longest window that fulfils every condition.
    pub leak: Option<Figures>,
    /// The longest window that is covered by points.
    pub covered: Option<Figures>,
    /// The smallest growth that a covered window would have shown.
    pub smallest: f64,
    /// Whether a covered window still grows enough to keep an active leak from ending.
    pub weak: bool,
}

/// The same, as far as it takes to see that there is no leak: most processes have none, and then this is all the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeakCheck {
    /// Whether a window fulfils every condition.
    pub leak: bool,
    /// Whether a window is covered by points.
    pub covered: bool,
}

/// The minima of a process at the end of a bucket, and what counts.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The closed minima.
    pub minima: &'a Minima,
    /// Minima of buckets that begin before this do not count.
    pub from: Nanos,
    /// The end of the bucket.
    pub at: Nanos,
    /// What counts as a leak.
    pub parameters: &'a TrendParameters,
}

/// Evaluates windows; keeps the buffers for it.
#[derive(Clone, Debug, Default)]
pub struct WindowEvaluator {
    scratch: Scratch,
    /// The points of the window that is looked at, in the order of time, and their numbers from the newest on.
    points: Vec<Point>,
    numbers: Vec<i64>,
}

impl WindowEvaluator {
    /// Whether there is a leak, and no more.
    pub fn check(&mut self, view: &View<'_>) -> LeakCheck {
        let mut check = LeakCheck { leak: false, covered: false };
        for (i, window) in view.parameters.ladder.iter().enumerate() {
            if self.gather(view, window) && self.is_covered(view, window) {
                check.covered = true;
                check.leak = check.leak || self.rises(view, window) && self.is_steady(view, i + 1);
            }
        }
        check
    }

    /// Everything the windows say.
    pub fn evaluate(&mut self, view: &View<'_>) -> Reading {
        let mut reading = Reading { leak: None, covered: None, smallest: f64::INFINITY, weak: false };
        for (i, window) in view.parameters.ladder.iter().enumerate() {
            if !self.gather(view, window) || !self.is_covered(view, window) {
                continue;
            }
            let figures = self.figures(view, window);
            reading.covered = Some(figures);
            reading.smallest = reading.smallest.min(figures.smallest);
            let growth = figures.growth();
            reading.weak |=
                figures.low > 0.0 && growth >= 0.5 * window.growth * figures.level && figures.last_half > 0.0;
            if self.rises(view, window) && self.is_steady(view, i + 1) {
                reading.leak = Some(figures);
            }
        }
        reading
    }

    /// Makes the points of a window; false when they are too few to say anything.
    fn gather(&mut self, view: &View<'_>, window: &WindowLevel) -> bool {
        self.points.clear();
        self.numbers.clear();
        groups(view, merged(window), |group| {
            if group.number >= window.points as i64 {
                return false;
            }
            self.points.push(((group.time - view.at) as f64 / SECOND as f64, group.value));
            self.numbers.push(group.number);
            true
        });
        self.points.reverse();
        self.numbers.reverse();
        self.points.len() >= FEWEST
    }

    fn is_covered(&self, view: &View<'_>, window: &WindowLevel) -> bool {
        let (oldest, newest) = (self.numbers[0], self.numbers[self.numbers.len() - 1]);
        let span = ((oldest - newest + 1) * merged(window) * (BUCKET / SECOND)) as f64;
        let seconds = seconds(window);
        span.min(seconds) >= view.parameters.cover * seconds && self.points.len() >= view.parameters.nmin
    }

    /// The conditions on the window itself, the cheap ones first.
    fn rises(&mut self, view: &View<'_>, window: &WindowLevel) -> bool {
        let parameters = view.parameters;
        let trend = self.scratch.mann_kendall(&self.points);
        if trend.z() < parameters.zmin {
            return false;
        }
        let sen = self.scratch.theil_sen(&self.points, trend.variance);
        let level = self.scratch.level(&self.points);
        if sen.slope * seconds(window) < window.growth * level || sen.low < parameters.smin {
            return false;
        }
        let (first, last) = self.halves();
        let balanced = first > 0.0 && last >= parameters.rho * first && first >= parameters.rho2 * last;
        balanced && (parameters.record == 0.0 || self.is_record(view, window))
    }

    /// Whether the end of the window is above all that was before it.
    fn is_record(&self, view: &View<'_>, window: &WindowLevel) -> bool {
        let mut record = f64::NEG_INFINITY;
        groups(view, merged(window), |group| {
            if group.number >= window.points as i64 {
                record = record.max(group.value);
            }
            true
        });
        let third = &self.points[self.points.len() - (self.points.len() / 3).max(1)..];
        let end = third.iter().map(|(_, x)| *x).fold(f64::INFINITY, f64::min);
        record == f64::NEG_INFINITY || end >= view.parameters.record * record
    }

    /// Whether none of the longer windows slows down, covered or not.
    fn is_steady(&mut self, view: &View<'_>, longer: usize) -> bool {
        view.parameters.ladder[longer..].iter().all(|window| {
            if !self.gather(view, window) {
                return true;
            }
            let (first, last) = self.halves();
            last >= view.parameters.dec * first
        })
    }

    /// The slopes of the first and the last half of the points.
    fn halves(&mut self) -> (f64, f64) {
        let (n, half) = (self.points.len(), self.points.len() / 2);
        (self.scratch.slope(&self.points[..half]), self.scratch.slope(&self.points[n - half..]))
    }

    fn figures(&mut self, view: &View<'_>, window: &WindowLevel) -> Figures {
        let n = self.points.len();
        let trend = self.scratch.mann_kendall(&self.points);
        let sen = self.scratch.theil_sen(&self.points, trend.variance);
        let (first_half, last_half) = self.halves();
        let level = self.scratch.level(&self.points);
        let newest = view.minima.newest().map_or(0, BucketMinimum::bucket);
        let noise = (sen.slope - sen.low).max(0.0);
        Figures {
            evaluation_time: view.at,
            window: window.window_ms * MS,
            points: n,
            slope: sen.slope,
            low: sen.low,
            high: sen.high,
            z: trend.z(),
            p: trend.p(),
            tau: trend.tau(),
            first_half,
            last_half,
            level,
            last: self.points[n - 1].1,
            buckets: (newest - (self.numbers[0] + 1) * merged(window) + 1, newest),
            smallest: (window.growth * level / seconds(window)).max(view.parameters.smin + noise),
        }
    }
}

fn seconds(window: &WindowLevel) -> f64 {
    (window.window_ms * MS) as f64 / SECOND as f64
}

/// How many buckets become one point.
fn merged(window: &WindowLevel) -> i64 {
    (seconds(window) / window.points as f64 / (BUCKET / SECOND) as f64).round_ties_even().max(1.0) as i64
}

/// Minima that become one point: their number from the newest on, where they begin, and the least of them.
#[derive(Clone, Copy, Debug)]
struct Group {
    number: i64,
    begin: Nanos,
    time: Nanos,
    value: f64,
}

/// Hands out the groups of `merged` buckets, counted backwards from the newest bucket, until one is not wanted.
///
/// Hours of minima are walked, so groups are told apart by comparing times: a minimum that lies in the group next to the last
/// one needs no division.
fn groups(view: &View<'_>, merged: i64, mut wanted: impl FnMut(&Group) -> bool) {
    let from = view.from.saturating_add(BUCKET - 1).div_euclid(BUCKET).saturating_mul(BUCKET);
    let length = merged * BUCKET;
    let mut minima = view.minima.newest_first().take_while(|minimum| minimum.time >= from);
    let Some(newest) = minima.next() else { return };
    let begin = (newest.bucket() + 1) * BUCKET - length;
    let mut group = Group { number: 0, begin, time: newest.time, value: newest.value };
    for minimum in minima {
        if minimum.time >= group.begin {
            if minimum.value <= group.value {
                (group.time, group.value) = (minimum.time, minimum.value);
            }
            continue;
        }
        if !wanted(&group) {
            return;
        }
        let behind = group.begin - minimum.time;
        let further = if behind <= length { 1 } else { (behind - 1) / length + 1 };
        let (number, begin) = (group.number + further, group.begin - further * length);
        group = Group { number, begin, time: minimum.time, value: minimum.value };
    }
    wanted(&group);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Memory that leaks in some of the worlds, with noise, steps and holes.
    fn value(world: u64, bucket: i64) -> Option<f64> {
        let mixed = (world.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ bucket as u64).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        if (mixed >> 20) % 100 < world % 20 {
            return None;
        }
        let noise = (mixed >> 40) as f64 / (1 << 24) as f64 * 1e6 * (world % 5) as f64;
        let step = if bucket > 100 { 3e7 * (world % 3) as f64 } else { 0.0 };
        Some(1e8 + noise + step + 1e6 * (world % 7) as f64 * bucket as f64)
    }

    #[test]
    fn a_check_sees_what_an_evaluation_finds() {
        let (parameters, mut windows) = (TrendParameters::default(), WindowEvaluator::default());
        let mut leaks = 0;
        for world in 0..60 {
            let mut minima = Minima::default();
            for bucket in 0..200 {
                let Some(value) = value(world, bucket) else { continue };
                minima.add(bucket * BUCKET + SECOND, value);
                let at = (bucket + 1) * BUCKET;
                minima.close(at);
                let view = View { minima: &minima, from: 2 * BUCKET, at, parameters: &parameters };
                let (check, reading) = (windows.check(&view), windows.evaluate(&view));
                assert_eq!(check, LeakCheck { leak: reading.leak.is_some(), covered: reading.covered.is_some() });
                leaks += usize::from(check.leak);
            }
        }
        assert!((1000..11_000).contains(&leaks), "{leaks}");
    }
}
