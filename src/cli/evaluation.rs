//! The options of the evaluation: how they are typed, and the engine's options they become.

use super::retention;
use crate::engine::{Counters, Options, Retention, SeriesMode, Timestamps};
use crate::model::Nanos;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use std::collections::BTreeMap;

/// Options of every command that evaluates.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Evaluation")]
pub(super) struct EvaluationArgs {
    /// Evaluate at this interval instead of the definitions' own (`10s`, `1m`)
    #[arg(long, value_name = "DURATION", value_parser = step)]
    step: Option<Nanos>,
    /// Which time a data point has
    #[arg(long, value_name = "WHICH", default_value = "event", value_parser = words(&TIMESTAMPS))]
    timestamps: Timestamps,
    /// Whether a metric id without attributes means each series, or their merge per entity
    #[arg(long, value_name = "HOW", default_value = "each", value_parser = words(&SERIES))]
    series: SeriesMode,
    /// Whether cumulative counters are evaluated as sent, or by their increase
    #[arg(long, value_name = "HOW", default_value = "raw", value_parser = words(&COUNTERS))]
    counters: Counters,
    /// How much of a window must have data, as a fraction
    #[arg(long, value_name = "FRACTION", default_value_t = 0.9, value_parser = fraction)]
    min_coverage: f64,
    /// Data points kept of one series
    #[arg(long, value_name = "N", default_value_t = 8192, value_parser = points)]
    max_points_per_series: usize,
}

/// The values of an option: what is typed, what it means, and the sentence of `--help`.
type Words<T> = [(&'static str, T, &'static str); 2];

const TIMESTAMPS: Words<Timestamps> = [
    ("event", Timestamps::Event, "Its timestamp"),
    ("arrival", Timestamps::Arrival, "The receive time, as in Instana"),
];
const SERIES: Words<SeriesMode> = [
    ("each", SeriesMode::Each, "Each series on its own"),
    ("merge", SeriesMode::Merge, "One merged series per entity"),
];
const COUNTERS: Words<Counters> =
    [("raw", Counters::Raw, "As sent"), ("increase", Counters::Increase, "The increase since the previous data point")];

/// Reads one of these words.
fn words<T: Copy + Send + Sync>(words: &'static Words<T>) -> impl TypedValueParser<Value = T> {
    let names = words.iter().map(|(name, _, help)| PossibleValue::new(name).help(help));
    PossibleValuesParser::new(names).try_map(|typed| {
        words.iter().find(|(name, ..)| *name == typed).map(|(_, value, _)| *value).ok_or("no such value")
    })
}

/// The word for a value.
fn word<T: PartialEq>(words: &Words<T>, value: &T) -> String {
    words.iter().find(|(_, other, _)| other == value).map_or_else(String::new, |(name, ..)| name.to_string())
}

impl EvaluationArgs {
    /// The engine's options.
    pub(super) fn resolve(&self) -> Options {
        Options {
            step: self.step,
            timestamps: self.timestamps,
            series: self.series,
            counters: self.counters,
            min_coverage: self.min_coverage,
            max_points_per_series: self.max_points_per_series,
            scaled_windows: false,
            retention: Retention::default(),
        }
    }
}

/// Options as they are typed, to be compared later.
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
    let pairs = [
        ("--step", step),
        ("--timestamps", word(&TIMESTAMPS, timestamps)),
        ("--series", word(&SERIES, series)),
        ("--counters", word(&COUNTERS, counters)),
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
