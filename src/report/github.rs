//! Annotations of GitHub Actions: workflow commands, one a line, which the runner shows beside the lines of a pull request.
//!
//! A step shows ten annotations of a level and passes over the rest, so that the tenth says how many more there are. What
//! stands in a command is escaped, or a sender of metrics could give commands of their own to the runner.

use super::cases::{CaseTally, Level, Listed, cases, findings, visible, visible_line};
use super::quantity::counted;
use crate::gate::Suite;
use std::io::{self, Write};

/// As many annotations of one level are shown.
const MOST: usize = 10;

/// Writes the annotations, and a line that counts the cases.
pub(super) fn write(out: &mut dyn Write, suites: &[Suite]) -> io::Result<()> {
    let all = findings(suites);
    for (level, word) in [(Level::Error, "error"), (Level::Warning, "warning")] {
        let these: Vec<&Listed<'_>> = all.iter().filter(|listed| listed.level == level).collect();
        let shown = if these.len() > MOST { MOST - 1 } else { these.len() };
        for listed in &these[..shown] {
            writeln!(out, "{}", annotation(word, listed))?;
        }
        if these.len() > shown {
            let more = counted((these.len() - shown) as u64, "more", "more");
            writeln!(out, "::{word} title=foreshock::and {more}; the job summary and the reports list all")?;
        }
    }
    writeln!(out, "{}", CaseTally::of(cases(suites)).sentence())
}

fn annotation(word: &str, listed: &Listed<'_>) -> String {
    let mut properties = Vec::new();
    if let Some(place) = listed.place() {
        properties.push(format!("file={}", property(&place.file)));
        if let Some(at) = place.position {
            properties.push(format!("line={},col={}", at.line, at.column));
        }
    }
    properties.push(format!("title={}", property(&format!("foreshock ({})", listed.finding.code))));
    format!("::{word} {}::{}", properties.join(","), data(&visible(&listed.text())))
}

/// The text behind the last `::`.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property.
fn property(text: &str) -> String {
    data(&visible_line(text)).replace(':', "%3A").replace(',', "%2C")
}
