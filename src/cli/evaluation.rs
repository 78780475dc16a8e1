//! The options of the evaluation: how they are typed, and the engine's options they become.

use super::retention;
use crate::engine::{Counters, Options, Retention, SeriesMode, Timestamps};
use crate::model::Nanos;
use clap::ValueEnum;
use std::collections::BTreeMap;

/// Options of every command that evaluates.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Evaluation")]
pub(super) struct EvaluationArgs {
    /// Evaluate at this interval instead of the definitions' own (`10s`, `1m`)
    #[arg(long, value_name = "DURATION", value_parser = step)]
    step: Option<Nanos>,
    /// Which time a data point has
    #[arg(long, value_name = "WHICH", default_value = "event")]
    timestamps: TimestampsArg,
    /// Whether a metric id without attributes means each series, or their merge per entity
    #[arg(long, value_name = "HOW", default_value = "each")]
    series: SeriesArg,
    /// Whether cumulative counters are evaluated as sent, or by their increase
    #[arg(long, value_name = "HOW", default_value = "raw")]
    counters: CountersArg,
    /// How much of a window must have data, as a fraction
    #[arg(long, value_name = "FRACTION", default_value_t = 0.9, value_parser = fraction)]
    min_coverage: f64,
    /// Data points kept of one series
    #[arg(long, value_name = "N", default_value_t = 8192, value_parser = points)]
    max_points_per_series: usize,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum TimestampsArg {
    /// Its timestamp
    Event,
    /// The receive time, as in Instana
    Arrival,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SeriesArg {
    /// Each series on its own
    Each,
    /// One merged series per entity
    Merge,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum CountersArg {
    /// As sent
    Raw,
    /// The increase since the previous data point
    Increase,
}

impl EvaluationArgs {
    /// The engine's options.
    pub(super) fn resolve(&self) -> Options {
        Options {
            step: self.step,
            timestamps: match self.timestamps {
                TimestampsArg::Event => Timestamps::Event,
                TimestampsArg::Arrival => Timestamps::Arrival,
            },
            series: match self.series {
                SeriesArg::Each => SeriesMode::Each,
                SeriesArg::Merge => SeriesMode::Merge,
            },
            counters: match self.counters {
                CountersArg::Raw => Counters::Raw,
                CountersArg::Increase => Counters::Increase,
            },
            min_coverage: self.min_coverage,
            max_points_per_series: self.max_points_per_series,
            scaled_windows: false,
            retention: Retention::default(),
        }
    }
}

/// Options as they are typed, for whoever compares them later.
pub(super) fn typed(options: &Options) -> BTreeMap<String, String> {
    // Windows are scaled by an option of `run` alone, which says so itself.
    let Options {
        step,
        timestamps,
        series,
        counters,
        min_coverage,
        max_points_per_series,
        scaled_windows: _,
        retention: kept,
    } = options;
    let step = step.map_or("by definition".to_string(), |step| {
        humantime::format_duration(std::time::Duration::from_nanos(step.unsigned_abs())).to_string()
    });
    let timestamps = match timestamps {
        Timestamps::Event => "event",
        Timestamps::Arrival => "arrival",
    };
    let series = match series {
        SeriesMode::Each => "each",
        SeriesMode::Merge => "merge",
    };
    let counters = match counters {
        Counters::Raw => "raw",
        Counters::Increase => "increase",
    };
    let pairs = [
        ("--step", step),
        ("--timestamps", timestamps.to_string()),
        ("--series", series.to_string()),
        ("--counters", counters.to_string()),
        ("--min-coverage", min_coverage.to_string()),
        ("--max-points-per-series", max_points_per_series.to_string()),
    ];
    pairs.into_iter().chain(retention::typed(kept)).map(|(name, value)| (name.to_string(), value)).collect()
}

fn step(text: &str) -> Result<Nanos, String> {
    let step = humantime::parse_duration(text).map_err(|error| format!("{error}; write 10s, 5m or 1h"))?;
    match Nanos::try_from(step.as_nanos()) {
        Ok(step) if (1_000_000..=86_400_000_000_000).contains(&step) => Ok(step),
        _ => Err("a step lies between 1ms and 1day".into()),
    }
}

fn fraction(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value > 0.0 && value <= 1.0 => Ok(value),
        _ => Err("a fraction above 0, at most 1".into()),
    }
}

fn points(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(n) if (16..=1 << 24).contains(&n) => Ok(n),
        _ => Err("a number from 16 to 16777216".into()),
    }
}
