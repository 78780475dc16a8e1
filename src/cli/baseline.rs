//! `--baseline`: another recording of the same application, evaluated with the same rules, and what has become worse since.

use super::error::CliError;
use super::exit::ExitStatus;
use super::output::Terminal;
use super::recordings::Recordings;
use crate::definition::EventDefinition;
use crate::engine::{Engine, Options, drive};
use crate::gate::{self, CaseResult, EvaluatedRecording, Suite, TracedInputs};
use std::convert::Infallible;
use std::path::{Path, PathBuf};

/// Options of every command that can compare with another recording.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Baseline")]
pub(super) struct BaselineArgs {
    /// Fail when there are new events, longer violations or worse aggregates than in this recording; repeatable
    #[arg(long, value_name = "RECORDING")]
    baseline: Vec<PathBuf>,
    /// How much worse an aggregate (its 95th percentile) or the time in violation may be
    #[arg(long, value_name = "PERCENT", default_value = "10%", value_parser = percent, requires = "baseline")]
    max_regression: f64,
}

/// Evaluates recordings, with the values that decide when they are wanted.
pub(super) fn evaluate(
    files: &[PathBuf],
    definitions: &[EventDefinition],
    options: &Options,
    with_aggregates: bool,
) -> Result<EvaluatedRecording, CliError> {
    let mut inputs = TracedInputs::new(Recordings::of(files)?, with_aggregates, definitions, options);
    let mut engine = Engine::new(definitions.to_vec(), options.clone());
    let Ok(()) = drive(&mut engine, &mut inputs, |_, _| Ok::<(), Infallible>(()));
    let (recordings, aggregates) = inputs.finish();
    let damage = if recordings.is_damaged() { recordings.damage() } else { Vec::new() };
    let (report, name) = (engine.report(), recordings.names().join(", "));
    Ok(EvaluatedRecording { definitions: engine.definitions().to_vec(), report, aggregates, damage, name })
}

impl BaselineArgs {
    /// Whether there is something to compare with.
    pub(super) fn is_given(&self) -> bool {
        !self.baseline.is_empty()
    }

    /// The recordings.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> + Clone {
        self.baseline.iter().map(PathBuf::as_path)
    }

    /// Evaluates the baseline, if there is one.
    pub(super) fn evaluate(
        &self,
        definitions: &[EventDefinition],
        options: &Options,
    ) -> Result<Option<EvaluatedRecording>, CliError> {
        self.is_given().then(|| evaluate(&self.baseline, definitions, options, true)).transpose()
    }

    /// What has become worse since the baseline: a case for every definition.
    pub(super) fn compare(&self, old: &EvaluatedRecording, new: &EvaluatedRecording, terminal: &Terminal) -> Suite {
        if old.has_points() && new.has_points() && (old.aggregates.left_out || new.aggregates.left_out) {
            terminal.warn("too many entities to trace: the values of the last ones are not compared");
        }
        Suite {
            name: format!("{} vs baseline {}", new.name, old.name),
            cases: gate::compare(old, new, self.max_regression),
        }
    }
}

/// What a comparison makes of a status that was reached without it: a failure wins, and what cannot be compared is no pass.
pub(super) fn status(suite: Option<&Suite>, without: (ExitStatus, &'static str)) -> (ExitStatus, &'static str) {
    let has = |wanted: fn(&CaseResult) -> bool| suite.iter().flat_map(|s| &s.cases).any(|case| wanted(&case.result));
    match without.0 {
        ExitStatus::Passed | ExitStatus::Inconclusive if has(|result| matches!(result, CaseResult::Failed(_))) => {
            (ExitStatus::Failed, "worse than the baseline")
        }
        ExitStatus::Passed if has(|result| matches!(result, CaseResult::Inconclusive(_))) => {
            (ExitStatus::Inconclusive, "it cannot be compared with the baseline")
        }
        _ => without,
    }
}

/// `10%`, or a fraction.
pub(super) fn percent(text: &str) -> Result<f64, String> {
    let value = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().map(|percent| percent / 100.0),
        None => text.parse::<f64>().map(|share| if share > 1.0 { f64::NAN } else { share }),
    };
    value.ok().filter(|share| *share >= 0.0).ok_or_else(|| "write 10% or 0.1".to_string())
}
