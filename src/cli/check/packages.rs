//! The rules that scenarios name: each package is read once, however many scenarios want it.
//!
//! Paths count from the folder of the scenario file. Rules of the command line take the place of all of them. Only
//! errors that keep a rule from being read are reported; findings against the published format belong to other commands.

use crate::cli::output::{Terminal, is_same, without_dots};
use crate::cli::rules::{self, Rules, RulesArgs};
use crate::definition::{self, EventDefinition, Position, Problem, Settings, Severity, Source};
use anyhow::{Result, bail};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// The packages that were read so far.
pub(super) struct Packages {
    params: BTreeMap<String, String>,
    /// The rules of the command line.
    given: Option<Rules>,
    read: RefCell<HashMap<PathBuf, Result<Vec<EventDefinition>, Refused>>>,
    /// What was read, for messages that show a line.
    sources: RefCell<HashMap<String, Source>>,
}

/// Why a package cannot be had.
#[derive(Clone)]
enum Refused {
    Mistakes(Vec<Problem>),
    Unreadable(String),
}

impl Packages {
    pub(super) fn new(args: &RulesArgs, terminal: &Terminal) -> Result<Self> {
        if !args.set.is_empty() && !args.are_named() {
            bail!("--set changes the rules that --rules names: name them");
        }
        let given = if args.are_named() { Some(args.load(terminal)?) } else { None };
        Ok(Packages { params: args.params(), given, read: RefCell::default(), sources: RefCell::default() })
    }

    /// The rules that a scenario in `file` names.
    pub(super) fn rules(&self, file: &Path, name: &str) -> Result<Vec<EventDefinition>, Vec<Problem>> {
        if let Some(given) = &self.given {
            return Ok(given.definitions.clone());
        }
        let path = if name.starts_with("builtin:") { PathBuf::from(name) } else { beside(file, name) };
        let mut read = self.read.borrow_mut();
        let found = read.entry(path).or_insert_with_key(|path| self.load(path));
        found.clone().map_err(|refused| match refused {
            Refused::Mistakes(problems) => problems,
            Refused::Unreadable(message) => vec![Problem {
                severity: Severity::Error,
                code: "unreadable-rules",
                file: file.display().to_string(),
                position: None,
                path: "rules".into(),
                message,
                help: Some("builtin:python, builtin:local, or a path from the folder of this file".into()),
            }],
        })
    }

    fn load(&self, path: &Path) -> Result<Vec<EventDefinition>, Refused> {
        let sources = rules::sources(path).map_err(|error| Refused::Unreadable(format!("{error:#}")))?;
        let loaded = definition::load(&sources, &Settings { params: self.params.clone(), overrides: Vec::new() });
        self.sources.borrow_mut().extend(sources.into_iter().map(|source| (source.path.clone(), source)));
        if loaded.has_errors() {
            let errors = loaded.problems.into_iter().filter(|problem| problem.severity == Severity::Error);
            return Err(Refused::Mistakes(errors.collect()));
        }
        if loaded.definitions.is_empty() {
            return Err(Refused::Unreadable(format!("no event definition in {}", path.display())));
        }
        Ok(loaded.definitions)
    }

    /// The texts that were read, by file.
    pub(super) fn texts(&self) -> HashMap<String, String> {
        self.sources.borrow().iter().map(|(file, source)| (file.clone(), source.text.clone())).collect()
    }

    /// The position of a field of a definition, or of what it is a part of.
    pub(super) fn position(&self, definition: &EventDefinition, path: &str) -> Option<Position> {
        if let Some(given) = &self.given {
            let place = given.places.of(definition, path);
            return place.and_then(|place| place.position);
        }
        let sources = self.sources.borrow();
        let source = sources.get(&definition.file)?;
        let whole = path.split_once('.').map_or("", |(whole, _)| whole);
        let of = |path: &str| definition::position_of(&source.text, &self.params, &definition.path_in_file(path));
        of(path).or_else(|| of(whole))
    }
}

/// A path that counts from the folder of a file. `a/../b` becomes `b` where that is the same, so that reports name files the
/// way people and other tools do.
pub(super) fn beside(file: &Path, name: &str) -> PathBuf {
    let path = file.parent().unwrap_or(Path::new("")).join(name);
    let short = without_dots(&path);
    if is_same(&short, &path) { short } else { path }
}
