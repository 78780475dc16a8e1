//! Proposals taken back into the files of a package: the numbers, the version, and a line for its changelog.
//!
//! Invariant: the new texts read back as what was proposed and as nothing else, or there is an error. Absent on purpose: files;
//! the caller reads and writes them.

use super::edit::{Edit, EditError, edit, number, raise_version};
use super::result::{ThresholdResult, Tuned};
use crate::definition::{EventDefinition, Settings, Source, load};
use std::collections::BTreeMap;

/// A file of a package. Paths are relative to the package.
#[derive(Clone, Debug)]
pub struct PackageFile {
    pub path: String,
    /// The path that definitions name it by.
    pub named: String,
    /// Its new text, when that is not the one it has.
    pub text: Option<String>,
}

/// The files of a package.
#[derive(Clone, Debug)]
pub struct Package {
    pub files: Vec<PackageFile>,
    /// The texts with definitions.
    pub sources: Vec<Source>,
    /// `package.json`, if there is one.
    pub version: Option<Source>,
    pub params: BTreeMap<String, String>,
}

/// Why a package cannot be edited.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackageError {
    #[error("{0}")]
    Edit(#[from] EditError),
    #[error("the edited rules do not read back as proposed")]
    DoesNotReadBack,
}

/// The proposals that are written, with their values.
#[derive(Debug, Default)]
pub struct Writable<'a> {
    pub changes: Vec<(&'a ThresholdResult, f64)>,
    /// Why others are not, one sentence each.
    pub notes: Vec<String>,
}

/// Of a definition one proposal is written, because each was found with the other rules as they are.
pub fn writable<'a>(tuned: &'a Tuned, definitions: &[EventDefinition], accept_provisional: bool) -> Writable<'a> {
    let mut found = Writable::default();
    for proposal in &tuned.results {
        let Some(value) = proposal.change() else { continue };
        let name = &definitions[proposal.target.definition].name;
        let is_same = |other: &ThresholdResult| other.target.definition == proposal.target.definition;
        if proposal.basis.is_provisional() && !accept_provisional {
            found.notes.push(format!("{name}: not written, low confidence (--accept-provisional writes it)"));
        } else if found.changes.iter().any(|(other, _)| is_same(other)) {
            let rule = proposal.target.rule;
            found.notes.push(format!("{name} rules[{rule}]: not written; tune again with the other rule changed"));
        } else {
            found.changes.push((proposal, value));
        }
    }
    found
}

impl Package {
    /// Puts the values into the texts and raises the version; returns the line for the changelog.
    pub fn apply(
        &mut self,
        definitions: &[EventDefinition],
        changes: &[(&ThresholdResult, f64)],
    ) -> Result<String, PackageError> {
        let mut wanted = definitions.to_vec();
        let mut edits: BTreeMap<&str, Vec<Edit>> = BTreeMap::new();
        let mut lines = Vec::new();
        for (proposal, value) in changes {
            let definition = &definitions[proposal.target.definition];
            let path = definition.path_in_file(&format!("rules[{}].conditionValue", proposal.target.rule));
            let from = proposal.condition.value;
            edits.entry(&definition.file).or_default().push(Edit { path, from, to: *value });
            let operator = proposal.condition.operator.as_str();
            lines.push(format!("{} {operator} {} (was {})", definition.name, number(*value), number(from)));
            let rule = &mut wanted[proposal.target.definition].rules[proposal.target.rule];
            rule.condition_mut().into_iter().for_each(|condition| condition.value = *value);
        }
        for (file, edits) in edits {
            let Some(source) = self.sources.iter_mut().find(|source| source.path == file) else { continue };
            source.text = edit(source, &self.params, &edits)?;
            let text = source.text.clone();
            if let Some(file) = self.files.iter_mut().find(|of| of.named == file) {
                file.text = Some(text);
            }
        }
        let loaded = load(&self.sources, &Settings { params: self.params.clone(), overrides: Vec::new() });
        let rules = |definitions: &[EventDefinition]| -> Vec<(String, String)> {
            let kinds = |of: &EventDefinition| of.rules.iter().map(|rule| format!("{:?};", rule.kind)).collect();
            definitions.iter().map(|of| (of.name.clone(), kinds(of))).collect()
        };
        if rules(&loaded.definitions) != rules(&wanted) {
            return Err(PackageError::DoesNotReadBack);
        }
        Ok(format!("{}{}", self.raise_version()?, lines.join(", ")))
    }

    fn raise_version(&mut self) -> Result<String, EditError> {
        let Some(version) = &self.version else { return Ok(String::new()) };
        let (text, _, new) = raise_version(version)?;
        if let Some(file) = self.files.iter_mut().find(|file| file.named == version.path) {
            file.text = Some(text);
        }
        Ok(format!("{new}: "))
    }
}
