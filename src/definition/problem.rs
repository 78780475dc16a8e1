//! A user's mistake as data: what, where, and how bad. All of them are collected; none stops the reading of the rest.
//!
//! While they are being collected they have byte ranges; lines and columns come in one sweep at the end. Also the suggestions
//! that go with them.

use super::params::Substituted;
use std::cell::RefCell;
use std::fmt::Display;

/// Every [`Problem::code`] with what it means.
pub const CODES: [(&str, &str); 37] = [
    ("not-json", "the file is not JSON"),
    ("wrong-type", "a value has another JSON type than the format wants"),
    ("not-an-event", "the JSON is no custom event and is left out"),
    ("loaded-twice", "the file was named twice and is loaded once"),
    ("unset-parameter", "a {{name}} placeholder has no value"),
    ("missing-key", "a key is missing or empty"),
    ("unknown-key", "a key is not in the format, or not here, and is ignored"),
    ("duplicate-key", "a key is there twice; the last one counts"),
    ("too-long", "a text or a time is longer than the format allows"),
    ("quoted-number", "a number is written as a text"),
    ("not-milliseconds", "a time is not a whole number of milliseconds"),
    ("out-of-range", "a time or a parameter is negative, zero where it must not be, or too large to be evaluated"),
    ("not-a-number", "the value to compare with is not a number"),
    ("no-rules", "a definition has no rules"),
    ("too-many-rules", "a definition has more rules than the format allows"),
    ("unknown-rule-type", "a rule has a type that cannot be evaluated"),
    ("unknown-severity", "a severity is not one of the format"),
    ("unknown-operator", "an operator is not one that can be evaluated"),
    ("old-operator", "an operator is spelled as in old releases"),
    ("unknown-aggregation", "an aggregation is not one that can be evaluated"),
    ("unpublished-aggregation", "an aggregation is evaluated although the published format does not list it"),
    ("no-metric", "a threshold or trend rule has no metric it could evaluate"),
    ("mixed-rules", "a definition has trend rules and others"),
    ("not-importable", "a rule has a type that Instana does not have"),
    ("unknown-profile", "a trend rule begins with a profile that does not exist"),
    ("two-metrics", "a threshold rule has both a metric name and a metric pattern"),
    ("malformed-metric", "the attributes of a metric name or pattern cannot be read"),
    ("empty-placeholder", "a metric pattern has nothing to compare with"),
    ("no-window", "a threshold rule has neither window nor roll-up"),
    ("unanswerable-query", "a query has a part that cannot be evaluated on resource attributes"),
    ("unknown-system-rule", "a system rule cannot be evaluated"),
    ("unknown-tag-filter", "a tag filter is not about a tag"),
    ("never-fires", "a rule can never be violated"),
    ("unknown-definition", "an override does not name a loaded definition"),
    ("unknown-field", "an override does not name a field that can be set"),
    ("ambiguous-override", "an override fits several rules"),
    ("malformed-override", "an override is not DEFINITION.FIELD=VALUE"),
];

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Works, but is not in the published format, or is ignored.
    Warning,
    /// The definition loads but cannot be evaluated: its verdict is inconclusive.
    Unevaluable,
    /// The file cannot be loaded; commands refuse to run.
    Error,
}

/// A position in a text, 1-based; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line.
    pub line: u32,
    /// Column.
    pub column: u32,
    /// Byte range in the file's text.
    pub bytes: (usize, usize),
}

/// One mistake in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// A stable kebab-case name of the kind of mistake; one of [`CODES`].
    pub code: &'static str,
    /// The file, as the caller named it.
    pub file: String,
    /// Where in the file, when that is known.
    pub position: Option<Position>,
    /// The path of the key or value inside the JSON (`rules[0].aggregation`; with an index in front for array files).
    pub path: String,
    /// What is wrong, as one sentence.
    pub message: String,
    /// What to do about it, when that is known.
    pub help: Option<String>,
}

impl Problem {
    /// A mistake that keeps a file from being used.
    pub fn error(code: &'static str, file: &str, position: Option<Position>, path: &str, message: String) -> Problem {
        let (file, path) = (file.to_string(), path.to_string());
        Problem { severity: Severity::Error, code, file, position, path, message, help: None }
    }
}

/// A byte range of a document's text.
pub(super) type ByteRange = (usize, usize);

/// A mistake was found and is already in the list; what it is about has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reported;

/// What was read, unless there was a mistake.
pub(super) type Checked<T> = Result<T, Reported>;

/// One mistake before it has a line and a column, or a file.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    /// Where in the text after substitution.
    pub(super) range: Option<ByteRange>,
    pub(super) problem: Problem,
}

impl Finding {
    /// A mistake that is about a part of the text, or about all of it.
    pub(super) fn new(severity: Severity, code: &'static str, range: Option<ByteRange>, message: String) -> Finding {
        Finding { range, problem: Problem { severity, ..Problem::error(code, "", None, "", message) } }
    }

    /// The same with what to do about it.
    pub(super) fn with_help(mut self, help: Option<String>) -> Finding {
        self.problem.help = help;
        self
    }
}

/// The mistakes of one definition, in the order they were found.
#[derive(Debug)]
pub(super) struct Findings<'a> {
    /// The text the ranges belong to.
    pub(super) source: &'a str,
    list: RefCell<Vec<Finding>>,
}

/// Where a mistake is: where in the text, and the path of the key or value inside its definition.
pub(super) struct Place<'a> {
    range: Option<ByteRange>,
    path: String,
    findings: &'a Findings<'a>,
}

impl<'a> Findings<'a> {
    pub(super) fn of(source: &'a str) -> Findings<'a> {
        Findings { source, list: RefCell::default() }
    }

    /// All mistakes.
    pub(super) fn into_list(self) -> Vec<Finding> {
        self.list.into_inner()
    }

    /// Whether there is a mistake of exactly this severity.
    pub(super) fn has(&self, severity: Severity) -> bool {
        self.list.borrow().iter().any(|f| f.problem.severity == severity)
    }

    pub(super) fn place(&'a self, range: Option<ByteRange>, path: String) -> Place<'a> {
        Place { range, path, findings: self }
    }
}

impl Place<'_> {
    /// Adds what works, but is ignored or not in the format. `what` is the sentence behind the path.
    pub(super) fn warn(self, code: &'static str, what: impl Display, help: Option<String>) {
        let message = format!("`{}` {what}", self.path);
        self.add(Severity::Warning, code, message, help);
    }

    /// Adds why the definition cannot be evaluated.
    pub(super) fn refuse(self, code: &'static str, what: impl Display, help: Option<String>) -> Reported {
        let message = format!("`{}` {what}", self.path);
        self.refuse_whole(code, message, help)
    }

    /// The same with a whole sentence.
    pub(super) fn refuse_whole(self, code: &'static str, message: String, help: Option<String>) -> Reported {
        self.add(Severity::Unevaluable, code, message, help)
    }

    /// Adds why the file cannot be loaded.
    pub(super) fn wrong(self, code: &'static str, what: impl Display) -> Reported {
        let message = format!("`{}` {what}", self.path);
        self.add(Severity::Error, code, message, None)
    }

    fn add(self, severity: Severity, code: &'static str, message: String, help: Option<String>) -> Reported {
        let Place { range, path, findings } = self;
        let mut finding = Finding::new(severity, code, range, message).with_help(help);
        finding.problem.path = path;
        findings.list.borrow_mut().push(finding);
        Reported
    }
}

/// The length of the byte order mark a text begins with, or 0.
pub(super) fn mark_length(text: &str) -> usize {
    if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 }
}

/// Turns the findings of one file into problems, ordered by their position; those without one come first. `written` is
/// the file's text, `text` what became of it behind a byte order mark.
pub(super) fn locate(file: &str, written: &str, text: &Substituted, mut findings: Vec<Finding>) -> Vec<Problem> {
    let mark = mark_length(written);
    let origin = |f: &Finding| {
        let (start, end) = text.origin(f.range?);
        Some((start + mark, end + mark))
    };
    findings.sort_by_key(|f| origin(f).map(|(start, _)| start));
    let mut counter = PositionCounter { text: written, at: mark, line: 1, column: 1 };
    let located = findings.into_iter().map(|f| {
        let position = origin(&f).map(|range| counter.position(range));
        Problem { file: file.to_string(), position, ..f.problem }
    });
    located.collect()
}

/// The position in a file's text that a range of its substituted text comes from.
pub(super) fn position(written: &str, text: &Substituted, range: ByteRange) -> Position {
    let mark = mark_length(written);
    let (start, end) = text.origin(range);
    PositionCounter { text: written, at: mark, line: 1, column: 1 }.position((start + mark, end + mark))
}

/// Counts lines and columns while it moves forward through a text; a byte order mark takes no column.
struct PositionCounter<'a> {
    text: &'a str,
    at: usize,
    line: u32,
    column: u32,
}

impl PositionCounter<'_> {
    fn position(&mut self, (start, end): ByteRange) -> Position {
        let stop = start.clamp(self.at, self.text.len());
        for c in self.text.get(self.at..stop).unwrap_or("").chars() {
            if c == '\n' {
                self.line = self.line.saturating_add(1);
                self.column = 1;
            } else {
                self.column = self.column.saturating_add(1);
            }
        }
        self.at = stop;
        Position { line: self.line, column: self.column, bytes: (start, end.max(start)) }
    }
}

/// Words longer than this are not compared: nobody mistypes them by a letter or two.
const LONGEST: usize = 120;

/// More edits than this make another word.
const MOST_EDITS: usize = 4;

/// The closest of `known`, when one is close enough to be meant; the first of equally close ones.
pub(super) fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.is_empty() || word.len() > LONGEST {
        return None;
    }
    let word = word.to_lowercase();
    let most = (word.chars().count() / 3).clamp(1, MOST_EDITS);
    known
        .into_iter()
        .filter(|known| known.len() <= LONGEST)
        .map(|known| (strsim::levenshtein(&word, &known.to_lowercase()), known))
        .filter(|(edits, _)| *edits <= most)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, known)| known)
}

/// "did you mean …", when something is close enough.
pub(super) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    closest(word, known).map(|known| format!("did you mean `{known}`?"))
}
