//! Values written back into the text of a package: only the numbers change, everything else stays byte for byte.

use crate::definition::{Source, position_of};
use std::collections::BTreeMap;

/// A number to write.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// The path of the value inside its file, as `rules[0].conditionValue`.
    pub path: String,
    /// The number there now.
    pub from: f64,
    /// The new one.
    pub to: f64,
}

/// Why a text cannot be edited.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
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

/// The text with the numbers in their places. `params` are those the file was loaded with.
pub fn edit(source: &Source, params: &BTreeMap<String, String>, edits: &[Edit]) -> Result<String, EditError> {
    let mut places = Vec::new();
    for Edit { path, from, to } in edits {
        let (start, end) = place(source, params, path)?;
        let text = &source.text[start..end];
        if text.parse::<f64>() != Ok(*from) {
            let (file, path) = (source.path.clone(), path.clone());
            return Err(EditError::NotWritten { file, path, text: text.to_string() });
        }
        places.push((start, end, number(*to)));
    }
    Ok(replaced(&source.text, places))
}

/// A package's `package.json` with its version raised by a patch: the text, the old version, the new one.
pub fn raise_version(source: &Source) -> Result<(String, String, String), EditError> {
    let (start, end) = place(source, &BTreeMap::new(), "version")?;
    let text = &source.text[start..end];
    let refused = || EditError::Version { file: source.path.clone(), text: text.trim_matches('"').to_string() };
    let old = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).ok_or_else(refused)?;
    let parts: Option<Vec<u64>> = old.split('.').map(|part| part.parse().ok()).collect();
    let Some([major, minor, patch]) = parts.as_deref() else { return Err(refused()) };
    let new = format!("{major}.{minor}.{}", patch + 1);
    let text = replaced(&source.text, vec![(start, end, format!("\"{new}\""))]);
    Ok((text, old.to_string(), new))
}

fn place(source: &Source, params: &BTreeMap<String, String>, path: &str) -> Result<(usize, usize), EditError> {
    let missing = || EditError::Missing { file: source.path.clone(), path: path.to_string() };
    let (start, end) = position_of(&source.text, params, path).ok_or_else(missing)?.bytes;
    if source.text.get(start..end).is_some() { Ok((start, end)) } else { Err(missing()) }
}

fn replaced(text: &str, mut places: Vec<(usize, usize, String)>) -> String {
    places.sort_unstable();
    let (mut out, mut done) = (String::new(), 0);
    for (start, end, new) in places {
        out.push_str(&text[done..start]);
        out.push_str(&new);
        done = end;
    }
    out + &text[done..]
}

/// A number as people write it in JSON: whole ones without a point.
pub fn number(value: f64) -> String {
    // Shortest text that reads back as the same value; Rust writes whole numbers without a point.
    let plain = format!("{value}");
    if plain.len() <= 21 { plain } else { format!("{value:e}") }
}

#[cfg(test)]
mod tests {
    use super::{Edit, EditError, edit, number, raise_version};
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
            assert!(matches!(raise_version(&source(text)), Err(EditError::Version { .. })), "{text}");
        }
        assert!(matches!(raise_version(&source("{}")), Err(EditError::Missing { .. })));
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
