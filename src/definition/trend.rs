//! Trend rules: memory that grows and does not come back. A local extension that Instana does not have.
//!
//! Owns the parameters of the detector with their defaults and profiles. What they do is the engine's business, described
//! in `docs/leak-detection.md`.

use super::metric_id::MetricId;

/// A trend rule.
#[derive(Clone, Debug)]
pub struct Trend {
    /// Which series it looks at: the first of these that a resource sends.
    pub metrics: Vec<MetricId>,
    /// What counts as a leak.
    pub parameters: TrendParameters,
    /// How much memory there is, when that is known.
    pub memory_limit: Option<MemoryLimit>,
}

/// How much memory a process may take.
#[derive(Clone, Debug)]
pub enum MemoryLimit {
    /// So many bytes.
    Bytes(f64),
    /// The value of this metric of the same entity.
    Metric(MetricId),
}

/// One window of the detector.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WindowLevel {
    /// Its length, in milliseconds.
    pub window_ms: i64,
    /// Into how many points its buckets are merged.
    pub points: usize,
    /// Least growth over the window in relation to the level.
    pub growth: f64,
}

/// What the detector counts as a leak; see `docs/leak-detection.md`.
#[derive(Clone, Debug, PartialEq)]
pub struct TrendParameters {
    /// The windows, the shortest first.
    pub ladder: Vec<WindowLevel>,
    /// Least Z of the Mann-Kendall test.
    pub zmin: f64,
    /// Least lower limit of the slope, in bytes a second.
    pub smin: f64,
    /// Part of a window that must lie between its first and last point.
    pub cover: f64,
    /// Least number of points.
    pub nmin: usize,
    /// The second half must grow at least this much as fast as the first.
    pub rho: f64,
    /// The first half must grow at least this much as fast as the second.
    pub rho2: f64,
    /// The same as `rho` in every longer window: a warm-up slows down.
    pub dec: f64,
    /// The end of the window must be this many times as high as every floor before the window; 0 switches the test off.
    pub record: f64,
    /// Ignored after the start of the process, in milliseconds.
    pub skip_ms: i64,
    /// How long the conditions must hold until a leak is raised, in milliseconds.
    pub hold_ms: i64,
    /// How long they may fail meanwhile, in milliseconds.
    pub tol_ms: i64,
    /// After so long without growth the leak is cleared, in milliseconds.
    pub clear_ms: i64,
}

impl Default for TrendParameters {
    fn default() -> Self {
        let level = |minutes: i64, points, growth| WindowLevel { window_ms: minutes * 60_000, points, growth };
        TrendParameters {
            ladder: vec![level(5, 10, 0.25), level(10, 20, 0.10), level(30, 20, 0.10), level(60, 20, 0.10)],
            zmin: 3.090_232_306_167_813,
            smin: 8192.0,
            cover: 0.9,
            nmin: 8,
            rho: 0.8,
            rho2: 0.4,
            dec: 0.9,
            record: 1.0,
            skip_ms: 60_000,
            hold_ms: 180_000,
            tol_ms: 60_000,
            clear_ms: 600_000,
        }
    }
}

/// Names of the sets of parameters a rule can begin with.
pub(super) const PROFILES: [&str; 4] = ["default", "strict", "early", "patient"];

impl TrendParameters {
    /// The parameters of a profile: `default`, `strict` (fewer false alerts, later), `early` (the other way round), or
    /// `patient` (later, in exchange for some more leaks and some fewer false alerts).
    pub fn profile(name: &str) -> Option<TrendParameters> {
        let with_growth = |growth: [f64; 4]| {
            let ladder = TrendParameters::default().ladder;
            ladder.into_iter().zip(growth).map(|(level, growth)| WindowLevel { growth, ..level }).collect()
        };
        match name {
            "default" => Some(TrendParameters::default()),
            "strict" => Some(TrendParameters {
                ladder: with_growth([0.30, 0.15, 0.12, 0.12]),
                hold_ms: 300_000,
                ..TrendParameters::default()
            }),
            "early" => Some(TrendParameters {
                ladder: with_growth([0.25, 0.08, 0.06, 0.06]),
                hold_ms: 120_000,
                smin: 4096.0,
                dec: 0.8,
                rho2: 0.25,
                ..TrendParameters::default()
            }),
            "patient" => {
                let level = |minutes: i64, points, growth| WindowLevel { window_ms: minutes * 60_000, points, growth };
                Some(TrendParameters {
                    ladder: vec![level(5, 10, 0.30), level(10, 20, 0.10), level(30, 15, 0.07), level(60, 10, 0.05)],
                    zmin: 2.6,
                    rho: 0.85,
                    rho2: 0.2,
                    dec: 0.8,
                    record: 1.01,
                    hold_ms: 300_000,
                    tol_ms: 120_000,
                    ..TrendParameters::default()
                })
            }
            _ => None,
        }
    }

    /// The shortest time, in milliseconds, from the start of a process to a raise.
    pub fn shortest_ms(&self) -> i64 {
        let windows = self.ladder.iter().map(|level| (level.window_ms as f64 * self.cover).ceil() as i64);
        self.skip_ms + windows.min().unwrap_or(0) + self.hold_ms
    }
}
