//! Which rules are meant: paths and built-in packages, read into definitions, with every mistake shown.
//!
//! A folder is read recursively in the order of its names; of a folder with an `events` folder only that. Nothing is evaluated
//! when a rule has an error.

use super::error::CliError;
use super::git;
use super::output::Terminal;
use crate::definition::{EventDefinition, Loaded, Problem, Settings, Severity, Source, builtin, load, position_of};
use crate::gate::FileLocation;
use crate::report;
use crate::report::Detail;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
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
    rules: Vec<PathBuf>,
    /// Value of a {{name}} placeholder in the rules; repeatable
    #[arg(long, value_name = "NAME=VALUE", value_parser = param)]
    param: Vec<(String, String)>,
    /// Change a field for this run, as in high-cpu-utilization.conditionValue=0.9; repeatable
    #[arg(long, value_name = "DEFINITION.FIELD=VALUE")]
    set: Vec<String>,
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

    /// The rules of one path, with values of placeholders.
    pub(super) fn of(path: PathBuf, param: Vec<(String, String)>) -> Self {
        RulesArgs { rules: vec![path], param, set: Vec::new() }
    }

    /// Where they are, as typed.
    pub(super) fn paths(&self) -> &[PathBuf] {
        &self.rules
    }

    /// Loads the rules and prints what is wrong with them.
    pub(super) fn load(&self, terminal: &Terminal) -> Result<Rules, CliError> {
        let sources = self.sources()?;
        let settings = Settings { params: self.params(), overrides: self.set.clone() };
        let loaded = load(&sources, &settings);
        self.report(&loaded, &sources, terminal);
        let errors = loaded.problems.iter().filter(|problem| problem.severity == Severity::Error).count();
        if errors > 0 {
            let count = if errors == 1 { "1 error".to_string() } else { format!("{errors} errors") };
            return Err(CliError::BrokenRules { count });
        }
        if loaded.definitions.is_empty() {
            let places: Vec<String> = self.rules.iter().map(|path| path.display().to_string()).collect();
            return Err(CliError::NoDefinition { places: places.join(", ") });
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
    pub(super) fn sources(&self) -> Result<Vec<Source>, CliError> {
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

    /// Whether fields are to be changed.
    pub(super) fn has_overrides(&self) -> bool {
        !self.set.is_empty()
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
pub(super) fn sources(path: &Path) -> Result<Vec<Source>, CliError> {
    let mut sources = Vec::new();
    match path.to_str().and_then(|text| text.strip_prefix("builtin:")) {
        Some(name) => sources.extend(package(name)?),
        None => match path.to_str().and_then(git::revision).filter(|_| !path.exists()) {
            Some((revision, inside)) => sources.extend(git::sources(revision, inside)?),
            None => collect(path, 0, &mut sources)?,
        },
    }
    Ok(sources)
}

/// The files of a built-in package.
fn package(name: &str) -> Result<Vec<Source>, CliError> {
    let prefix = format!("builtin:{name}/");
    let files: Vec<Source> = builtin().into_iter().filter(|source| source.path.starts_with(&prefix)).collect();
    if files.is_empty() { Err(CliError::NoBuiltin { name: name.to_string() }) } else { Ok(files) }
}

/// Reads a file, or the files of a folder in the order of their names.
fn collect(path: &Path, depth: usize, sources: &mut Vec<Source>) -> Result<(), CliError> {
    let failed = |source: io::Error| CliError::Rules { path: path.display().to_string(), source };
    let metadata = fs::metadata(path).map_err(failed)?;
    if !metadata.is_dir() {
        let bytes = fs::read(path).map_err(failed)?;
        let text = String::from_utf8(bytes).map_err(|_| {
            failed(io::Error::new(io::ErrorKind::InvalidData, "the file is not UTF-8 text; save it as UTF-8"))
        })?;
        sources.push(Source { path: path.display().to_string(), text });
        return Ok(());
    }
    if depth > DEEPEST {
        return Err(CliError::TooDeep { path: path.display().to_string(), limit: DEEPEST });
    }
    let events = path.join("events");
    if events.is_dir() {
        return collect(&events, depth + 1, sources);
    }
    let mut entries: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        entries.push(entry.map_err(failed)?.path());
    }
    entries.sort();
    for entry in entries {
        let is_json = entry.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
        if is_json || entry.is_dir() {
            collect(&entry, depth + 1, sources)?;
        }
    }
    Ok(())
}

pub(super) fn param(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_string(), value.to_string())),
        _ => Err("write NAME=VALUE".into()),
    }
}
