//! What makes `replay` and `run` fail: events at or above a severity, and input that shows nothing.

use super::exit::ExitStatus;
use crate::engine::{EvaluationReport, Event, Verdict};
use crate::gate::Finding;
use clap::ValueEnum;

/// What makes the command fail.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Exit code")]
pub(super) struct GateArgs {
    /// Exit with 1 when there is an event at or above this severity
    // What holds without it depends on the command, which says so.
    #[arg(long, value_name = "SEVERITY")]
    fail_on: Option<FailOn>,
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

impl FailOn {
    /// Whether an event fails the command.
    pub(super) fn fails(self, event: &Event) -> bool {
        match self {
            FailOn::Never => false,
            FailOn::Warning => event.severity >= 5,
            FailOn::Critical => event.severity >= 10,
        }
    }
}

/// The gate of a command.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gate {
    pub(super) fail_on: FailOn,
    strict: bool,
    allow_no_data: bool,
}

impl GateArgs {
    /// The gate, with what fails the command when nothing was typed.
    pub(super) fn resolve(&self, otherwise: FailOn) -> Gate {
        let fail_on = self.fail_on.unwrap_or(otherwise);
        Gate { fail_on, strict: self.strict, allow_no_data: self.allow_no_data }
    }
}

impl Gate {
    /// What is wrong with the input, for reports; the same that makes [`Gate::status`] inconclusive.
    pub(super) fn input_findings(self, report: &EvaluationReport, damage: &[String], damaged: bool) -> Vec<Finding> {
        let finding =
            |code, message: &str| Finding { code, message: message.into(), details: String::new(), place: None };
        if damaged {
            return damage.iter().map(|sentence| finding("damaged-recording", sentence)).collect();
        }
        let is_silent = report.counts.points == 0 && !self.allow_no_data;
        is_silent.then(|| finding("no-points", "no metrics received")).into_iter().collect()
    }

    /// The status a report deserves, and why when it is no pass. A failed gate wins; damage and `--strict` stand whatever
    /// `--allow-no-data` says, because that option is about inputs that are complete and hold nothing to evaluate.
    pub(super) fn status(self, report: &EvaluationReport, damaged: bool) -> (ExitStatus, &'static str) {
        if report.events.iter().any(|event| self.fail_on.fails(event)) {
            let why = match self.fail_on {
                FailOn::Never | FailOn::Warning => "an event at or above --fail-on warning",
                FailOn::Critical => "an event at or above --fail-on critical",
            };
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
        data.status("no definition could be evaluated (--allow-no-data makes this a pass)", self.allow_no_data)
    }
}

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
