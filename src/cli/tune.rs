//! `foreshock tune`: recordings in, what every threshold would have done out, and which values to take.

use super::evaluation::{EvaluationArgs, WithClients};
use super::exit::ExitStatus;
use super::gate::DataSeen;
use super::output::{Terminal, keep_apart};
use super::package::{WriteArgs, Written};
use super::recordings::{Recordings, RecordingsArgs};
use super::results::PageArgs;
use super::rules::RulesArgs;
use super::values::{duration, nanos, size, within};
use crate::definition::EventDefinition;
use crate::engine::{EvaluationReport, Options};
use crate::inspect::{Client, Clients};
use crate::model::{Nanos, to_ms};
use crate::report::{Outcome, Pass, Replay, Tune};
use crate::tune::{BASELINE, Incident, Label, PassError, TracedSource, Tuned, Tuning};
use anyhow::{Context, Error, Result, anyhow, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const AFTER_HELP: &str = "\
The recordings are taken as healthy: an event on them is a false alert, unless it is in an incident.
Proposals based on less than 24 hours or 3 instances have low confidence.

Exit codes: 0 done; 2 could not run; 4 inconclusive: no metrics received, no threshold could be
evaluated, or a recording is damaged.

Examples:
  foreshock tune monday.jsonl.gz tuesday.jsonl.gz --rules my-package
  foreshock tune healthy.jsonl.gz --bad outage.jsonl.gz --format markdown
  foreshock tune week.otlp --incident 2026-11-20T14:00:00Z..2026-11-20T14:40:00Z@checkout
  foreshock tune week.otlp --rules my-package --window 1m,5m,15m";

/// Arguments of `tune`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    #[command(flatten)]
    recordings: RecordingsArgs,
    #[command(flatten)]
    labels: LabelArgs,
    /// False alerts a week that a proposed value may give on the healthy recordings
    #[arg(long, value_name = "N", default_value_t = 0.0, value_parser = budget, help_heading = "Choice")]
    max_events_per_week: f64,
    /// Evaluate with these windows instead of the rules' own (`1m,5m,15m`), one pass for each
    #[arg(long, value_name = "DURATIONS", value_delimiter = ',', value_parser = window, help_heading = "Choice")]
    window: Vec<i64>,
    /// Memory for values; with too little the recordings are read several times
    #[arg(long, value_name = "SIZE", default_value = "2GiB", value_parser = size, help_heading = "Choice")]
    max_memory: u64,
    #[command(flatten)]
    writing: WriteArgs,
    #[command(flatten)]
    rules: RulesArgs,
    #[command(flatten)]
    evaluation: EvaluationArgs,
    #[command(flatten)]
    page: PageArgs,
}

/// The results with one set of windows.
pub(super) struct Swept {
    pub(super) definitions: Vec<EventDefinition>,
    pub(super) tuned: Tuned,
    spans: Vec<Option<(Nanos, Nanos)>>,
    /// What a first pass over each source gave besides the traces.
    sources: Vec<(EvaluationReport, Recordings, Vec<Client>)>,
}

/// Runs the command.
pub(super) fn run(args: Args, terminal: &Terminal) -> Result<ExitStatus> {
    let labels = args.labels.read()?;
    args.writing.check(&args.rules, args.window.len())?;
    let rules = args.rules.load(terminal)?;
    let options = args.evaluation.resolve();
    if args.window.len() > 1 && args.recordings.has_stdin() {
        bail!(
            "--window reads the recordings once for each window, and standard input can be read only once; name a file"
        );
    }
    let inputs = args.recordings.files().chain(labels.bad.iter().map(PathBuf::as_path));
    keep_apart(args.page.output.as_deref(), inputs)?;
    let sets = match &args.window[..] {
        [] => vec![rules.definitions],
        windows => windows.iter().map(|&window| with_window(&rules.definitions, window)).collect(),
    };
    let mut all = Vec::new();
    for definitions in sets {
        all.push(sweep(&args, &labels, definitions, &options, terminal)?);
    }
    let Some(first) = all.first() else { return Ok(ExitStatus::CouldNotRun) };
    write(&args, &all, first, terminal)?;
    let not_evaluated = "no threshold could be evaluated (--allow-no-data makes this a pass)";
    let (mut status, mut why) = data(&all).status(not_evaluated, args.page.allow_no_data);
    if status == ExitStatus::Passed && args.writing.write(&args.rules, first, terminal)? == Written::Provisional {
        (status, why) = (ExitStatus::Inconclusive, "every proposed value has low confidence, and was not written");
    }
    Ok(terminal.ended((status, why)))
}

/// Learns, chooses, sweeps.
fn sweep(
    args: &Args,
    labels: &Labels,
    definitions: Vec<EventDefinition>,
    options: &Options,
    terminal: &Terminal,
) -> Result<Swept> {
    let mut files = vec![args.recordings.clone()];
    files.extend(labels.bad.iter().map(|path| RecordingsArgs { files: vec![path.clone()] }));
    let mut sources: Vec<TracedSource> =
        files.iter().map(|_| TracedSource::new(args.max_memory / files.len() as u64)).collect();
    let open = |number: usize| {
        Recordings::open(&files[number], terminal).map(|inputs| WithClients { inputs, clients: Clients::default() })
    };
    let is_read_once = |number: usize| files[number].has_stdin();
    let evaluated = (definitions.as_slice(), options);
    let mut begins = vec![None; sources.len()];
    let mut tuning = Tuning::new(&definitions, sources.len(), labels.resolve(&begins), args.max_events_per_week);
    let mut reports = Vec::new();
    for (number, source) in sources.iter_mut().enumerate() {
        let passes = source.passes(
            evaluated,
            || open(number),
            is_read_once(number),
            |report, observed| {
                // Times may be counted from the beginning of a recording, which is known only now.
                begins[number] = report.coverage.from;
                tuning.relabel(labels.resolve(&begins));
                tuning.learn(number, observed);
            },
        );
        let (report, WithClients { inputs: recordings, clients }) = passes.map_err(refused)?;
        reports.push((report, recordings, clients.finish()));
    }
    if reports[BASELINE].0.counts.points > 0 {
        tuning.check().map_err(|(incident, why)| anyhow!("{}: {why}", incident.name))?;
    }
    tuning.choose();
    for (number, source) in sources.iter_mut().enumerate() {
        let swept = source.again(
            evaluated,
            || open(number),
            is_read_once(number),
            |observed| {
                tuning.sweep(number, observed);
            },
        );
        swept.map_err(refused)?;
    }
    let spans = (0..sources.len()).map(|source| tuning.span(source)).collect();
    Ok(Swept { definitions, tuned: tuning.finish(), spans, sources: reports })
}

fn refused(error: PassError<Error>) -> Error {
    match error {
        PassError::Open(error) => error,
        PassError::ReadOnce => {
            anyhow!("--max-memory is too small to read standard input once; raise it, or name a file")
        }
        PassError::TooLittleMemory => anyhow!("--max-memory is too small for one instance; raise it"),
    }
}

/// The definitions with another window in every threshold rule.
fn with_window(definitions: &[EventDefinition], window_ms: i64) -> Vec<EventDefinition> {
    let mut definitions = definitions.to_vec();
    for rule in definitions.iter_mut().flat_map(|definition| &mut definition.rules) {
        if let Some(threshold) = rule.threshold_mut() {
            threshold.window_ms = window_ms;
            threshold.rollup_ms = threshold.rollup_ms.min(window_ms);
        }
    }
    definitions
}

fn write(args: &Args, all: &[Swept], first: &Swept, terminal: &Terminal) -> Result<()> {
    let passes = all.iter();
    let passes = passes.map(|swept| Pass { definitions: &swept.definitions, tuned: &swept.tuned, spans: &swept.spans });
    let passes: Vec<Pass<'_>> = passes.collect();
    let damage: Vec<String> = first.sources.iter().flat_map(|(_, recordings, _)| recordings.damage()).collect();
    let names = |(_, recordings, _): &(_, Recordings, _)| recordings.names().to_vec();
    let bad: Vec<String> = first.sources.iter().skip(BASELINE + 1).flat_map(names).collect();
    let (report, recordings, clients) = &first.sources[BASELINE];
    let baseline = Replay {
        sources: recordings.names(),
        damage: &damage,
        clients,
        detail: terminal.detail,
        ..Replay::new(&first.definitions, report)
    };
    let tune = Tune { baseline: &baseline, passes: &passes, bad: &bad };
    args.page.write(&Outcome::Tune(&tune), &damage, terminal)
}

fn data(all: &[Swept]) -> DataSeen {
    DataSeen {
        is_damaged: all.iter().flat_map(|swept| &swept.sources).any(|(_, recordings, _)| recordings.is_damaged()),
        has_points: all.iter().any(|swept| swept.sources[BASELINE].0.counts.points > 0),
        is_evaluated: all.iter().flat_map(|swept| &swept.tuned.results).any(|result| result.basis.evaluated > 0),
    }
}

fn budget(text: &str) -> Result<f64, String> {
    within(text, 0.0..f64::INFINITY, "a number of events, 0 or more")
}

fn window(text: &str) -> Result<i64, String> {
    let range = Duration::from_secs(1)..=Duration::from_secs(7 * 86_400);
    let window = duration(text.trim(), range, "1m,5m,15m", "a window lies between 1s and 7days")?;
    Ok(to_ms(nanos(window)))
}

/// Labels: which recordings, and which times in them, were bad.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Labels")]
struct LabelArgs {
    /// A recording of an incident: every rule it concerns should fire on it; repeatable
    #[arg(long, value_name = "FILE")]
    bad: Vec<PathBuf>,
    /// When something was wrong in the recordings: FROM..TO or FROM..TO@SERVICE, each as 2026-11-22T06:50:00Z,
    /// 06:50:00 or +5m; repeatable
    #[arg(long, value_name = "FROM..TO[@SERVICE]", value_parser = Label::parse)]
    incident: Vec<Label>,
    /// A JSON list of labels: {"recording"} or {"from", "to"}, and with either "service" and "definitions" (names of the
    /// definitions it concerns, all without)
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
}

/// All labels.
#[derive(Debug)]
struct Labels {
    /// Recordings of something bad; they are the sources after the baseline, in this order.
    bad: Vec<PathBuf>,
    /// Each with its source.
    labels: Vec<(usize, Label)>,
}

impl LabelArgs {
    /// Reads the labels. Recordings in a file of labels are found beside it.
    fn read(&self) -> Result<Labels> {
        let bad = self.bad.iter().map(|path| Label::recording(&path.display().to_string()));
        let mut all: Vec<Label> = bad.chain(self.incident.iter().cloned()).collect();
        if let Some(path) = &self.labels {
            let file = path.display().to_string();
            let text = fs::read_to_string(path).with_context(|| format!("--labels {file}"))?;
            let beside = |name: &str| path.parent().unwrap_or(Path::new("")).join(name).display().to_string();
            let labels = Label::parse_file(&file, &text, beside);
            all.extend(labels.map_err(|(label, problem)| anyhow!("{label}: {problem}"))?);
        }
        let mut labels = Labels { bad: Vec::new(), labels: Vec::new() };
        for label in all {
            let source = label.recording.as_ref().map_or(BASELINE, |name| labels.source(PathBuf::from(name)));
            labels.labels.push((source, label));
        }
        Ok(labels)
    }
}

impl Labels {
    fn source(&mut self, path: PathBuf) -> usize {
        let known = self.bad.iter().position(|other| *other == path);
        let bad = known.unwrap_or_else(|| {
            self.bad.push(path);
            self.bad.len() - 1
        });
        bad + 1
    }

    /// The incidents, with what each source begins with.
    fn resolve(&self, begins: &[Option<Nanos>]) -> Vec<Incident> {
        let begin = |source: usize| begins.get(source).copied().flatten().unwrap_or(0);
        self.labels.iter().map(|(source, label)| label.resolve(*source, begin(*source))).collect()
    }
}
