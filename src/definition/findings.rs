//! Problems while they are being collected: byte ranges first, lines and columns in one sweep at the end.

use super::params::Substituted;
use super::problem::{Position, Problem, Severity};

/// A byte range of a document's text.
pub(super) type Range = (usize, usize);

/// A mistake was found and is already in the list; what it is about has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reported;

/// One mistake before it has a line and a column.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    pub(super) severity: Severity,
    pub(super) code: &'static str,
    /// Where in the text after substitution.
    pub(super) range: Option<Range>,
    /// Path of the key or value inside its definition.
    pub(super) path: String,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

/// The mistakes of one definition or file, in the order they were found.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) list: Vec<Finding>,
}

impl Findings {
    /// Adds a mistake.
    pub(super) fn add(
        &mut self,
        severity: Severity,
        code: &'static str,
        place: (Option<Range>, &str),
        message: impl Into<String>,
        help: Option<String>,
    ) -> Reported {
        let (range, path) = (place.0, place.1.to_string());
        self.list.push(Finding { severity, code, range, path, message: message.into(), help });
        Reported
    }

    /// The first mistake that is exactly this bad.
    pub(super) fn first(&self, severity: Severity) -> Option<&Finding> {
        self.list.iter().find(|f| f.severity == severity)
    }
}

/// The length of the byte order mark a text begins with, or 0.
pub(super) fn mark_length(text: &str) -> usize {
    if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 }
}

/// Turns the findings of one file into problems, ordered by their place; those without a place come first. `written` is
/// the file's text, `text` what became of it behind a byte order mark.
pub(super) fn locate(file: &str, written: &str, text: &Substituted, mut findings: Vec<Finding>) -> Vec<Problem> {
    let mark = mark_length(written);
    let origin = |f: &Finding| {
        let (start, end) = text.origin(f.range?);
        Some((start + mark, end + mark))
    };
    findings.sort_by_key(|f| origin(f).map(|(start, _)| start));
    let mut walker = Walker { text: written, at: mark, line: 1, column: 1 };
    findings
        .into_iter()
        .map(|f| {
            let position = origin(&f).map(|range| walker.position(range));
            Problem {
                severity: f.severity,
                code: f.code,
                file: file.to_string(),
                position,
                path: f.path,
                message: f.message,
                help: f.help,
            }
        })
        .collect()
}

/// The place in a file's text that a range of its substituted text comes from.
pub(super) fn position(written: &str, text: &Substituted, range: Range) -> Position {
    let mark = mark_length(written);
    let (start, end) = text.origin(range);
    Walker { text: written, at: mark, line: 1, column: 1 }.position((start + mark, end + mark))
}

/// Counts lines and columns while it moves forward through a text; a byte order mark takes no column.
struct Walker<'a> {
    text: &'a str,
    at: usize,
    line: u32,
    column: u32,
}

impl Walker<'_> {
    fn position(&mut self, (start, end): Range) -> Position {
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
