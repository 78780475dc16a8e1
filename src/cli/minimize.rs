//! `foreshock check --minimize`: a recording and one of its events in, the smallest scenario that still gives the event out.
//!
//! The recording is read twice: once for the event, once for the points that may have to do with it.

use super::evaluation::EvaluationArgs;
use super::exit::ExitStatus;
use super::gate::evaluate_recordings;
use super::output::{Output, Terminal, is_stream, keep_apart};
use super::recordings::Recordings;
use super::rules::{self, RulesArgs};
use crate::definition::{self, EventDefinition, Problem, Settings};
use crate::engine::{EvaluationReport, Event, Inputs};
use crate::minimize::{EventPast, Minimized, Wanted};
use crate::model::Attributes;
use crate::report;
use anyhow::{Error, Result, anyhow, bail};
use ring::rand::{SecureRandom, SystemRandom};
use std::path::{Component, Path, PathBuf};

/// The key that hashes values, for the same hashes in several files.
const KEY: &str = "FORESHOCK_ANONYMIZE_KEY";

/// Options of `check --minimize`.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "From an incident to a test")]
pub(super) struct MinimizeArgs {
    /// Write the smallest scenario in which an event of this recording still fires
    #[arg(long, value_name = "RECORDING", conflicts_with_all = ["paths", "golden", "baseline", "coverage"])]
    pub(super) minimize: Option<PathBuf>,
    /// The event, by its id or the beginning of it; without, the ids are listed
    #[arg(long, value_name = "ID", requires = "minimize")]
    event: Option<String>,
    /// Hash the values of attributes; their names stay
    #[arg(long, requires = "minimize")]
    anonymize: bool,
}

/// Runs the command.
pub(super) fn run(
    recording: &Path,
    args: &MinimizeArgs,
    (rules, evaluation): (&RulesArgs, &EvaluationArgs),
    output: Option<&Path>,
    terminal: &Terminal,
) -> Result<ExitStatus> {
    if !rules.set.is_empty() {
        bail!("a scenario uses the rules as they stand in their files: --set is not possible with it");
    }
    if is_stream(recording) {
        bail!("--minimize reads the recording twice: name a file");
    }
    keep_apart(output, [recording])?;
    let options = evaluation.resolve();
    let definitions = rules.load(terminal)?.definitions;
    let recordings = Recordings::of(&[recording.to_path_buf()])?;
    let evaluation = evaluate_recordings(recordings, &definitions, &options, false);
    evaluation.inputs.damage().iter().for_each(|sentence| terminal.warn(sentence));
    let report = evaluation.result.report;
    let event = find(&report, &definitions, args.event.as_deref(), recording)?;
    let definition = &definitions[event.definition];
    let past = past(recording, event)?;
    let named = Named::of(definition, rules, output)?;
    let key = args.anonymize.then(key).transpose()?;
    let comment = if args.anonymize {
        "From an incident; values of attributes are hashed.".to_string()
    } else {
        let file = recording.file_name().unwrap_or_default().to_string_lossy();
        format!("From {file}, event {}, with simplified values.", event.id)
    };
    let source = |_: &str| -> Result<Vec<EventDefinition>, Vec<Problem>> { Ok(named.definitions.clone()) };
    let wanted = Wanted {
        event,
        definition: &named.definition,
        step: report.definitions[event.definition].step,
        rules: &named.rules,
        source: &source,
        options: &options,
        key: key.as_deref(),
        comment: &comment,
    };
    let found = crate::minimize::minimize(&past, wanted).map_err(Error::msg)?;
    Output::open(output, terminal)?.write_text(found.text.as_bytes())?;
    report_result(&found, &past, terminal);
    Ok(ExitStatus::Passed)
}

/// The event with this id. An error lists the events there are.
fn find<'a>(
    report: &'a EvaluationReport,
    definitions: &[EventDefinition],
    id: Option<&str>,
    recording: &Path,
) -> Result<&'a Event> {
    let named: Vec<&Event> =
        report.events.iter().filter(|event| id.is_some_and(|id| event.id.starts_with(id))).collect();
    if let ([event], Some(_)) = (named.as_slice(), id.filter(|id| !id.is_empty())) {
        return Ok(event);
    }
    let recording = recording.display();
    let problem = match id {
        Some(id) if named.len() > 1 => format!("several events of {recording} begin with `{id}`"),
        Some(id) => format!("{recording} has no event `{id}`"),
        None => format!("name an event of {recording} with --event"),
    };
    if report.events.is_empty() {
        bail!("{recording} has no event, so there is nothing to minimize");
    }
    let mut list = Vec::new();
    // A vector takes everything.
    let _ = report::event_ids(&mut list, definitions, &report.events);
    bail!("{problem}; there are\n{}", String::from_utf8_lossy(&list).trim_end())
}

fn past(recording: &Path, event: &Event) -> Result<EventPast> {
    let only = event.entity.as_ref().map_or_else(Attributes::default, |entity| entity.resource.clone());
    let mut past = EventPast::new(only, event.start);
    let mut recordings = Recordings::of(&[recording.to_path_buf()])?;
    while let Some(input) = recordings.next() {
        if let Some(export) = input.export {
            past.add(input.received_at, export).map_err(Error::msg)?;
        }
    }
    Ok(past)
}

/// The rules as the scenario names them, and the definition by the name it has there.
struct Named {
    rules: String,
    definitions: Vec<EventDefinition>,
    definition: EventDefinition,
}

impl Named {
    /// A built-in definition is in its package; any other in its file, whose path counts from the folder of the scenario.
    fn of(definition: &EventDefinition, args: &RulesArgs, output: Option<&Path>) -> Result<Self> {
        let package = definition.file.starts_with("builtin:").then(|| definition.file.split('/').next()).flatten();
        let path = PathBuf::from(package.unwrap_or(&definition.file));
        let loaded =
            definition::load(&rules::sources(&path)?, &Settings { params: args.params(), overrides: Vec::new() });
        let same = |one: &&EventDefinition| one.file == definition.file && one.index == definition.index;
        let alone = loaded.definitions.iter().find(same).cloned().unwrap_or_else(|| definition.clone());
        let rules = match package {
            Some(package) => package.to_string(),
            None => from_folder(output, &path),
        };
        Ok(Named { rules, definitions: loaded.definitions, definition: alone })
    }
}

/// The path of a file as a scenario at `output` names it.
fn from_folder(output: Option<&Path>, path: &Path) -> String {
    let folder = output.filter(|path| !is_stream(path)).and_then(Path::parent).unwrap_or(Path::new(""));
    let full = |path: &Path| {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        path.canonicalize().or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.to_path_buf())
    };
    let (from, to) = (full(folder), full(path));
    let same = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    if same == 0 {
        return to.display().to_string();
    }
    let up = from.components().skip(same).map(|_| Component::ParentDir);
    let way: PathBuf = up.chain(to.components().skip(same)).collect();
    way.display().to_string().replace(std::path::MAIN_SEPARATOR, "/")
}

/// The key of the environment, or a random one.
#[allow(clippy::disallowed_methods, reason = "a secret belongs in the environment, not among the arguments")]
fn key() -> Result<Vec<u8>> {
    if let Some(key) = std::env::var_os(KEY).filter(|key| !key.is_empty()) {
        return Ok(key.into_encoded_bytes());
    }
    let mut key = vec![0; 32];
    let failed = |_| anyhow!("the system has no random numbers for a key; set {KEY}");
    SystemRandom::new().fill(&mut key).map_err(failed)?;
    Ok(key)
}

fn report_result(found: &Minimized, past: &EventPast, terminal: &Terminal) {
    let Minimized { text, series, points, trials, kept } = found;
    terminal.note(&format!(
        "{points} data points of {series} series, {} bytes; before the event there were {} data points of {} series; {trials} trials",
        text.len(),
        past.points(),
        past.series()
    ));
    if !kept.is_empty() {
        terminal.note(&format!("not hashed, because the rule asks for their values: {}", kept.join(", ")));
    }
}
