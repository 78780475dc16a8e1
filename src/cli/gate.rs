//! What makes commands fail: events at or above a severity, what has become worse since a baseline, and input that shows nothing.

use super::evaluation::{Evaluation, evaluate};
use super::exit::ExitStatus;
use super::output::Terminal;
use super::recordings::Recordings;
use super::values::percent;
use crate::definition::EventDefinition;
use crate::engine::{EvaluationReport, Event, Options, Verdict};
use crate::gate::{self, CaseResult, EvaluatedRecording, Finding, Suite};
use anyhow::Result;
use clap::ValueEnum;
use std::convert::Infallible;
use std::path::{Path, PathBuf};

/// What makes the command fail.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Exit code")]
pub(super) struct GateArgs {
    /// Exit with 1 when there is an event at or above this severity
    // What holds without it depends on the command, which says so.
    #[arg(long, value_name = "SEVERITY")]
    pub(super) fail_on: Option<FailOn>,
    /// Exit with 4 when any definition is inconclusive
    #[arg(long)]
    strict: bool,
    /// Exit with 0 although no metrics were received or no definition could be evaluated
    #[arg(long)]
    allow_no_data: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum FailOn {
    /// Events never fail the command
    Never,
    /// Events of severity 5 and above
    Warning,
    /// Events of severity 10 and above
    Critical,
}

impl GateArgs {
    /// Whether an event fails the command.
    pub(super) fn fails(&self, event: &Event) -> bool {
        match self.fail_on {
            None | Some(FailOn::Never) => false,
            Some(FailOn::Warning) => event.severity >= 5,
            Some(FailOn::Critical) => event.severity >= 10,
        }
    }

    /// What is wrong with the input, for reports; the same that makes [`GateArgs::status`] inconclusive.
    pub(super) fn input_findings(&self, report: &EvaluationReport, damage: &[String], damaged: bool) -> Vec<Finding> {
        if damaged {
            return damage.iter().map(|sentence| Finding::new("damaged-recording", sentence, None)).collect();
        }
        let is_silent = report.counts.points == 0 && !self.allow_no_data;
        is_silent.then(|| Finding::new("no-points", "no metrics received", None)).into_iter().collect()
    }

    /// The status a report deserves, and why when it is no pass. A failed gate wins; damage and `--strict` stand whatever
    /// `--allow-no-data` says, because that option is about inputs that are complete and hold nothing to evaluate.
    fn status_of(&self, report: &EvaluationReport, damaged: bool) -> (ExitStatus, &'static str) {
        if report.events.iter().any(|event| self.fails(event)) {
            let is_critical = self.fail_on == Some(FailOn::Critical);
            let warning = "an event at or above --fail-on warning";
            let why = if is_critical { "an event at or above --fail-on critical" } else { warning };
            return (ExitStatus::Failed, why);
        }
        let has = |wanted: fn(&Verdict) -> bool| report.definitions.iter().any(|d| wanted(&d.verdict));
        if self.strict && !damaged && has(|verdict| matches!(verdict, Verdict::Inconclusive(_))) {
            return (ExitStatus::Inconclusive, "a definition is inconclusive, and --strict was given");
        }
        let data = DataSeen {
            is_damaged: damaged,
            has_points: report.counts.points > 0,
            is_evaluated: has(|verdict| matches!(verdict, Verdict::Fired | Verdict::Quiet)),
        };
        data.status(NOT_EVALUATED, self.allow_no_data)
    }

    /// The status to end with, and why when it is no pass. A failure wins; what cannot be compared with the baseline is no pass.
    pub(super) fn status(
        &self,
        report: &EvaluationReport,
        is_damaged: bool,
        regressions: Option<&Suite>,
        all_sent: bool,
    ) -> (ExitStatus, &'static str) {
        let has = |wanted: fn(&CaseResult) -> bool| {
            regressions.iter().flat_map(|suite| &suite.cases).any(|case| wanted(&case.result))
        };
        let (status, why) = match self.status_of(report, is_damaged) {
            (ExitStatus::Passed | ExitStatus::Inconclusive, _) if has(|case| matches!(case, CaseResult::Failed(_))) => {
                (ExitStatus::Failed, "worse than the baseline")
            }
            (ExitStatus::Passed, _) if has(|case| matches!(case, CaseResult::Inconclusive(_))) => {
                (ExitStatus::Inconclusive, "it cannot be compared with the baseline")
            }
            without => without,
        };
        if status != ExitStatus::Failed && !all_sent {
            return (ExitStatus::CouldNotRun, "a sink did not get every event");
        }
        (status, why)
    }
}

/// Why results are no pass when no definition says anything.
pub(super) const NOT_EVALUATED: &str = "no definition could be evaluated (--allow-no-data makes this a pass)";

/// What decides whether results show anything.
#[derive(Clone, Copy, Debug)]
pub(super) struct DataSeen {
    pub(super) is_damaged: bool,
    pub(super) has_points: bool,
    pub(super) is_evaluated: bool,
}

impl DataSeen {
    /// The status it deserves, and why when it is no pass; `not_evaluated` is the reason when nothing could be evaluated.
    pub(super) fn status(self, not_evaluated: &'static str, allow_no_data: bool) -> (ExitStatus, &'static str) {
        let why = if self.is_damaged {
            "a recording is damaged"
        } else if allow_no_data {
            return (ExitStatus::Passed, "");
        } else if !self.has_points {
            "no metrics received (--allow-no-data makes this a pass)"
        } else if !self.is_evaluated {
            not_evaluated
        } else {
            return (ExitStatus::Passed, "");
        };
        (ExitStatus::Inconclusive, why)
    }
}

/// Options of every command that can compare with another recording of the same application, evaluated with the same rules.
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
pub(super) fn evaluate_recordings(
    recordings: Recordings,
    definitions: &[EventDefinition],
    options: &Options,
    is_traced: bool,
) -> Evaluation<Recordings> {
    let name = recordings.names().join(", ");
    let each = |_: &_, _: &_| Ok::<(), Infallible>(());
    let (mut evaluation, Ok(())) = evaluate((recordings, name), (definitions.to_vec(), options), is_traced, each);
    if evaluation.inputs.is_damaged() {
        evaluation.result.damage = evaluation.inputs.damage();
    }
    evaluation
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
    ) -> Result<Option<EvaluatedRecording>> {
        if !self.is_given() {
            return Ok(None);
        }
        let recordings = Recordings::of(&self.baseline)?;
        Ok(Some(evaluate_recordings(recordings, definitions, options, true).result))
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
