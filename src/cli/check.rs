//! `foreshock check`: scenarios in, passed or failed out. The gate for rules, and for the services they watch.
//!
//! Whatever is checked becomes [`Suite`]s, and [`report`] writes them. Nothing is evaluated when a file has a
//! mistake, and what asserts nothing is no pass.

mod mutation;
mod packages;
mod scenarios;

use super::evaluation::EvaluationArgs;
use super::exit::ExitStatus;
use super::gate::{BaselineArgs, evaluate_recordings};
use super::minimize::{self, MinimizeArgs};
use super::output::{Output, Terminal, formats, keep_apart};
use super::recordings::Recordings;
use super::results::{ReportArgs, from_root, job_summary, write_reports};
use super::rules::RulesArgs;
use super::values::{duration, nanos, percent};
use crate::engine::Options;
use crate::gate::{
    self, Case, CaseResult, EvaluatedRecording, FileLocation, Golden, RuleCoverage, ScenarioOutcome, Suite, Tested,
    Tolerance,
};
use crate::model::Nanos;
use crate::report::{self, CheckOutcome, Format, Outcome, OutcomeKind};
use anyhow::{Context, Result, anyhow, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const AFTER_HELP: &str = "\
Exit codes: 0 every scenario passed; 1 one did not; 2 could not run, nothing was evaluated: a file
cannot be read, or has a mistake; 4 inconclusive: there is no scenario, a recording is empty or damaged,
or a scenario asserts nothing. 1 wins over 4.

Examples:
  foreshock check
  foreshock check tests/alerts --rules my-package
  foreshock check rules/high-cpu.test.yaml -v";

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// Scenario files, or folders that are searched for *.test.yaml [default: .]; recordings with --golden and --baseline
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    rules: RulesArgs,
    #[command(flatten)]
    golden: GoldenArgs,
    #[command(flatten)]
    baseline: BaselineArgs,
    #[command(flatten)]
    evaluation: EvaluationArgs,
    /// Show which definitions ever fired, and which metrics no rule uses
    #[arg(long, help_heading = "Coverage")]
    coverage: bool,
    /// Fail when a smaller part of the definitions ever fired
    #[arg(long, value_name = "PERCENT", value_parser = percent, help_heading = "Coverage")]
    min_rule_coverage: Option<f64>,
    /// Change every definition in every way, and show which changes no scenario notices
    #[arg(long, conflicts_with_all = ["golden", "baseline"], help_heading = "Coverage")]
    mutate: bool,
    /// Fail when the scenarios notice a smaller part of the changes
    #[arg(long, value_name = "PERCENT", value_parser = percent, conflicts_with_all = ["golden", "baseline"], help_heading = "Coverage")]
    min_mutation_score: Option<f64>,
    #[command(flatten)]
    minimize: MinimizeArgs,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = formats(OutcomeKind::Check), help_heading = "Output")]
    format: Format,
    /// Write the output to a file
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,
    #[command(flatten)]
    reports: ReportArgs,
}

/// Comparing recordings with events that are stored.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Golden events")]
struct GoldenArgs {
    /// Evaluate recordings and compare their events with those in a file
    #[arg(long, value_name = "FILE", conflicts_with = "baseline")]
    golden: Option<PathBuf>,
    /// Write the file anew
    #[arg(long, requires = "golden")]
    bless: bool,
    /// Tolerance of times
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = tolerance, requires = "golden")]
    time_tolerance: Nanos,
    /// Tolerance of values
    #[arg(long, value_name = "PERCENT", default_value = "0%", value_parser = percent, requires = "golden")]
    value_tolerance: f64,
}

/// Runs the command.
pub(super) fn run(args: Args, terminal: &Terminal) -> Result<ExitStatus> {
    if let Some(recording) = &args.minimize.minimize {
        let output = args.output.as_deref();
        return minimize::run(recording, &args.minimize, (&args.rules, &args.evaluation), output, terminal);
    }
    let is_about_recordings = args.golden.golden.is_some() || args.baseline.is_given();
    let scenarios = if is_about_recordings { Vec::new() } else { args.scenarios()? };
    let read = args.paths.iter().chain(&scenarios).chain(&args.golden.golden).map(PathBuf::as_path);
    keep_apart(args.output.as_deref().into_iter().chain(args.reports.files()), read.chain(args.baseline.files()))?;
    let mut reports = args.reports.open(args.output.as_deref(), terminal)?;
    let mut coverage = RuleCoverage::default();
    let (mut suites, tested) = match &args.golden.golden {
        Some(golden) => (vec![stored(&args, golden, &mut coverage, terminal)?], None),
        None if args.baseline.is_given() => (vec![compared(&args, &mut coverage, terminal)?], None),
        None => written(&args, scenarios, &mut coverage, terminal)?,
    };
    if let Some(least) = args.min_rule_coverage {
        suites.push(Suite { name: "rules".into(), cases: vec![coverage.case(least)] });
    }
    let named = from_root(suites.clone());
    let wants_coverage = args.coverage || args.min_rule_coverage.is_some();
    let outcome = CheckOutcome {
        suites: if args.format == Format::Text { &suites } else { &named },
        coverage: wants_coverage.then_some(&coverage),
        mutants: tested.as_deref(),
        detail: terminal.detail,
    };
    write(&outcome, &args, terminal)?;
    write_reports(&mut reports, &Outcome::Check(&CheckOutcome { suites: &named, ..outcome }))?;
    Ok(terminal.ended(status(&suites)))
}

impl Args {
    /// The files with scenarios.
    fn scenarios(&self) -> Result<Vec<PathBuf>> {
        if self.evaluation.resolve() != Options::default() {
            bail!("the options of a scenario stand in its `options`; these are for recordings");
        }
        let here = [PathBuf::from(".")];
        scenarios::find(if self.paths.is_empty() { &here } else { &self.paths })
    }
}

/// Runs the scenarios.
fn written(
    args: &Args,
    scenarios: Vec<PathBuf>,
    coverage: &mut RuleCoverage,
    terminal: &Terminal,
) -> Result<(Vec<Suite>, Option<Vec<Tested>>)> {
    let files = scenarios::read_files(scenarios)?;
    let (items, packages) = scenarios::read(&files, &args.rules, terminal)?;
    let shared = Mutex::new(coverage);
    let each = |outcome: &ScenarioOutcome| shared.lock().unwrap_or_else(PoisonError::into_inner).add_outcome(outcome);
    let mut suites = scenarios::run(&files, &items, each)?;
    let tested =
        if args.mutate || args.min_mutation_score.is_some() { Some(mutation::test(&items, &packages)?) } else { None };
    if let (Some(least), Some(tested)) = (args.min_mutation_score, &tested) {
        suites.push(Suite { name: "mutants".into(), cases: vec![gate::score_case(tested, least)] });
    }
    Ok((suites, tested))
}

/// Evaluates the recordings that are named.
fn evaluated(
    args: &Args,
    option: &str,
    coverage: &mut RuleCoverage,
    terminal: &Terminal,
) -> Result<EvaluatedRecording> {
    if args.paths.is_empty() {
        bail!("{option} needs recordings: name them");
    }
    let rules = args.rules.load(terminal)?;
    let options = args.evaluation.resolve();
    let recordings = Recordings::of(&args.paths)?;
    let recording = evaluate_recordings(recordings, &rules.definitions, &options, args.baseline.is_given()).result;
    coverage.add(&recording.definitions, recording.definitions.len(), &recording.report);
    Ok(recording)
}

/// Compares recordings with others.
fn compared(args: &Args, coverage: &mut RuleCoverage, terminal: &Terminal) -> Result<Suite> {
    let new = evaluated(args, "--baseline", coverage, terminal)?;
    let old = args.baseline.evaluate(&new.definitions, &args.evaluation.resolve())?;
    Ok(old.map(|old| args.baseline.compare(&old, &new, terminal)).unwrap_or_default())
}

/// Compares recordings with golden events, or makes them golden.
fn stored(args: &Args, file: &Path, coverage: &mut RuleCoverage, terminal: &Terminal) -> Result<Suite> {
    let recording = evaluated(args, "--golden", coverage, terminal)?;
    let mut cases: Vec<Case> = recording.proves_nothing().into_iter().collect();
    let now = Golden::of(&recording.definitions, &recording.report);
    if !args.golden.bless {
        let stored = read_golden(file)?;
        if recording.has_points() {
            // What is computed anew may differ in the last digits of another machine.
            let value = args.golden.value_tolerance.max(1e-9);
            let tolerance = Tolerance { time: args.golden.time_tolerance, value };
            cases.extend(stored.compare(&now, tolerance, &file.display().to_string()));
        }
    } else if cases.is_empty() {
        bless(&now, file, terminal)?;
        let place = Some(FileLocation::file(file.display().to_string()));
        cases.push(Case::new("blessed", place, CaseResult::Passed));
    }
    Ok(Suite { name: recording.name, cases })
}

/// Writes golden events.
fn bless(golden: &Golden, file: &Path, terminal: &Terminal) -> Result<()> {
    if fs::exists(file).map_err(|error| no_golden(file, error.into()))? {
        // Whoever mixes up the arguments must not lose a recording.
        read_golden(file)?;
    }
    let text = golden.to_text().map_err(|error| no_golden(file, error.into()))?;
    fs::write(file, text).with_context(|| format!("cannot write to {}", file.display()))?;
    let count = golden.events();
    terminal.note(&format!("{}: {count} event{} blessed", file.display(), if count == 1 { "" } else { "s" }));
    Ok(())
}

fn read_golden(file: &Path) -> Result<Golden> {
    let text = fs::read_to_string(file).map_err(|error| no_golden(file, error.into()))?;
    Golden::from_text(&text).map_err(|what| no_golden(file, anyhow!("{what}")))
}

fn no_golden(file: &Path, error: anyhow::Error) -> anyhow::Error {
    anyhow!("cannot read the golden events {}: {error}; --bless writes them", file.display())
}

/// Writes the results; beside a format that holds only the cases, the rest goes to standard error.
fn write(check: &CheckOutcome<'_>, args: &Args, terminal: &Terminal) -> Result<()> {
    Output::open(args.output.as_deref(), terminal)?.write_outcome(args.format, &Outcome::Check(check))?;
    if args.format == Format::Github {
        job_summary(check.suites, terminal)?;
    }
    if args.format == Format::Text {
        return Ok(());
    }
    let mut beside = Vec::new();
    // Memory is written to: nothing can fail.
    let _ = report::coverage_and_mutants(&mut beside, check, terminal.message_style());
    if !beside.is_empty() {
        terminal.note(String::from_utf8_lossy(&beside).trim_end());
    }
    Ok(())
}

fn tolerance(text: &str) -> Result<Nanos, String> {
    let range = ..=Duration::from_nanos(Nanos::MAX.unsigned_abs());
    duration(text, range, "10s or 1m", "that is too long").map(nanos)
}

/// The status of the suites, and why when it is no pass.
fn status(suites: &[Suite]) -> (ExitStatus, String) {
    let cases = || suites.iter().flat_map(|suite| &suite.cases);
    let number = |wanted: fn(&CaseResult) -> bool| cases().filter(|case| wanted(&case.result)).count();
    let failed = number(|result| matches!(result, CaseResult::Failed(_)));
    let inconclusive = number(|result| matches!(result, CaseResult::Inconclusive(_)));
    match (cases().count(), failed, inconclusive) {
        (all, 1.., _) => (ExitStatus::Failed, format!("{failed} of {all} cases failed")),
        (all, 0, 1..) => {
            (ExitStatus::Inconclusive, format!("{inconclusive} of {all} cases inconclusive: a case asserts nothing"))
        }
        (0, 0, 0) => (ExitStatus::Inconclusive, "there is no scenario (files end in .test.yaml)".to_string()),
        (_, 0, 0) => (ExitStatus::Passed, String::new()),
    }
}
