//! `foreshock diff`: two sets of rules on the same recordings, and what differs.

use super::error::CliError;
use super::evaluation::EvaluationArgs;
use super::exit::ExitStatus;
use super::gate::DataSeen;
use super::head;
use super::output::Terminal;
use super::page::PageArgs;
use super::recordings::{Recordings, RecordingsArgs};
use super::results::WithClients;
use super::retention::RetentionArgs;
use super::rules::RulesArgs;
use crate::definition::EventDefinition;
use crate::engine::{Engine, EvaluationReport, Options, Verdict, drive};
use crate::inspect::Clients;
use crate::report::{Diff, Outcome};
use crate::tune::{RulesOutcome, compare};
use std::convert::Infallible;
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
    judging: EvaluationArgs,
    #[command(flatten)]
    retention: RetentionArgs,
    #[command(flatten)]
    page: PageArgs,
}

/// One set of rules, evaluated.
struct EvaluatedRules {
    definitions: Vec<EventDefinition>,
    report: EvaluationReport,
    names: Vec<String>,
    damage: Vec<String>,
    is_damaged: bool,
}

/// Runs the command.
pub(super) fn run(args: Args, terminal: &Terminal) -> Result<ExitStatus, CliError> {
    if args.recordings.has_stdin() {
        let what =
            "diff reads the recordings once for each side, and standard input can be read only once; name a file";
        return Err(CliError::Limit { what: what.to_string() });
    }
    args.page.keep_apart(&args.recordings)?;
    let rules = |path: &PathBuf| RulesArgs::of(path.clone(), args.param.clone()).load(terminal);
    let (old, new) = (rules(&args.old)?, rules(&args.new)?);
    let old = evaluate(old.definitions, &args, terminal)?;
    let new = evaluate(new.definitions, &args, terminal)?;
    let comparison = compare(old.side(), new.side());
    let (old_name, new_name) = (args.old.display().to_string(), args.new.display().to_string());
    let diff = Diff {
        comparison: &comparison,
        old: &old_name,
        new: &new_name,
        sources: &new.names,
        damage: &new.damage,
        coverage: (new.report.coverage.from, new.report.coverage.to),
    };
    args.page.write(&Outcome::Diff(&diff), &new.damage, terminal)?;
    let data = DataSeen {
        is_damaged: new.is_damaged,
        has_points: new.report.counts.points > 0,
        is_evaluated: old.is_evaluated() || new.is_evaluated(),
    };
    let not_evaluated = "no definition could be evaluated (--allow-no-data makes this a pass)";
    Ok(terminal.ended(args.page.status(data, not_evaluated)))
}

fn evaluate(definitions: Vec<EventDefinition>, args: &Args, terminal: &Terminal) -> Result<EvaluatedRules, CliError> {
    let recordings = Recordings::open(&args.recordings, terminal)?;
    let retention = args.retention.of_recordings(head::options(recordings.heads()).as_ref());
    let options = Options { retention, ..args.judging.resolve() };
    let mut engine = Engine::new(definitions, options);
    let mut inputs = WithClients { inputs: recordings, clients: Clients::default() };
    let Ok(()) = drive(&mut engine, &mut inputs, |_, _| Ok::<(), Infallible>(()));
    let recordings = inputs.inputs;
    Ok(EvaluatedRules {
        report: engine.report(),
        definitions: engine.definitions().to_vec(),
        names: recordings.names().to_vec(),
        damage: recordings.damage(),
        is_damaged: recordings.is_damaged(),
    })
}

impl EvaluatedRules {
    fn side(&self) -> RulesOutcome<'_> {
        RulesOutcome { definitions: &self.definitions, report: &self.report }
    }

    fn is_evaluated(&self) -> bool {
        self.report.definitions.iter().any(|of| matches!(of.verdict, Verdict::Fired | Verdict::Quiet))
    }
}
