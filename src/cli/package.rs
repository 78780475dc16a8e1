//! `tune --write`: a package once more with the proposed numbers in it. Nothing is written before everything is known to be right.

use super::error::CliError;
use super::output::Terminal;
use super::rules::RulesArgs;
use super::tune::Swept;
use crate::definition::{EventDefinition, RuleKind, Settings, Source, load};
use crate::tune::{Answer, Edit, edit, number, raise_version};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Folders that are no part of a package.
const LEFT_OUT: [&str; 2] = [".git", "node_modules"];
/// Folders are followed this deep.
const DEEPEST: usize = 16;

/// Options that write.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Writing")]
pub(super) struct WriteArgs {
    /// Write the package of --rules with the proposed numbers: into a new folder, or into its own to change it in place
    #[arg(long, value_name = "DIR")]
    write: Option<PathBuf>,
    /// Also write values of low confidence: based on less than 24 hours or 3 instances
    #[arg(long)]
    accept_provisional: bool,
}

/// What was written.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// Nothing was asked for, or there was nothing to change.
    Nothing,
    /// The package.
    Package,
    /// Nothing, because every value is provisional.
    Provisional,
}

impl WriteArgs {
    /// Refuses what cannot be written, before anything is judged.
    pub(super) fn check(&self, rules: &RulesArgs, windows: usize) -> Result<(), CliError> {
        let Some(target) = &self.write else {
            return if self.accept_provisional {
                Err(refused("--accept-provisional", "it needs --write"))
            } else {
                Ok(())
            };
        };
        if windows > 0 {
            return Err(refused("--window", "only thresholds are written; change the window in the rules, then tune"));
        }
        if rules.has_overrides() {
            return Err(refused("--set", "it changes the rules for this run only; change the rules, then tune"));
        }
        let [root] = rules.paths() else {
            return Err(refused("--write", "name one package with --rules"));
        };
        if target.exists() && !is_same(root, target) {
            let mut entries = fs::read_dir(target).map_err(|source| failed(target, source))?;
            if entries.next().is_some() {
                return Err(refused(
                    &format!("--write {}", target.display()),
                    "the folder is not empty; name a new one, or that of the rules to change them in place",
                ));
            }
        }
        if let (Ok(root), Some(parent)) = (root.canonicalize(), target.parent())
            && let Ok(parent) = if parent.as_os_str().is_empty() { Path::new(".") } else { parent }.canonicalize()
            && parent.starts_with(&root)
            && !is_same(&root, target)
        {
            return Err(refused(&format!("--write {}", target.display()), "the folder lies inside the package"));
        }
        Ok(())
    }

    /// Writes what is proposed.
    pub(super) fn write(&self, rules: &RulesArgs, swept: &Swept, terminal: &Terminal) -> Result<Written, CliError> {
        let (Some(target), [root]) = (&self.write, rules.paths()) else { return Ok(Written::Nothing) };
        let changes = self.changes(swept, terminal);
        if changes.is_empty() {
            let proposed = swept.tuned.answers.iter().any(|answer| answer.change().is_some());
            if proposed {
                terminal.note(
                    "nothing was written: every proposed value has low confidence; --accept-provisional writes it",
                );
                return Ok(Written::Provisional);
            }
            terminal.note("nothing was written: no value changes");
            return Ok(Written::Nothing);
        }
        let mut package = Package::read(root, rules)?;
        let line = package.apply(swept, &changes, rules)?;
        let in_place = is_same(root, target);
        package.write(target, in_place)?;
        terminal.note(&format!("wrote {}", target.display()));
        terminal.note(&format!("changelog: {line}"));
        Ok(Written::Package)
    }

    /// The answers that are written: of a definition one, because each was found with the other rules as they are.
    fn changes<'a>(&self, swept: &'a Swept, terminal: &Terminal) -> Vec<(&'a Answer, f64)> {
        let mut changes: Vec<(&Answer, f64)> = Vec::new();
        for answer in &swept.tuned.answers {
            let Some(value) = answer.change() else { continue };
            let name = &swept.definitions[answer.question.definition].name;
            if answer.basis.is_provisional() && !self.accept_provisional {
                terminal.note(&format!("{name}: not written, low confidence (--accept-provisional writes it)"));
            } else if changes.iter().any(|(other, _)| other.question.definition == answer.question.definition) {
                let rule = answer.question.rule;
                terminal.note(&format!("{name} rules[{rule}]: not written; tune again with the other rule changed"));
            } else {
                changes.push((answer, value));
            }
        }
        changes
    }
}

/// The files of a package: paths inside it, and what they hold.
struct Package {
    files: Vec<File>,
    /// The texts as they are loaded.
    sources: Vec<Source>,
}

struct File {
    inside: PathBuf,
    /// Where it lies; `None` for what is part of the program.
    on_disk: Option<PathBuf>,
    /// The path that definitions name it by.
    named: String,
    /// What it shall hold, when that is not what it holds.
    text: Option<String>,
}

impl Package {
    fn read(root: &Path, rules: &RulesArgs) -> Result<Self, CliError> {
        let sources = rules.sources()?;
        let mut files = Vec::new();
        if let Some(name) = root.to_str().and_then(|text| text.strip_prefix("builtin:")) {
            let prefix = format!("builtin:{name}/");
            for source in crate::definition::builtin_package(name) {
                let inside = PathBuf::from(source.path.strip_prefix(&prefix).unwrap_or(&source.path));
                files.push(File { inside, on_disk: None, named: source.path, text: Some(source.text) });
            }
        } else if root.is_dir() {
            collect(root, Path::new(""), 0, &mut files)?;
        } else {
            let inside = root.file_name().map(PathBuf::from).unwrap_or_default();
            files.push(File {
                inside,
                on_disk: Some(root.to_path_buf()),
                named: root.display().to_string(),
                text: None,
            });
        }
        Ok(Package { files, sources })
    }

    /// Puts the values into the texts and raises the version; the line for the changelog comes back.
    fn apply(&mut self, swept: &Swept, changes: &[(&Answer, f64)], rules: &RulesArgs) -> Result<String, CliError> {
        let params = rules.params();
        let mut edits: BTreeMap<&str, Vec<Edit>> = BTreeMap::new();
        let mut told = Vec::new();
        for (answer, value) in changes {
            let definition = &swept.definitions[answer.question.definition];
            let path = definition.path_in_file(&format!("rules[{}].conditionValue", answer.question.rule));
            let from = answer.condition.value;
            edits.entry(&definition.file).or_default().push(Edit { path, from, to: *value });
            let operator = answer.condition.operator.as_str();
            told.push(format!("{} {operator} {} (was {})", definition.name, number(*value), number(from)));
        }
        for (file, edits) in edits {
            let Some(source) = self.sources.iter_mut().find(|source| source.path == file) else { continue };
            source.text = edit(source, &params, &edits).map_err(|error| CliError::Package(Box::new(error)))?;
            if let Some(file) = self.files.iter_mut().find(|of| of.named == file) {
                file.text = Some(source.text.clone());
            }
        }
        self.verify(swept, changes, params)?;
        let version = self.raise_version()?;
        Ok(format!("{version}{}", told.join(", ")))
    }

    /// The texts must read back as what was proposed and as nothing else.
    fn verify(
        &self,
        swept: &Swept,
        changes: &[(&Answer, f64)],
        params: BTreeMap<String, String>,
    ) -> Result<(), CliError> {
        let loaded = load(&self.sources, &Settings { params, overrides: Vec::new() });
        let mut wanted: Vec<EventDefinition> = swept.definitions.clone();
        for (answer, value) in changes {
            let rule = &mut wanted[answer.question.definition].rules[answer.question.rule];
            if let RuleKind::Threshold(threshold) = &mut rule.kind {
                threshold.condition.value = *value;
            }
        }
        let said = |definitions: &[EventDefinition]| -> Vec<(String, Vec<String>)> {
            let rules = |of: &EventDefinition| of.rules.iter().map(|rule| format!("{:?}", rule.kind)).collect();
            definitions.iter().map(|of| (of.name.clone(), rules(of))).collect()
        };
        if said(&loaded.definitions) == said(&wanted) {
            return Ok(());
        }
        let what = "the edited rules do not read back as proposed; nothing was written";
        Err(CliError::Limit { what: what.to_string() })
    }

    fn raise_version(&mut self) -> Result<String, CliError> {
        let Some(file) = self.files.iter_mut().find(|file| file.inside == Path::new("package.json")) else {
            return Ok(String::new());
        };
        let text = match (&file.text, &file.on_disk) {
            (Some(text), _) => text.clone(),
            (None, Some(path)) => fs::read_to_string(path).map_err(|source| failed(path, source))?,
            (None, None) => return Ok(String::new()),
        };
        let source = Source { path: file.named.clone(), text };
        let (text, _, new) = raise_version(&source).map_err(|error| CliError::Package(Box::new(error)))?;
        file.text = Some(text);
        Ok(format!("{new}: "))
    }

    fn write(&self, target: &Path, in_place: bool) -> Result<(), CliError> {
        // A single file that is changed in place is its own target.
        let place = |file: &File| if target.is_file() { target.to_path_buf() } else { target.join(&file.inside) };
        for file in self.files.iter().filter(|file| !in_place || file.text.is_some()) {
            let to = place(file);
            if let Some(folder) = to.parent() {
                fs::create_dir_all(folder).map_err(|source| failed(folder, source))?;
            }
            let written = match (&file.text, &file.on_disk) {
                (Some(text), _) => fs::write(&to, text),
                (None, Some(from)) => fs::copy(from, &to).map(drop),
                (None, None) => Ok(()),
            };
            written.map_err(|source| failed(&to, source))?;
        }
        Ok(())
    }
}

fn collect(root: &Path, inside: &Path, depth: usize, files: &mut Vec<File>) -> Result<(), CliError> {
    let folder = root.join(inside);
    if depth > DEEPEST {
        return Err(CliError::TooDeep { path: folder.display().to_string(), limit: DEEPEST });
    }
    for entry in fs::read_dir(&folder).map_err(|source| failed(&folder, source))? {
        let path = entry.map_err(|source| failed(&folder, source))?.path();
        let Some(name) = path.file_name() else { continue };
        let inside = inside.join(name);
        if path.is_dir() {
            if !LEFT_OUT.iter().any(|left_out| name == *left_out) {
                collect(root, &inside, depth + 1, files)?;
            }
        } else {
            files.push(File { inside, named: path.display().to_string(), on_disk: Some(path), text: None });
        }
    }
    Ok(())
}

fn is_same(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

fn failed(path: &Path, source: io::Error) -> CliError {
    CliError::Output { to: path.display().to_string(), source }
}

fn refused(option: &str, why: &str) -> CliError {
    CliError::Limit { what: format!("{option}: {why}") }
}
