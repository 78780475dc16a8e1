//! The result of a gate, case by case: what every report for other programs is written from.
//!
//! A case is one thing that can pass or fail: a scenario, a definition evaluated on a recording, a comparison with stored
//! events. Its findings say what is wrong, and where to fix it. Absent on purpose: the decision. Whoever runs a gate fills the
//! cases in, in the order in which reports show them.

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
    /// Its location in a file that people edit, if it has one.
    pub place: Option<FileLocation>,
    /// CPU or wall seconds it took, when they were measured.
    pub seconds: Option<f64>,
    /// Its result.
    pub result: CaseResult,
}

/// The result of a case.
#[derive(Clone, Debug, PartialEq)]
pub enum CaseResult {
    /// As expected.
    Passed,
    /// Not as expected: at least one finding.
    Failed(Vec<Finding>),
    /// It could not be evaluated, and why: neither a pass nor a failure.
    Inconclusive(Vec<Finding>),
}

/// One thing that is not as it was: a code and a sentence.
pub(super) type Difference = (&'static str, String);

impl Case {
    /// A case of which no time was measured.
    pub fn new(name: impl Into<String>, place: Option<FileLocation>, result: CaseResult) -> Case {
        Case { name: name.into(), place, seconds: None, result }
    }

    /// A case of what is not as it was.
    pub(super) fn of_differences(name: String, place: Option<FileLocation>, found: Vec<Difference>) -> Case {
        let finding = |(code, message): Difference| Finding::new(code, message, place.clone());
        let result = CaseResult::of(found.into_iter().map(finding).collect());
        Case::new(name, place, result)
    }

    /// Whether a part of the whole is enough: what is missing is a finding when it is not. `None`: there is no whole, and so
    /// nothing to do.
    pub(super) fn of_share(what: &str, share: Option<f64>, least: f64, to_do: &str, missing: Vec<Finding>) -> Case {
        let result = match share {
            Some(share) if share >= least => CaseResult::Passed,
            Some(_) => CaseResult::Failed(missing),
            None => {
                let message = format!("no scenario names rules: there is nothing to {to_do}");
                CaseResult::Inconclusive(vec![Finding::new("no-rules-covered", message, None)])
            }
        };
        Case::new(format!("{what} of at least {}%", (least * 1000.0).round() / 10.0), None, result)
    }
}

impl CaseResult {
    /// Failed when there are findings.
    pub fn of(findings: Vec<Finding>) -> CaseResult {
        if findings.is_empty() { CaseResult::Passed } else { CaseResult::Failed(findings) }
    }
}

/// One thing that is wrong, in one sentence.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// A stable name of the kind of finding, in kebab case.
    pub code: &'static str,
    /// The sentence.
    pub message: String,
    /// More lines for whoever looks closer; may be empty.
    pub details: String,
    /// Where to fix it: the expectation, or the field of the definition.
    pub place: Option<FileLocation>,
}

impl Finding {
    /// A finding without details.
    pub fn new(code: &'static str, message: impl Into<String>, place: Option<FileLocation>) -> Finding {
        Finding { code, message: message.into(), details: String::new(), place }
    }
}

/// A location in a file that people edit.
#[derive(Clone, Debug, PartialEq)]
pub struct FileLocation {
    /// The file, as the caller named it.
    pub file: String,
    /// The position in it, when there is a narrower one than the file.
    pub position: Option<Position>,
}

impl FileLocation {
    /// A whole file.
    pub fn file(file: impl Into<String>) -> FileLocation {
        FileLocation { file: file.into(), position: None }
    }

    /// A location in a file with rules; `None` for built-in rules, which nobody can edit.
    pub fn of_rules(file: &str, position: Option<Position>) -> Option<FileLocation> {
        (!file.starts_with("builtin:")).then(|| FileLocation { file: file.to_string(), position })
    }
}
