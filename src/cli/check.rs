//! `foreshock check`: scenarios in, passed or failed out. The gate for rules, and for the services they watch.
//!
//! Whatever is checked becomes [`Suite`]s, and [`report`] is the one place that tells them. Nothing is judged when a file has
//! a mistake, and what proves nothing is no pass.

mod files;
mod packages;
mod scenarios;

use super::error::CliError;
use super::exit::ExitStatus;
use super::output::{Output, Terminal};
use super::rules::RulesArgs;
use crate::check::{CaseResult, Suite};
use crate::render;
use std::path::PathBuf;

const AFTER_HELP: &str = "\
Exit codes: 0 every scenario passed; 1 one did not; 2 could not run, nothing was judged: a file cannot
be read, or has a mistake; 4 inconclusive: there is no scenario, a recording is empty or damaged, or a
scenario expects nothing of nothing. 1 wins over 4.

Examples:
  foreshock check
  foreshock check tests/alerts --rules my-package
  foreshock check rules/high-cpu.test.yaml -v";

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// Scenario files, or folders that are searched for *.test.yaml
    #[arg(value_name = "PATH", default_value = ".")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    rules: RulesArgs,
    /// Writes the answer to a file
    #[arg(short, long, value_name = "FILE", help_heading = "Answer")]
    output: Option<PathBuf>,
}

/// Runs the command.
pub(super) fn run(args: Args, terminal: &Terminal) -> Result<ExitStatus, CliError> {
    let files = files::find(&args.paths)?;
    let items = scenarios::read(&files, &args.rules, terminal)?;
    let suites = scenarios::run(&files, &items, |_| ())?;
    report(&suites, &args, terminal)?;
    let (status, why) = status(&suites);
    if status != ExitStatus::Passed {
        terminal.note(&format!("exit code {}: {why}", status.code()));
    }
    Ok(status)
}

/// Tells the suites: the one place that knows the shapes an answer has.
fn report(suites: &[Suite], args: &Args, terminal: &Terminal) -> Result<(), CliError> {
    let style = terminal.answer_style(args.output.as_deref());
    let mut output = Output::open(args.output.as_deref())?;
    output.write_with(|out| render::text::suites(out, suites, terminal.detail, style))
}

/// The status the suites deserve, and why when it is no pass.
fn status(suites: &[Suite]) -> (ExitStatus, &'static str) {
    let has = |wanted: fn(&CaseResult) -> bool| suites.iter().flat_map(|s| &s.cases).any(|case| wanted(&case.result));
    if has(|result| matches!(result, CaseResult::Failed(_))) {
        (ExitStatus::Failed, "not everything was as expected")
    } else if has(|result| matches!(result, CaseResult::Inconclusive(_))) {
        (ExitStatus::Inconclusive, "something proves nothing")
    } else if suites.iter().all(|suite| suite.cases.is_empty()) {
        (ExitStatus::Inconclusive, "there is no scenario (files end in .test.yaml)")
    } else {
        (ExitStatus::Passed, "")
    }
}
