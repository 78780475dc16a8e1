//! `foreshock diff`: two sets of rules on the same recordings, and what differs.

use super::evaluation::{Evaluation, EvaluationArgs, RetentionArgs};
use super::exit::ExitStatus;
use super::gate::{DataSeen, NOT_EVALUATED, evaluate_recordings};
use super::output::{Terminal, keep_apart};
use super::recordings::{Recordings, RecordingsArgs};
use super::results::PageArgs;
use super::rules::RulesArgs;
use crate::definition::EventDefinition;
use crate::engine::{Options, Verdict};
use crate::gate::EvaluatedRecording;
use crate::report::{Diff, Outcome};
use crate::tune::{RulesOutcome, compare};
use anyhow::{Result, bail};
use std::path::PathBuf;

const AFTER_HELP: &str = "\
Rules are what --rules takes elsewhere, or a folder or file of a git revision: main:rules/python.

Exit codes: 0 done, whatever differs; 2 could not run; 4 inconclusive: no metrics received, neither
side could be evaluated, or a recording is damaged.

Examples:
  foreshock diff --old main:rules/python --new rules/python recording.jsonl.gz
  foreshock diff --old v1.0:rules --new HEAD:rules *.jsonl.gz --format markdown";

/// Arguments of `diff`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// The rules as they were: a folder, a file, builtin:python, or REVISION:PATH
    #[arg(long, value_name = "RULES")]
    old: PathBuf,
    /// The rules as they are
    #[arg(long, value_name = "RULES")]
    new: PathBuf,
    #[command(flatten)]
    recordings: RecordingsArgs,
    /// Value of a {{name}} placeholder in the rules; repeatable
    #[arg(long, value_name = "NAME=VALUE", value_parser = super::rules::param, help_heading = "Rules")]
    param: Vec<(String, String)>,
    #[command(flatten)]
    evaluation: EvaluationArgs,
    #[command(flatten)]
    retention: RetentionArgs,
    #[command(flatten)]
    page: PageArgs,
}

/// Runs the command.
pub(super) fn run(args: Args, terminal: &Terminal) -> Result<ExitStatus> {
    if args.recordings.has_stdin() {
        bail!("diff reads the recordings once for each side, and standard input can be read only once; name a file");
    }
    keep_apart(args.page.output.as_deref(), args.recordings.files())?;
    let rules = |path: &PathBuf| {
        RulesArgs { rules: vec![path.clone()], param: args.param.clone(), set: Vec::new() }.load(terminal)
    };
    let (old, new) = (rules(&args.old)?, rules(&args.new)?);
    let evaluate = |definitions: &[EventDefinition]| -> Result<Evaluation<Recordings>> {
        let recordings = Recordings::open(&args.recordings, terminal)?;
        let retention = args.retention.of_recordings(recordings.heads());
        let options = Options { retention, ..args.evaluation.resolve() };
        Ok(evaluate_recordings(recordings, definitions, &options, false))
    };
    let old = evaluate(&old.definitions)?.result;
    let Evaluation { result: new, inputs: recordings, .. } = evaluate(&new.definitions)?;
    let comparison = compare(outcome(&old), outcome(&new));
    let (old_name, new_name) = (args.old.display().to_string(), args.new.display().to_string());
    let damage = recordings.damage();
    let diff = Diff {
        comparison: &comparison,
        old: &old_name,
        new: &new_name,
        sources: recordings.names(),
        damage: &damage,
        coverage: (new.report.coverage.from, new.report.coverage.to),
    };
    args.page.write(&Outcome::Diff(&diff), &damage, terminal)?;
    let mut verdicts = old.report.definitions.iter().chain(&new.report.definitions).map(|of| &of.verdict);
    let data = DataSeen {
        is_damaged: recordings.is_damaged(),
        has_points: new.has_points(),
        is_evaluated: verdicts.any(|verdict| matches!(verdict, Verdict::Fired | Verdict::Quiet)),
    };
    Ok(terminal.ended(data.status(NOT_EVALUATED, args.page.allow_no_data)))
}

fn outcome(evaluated: &EvaluatedRecording) -> RulesOutcome<'_> {
    RulesOutcome { definitions: &evaluated.definitions, report: &evaluated.report }
}
