//! Mann-Kendall and Theil-Sen over a few points: is there a trend, and how steep.
//!
//! Pure arithmetic over at most some dozens of points in the order of time; each is compared with each. The buffers are the
//! caller's, so that nothing is allocated per evaluation. What is called 95 % is nominal: it assumes independent residuals,
//! which the minima of a process are not.
//! Written by hand: it is a hundred lines, its medians are evidence in documents, and nothing is allocated.

/// One point: seconds (times may be negative) and value.
pub type Point = (f64, f64);

/// The 97.5th percentile of the normal distribution.
const Z95: f64 = 1.959_963_984_540_054;

/// Mann-Kendall: how many pairs rise, less those that fall.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MannKendall {
    /// S.
    pub s: i64,
    /// Its variance without a trend, corrected for ties.
    pub variance: f64,
    /// Number of points.
    pub points: usize,
}

impl MannKendall {
    /// S in standard deviations, with the correction for continuity; 0 when there is no variance.
    pub fn z(&self) -> f64 {
        if self.variance <= 0.0 {
            return 0.0;
        }
        match self.s {
            0 => 0.0,
            s if s > 0 => (s - 1) as f64 / self.variance.sqrt(),
            s => (s + 1) as f64 / self.variance.sqrt(),
        }
    }

    /// The chance of a Z at least this high without a trend (one-sided).
    pub fn p(&self) -> f64 {
        0.5 * libm::erfc(self.z() / std::f64::consts::SQRT_2)
    }

    /// S in relation to the number of pairs.
    pub fn tau(&self) -> f64 {
        let n = self.points as f64;
        self.s as f64 / (n * (n - 1.0) / 2.0)
    }
}

/// Theil-Sen: the median of the slopes of all pairs, with its nominal 95 % limits.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TheilSen {
    /// Units a second.
    pub slope: f64,
    /// Lower limit.
    pub low: f64,
    /// Upper limit.
    pub high: f64,
}

/// Buffers that keep their room from call to call.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    slopes: Vec<f64>,
    values: Vec<f64>,
}

impl Scratch {
    /// Mann-Kendall of points in the order of time.
    pub fn mann_kendall(&mut self, points: &[Point]) -> MannKendall {
        let mut s = 0;
        for (i, (_, a)) in points.iter().enumerate() {
            for (_, b) in &points[i + 1..] {
                s += i64::from(b > a) - i64::from(b < a);
            }
        }
        self.collect_values(points);
        self.values.sort_unstable_by(f64::total_cmp);
        let n = points.len() as f64;
        let mut variance = n * (n - 1.0) * (2.0 * n + 5.0);
        for ties in self.values.chunk_by(|a, b| a == b).filter(|ties| ties.len() > 1) {
            let c = ties.len() as f64;
            variance -= c * (c - 1.0) * (2.0 * c + 5.0);
        }
        MannKendall { s, variance: variance / 18.0, points: points.len() }
    }

    /// Theil-Sen of points in the order of time. `variance` is Mann-Kendall's; it makes the limits.
    pub fn theil_sen(&mut self, points: &[Point], variance: f64) -> TheilSen {
        self.collect_slopes(points);
        let slope = median(&mut self.slopes);
        let n = self.slopes.len();
        if n == 0 {
            return TheilSen::default();
        }
        let c = Z95 * variance.max(0.0).sqrt();
        let low = (((n as f64 - c) / 2.0).round_ties_even() as i64 - 1).max(0) as usize;
        let high = (((n as f64 + c) / 2.0).round_ties_even() as usize).min(n - 1);
        // After the median the lower half lies before it and the upper half behind it.
        let (below, above) = self.slopes.split_at_mut(n / 2);
        let low = if low < below.len() { nth(below, low) } else { nth(above, low - n / 2) };
        let high = if high < below.len() { nth(below, high) } else { nth(above, high - n / 2) };
        TheilSen { slope, low, high }
    }

    /// The slope of Theil-Sen alone.
    pub fn slope(&mut self, points: &[Point]) -> f64 {
        self.collect_slopes(points);
        median(&mut self.slopes)
    }

    /// The median of the values of points.
    pub fn level(&mut self, points: &[Point]) -> f64 {
        self.collect_values(points);
        median(&mut self.values)
    }

    fn collect_slopes(&mut self, points: &[Point]) {
        self.slopes.clear();
        for (i, (t, x)) in points.iter().enumerate() {
            let later = points[i + 1..].iter().filter(|(u, _)| u > t);
            self.slopes.extend(later.map(|(u, y)| (y - x) / (u - t)));
        }
    }

    fn collect_values(&mut self, points: &[Point]) {
        self.values.clear();
        self.values.extend(points.iter().map(|(_, x)| x));
    }
}

/// The median; of an even number the mean of the two in the middle. 0 when there is none.
pub fn median(values: &mut [f64]) -> f64 {
    let n = values.len();
    if n == 0 {
        return 0.0;
    }
    let (below, &mut middle, _) = values.select_nth_unstable_by(n / 2, f64::total_cmp);
    if n % 2 == 1 {
        return middle;
    }
    let before = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    0.5 * (before + middle)
}

/// The value that sorting would put at a place, which must be there.
fn nth(values: &mut [f64], place: usize) -> f64 {
    *values.select_nth_unstable_by(place, f64::total_cmp).1
}
