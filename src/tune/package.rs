//! Proposals taken back into the files of a package: the numbers, the version, and a line for its changelog. Only the numbers
//! change, everything else stays byte for byte.
//!
//! Invariant: the new texts read back as what was proposed and as nothing else, or there is an error. Absent on purpose: files;
//! the caller reads and writes them.

use super::result::{ThresholdResult, Tuned};
use crate::definition::{EventDefinition, Settings, Source, load, position_of};
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
    /// There is no such value.
    #[error("{file}: there is no `{path}`")]
    Missing {
        /// The file.
        file: String,
        /// The path.
        path: String,
    },
    /// The value is no number of its own.
    #[error("{file}: `{path}` is written as `{text}`; where it is a parameter, change the parameter")]
    NotWritten {
        /// The file.
        file: String,
        /// The path.
        path: String,
        /// Its text.
        text: String,
    },
    /// The new texts are read as something else.
    #[error("the edited rules do not read back as proposed")]
    DoesNotReadBack,
    /// The version of a package is none that can be raised.
    #[error(
        "{file}: the version `{text}` is not of the form 1.2.3; raise it by hand, and write into the folder once more"
    )]
    Version {
        /// The file.
        file: String,
        /// Its text.
        text: String,
    },
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

    fn raise_version(&mut self) -> Result<String, PackageError> {
        let Some(version) = &self.version else { return Ok(String::new()) };
        let (text, _, new) = raise_version(version)?;
        if let Some(file) = self.files.iter_mut().find(|file| file.named == version.path) {
            file.text = Some(text);
        }
        Ok(format!("{new}: "))
    }
}

/// A number to write.
#[derive(Clone, Debug, PartialEq)]
struct Edit {
    /// The path of the value inside its file, as `rules[0].conditionValue`.
    path: String,
    /// The number there now.
    from: f64,
    /// The new one.
    to: f64,
}

/// The text with the numbers in their places. `params` are those the file was loaded with.
fn edit(source: &Source, params: &BTreeMap<String, String>, edits: &[Edit]) -> Result<String, PackageError> {
    let mut places = Vec::new();
    for Edit { path, from, to } in edits {
        let (start, end) = place(source, params, path)?;
        let text = &source.text[start..end];
        if text.parse::<f64>() != Ok(*from) {
            let (file, path) = (source.path.clone(), path.clone());
            return Err(PackageError::NotWritten { file, path, text: text.to_string() });
        }
        places.push((start, end, number(*to)));
    }
    Ok(replaced(&source.text, places))
}

/// A package's `package.json` with its version raised by a patch: the text, the old version, the new one.
fn raise_version(source: &Source) -> Result<(String, String, String), PackageError> {
    let (start, end) = place(source, &BTreeMap::new(), "version")?;
    let text = &source.text[start..end];
    let refused = || PackageError::Version { file: source.path.clone(), text: text.trim_matches('"').to_string() };
    let old = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).ok_or_else(refused)?;
    let parts: Option<Vec<u64>> = old.split('.').map(|part| part.parse().ok()).collect();
    let Some([major, minor, patch]) = parts.as_deref() else { return Err(refused()) };
    let new = format!("{major}.{minor}.{}", patch + 1);
    let text = replaced(&source.text, vec![(start, end, format!("\"{new}\""))]);
    Ok((text, old.to_string(), new))
}

fn place(source: &Source, params: &BTreeMap<String, String>, path: &str) -> Result<(usize, usize), PackageError> {
    let missing = || PackageError::Missing { file: source.path.clone(), path: path.to_string() };
    let (start, end) = position_of(&source.text, params, path).ok_or_else(missing)?.bytes;
    if source.text.get(start..end).is_some() { Ok((start, end)) } else { Err(missing()) }
}

fn replaced(text: &str, mut places: Vec<(usize, usize, String)>) -> String {
    places.sort_unstable();
    let mut text = text.to_string();
    for (start, end, new) in places.into_iter().rev() {
        text.replace_range(start..end, &new);
    }
    text
}

/// A number as people write it in JSON: whole ones without a point.
pub fn number(value: f64) -> String {
    // Shortest text that reads back as the same value; Rust writes whole numbers without a point.
    let plain = format!("{value}");
    if plain.len() <= 21 { plain } else { format!("{value:e}") }
}

#[cfg(test)]
mod tests {
    use super::{Edit, PackageError, edit, number, raise_version};
    use crate::definition::Source;
    use std::collections::BTreeMap;

    fn source(text: &str) -> Source {
        Source { path: "a.json".into(), text: text.into() }
    }

    #[test]
    fn only_the_number_changes() {
        let text = "\u{feff}{ \"rules\" : [\r\n\t{\"a\":\"é\", \"conditionValue\":1.50e1 , \"b\" : 2},{\"conditionValue\":3}]}\r\n";
        let edits = [
            Edit { path: "rules[1].conditionValue".into(), from: 3.0, to: 1e6 },
            Edit { path: "rules[0].conditionValue".into(), from: 15.0, to: 0.75 },
        ];
        let got = edit(&source(text), &BTreeMap::new(), &edits).expect("both are there");
        assert_eq!(got, text.replace("1.50e1", "0.75").replace(":3}", ":1000000}"));
    }

    #[test]
    fn missing_values_are_errors() {
        let edits = [Edit { path: "rules[0].conditionValue".into(), from: 3.0, to: 4.0 }];
        let of = |text: &str| {
            let params = BTreeMap::from([("limit".to_string(), "3".to_string())]);
            edit(&source(text), &params, &edits).expect_err("not there").to_string()
        };
        assert!(of("{\"rules\":[]}").contains("there is no `rules[0].conditionValue`"));
        assert!(of("{\"rules\":[{\"conditionValue\":{{limit}}}]}").contains("written as `{{limit}}`"));
    }

    #[test]
    fn a_version_is_raised_by_a_patch() {
        let (text, old, new) = raise_version(&source("{\"version\" : \"1.2.9\",\"x\":1}")).expect("a version");
        assert_eq!(
            (text.as_str(), old.as_str(), new.as_str()),
            ("{\"version\" : \"1.2.10\",\"x\":1}", "1.2.9", "1.2.10")
        );
        for text in ["{\"version\":\"1.2\"}", "{\"version\":\"1.2.3-beta\"}", "{\"version\":3}"] {
            assert!(matches!(raise_version(&source(text)), Err(PackageError::Version { .. })), "{text}");
        }
        assert!(matches!(raise_version(&source("{}")), Err(PackageError::Missing { .. })));
    }

    #[test]
    fn numbers_are_written_as_people_do() {
        for (value, text) in
            [(10_000_000.0, "10000000"), (0.75, "0.75"), (-8.0, "-8"), (1e30, "1e30"), (1e-7, "0.0000001")]
        {
            assert_eq!(number(value), text);
        }
    }
}
