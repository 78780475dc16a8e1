//! Markdown for pull requests and job summaries: the verdict first, then what failed, what is inconclusive, and folded
//! away what passed.
//!
//! Texts are escaped so that a reader of Markdown sees them as they are: no emphasis, link, image, HTML, mention or further
//! row of a table comes from a value. The summary of a job has a size limit, so the text keeps to one and says what it left
//! out.

use super::escape::escape;
use crate::gate::{Case, CaseResult, FileLocation, Finding, Suite};
use crate::report::cases::{CaseTally, cases, place_text, visible};
use crate::report::quantity::counted;
use std::fmt::Write as _;
use std::io::{self, Write};

/// Room for what is written when the limit is reached.
const RESERVE: usize = 1024;

/// Writes at most `limit` bytes (but the first lines always).
pub fn write(out: &mut dyn Write, suites: &[Suite], limit: usize) -> io::Result<()> {
    let tally = CaseTally::of(cases(suites));
    let mut page = Page { text: head(suites, tally), limit: limit.saturating_sub(RESERVE), left_out: 0 };
    let name = |suite: &Suite, case: &Case| {
        // Nothing between signs of emphasis would be a line across the page.
        let own = if case.name.trim().is_empty() { "a case without a name".into() } else { escape(&case.name) };
        if let [_] = suites { own } else { format!("{own} ({})", escape(&suite.name)) }
    };
    let is = |wanted: fn(&CaseResult) -> bool| {
        let all = suites.iter().flat_map(|suite| suite.cases.iter().map(move |case| (suite, case)));
        all.filter(|(_, case)| wanted(&case.result)).collect::<Vec<_>>()
    };
    let failed = is(|result| matches!(result, CaseResult::Failed(_)));
    if !failed.is_empty() {
        page.text += "\n### Failed\n";
        failed.iter().for_each(|(suite, case)| page.add(&story(&name(suite, case), case)));
    }
    let inconclusive = is(|result| matches!(result, CaseResult::Inconclusive(_)));
    if !inconclusive.is_empty() {
        page.text += "\n### Inconclusive\n";
        page.table(["case", "why"], inconclusive.iter().map(|(suite, case)| [name(suite, case), reasons(case)]));
    }
    let passed = is(|result| matches!(result, CaseResult::Passed));
    if !passed.is_empty() {
        let _ = write!(page.text, "\n<details><summary>{} passed</summary>\n\n", passed.len());
        passed.iter().for_each(|(suite, case)| page.add(&format!("- {}\n", name(suite, case))));
        page.text += "\n</details>\n";
    }
    if page.left_out > 0 {
        let _ = writeln!(page.text, "\n…and {}: see the reports.", counted(page.left_out, "more case", "more cases"));
    }
    out.write_all(page.text.as_bytes())
}

fn head(suites: &[Suite], tally: CaseTally) -> String {
    let verdict = match tally {
        CaseTally { failed: 1.., .. } => "failed",
        CaseTally { inconclusive: 1.., passed: 0, .. } => "inconclusive",
        CaseTally { passed: 0, .. } => "no cases",
        CaseTally { inconclusive: 1.., .. } => "passed, with inconclusive cases",
        CaseTally { .. } => "passed",
    };
    let of = match suites {
        [suite] => format!("{}: ", escape(&suite.name)),
        _ => String::new(),
    };
    format!("## foreshock: {verdict}\n\n{of}{}.\n", tally.sentence())
}

/// What has been written so far.
struct Page {
    text: String,
    limit: usize,
    left_out: u64,
}

impl Page {
    /// Adds what is about one case, when there is room for it.
    fn add(&mut self, text: &str) {
        if self.text.len() + text.len() <= self.limit { self.text += text } else { self.left_out += 1 }
    }

    fn table(&mut self, head: [&str; 2], rows: impl Iterator<Item = [String; 2]>) {
        let [left, right] = head;
        let _ = write!(self.text, "\n| {left} | {right} |\n| --- | --- |\n");
        rows.for_each(|[left, right]| self.add(&format!("| {left} | {right} |\n")));
    }
}

/// A failed case: its name and place, then a point for each finding.
fn story(name: &str, case: &Case) -> String {
    let mut text = format!("\n**{name}**");
    if let Some(place) = &case.place {
        let _ = write!(text, " at {}", file(place));
    }
    text += "\n\n";
    let CaseResult::Failed(findings) = &case.result else { return text };
    for finding in findings {
        let _ = write!(text, "- {}", escape(&finding.message));
        if let Some(place) = finding.place.as_ref().filter(|place| Some(*place) != case.place.as_ref()) {
            let _ = write!(text, " ({})", file(place));
        }
        text.push('\n');
        text += &details(finding);
    }
    text
}

/// Details below their point, as they stand.
fn details(finding: &Finding) -> String {
    if finding.details.is_empty() {
        return String::new();
    }
    let shown = visible(&finding.details);
    let fence = "`".repeat(longest_run(&shown, '`').max(2) + 1);
    let mut text = format!("\n  {fence}text\n");
    shown.lines().for_each(|line| {
        let _ = writeln!(text, "  {line}");
    });
    let _ = write!(text, "  {fence}\n\n");
    text
}

fn reasons(case: &Case) -> String {
    let CaseResult::Inconclusive(findings) = &case.result else { return String::new() };
    findings.iter().map(|finding| escape(&finding.message)).collect::<Vec<_>>().join("<br>")
}

fn file(place: &FileLocation) -> String {
    escape(&place_text(place))
}

fn longest_run(text: &str, wanted: char) -> usize {
    let (longest, _) = text.chars().fold((0, 0), |(longest, run), c| {
        let run = if c == wanted { run + 1 } else { 0 };
        (longest.max(run), run)
    });
    longest
}
