//! The outcome of a gate, case by case: what every report for other programs is written from.
//!
//! A case is one thing that can pass or fail: a scenario, a definition judged on a recording, a comparison with stored
//! events. Its findings say what was wrong, and where a person mends it. Owns no judgement: who runs a gate fills it in, in
//! the order in which reports show it, and `render` writes it.

use crate::definition::Position;

/// The cases of one source: a scenario file, or a recording.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Suite {
    /// What people call it; a scenario file's name as given.
    pub name: String,
    /// Its cases, in the order reports show them.
    pub cases: Vec<Case>,
}

/// One thing that can pass or fail.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// Its name within the suite: a scenario's, a definition's.
    pub name: String,
    /// Where it stands in a file that people edit, if it does.
    pub place: Option<Place>,
    /// CPU or wall seconds it took, when they were measured.
    pub seconds: Option<f64>,
    /// What became of it.
    pub result: CaseResult,
}

/// What became of a case.
#[derive(Clone, Debug, PartialEq)]
pub enum CaseResult {
    /// As expected.
    Passed,
    /// Not as expected: at least one finding.
    Failed(Vec<Finding>),
    /// It could not be judged, and why: neither a pass nor a failure.
    Inconclusive(Vec<Finding>),
}

/// One thing that was wrong, in one sentence.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// A stable name of the kind of finding, in kebab case.
    pub code: &'static str,
    /// The sentence.
    pub message: String,
    /// More lines for whoever looks closer; may be empty.
    pub details: String,
    /// Where a person mends it: the expectation, or the field of the definition.
    pub place: Option<Place>,
}

/// A place in a file that people edit.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// The file, as the caller named it.
    pub file: String,
    /// The position in it, when there is a narrower one than the file.
    pub position: Option<Position>,
}

impl Place {
    /// A place in a file with rules; none in those that are a part of the program, where nobody can mend anything.
    pub fn of_rules(file: &str, position: Option<Position>) -> Option<Place> {
        (!file.starts_with("builtin:")).then(|| Place { file: file.to_string(), position })
    }
}
