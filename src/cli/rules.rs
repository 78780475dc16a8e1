//! Which rules are meant: paths and built-in packages, read into definitions, with every mistake shown.
//!
//! A folder is read recursively in the order of its names; of a folder with an `events` folder only that. Nothing is evaluated
//! when a rule has an error.

use super::output::{Terminal, read_text};
use crate::definition::{EventDefinition, Loaded, Problem, Settings, Severity, Source, builtin, load, position_of};
use crate::gate::FileLocation;
use crate::report::{self, Detail};
use anyhow::{Context, Result, anyhow, bail};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use uuid::Uuid;

/// Folders are followed this deep.
const DEEPEST: usize = 16;

/// Options of every command that takes rules.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Rules")]
pub(super) struct RulesArgs {
    /// A package folder, a folder of events, one event, a JSON array as exported, builtin:python, builtin:local, or any of
    /// the first of a git revision (main:rules/python); repeatable
    #[arg(long, value_name = "PATH")]
    pub(super) rules: Vec<PathBuf>,
    /// Value of a {{name}} placeholder in the rules; repeatable
    #[arg(long, value_name = "NAME=VALUE", value_parser = param)]
    pub(super) param: Vec<(String, String)>,
    /// Change a field for this run, as in high-cpu-utilization.conditionValue=0.9; repeatable
    #[arg(long, value_name = "DEFINITION.FIELD=VALUE")]
    pub(super) set: Vec<String>,
}

/// Rules to evaluate.
pub(super) struct Rules {
    pub(super) definitions: Vec<EventDefinition>,
    /// Differs when names, texts, parameters or changes do.
    pub(super) digest: String,
    pub(super) places: Places,
}

/// Where the rules stand.
pub(super) struct Places {
    sources: Vec<Source>,
    params: BTreeMap<String, String>,
}

impl Places {
    /// The place of a definition, or of the value at a path in it, to be fixed there; `None` for the built-in rules.
    pub(super) fn of(&self, definition: &EventDefinition, path: &str) -> Option<FileLocation> {
        if definition.file.starts_with("builtin:") {
            return None;
        }
        // A file that holds nothing else needs no position.
        if path.is_empty() && definition.index.is_none() {
            return Some(FileLocation { file: definition.file.clone(), position: None });
        }
        let source = self.sources.iter().find(|source| source.path == definition.file);
        let position =
            source.and_then(|source| position_of(&source.text, &self.params, &definition.path_in_file(path)));
        Some(FileLocation { file: definition.file.clone(), position })
    }
}

impl RulesArgs {
    /// Whether rules are named: then they are the user's own.
    pub(super) fn are_named(&self) -> bool {
        !self.rules.is_empty()
    }

    /// Loads the rules and prints what is wrong with them.
    pub(super) fn load(&self, terminal: &Terminal) -> Result<Rules> {
        let sources = self.sources()?;
        let settings = Settings { params: self.params(), overrides: self.set.clone() };
        let loaded = load(&sources, &settings);
        self.report(&loaded, &sources, terminal);
        let errors = loaded.problems.iter().filter(|problem| problem.severity == Severity::Error).count();
        if errors > 0 {
            bail!("{errors} error{} in the rules: nothing was evaluated", if errors == 1 { "" } else { "s" });
        }
        if loaded.definitions.is_empty() {
            let places: Vec<String> = self.rules.iter().map(|path| path.display().to_string()).collect();
            let places = places.join(", ");
            bail!("no event definition in {places}; name a package folder, a folder of events, or a file");
        }
        let digest = self.digest(&loaded.definitions, &sources);
        let definitions = loaded.definitions;
        Ok(Rules { definitions, digest, places: Places { sources, params: settings.params } })
    }

    /// A digest of everything that makes the definitions what they are. Where they lie does not count.
    fn digest(&self, definitions: &[EventDefinition], sources: &[Source]) -> String {
        let mut bytes = Vec::new();
        let names = definitions.iter().map(|definition| definition.name.as_str());
        let texts = sources.iter().map(|source| source.text.as_str());
        let params = self.param.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]);
        for part in names.chain(texts).chain(params).chain(self.set.iter().map(String::as_str)) {
            bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        Uuid::new_v5(&Uuid::NAMESPACE_OID, &bytes).to_string()
    }

    /// The texts.
    pub(super) fn sources(&self) -> Result<Vec<Source>> {
        if self.rules.is_empty() {
            return Ok(builtin());
        }
        let mut all = Vec::new();
        for path in &self.rules {
            all.extend(sources(path)?);
        }
        Ok(all)
    }

    /// The values of placeholders.
    pub(super) fn params(&self) -> BTreeMap<String, String> {
        self.param.iter().cloned().collect()
    }

    /// Prints the problems. The built-in rules cannot be changed here, so their warnings are printed with -v only, and the
    /// warning that our own are not of the published format never.
    fn report(&self, loaded: &Loaded, sources: &[Source], terminal: &Terminal) {
        let is_shown = |problem: &Problem| match problem.severity {
            Severity::Error => true,
            Severity::Unevaluable => !terminal.quiet,
            Severity::Warning if terminal.quiet => false,
            Severity::Warning if problem.file.starts_with("builtin:") => {
                terminal.detail == Detail::Full && problem.code != "not-importable"
            }
            Severity::Warning => true,
        };
        let shown: Vec<Problem> = loaded.problems.iter().filter(|problem| is_shown(problem)).cloned().collect();
        let text_of = |file: &str| sources.iter().find(|source| source.path == file).map(|source| source.text.as_str());
        let style = terminal.message_style();
        let _ = report::problems(&mut io::stderr().lock(), &shown, text_of, terminal.detail, style);
        for name in &loaded.unused_params {
            terminal.warn(&format!("--param {name}: no rule has a placeholder {{{{{name}}}}}"));
        }
    }
}

/// The files that a path, a path in a git revision, or the name of a built-in package means.
pub(super) fn sources(path: &Path) -> Result<Vec<Source>> {
    let text = path.to_str().unwrap_or_default();
    if let Some(name) = text.strip_prefix("builtin:") {
        return package(name);
    }
    if let Some((revision, inside)) = revision(text).filter(|_| !path.exists()) {
        let rules = format!("{revision}:{inside}");
        return in_revision(revision, inside).with_context(|| format!("cannot read the rules {rules}"));
    }
    let mut sources = Vec::new();
    collect(path, 0, &mut sources)?;
    Ok(sources)
}

/// The files of a built-in package.
fn package(name: &str) -> Result<Vec<Source>> {
    let prefix = format!("builtin:{name}/");
    let files: Vec<Source> = builtin().into_iter().filter(|source| source.path.starts_with(&prefix)).collect();
    if files.is_empty() {
        bail!("there are no built-in rules `{name}`; there are `builtin:python` and `builtin:local`");
    }
    Ok(files)
}

/// Reads a file, or the files of a folder in the order of their names.
fn collect(path: &Path, depth: usize, sources: &mut Vec<Source>) -> Result<()> {
    let failed = || format!("cannot read the rules {}", path.display());
    if !fs::metadata(path).with_context(failed)?.is_dir() {
        let text = read_text(path).with_context(failed)?;
        sources.push(Source { path: path.display().to_string(), text });
        return Ok(());
    }
    check_depth(path, depth)?;
    let events = path.join("events");
    if events.is_dir() {
        return collect(&events, depth + 1, sources);
    }
    let entries = fs::read_dir(path).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    let mut entries: Vec<PathBuf> = entries.with_context(failed)?;
    entries.sort();
    for entry in entries {
        let is_json = entry.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
        if is_json || entry.is_dir() {
            collect(&entry, depth + 1, sources)?;
        }
    }
    Ok(())
}

/// Refuses folders that are nested too deeply.
pub(super) fn check_depth(folder: &Path, depth: usize) -> Result<()> {
    if depth > DEEPEST {
        let folder = folder.display();
        bail!("the folder {folder} is nested more than {DEEPEST} levels deep; does a link lead back into it?");
    }
    Ok(())
}

/// The revision and the path in it, when a text looks like `main:rules/python`.
fn revision(text: &str) -> Option<(&str, &str)> {
    let (revision, path) = text.split_once(':')?;
    // One letter is a drive of Windows, and a dash would begin an option.
    (revision.len() > 1 && !revision.starts_with('-') && revision != "builtin").then_some((revision, path))
}

/// The definition files of a folder, or a file, as they are in a revision; paths count from the top of the repository. They are
/// read by the `git` that is installed.
fn in_revision(revision: &str, path: &str) -> Result<Vec<Source>> {
    let path = path.trim_matches('/');
    let mut list = vec!["ls-tree", "-r", "-z", "--name-only", "--full-tree", revision];
    if !path.is_empty() {
        list.extend(["--", path]);
    }
    let listed = git(&list)?;
    let files: Vec<&str> = listed.split('\0').filter(|file| !file.is_empty()).collect();
    if files.is_empty() {
        bail!("there is no such file or folder in that revision; paths count from the top of the repository");
    }
    let events = if path.is_empty() { "events/".to_string() } else { format!("{path}/events/") };
    let has_events = files.iter().any(|file| file.starts_with(&events));
    let is_meant = |file: &&str| {
        let is_json = file.rsplit_once('.').is_some_and(|(_, extension)| extension.eq_ignore_ascii_case("json"));
        *file == path || (is_json && (!has_events || file.starts_with(&events)))
    };
    let read = |file: &str| {
        let object = format!("{revision}:{file}");
        Ok(Source { text: git(&["cat-file", "blob", &object])?, path: object })
    };
    files.into_iter().filter(is_meant).map(read).collect()
}

/// What git prints; what it complains about as an error.
fn git(arguments: &[&str]) -> Result<String> {
    let output = Command::new("git").args(arguments).output();
    let output = output.map_err(|error| anyhow!("git cannot be run: {error}; install it, or name a folder"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let line = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("git failed").trim();
        bail!("git says: {}", line.trim_start_matches("fatal: "));
    }
    String::from_utf8(output.stdout).map_err(|_| anyhow!("a file is not UTF-8 text; save it as UTF-8"))
}

pub(super) fn param(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_string(), value.to_string())),
        _ => Err("write NAME=VALUE".into()),
    }
}
