//! The floor ladder: what windows of several lengths say of a process' floors, taken together.
//!
//! A window's floors are merged into a few points. A leak is a window whose points rise beyond chance, by enough, in both
//! halves alike, above every floor before the window, while no longer window slows down. The shape conditions do the real
//! work: what fools a test for trends is not chance but real growth that ends, a warm-up, a ramp, a cycle.

use super::ring::{BUCKET, Floor, Ring};
use super::statistics::{Point, Scratch};
use crate::event::{Rung, TrendParameters};
use crate::model::{MS, Nanos, SECOND};

/// Fewer points than this say nothing, not even that growth slows down.
const FEWEST: usize = 6;

/// What one window says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// The instant of the evaluation.
    pub at: Nanos,
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

/// What all windows say at an instant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// The longest window that fulfils every condition.
    pub leak: Option<Figures>,
    /// The longest window that is covered by points.
    pub covered: Option<Figures>,
    /// The smallest growth that a covered window would have shown.
    pub smallest: f64,
    /// Whether a covered window still grows enough to keep a raised leak from being cleared.
    pub weak: bool,
}

/// One window while it is looked at.
#[derive(Clone, Copy, Debug)]
struct Window {
    figures: Figures,
    covered: bool,
    /// Least value of the last third.
    end: f64,
    /// Highest floor before the window; none is negative infinity.
    record: f64,
}

/// Buffers of an evaluation.
#[derive(Clone, Debug, Default)]
pub struct Workbench {
    scratch: Scratch,
    points: Vec<Point>,
    buckets: Vec<i64>,
    windows: Vec<Option<Window>>,
}

impl Workbench {
    /// Evaluates the closed floors of a process at the end of a bucket. Floors of buckets that begin before `from` do not
    /// count.
    pub fn evaluate(&mut self, ring: &Ring, from: Nanos, at: Nanos, parameters: &TrendParameters) -> Reading {
        let mut windows = std::mem::take(&mut self.windows);
        windows.clear();
        windows.extend(parameters.ladder.iter().map(|rung| self.window(ring, from, at, rung, parameters)));
        let mut reading = Reading { leak: None, covered: None, smallest: f64::INFINITY, weak: false };
        for (i, (rung, window)) in parameters.ladder.iter().zip(&windows).enumerate() {
            let Some(window) = window.filter(|window| window.covered) else { continue };
            let figures = window.figures;
            let (growth, level) = (figures.growth(), figures.level);
            reading.covered = Some(figures);
            reading.smallest = reading.smallest.min(figures.smallest);
            reading.weak |= figures.low > 0.0 && growth >= 0.5 * rung.growth * level && figures.last_half > 0.0;
            let grows = figures.z >= parameters.zmin && growth >= rung.growth * level && figures.low >= parameters.smin;
            let steady = |window: &Option<Window>| {
                window.is_none_or(|w| w.figures.last_half >= parameters.dec * w.figures.first_half)
            };
            if grows && window.is_balanced(parameters) && windows[i + 1..].iter().all(steady) {
                reading.leak = Some(figures);
            }
        }
        self.windows = windows;
        reading
    }

    fn window(
        &mut self,
        ring: &Ring,
        from: Nanos,
        at: Nanos,
        rung: &Rung,
        parameters: &TrendParameters,
    ) -> Option<Window> {
        let length = rung.window_ms * MS;
        let merged = (length as f64 / rung.points as f64 / BUCKET as f64).round_ties_even().max(1.0) as i64;
        let record = self.merge(ring, from, at, (merged, rung.points as i64));
        let (points, n) = (&self.points, self.points.len());
        if n < FEWEST {
            return None;
        }
        let half = n / 2;
        let trend = self.scratch.mann_kendall(points);
        let sen = self.scratch.theil_sen(points, trend.variance);
        let first_half = self.scratch.slope(&points[..half]);
        let last_half = self.scratch.slope(&points[n - half..]);
        let level = self.scratch.level(points);
        let (oldest, newest) = (self.buckets[0], self.buckets[n - 1]);
        let seconds = length as f64 / SECOND as f64;
        let span = ((oldest - newest + 1) * merged * (BUCKET / SECOND)) as f64;
        let covered = span.min(seconds) >= parameters.cover * seconds && n >= parameters.nmin;
        let smallest = (rung.growth * level / seconds).max(parameters.smin + (sen.slope - sen.low).max(0.0));
        let newest_bucket = ring.newest()?.bucket();
        let figures = Figures {
            at,
            window: length,
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
            last: points[n - 1].1,
            buckets: (newest_bucket - oldest * merged - (merged - 1), newest_bucket),
            smallest,
        };
        let end = points[n - (n / 3).max(1)..].iter().map(|(_, x)| *x).fold(f64::INFINITY, f64::min);
        Some(Window { figures, covered, end, record })
    }

    /// Merges floors into points, counted backwards from the newest bucket: `merged` buckets to a point, at most `most`
    /// points. Gives the highest of the points that the floors before them would make.
    ///
    /// Six hours of floors are walked for every window, so groups are told apart by comparing times: a floor that lies in the
    /// group next to the last one needs no division.
    fn merge(&mut self, ring: &Ring, from: Nanos, at: Nanos, (merged, most): (i64, i64)) -> f64 {
        self.points.clear();
        self.buckets.clear();
        let Some(newest) = ring.newest().map(Floor::bucket) else { return f64::NEG_INFINITY };
        // Buckets that begin before `from` do not count.
        let from = from.saturating_add(BUCKET - 1).div_euclid(BUCKET).saturating_mul(BUCKET);
        let length = merged * BUCKET;
        let mut record = f64::NEG_INFINITY;
        let mut group = Group { number: 0, begin: (newest + 1) * BUCKET - length, time: 0, value: f64::INFINITY };
        for floor in ring.newest_first().take_while(|floor| floor.time >= from) {
            if floor.time < group.begin {
                record = self.point(&group, at, most, record);
                let number = match group.begin - floor.time {
                    behind if behind <= length => group.number + 1,
                    _ => (newest - floor.bucket()) / merged,
                };
                let begin = group.begin - (number - group.number) * length;
                group = Group { number, begin, time: floor.time, value: floor.value };
            } else if floor.value <= group.value {
                (group.time, group.value) = (floor.time, floor.value);
            }
        }
        record = self.point(&group, at, most, record);
        self.points.reverse();
        self.buckets.reverse();
        record
    }

    /// Makes a group a point, or takes its height when it lies before the window.
    #[inline]
    fn point(&mut self, group: &Group, at: Nanos, most: i64, record: f64) -> f64 {
        if group.number >= most {
            return record.max(group.value);
        }
        if group.value < f64::INFINITY {
            self.points.push(((group.time - at) as f64 / SECOND as f64, group.value));
            self.buckets.push(group.number);
        }
        record
    }
}

/// Floors that become one point: their number from the newest on, where they begin, and the least of them.
#[derive(Clone, Copy, Debug)]
struct Group {
    number: i64,
    begin: Nanos,
    time: Nanos,
    value: f64,
}

impl Window {
    /// Whether both halves grow alike, and the end is above all that was before the window.
    fn is_balanced(&self, parameters: &TrendParameters) -> bool {
        let (first, last) = (self.figures.first_half, self.figures.last_half);
        first > 0.0
            && last >= parameters.rho * first
            && first >= parameters.rho2 * last
            && (parameters.record == 0.0
                || self.record == f64::NEG_INFINITY
                || self.end >= parameters.record * self.record)
    }
}
