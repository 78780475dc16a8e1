//! The cases of a gate, as formats for other programs list them: their numbers, their findings, their places.
//!
//! A case passed, failed, or is inconclusive. Names, messages and details may hold whatever a sender of metrics put there, so
//! each format escapes all of its texts; `visible` comes first and leaves no character that a format cannot hold or that
//! would make a reader see something else than is there. Absent on purpose: where the file that is named lies (the caller
//! says it from the root of the project, with `/`), the exit code.

use super::layout::escaped;
use super::quantity::{count, counted};
use crate::gate::{Case, CaseResult, FileLocation, Finding, Suite};
use std::borrow::Cow;
use std::collections::HashMap;
use uuid::Uuid;

/// How many cases came to which end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct CaseTally {
    /// As expected.
    pub passed: u64,
    /// Not as expected.
    pub failed: u64,
    /// Neither.
    pub inconclusive: u64,
}

impl CaseTally {
    /// Counts cases.
    pub fn of<'a>(cases: impl IntoIterator<Item = &'a Case>) -> Self {
        let mut tally = CaseTally::default();
        for case in cases {
            match case.result {
                CaseResult::Passed => tally.passed += 1,
                CaseResult::Failed(_) => tally.failed += 1,
                CaseResult::Inconclusive(_) => tally.inconclusive += 1,
            }
        }
        tally
    }

    /// `9 cases: 6 passed, 1 failed, 2 inconclusive`
    pub fn sentence(self) -> String {
        let all = counted(self.passed + self.failed + self.inconclusive, "case", "cases");
        let [passed, failed, inconclusive] = [self.passed, self.failed, self.inconclusive].map(count);
        format!("{all}: {passed} passed, {failed} failed, {inconclusive} inconclusive")
    }
}

pub(super) fn cases(suites: &[Suite]) -> impl Iterator<Item = &Case> {
    suites.iter().flat_map(|suite| &suite.cases)
}

/// How bad a finding is for the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// It failed its case.
    Error,
    /// It made its case inconclusive.
    Warning,
}

/// A finding with all that a list of findings says of it.
pub(super) struct Listed<'a> {
    pub suite: &'a Suite,
    pub case: &'a Case,
    pub finding: &'a Finding,
    pub level: Level,
    /// Stays the same while the finding does, whatever its line and its values.
    pub fingerprint: String,
}

impl Listed<'_> {
    /// The sentence, and the details below it.
    pub fn text(&self) -> String {
        let details = &self.finding.details;
        if details.is_empty() { self.sentence() } else { format!("{}\n{details}", self.sentence()) }
    }

    /// Where it is to be fixed.
    pub fn place(&self) -> Option<&FileLocation> {
        self.finding.place.as_ref().or(self.case.place.as_ref())
    }

    /// The sentence behind the name of its case, for lists that show no name.
    pub fn sentence(&self) -> String {
        let (name, message) = (&self.case.name, &self.finding.message);
        if message.starts_with(name.as_str()) { message.clone() } else { format!("{name}: {message}") }
    }
}

/// All findings in the order of the cases.
pub(super) fn findings(suites: &[Suite]) -> Vec<Listed<'_>> {
    let mut seen: HashMap<(&str, &str, &str), u32> = HashMap::new();
    let mut all = Vec::new();
    for suite in suites {
        for case in &suite.cases {
            let (found, level) = match &case.result {
                CaseResult::Passed => continue,
                CaseResult::Failed(found) => (found, Level::Error),
                CaseResult::Inconclusive(found) => (found, Level::Warning),
            };
            for finding in found {
                let file = finding.place.as_ref().or(case.place.as_ref()).map_or("", |place| place.file.as_str());
                let nth = seen.entry((finding.code, file, &case.name)).or_default();
                let parts = [finding.code, file, &case.name, &nth.to_string()].join("\0");
                let fingerprint = Uuid::new_v5(&Uuid::NAMESPACE_OID, parts.as_bytes()).simple().to_string();
                *nth += 1;
                all.push(Listed { suite, case, finding, level, fingerprint });
            }
        }
    }
    all
}

/// `rules/cpu.json:12:5`, as far as it is known.
pub(super) fn place_text(place: &FileLocation) -> String {
    match place.position {
        Some(at) => format!("{}:{}:{}", place.file, at.line, at.column),
        None => place.file.clone(),
    }
}

/// A text whose characters can all be written and seen: line breaks and tabs stay, all other control characters, the
/// ones that turn the direction of writing and those that are no characters become escapes such as `\u{1b}`. A carriage
/// return becomes `\r`, because XML reads it as a line break.
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    escaped(text, |c| is_invisible(c) && !matches!(c, '\n' | '\t'))
}

/// The same on one line: line breaks and tabs become escapes, too.
pub(super) fn visible_line(text: &str) -> Cow<'_, str> {
    escaped(text, is_invisible)
}

fn is_invisible(c: char) -> bool {
    // Line and paragraph separators, marks and overrides of direction, and the two code points that XML does not allow.
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns || matches!(c, '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_shown() {
        assert_eq!(visible("plain \u{e9}\n\t\u{1f600}"), "plain \u{e9}\n\t\u{1f600}");
        assert_eq!(visible("a\u{1b}[31m\r\n\u{202e}\u{ffff}\0"), "a\\u{1b}[31m\\r\n\\u{202e}\\u{ffff}\\u{0}");
        assert_eq!(visible_line("a\nb\tc"), "a\\nb\\tc");
    }
}
