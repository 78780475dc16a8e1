//! Scenario files become suites: found, read, given their rules and recordings, and run side by side.
//!
//! A folder is searched for `*.test.yaml`. Its files come in the order of their names, and every file once. Hidden folders and
//! `node_modules` are not searched unless they are named, and links to folders are not followed, so that a search ends.
//!
//! Everything is read and every mistake shown before anything runs. The order of the outcomes is that of the files,
//! whichever scenario is done first.

use super::packages::{self, Packages};
use crate::cli::output::{Terminal, read_text};
use crate::cli::recordings::Recordings;
use crate::cli::rules::RulesArgs;
use crate::clock::monotonic;
use crate::definition::{EventDefinition, Position, Problem, Severity};
use crate::engine::Inputs;
use crate::gate::{self, Case, CaseResult, FileLocation, Finding, Prepared, ScenarioOutcome, Suite};
use crate::report::{self, Detail};
use crate::scenario::{RuleOrigin, Scenario};
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fs, io, thread};

/// A text that expects nothing is no mistake in writing: it proves nothing.
const PROVES_NOTHING: [&str; 2] = ["expects-nothing", "no-scenario"];

/// A scenario file.
pub(super) struct File {
    path: PathBuf,
    text: String,
}

impl File {
    /// The file as messages name it.
    fn name(&self) -> String {
        self.path.display().to_string()
    }
}

/// Finds the files, none twice.
pub(super) fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        let is_folder = fs::metadata(path).with_context(|| cannot_read(path))?.is_dir();
        if is_folder { search(path, &mut found)? } else { found.push(path.clone()) }
    }
    let mut seen = BTreeSet::new();
    found.retain(|path| seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())));
    Ok(found)
}

/// Reads the files.
pub(super) fn read_files(found: Vec<PathBuf>) -> Result<Vec<File>> {
    let read = |path: PathBuf| Ok(File { text: read_text(&path).with_context(|| cannot_read(&path))?, path });
    found.into_iter().map(read).collect()
}

fn search(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| cannot_read(folder))? {
        let entry = entry.with_context(|| cannot_read(folder))?;
        let kind = entry.file_type().with_context(|| cannot_read(&entry.path()))?;
        entries.push((entry.file_name(), kind.is_dir()));
    }
    entries.sort();
    for (name, is_folder) in entries {
        let text = name.to_string_lossy();
        let path = if folder == Path::new(".") { PathBuf::from(&name) } else { folder.join(&name) };
        if is_folder && !text.starts_with('.') && text != "node_modules" {
            search(&path, found)?;
        } else if !is_folder && [".test.yaml", ".test.yml"].iter().any(|end| text.ends_with(end)) {
            found.push(path);
        }
    }
    Ok(())
}

fn cannot_read(path: &Path) -> String {
    format!("cannot read the scenarios {}", path.display())
}

/// One scenario of a file, ready to run, or the reason why it says nothing.
pub(super) enum Item {
    Ready(Box<Ready>),
    Empty(Problem),
}

/// A scenario that can run, and the recordings it wants.
pub(super) struct Ready {
    pub(super) prepared: Prepared,
    pub(super) recordings: Vec<PathBuf>,
}

/// The scenarios of the files, each with the index of its file. Mistakes are shown, and end it.
pub(super) fn read(files: &[File], args: &RulesArgs, terminal: &Terminal) -> Result<(Vec<(usize, Item)>, Packages)> {
    let packages = Packages::new(args, terminal)?;
    let (mut items, mut problems) = (Vec::new(), Vec::new());
    let whose = if args.are_named() { RuleOrigin::Caller } else { RuleOrigin::Scenario };
    for (index, file) in files.iter().enumerate() {
        let (scenarios, found) = crate::scenario::parse(&file.name(), &file.text, whose);
        let mut of_file = Vec::new();
        for scenario in scenarios {
            let scenario = if args.are_named() { scenario.with_rules("") } else { scenario };
            let recordings = recordings(&file.path, &scenario, &mut problems);
            let at = scenario.position;
            match gate::prepare(scenario, &|name| packages.rules(&file.path, name)) {
                Ok(prepared) => of_file.push((at, Item::Ready(Box::new(Ready { prepared, recordings })))),
                Err(found) => problems.extend(found),
            }
        }
        let (empty, mistakes): (Vec<_>, Vec<_>) = found.into_iter().partition(|p| PROVES_NOTHING.contains(&p.code));
        problems.extend(mistakes);
        of_file.extend(empty.into_iter().map(|problem| (problem.position.unwrap_or(TOP), Item::Empty(problem))));
        of_file.sort_by_key(|(at, _)| *at);
        items.extend(of_file.into_iter().map(|(_, item)| (index, item)));
    }
    if !problems.is_empty() {
        show(&problems, files, &packages, terminal);
    }
    match problems.iter().filter(|problem| problem.severity == Severity::Error).count() {
        0 => Ok((items, packages)),
        n => bail!("{n} mistake{} in the scenarios: nothing was evaluated", if n == 1 { "" } else { "s" }),
    }
}

const TOP: Position = Position { line: 1, column: 1, bytes: (0, 0) };

/// The files of the recordings, each of which must be one.
fn recordings(file: &Path, scenario: &Scenario, problems: &mut Vec<Problem>) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for (name, at) in &scenario.recordings {
        let path = packages::beside(file, name);
        if let Err(error) = Recordings::of(std::slice::from_ref(&path)) {
            let problem = scenario.problem(*at, "unreadable-recording", "recordings", format!("{error:#}"));
            let help = Some("the path counts from the folder of this file".into());
            problems.push(Problem { help, ..problem });
        }
        paths.push(path);
    }
    paths
}

fn show(problems: &[Problem], files: &[File], packages: &Packages, terminal: &Terminal) {
    let mut problems = problems.to_vec();
    // A mistake in rules that several scenarios name is one mistake.
    let mut seen = Vec::new();
    problems.retain(|problem| {
        let is_new = !seen.contains(problem);
        seen.push(problem.clone());
        is_new
    });
    let texts = packages.texts();
    let text_of = |name: &str| {
        let of_files = files.iter().find(|file| file.name() == name).map(|file| file.text.as_str());
        of_files.or_else(|| texts.get(name).map(String::as_str))
    };
    let style = terminal.message_style();
    let _ = report::problems(&mut io::stderr().lock(), &problems, text_of, Detail::Full, style);
}

/// Runs all of them with as many threads as there are processors, and returns the results in their order.
pub(super) fn run_all<T: Send>(count: usize, one: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(count.max(1));
    let mut done: Vec<(usize, T)> = thread::scope(|scope| {
        let work = || {
            let mut mine = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= count {
                    return mine;
                }
                mine.push((index, one(index)));
            }
        };
        let workers: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut all = work();
        for worker in workers {
            all.extend(worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        all
    });
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Runs the scenarios: a suite for each file, and every outcome.
pub(super) fn run(
    files: &[File],
    items: &[(usize, Item)],
    each: impl Fn(&ScenarioOutcome) + Sync,
) -> Result<Vec<Suite>> {
    let cases = run_all(items.len(), |index| match &items[index].1 {
        Item::Ready(ready) => case(ready, &each),
        Item::Empty(problem) => Ok(empty(problem)),
    });
    let mut suites: Vec<Suite> = files.iter().map(|file| Suite { name: file.name(), cases: Vec::new() }).collect();
    for ((file, _), case) in items.iter().zip(cases) {
        suites[*file].cases.push(case?);
    }
    Ok(suites)
}

/// The time a case took is for reports only.
fn case(ready: &Ready, each: &impl Fn(&ScenarioOutcome)) -> Result<Case> {
    let begin = monotonic();
    let (outcome, damage) = ready.run()?;
    each(&outcome);
    let mut case = outcome.case(Some(monotonic().saturating_duration_since(begin).as_secs_f64()));
    if !damage.is_empty() && case.result == CaseResult::Passed {
        let finding = |message| Finding::new("damaged-recording", message, case.place.clone());
        case.result = CaseResult::Inconclusive(damage.into_iter().map(finding).collect());
    }
    Ok(case)
}

impl Ready {
    fn open(&self) -> Result<Option<Recordings>> {
        (!self.recordings.is_empty()).then(|| Recordings::of(&self.recordings)).transpose()
    }

    /// Whether the scenario notices another definition in the place of its own.
    pub(super) fn notices(&self, other: &EventDefinition) -> Result<bool> {
        Ok(self.prepared.notices(other, self.open()?.as_mut().map(|recordings| recordings as &mut dyn Inputs)))
    }

    /// Runs the scenario. With the outcome comes what is wrong with its recordings.
    fn run(&self) -> Result<(ScenarioOutcome, Vec<String>)> {
        let mut recordings = self.open()?;
        let outcome = self.prepared.run(recordings.as_mut().map(|recordings| recordings as &mut dyn Inputs));
        let damage = recordings.filter(Recordings::is_damaged).map(|recordings| recordings.damage());
        Ok((outcome, damage.unwrap_or_default()))
    }
}

fn empty(problem: &Problem) -> Case {
    let place = Some(FileLocation { file: problem.file.clone(), position: problem.position });
    let mut finding = Finding::new(problem.code, &problem.message, place.clone());
    finding.details = problem.help.clone().unwrap_or_default();
    Case::new("no expectation", place, CaseResult::Inconclusive(vec![finding]))
}
