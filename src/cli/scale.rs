//! `--window-scale`: windows at a fraction of their length, for runs that are shorter than a window.
//!
//! A recording of such a run notes the fraction and the export interval, so that a replay with the fraction gives the same
//! results.

use super::judging;
use crate::definition::EventDefinition;
use crate::engine::Options;
use crate::model::{Nanos, to_ms};
use std::collections::BTreeMap;

/// Export intervals that a window must have at least.
const LEAST_INTERVALS: i64 = 3;
const OPTION: &str = "--window-scale";

/// Options of the commands that evaluate what a run sent.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Evaluation")]
pub(super) struct ScaleArgs {
    /// Scale windows and grace periods by this fraction, but never below three export intervals
    #[arg(long, value_name = "FRACTION", default_value_t = 1.0, value_parser = scale)]
    window_scale: f64,
}

impl ScaleArgs {
    /// The fraction; 1 is as written.
    pub(super) fn fraction(&self) -> f64 {
        self.window_scale
    }

    /// Whether windows are shorter than they are written.
    pub(super) fn is_less(&self) -> bool {
        self.window_scale < 1.0
    }

    /// The engine's options.
    pub(super) fn options(&self, options: Options) -> Options {
        Options { scaled_windows: self.is_less(), ..options }
    }

    /// Options as they are typed, with the fraction.
    pub(super) fn typed(&self, options: &Options) -> BTreeMap<String, String> {
        let fraction = self.is_less().then(|| (OPTION.to_string(), self.window_scale.to_string()));
        judging::typed(options).into_iter().chain(fraction).collect()
    }

    /// The definitions as they are evaluated: never with windows that hold no three exports.
    pub(super) fn definitions(&self, definitions: &[EventDefinition], interval: Nanos) -> Vec<EventDefinition> {
        if !self.is_less() {
            return definitions.to_vec();
        }
        definitions.iter().map(|d| d.shrunk(self.window_scale, floor_ms(interval))).collect()
    }
}

/// The shortest that a window may become.
pub(super) fn floor_ms(interval: Nanos) -> i64 {
    to_ms(interval.saturating_mul(LEAST_INTERVALS))
}

fn scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(scale) if scale > 0.0 && scale <= 1.0 => Ok(scale),
        _ => Err("a fraction above 0, at most 1".into()),
    }
}
