//! From the texts of files to definitions, in two stages: JSON documents with names first, so that overrides can change
//! them, then types. Whatever an override sets is checked by the same code as what stands in a file.

use super::event_definition::{EventDefinition, definition, path_in_file, shape};
use super::object::Object;
use super::overrides::{self, RawDefinition};
use super::params::{Substituted, substitute};
use super::problem::{Finding, Findings, Problem, Severity, locate, mark_length};
use super::syntax;
use jsonc_parser::ast;
use jsonc_parser::common::Ranged;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};

/// The text of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The name of the file in outputs.
    pub path: String,
    /// Its text, with its placeholders.
    pub text: String,
}

/// What is changed while loading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Values of `{{name}}` placeholders.
    pub params: BTreeMap<String, String>,
    /// `DEFINITION[.rules[i]].FIELD=VALUE`, in the order they are applied.
    pub overrides: Vec<String>,
}

/// What was loaded.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The definitions, by name.
    pub definitions: Vec<EventDefinition>,
    /// Every mistake: file by file in the order given, within a file by position; then those of overrides, whose file is
    /// `--set`.
    pub problems: Vec<Problem>,
    /// What is no custom event; each has a warning as well.
    pub left_out: Vec<LeftOut>,
    /// Parameters no loaded file has a placeholder for.
    pub unused_params: Vec<String>,
}

impl Loaded {
    /// True when a file or an override is so wrong that nothing should be evaluated.
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(|p| p.severity == Severity::Error)
    }
}

/// JSON that is no custom event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The file.
    pub file: String,
    /// Its index in a file that holds a list.
    pub index: Option<usize>,
    /// What it is instead.
    pub reason: &'static str,
}

/// Reads one file; names are not made unique against other files.
pub fn parse(file: &str, text: &str) -> (Vec<EventDefinition>, Vec<Problem>) {
    let source = Source { path: file.to_string(), text: text.to_string() };
    let loaded = load(&[source], &Settings::default());
    (loaded.definitions, loaded.problems)
}

/// Reads files into definitions.
pub fn load(sources: &[Source], settings: &Settings) -> Loaded {
    let mut files = open(sources, settings);
    let mut loaded = Loaded { unused_params: unused(&files, settings), ..Loaded::default() };
    name(&mut files);
    let mut documents: Vec<&mut RawDefinition> = files.iter_mut().flat_map(|f| &mut f.documents).collect();
    let refused = overrides::apply(&mut documents, &settings.overrides);
    for file in files {
        file.read(&mut loaded);
    }
    loaded.problems.extend(refused);
    loaded.definitions.sort_by(|a, b| a.name.cmp(&b.name));
    loaded
}

/// One file between the stages.
struct SourceFile<'a> {
    source: &'a Source,
    text: Substituted,
    documents: Vec<RawDefinition>,
    findings: Vec<Finding>,
    left_out: Vec<LeftOut>,
}

/// Opens every file once; a file that is named again adds nothing.
fn open<'a>(sources: &'a [Source], settings: &Settings) -> Vec<SourceFile<'a>> {
    let mut seen = BTreeSet::new();
    let mut files: Vec<SourceFile<'a>> = Vec::new();
    for source in sources {
        let rooted = source.path.starts_with(['/', '\\']) || source.path.starts_with("builtin:");
        let mut file = SourceFile::new(source, settings);
        if seen.insert((rooted, parts(&source.path))) {
            file.open();
        } else {
            let message = "the file is loaded already and not loaded again";
            file.findings.push(Finding::new(Severity::Warning, "loaded-twice", None, message.to_string()));
        }
        files.push(file);
    }
    files
}

fn name(files: &mut [SourceFile<'_>]) {
    let origins: Vec<Origin<'_>> =
        files.iter().flat_map(|f| f.documents.iter().map(|d| (f.source.path.as_str(), d.index))).collect();
    let mut names = unique(&origins).into_iter();
    for document in files.iter_mut().flat_map(|f| &mut f.documents) {
        document.name = names.next().unwrap_or_default();
    }
}

fn unused(files: &[SourceFile<'_>], settings: &Settings) -> Vec<String> {
    let loaded = files.iter().filter(|f| !f.documents.is_empty() || f.has_errors());
    let used: BTreeSet<&str> = loaded.flat_map(|f| &f.text.placeholders).map(|p| p.name.as_str()).collect();
    settings.params.keys().filter(|name| !used.contains(name.as_str())).cloned().collect()
}

impl<'a> SourceFile<'a> {
    fn new(source: &'a Source, settings: &Settings) -> Self {
        let text = substitute(&source.text[mark_length(&source.text)..], &settings.params);
        SourceFile { source, text, documents: Vec::new(), findings: Vec::new(), left_out: Vec::new() }
    }

    fn has_errors(&self) -> bool {
        self.findings.iter().any(|f| f.problem.severity == Severity::Error)
    }

    /// The first stage: text to JSON documents.
    fn open(&mut self) {
        match syntax::json(&self.text) {
            Err(finding) => self.findings.push(*finding),
            Ok(Json::Array(list)) if list.is_empty() => self.leave_out(None, "an empty list"),
            Ok(Json::Array(list)) => list.into_iter().enumerate().for_each(|(i, element)| self.take(Some(i), element)),
            Ok(json @ Json::Object(_)) => self.take(None, json),
            Ok(_) => {
                let (message, range) = ("the file must hold an object or a list of objects", (0, self.text.text.len()));
                self.findings.push(Finding::new(Severity::Error, "wrong-type", Some(range), message.to_string()));
            }
        }
    }

    fn take(&mut self, index: Option<usize>, json: Json) {
        match shape(&json) {
            Ok(()) => {
                self.documents.push(RawDefinition { name: String::new(), index, json, applied: Vec::new() });
            }
            Err(reason) => self.leave_out(index, reason),
        }
    }

    fn leave_out(&mut self, index: Option<usize>, reason: &'static str) {
        self.left_out.push(LeftOut { file: self.source.path.clone(), index, reason });
    }

    /// The second stage: JSON documents to definitions.
    fn read(mut self, loaded: &mut Loaded) {
        let tree = if self.has_errors() { None } else { syntax::tree(&self.text.text) };
        let mut findings = std::mem::take(&mut self.findings);
        findings.extend(self.left_out.iter().map(|left_out| not_an_event(left_out, tree.as_ref())));
        if !self.documents.is_empty() {
            findings.extend(syntax::unset_placeholders(&self.text));
        }
        for document in &self.documents {
            let Some(map) = document.json.as_object() else { continue };
            let tree = element(tree.as_ref(), document.index).and_then(ast::Value::as_object);
            let own = Findings::of(&self.text.text);
            let object = Object { map, tree, path: String::new(), findings: &own };
            let read = definition(&object, &document.name, &self.source.path);
            let mut own = own.into_list();
            for finding in &mut own {
                overrides::explain(finding, &document.applied);
                finding.problem.path = path_in_file(document.index, &finding.problem.path);
            }
            let problem =
                own.iter().find(|f| f.problem.severity == Severity::Unevaluable).map(|f| f.problem.message.clone());
            loaded.definitions.extend(read.map(|d| EventDefinition { index: document.index, problem, ..d }));
            findings.extend(own);
        }
        loaded.problems.extend(locate(&self.source.path, &self.source.text, &self.text, findings));
        loaded.left_out.append(&mut self.left_out);
    }
}

fn not_an_event(left_out: &LeftOut, tree: Option<&ast::Value<'_>>) -> Finding {
    let range = element(tree, left_out.index).map(|value| (value.start(), value.start() + 1));
    let what = left_out.index.map_or("the file holds".to_string(), |i| format!("element {i} is"));
    let message = format!("{what} {}, not a custom event, and is left out", left_out.reason);
    let mut finding = Finding::new(Severity::Warning, "not-an-event", range, message);
    finding.problem.path = path_in_file(left_out.index, "");
    finding
}

fn element<'t, 'a>(tree: Option<&'t ast::Value<'a>>, index: Option<usize>) -> Option<&'t ast::Value<'a>> {
    match index {
        Some(i) => tree?.as_array()?.elements.get(i),
        None => tree,
    }
}

/// The folders and the name of a file, without `.` parts and without the prefix of embedded packages.
fn parts(file: &str) -> Vec<&str> {
    let file = file.strip_prefix("builtin:").unwrap_or(file);
    file.split(['/', '\\']).filter(|part| !part.is_empty() && *part != ".").collect()
}

/// A file as the caller named it, and the index of a definition in it when it holds a list: what a name is made from.
type Origin<'a> = (&'a str, Option<usize>);

/// A name for each origin, all different: the file name when that is enough, and as much of the path as it takes when it is
/// not. Works on the text of paths, with both separators, so that names do not depend on the machine.
///
/// Definitions that would share a name all take the next longer one: with the package's folder, with the folders below
/// `events`, then with one folder more each time. What is still the same at the end is numbered.
fn unique(origins: &[Origin<'_>]) -> Vec<String> {
    let forms: Vec<Vec<String>> = origins.iter().map(|origin| forms(*origin)).collect();
    let mut level = vec![0; forms.len()];
    let name = |i: usize, level: &[usize]| forms[i][level[i]].clone();
    loop {
        let mut raised = false;
        for group in groups((0..forms.len()).map(|i| name(i, &level))) {
            for i in group {
                if level[i] + 1 < forms[i].len() {
                    level[i] += 1;
                    raised = true;
                }
            }
        }
        if !raised {
            break;
        }
    }
    let mut taken = BTreeSet::new();
    (0..forms.len())
        .map(|i| {
            let plain = name(i, &level);
            let mut chosen = plain.clone();
            let mut n = 1;
            while !taken.insert(chosen.clone()) {
                n += 1;
                chosen = format!("{plain}#{n}");
            }
            chosen
        })
        .collect()
}

/// The members of each name that several have.
fn groups(names: impl Iterator<Item = String>) -> Vec<Vec<usize>> {
    let mut by_name: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (i, name) in names.enumerate() {
        by_name.entry(name).or_default().push(i);
    }
    by_name.into_values().filter(|group| group.len() > 1).collect()
}

/// The names an origin can have, shortest first, each different from the one before.
fn forms((file, index): Origin<'_>) -> Vec<String> {
    let parts = parts(file);
    let (folders, last) = match parts.split_last() {
        Some((last, folders)) => (folders, *last),
        None => (&[][..], ""),
    };
    let split = last.len().saturating_sub(".json".len());
    let has_extension = last.get(split..).is_some_and(|extension| extension.eq_ignore_ascii_case(".json"));
    let stem = if has_extension { &last[..split] } else { last };
    let (above, below) = match folders.iter().rposition(|part| *part == "events") {
        Some(at) if at > 0 => (&folders[..at], &folders[at + 1..]),
        _ => (folders, &[][..]),
    };
    let mut forms = vec![stem.to_string()];
    if let Some((package, _)) = above.split_last() {
        forms.push(format!("{package}/{stem}"));
    }
    for from in (0..above.len()).rev() {
        let path: Vec<&str> = above[from..].iter().chain(below).copied().collect();
        forms.push(format!("{}/{stem}", path.join("/")));
    }
    forms.dedup();
    let index = index.map(|i| format!("-{i}")).unwrap_or_default();
    forms.into_iter().map(|form| form + &index).collect()
}
