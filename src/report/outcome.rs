//! What there is to write: the results of each command, as plain data.

use crate::definition::EventDefinition;
use crate::engine::{EvaluationReport, Transition};
use crate::gate::{RuleCoverage, Suite, Tested, TooShort};
use crate::inspect::{Client, Findings};
use crate::model::Nanos;
use crate::tune::{Comparison, Tuned};
use std::io;

/// The kinds of results. Each command writes one; which formats it has is in the table of [`super::Format`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutcomeKind {
    /// `replay` and `run`.
    Replay,
    /// `check`.
    Check,
    /// `tune`.
    Tune,
    /// `diff`.
    Diff,
    /// `inspect`.
    Inspection,
    /// An event that opens or closes, in `serve` and in sinks.
    Transition,
}

impl OutcomeKind {
    /// All kinds.
    pub const ALL: [OutcomeKind; 6] = [
        OutcomeKind::Replay,
        OutcomeKind::Check,
        OutcomeKind::Tune,
        OutcomeKind::Diff,
        OutcomeKind::Inspection,
        OutcomeKind::Transition,
    ];
}

/// The results of a command.
#[derive(Clone, Copy)]
pub enum Outcome<'a> {
    /// Of `replay` and `run`.
    Replay(&'a ReplayOutcome<'a>),
    /// Of `check`.
    Check(&'a CheckOutcome<'a>),
    /// Of `tune`.
    Tune(&'a Tune<'a>),
    /// Of `diff`.
    Diff(&'a Diff<'a>),
    /// Of `inspect`.
    Inspection(&'a Inspected<'a>),
    /// An event of these definitions that opens or closes.
    Transition(&'a [EventDefinition], &'a Transition),
}

impl<'a> Outcome<'a> {
    /// Its kind.
    pub fn kind(&self) -> OutcomeKind {
        match self {
            Outcome::Replay(_) => OutcomeKind::Replay,
            Outcome::Check(_) => OutcomeKind::Check,
            Outcome::Tune(_) => OutcomeKind::Tune,
            Outcome::Diff(_) => OutcomeKind::Diff,
            Outcome::Inspection(_) => OutcomeKind::Inspection,
            Outcome::Transition(..) => OutcomeKind::Transition,
        }
    }

    /// The cases of a gate, for formats that list nothing else.
    pub(super) fn suites(&self) -> io::Result<&'a [Suite]> {
        match self {
            Outcome::Replay(replay) => Ok(replay.suites),
            Outcome::Check(check) => Ok(check.suites),
            _ => self.unsupported(),
        }
    }

    /// The error of a format that does not have this kind of results, which the table of formats rules out.
    pub(super) fn unsupported<T>(&self) -> io::Result<T> {
        let what = format!("this format has no form for results of the kind {:?}", self.kind());
        Err(io::Error::new(io::ErrorKind::Unsupported, what))
    }
}

/// How much a text says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// What one needs.
    #[default]
    Brief,
    /// Every violating series, every rule, every note.
    Full,
}

impl Detail {
    /// How many entries of a list are shown, of which a brief text shows at most `brief`.
    pub(super) fn limit(self, brief: usize) -> usize {
        match self {
            Detail::Brief => brief,
            Detail::Full => usize::MAX,
        }
    }
}

/// An evaluation of recordings or of what was received.
#[derive(Clone, Copy, Debug)]
pub struct Replay<'a> {
    /// The definitions, in the order of the report.
    pub definitions: &'a [EventDefinition],
    /// What came out.
    pub report: &'a EvaluationReport,
    /// What was evaluated, in a word: a recording or a run.
    pub what: &'static str,
    /// The recordings, as the caller named them.
    pub sources: &'a [String],
    /// What of the recordings could not be read, one sentence each.
    pub damage: &'a [String],
    /// The client libraries that sent the metrics.
    pub clients: &'a [Client],
    /// How much to say.
    pub detail: Detail,
}

impl<'a> Replay<'a> {
    /// An evaluation of a recording without a name.
    pub fn new(definitions: &'a [EventDefinition], report: &'a EvaluationReport) -> Self {
        let (what, detail) = ("recording", Detail::Brief);
        Replay { definitions, report, what, sources: &[], damage: &[], clients: &[], detail }
    }
}

/// The results of `replay` and `run`.
#[derive(Clone, Copy, Debug)]
pub struct ReplayOutcome<'a> {
    /// The evaluation.
    pub replay: Replay<'a>,
    /// The command that was run meanwhile.
    pub run: Option<&'a CommandRun<'a>>,
    /// The gate's cases, the comparison with a baseline among them.
    pub suites: &'a [Suite],
    /// The comparison with a baseline, for formats that do not write the other cases.
    pub regressions: Option<&'a Suite>,
}

impl<'a> ReplayOutcome<'a> {
    /// An evaluation alone.
    pub fn new(replay: Replay<'a>) -> Self {
        ReplayOutcome { replay, run: None, suites: &[], regressions: None }
    }
}

/// What there is to say of a command that was run while its metrics were evaluated.
#[derive(Clone, Debug)]
pub struct CommandRun<'a> {
    /// What was run.
    pub command: &'a [String],
    /// How it ended: its exit code, or 128 and the number of the signal.
    pub exit_code: u8,
    /// The export interval that it was given.
    pub interval: Nanos,
    /// The fraction of their length that windows and grace periods had.
    pub window_scale: f64,
    /// The rules it was too short for.
    pub too_short: &'a [TooShort],
    /// What shorter windows give.
    pub preview: Option<Preview<'a>>,
    /// Definitions whose values are others at another export interval.
    pub depend_on_interval: &'a [String],
    /// Why no metrics may have been received, and what to do, when there are none.
    pub silence: Option<&'a str>,
}

/// The same data, evaluated with shorter windows.
#[derive(Clone, Copy, Debug)]
pub struct Preview<'a> {
    /// The fraction of their length that windows and grace periods have; the largest that fits.
    pub window_scale: f64,
    /// The definitions with those windows.
    pub definitions: &'a [EventDefinition],
    /// What comes out.
    pub report: &'a EvaluationReport,
    /// The command that evaluates like this.
    pub command: &'a str,
}

/// The results of `check`.
#[derive(Clone, Copy)]
pub struct CheckOutcome<'a> {
    /// The cases.
    pub suites: &'a [Suite],
    /// What the scenarios reach, when it is wanted.
    pub coverage: Option<&'a RuleCoverage>,
    /// The changed rules that were tried.
    pub mutants: Option<&'a [Tested]>,
    /// How much to say.
    pub detail: Detail,
}

/// The results of `tune`.
#[derive(Clone, Copy, Debug)]
pub struct Tune<'a> {
    /// The evaluation of the healthy recordings, without events.
    pub baseline: &'a Replay<'a>,
    /// One per window, or the only one.
    pub passes: &'a [Pass<'a>],
    /// The recordings of incidents.
    pub bad: &'a [String],
}

/// The results with one set of windows.
#[derive(Clone, Copy, Debug)]
pub struct Pass<'a> {
    /// The definitions, with the windows of this pass.
    pub definitions: &'a [EventDefinition],
    /// The results.
    pub tuned: &'a Tuned,
    /// What each source covers; the first is the baseline.
    pub spans: &'a [Option<(Nanos, Nanos)>],
}

/// The results of `diff`.
#[derive(Clone, Copy, Debug)]
pub struct Diff<'a> {
    /// What differs.
    pub comparison: &'a Comparison,
    /// How the old rules were named.
    pub old: &'a str,
    /// How the new rules were named.
    pub new: &'a str,
    /// The recordings.
    pub sources: &'a [String],
    /// What of the recordings could not be read, one sentence each.
    pub damage: &'a [String],
    /// The first and the last timestamp.
    pub coverage: (Option<Nanos>, Option<Nanos>),
}

/// The results of `inspect`.
#[derive(Clone, Copy, Debug)]
pub struct Inspected<'a> {
    /// What was found.
    pub findings: &'a Findings,
    /// The recordings, as the caller named them.
    pub sources: &'a [String],
    /// The form of each recording.
    pub forms: &'a [String],
    /// What could not be read, one sentence each.
    pub damage: &'a [String],
    /// How much to say.
    pub detail: Detail,
}
