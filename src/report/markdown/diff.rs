//! The Markdown of `diff`, for a pull request: what differs first, everything else folded away.

use super::escape::escape;
use crate::report::outcome::Diff;
use crate::report::phrase::diff::{HEAD, cells, label, presence, sentence, summary};
use crate::report::time::Times;
use crate::tune::Compared;
use std::io::{self, Write};

/// Events that are listed for one definition; the others are counted.
const MOST_EVENTS: usize = 50;

/// Writes the Markdown.
pub(super) fn write(out: &mut dyn Write, diff: &Diff<'_>) -> io::Result<()> {
    let times = Times::new(diff.coverage.0, diff.coverage.1);
    writeln!(out, "### What the rules would do\n\nEvents: {}.\n", summary(diff.comparison))?;
    let (changed, same): (Vec<&Compared>, Vec<&Compared>) =
        diff.comparison.definitions.iter().partition(|of| !of.changes.is_empty() || presence(of).is_some());
    if !changed.is_empty() {
        table(out, diff, &changed)?;
    }
    for of in changed.iter().filter(|of| !of.changes.is_empty()) {
        writeln!(out, "\n**{}**\n", escape(&of.name))?;
        for change in of.changes.iter().take(MOST_EVENTS) {
            let name = &change.entity;
            let on = if name.is_empty() { String::new() } else { format!(" on {}", escape(name)) };
            writeln!(out, "- {}{on}: {}", label(change.kind()), escape(&sentence(times, change)))?;
        }
        if of.changes.len() > MOST_EVENTS {
            writeln!(out, "- and {} more", of.changes.len() - MOST_EVENTS)?;
        }
    }
    if !same.is_empty() {
        writeln!(out, "\n<details><summary>Unchanged: {}</summary>\n", same.len())?;
        table(out, diff, &same)?;
        writeln!(out, "\n</details>")?;
    }
    let sources: Vec<String> = diff.sources.iter().map(|name| escape(name)).collect();
    writeln!(out, "\nOld: {}. New: {}. Recordings: {}.", escape(diff.old), escape(diff.new), sources.join(", "))
}

fn table(out: &mut dyn Write, diff: &Diff<'_>, definitions: &[&Compared]) -> io::Result<()> {
    writeln!(out, "| {} |\n|{}", HEAD.join(" | "), "---|".repeat(HEAD.len()))?;
    definitions.iter().try_for_each(|of| {
        let cells = cells(diff.comparison, of).map(|cell| escape(&cell));
        writeln!(out, "| {} |", cells.join(" | "))
    })
}
