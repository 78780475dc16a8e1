//! `--window-scale`: windows at a fraction of their length, for runs that are shorter than a window.
//!
//! A recording of such a run notes the fraction and the export interval, so that a replay with the fraction gives the same
//! result.

use super::evaluation;
use crate::definition::EventDefinition;
use crate::engine::Options;
use crate::gate;
use crate::model::Nanos;
use std::collections::BTreeMap;

const OPTION: &str = "--window-scale";

/// Options of the commands that evaluate a run.
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
        evaluation::typed(options).into_iter().chain(fraction).collect()
    }

    /// The definitions as they are evaluated.
    pub(super) fn definitions(&self, definitions: &[EventDefinition], interval: Nanos) -> Vec<EventDefinition> {
        gate::scaled(definitions, self.window_scale, interval)
    }
}

fn scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(scale) if scale > 0.0 && scale <= 1.0 => Ok(scale),
        _ => Err("a fraction above 0, at most 1".into()),
    }
}
