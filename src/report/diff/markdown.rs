//! The Markdown of `diff`, for a pull request: what differs first, everything else folded away.

use super::{Diff, both, entity, firing, per_week_text, presence, sentence, summary, word};
use crate::report::tune::cell;
use crate::report::words::Clock;
use crate::tune::Compared;
use std::io::{self, Write};

/// Events that are listed for one definition; the others are counted.
const MOST_EVENTS: usize = 50;

/// Writes the Markdown.
pub fn diff(out: &mut impl Write, diff: &Diff<'_>) -> io::Result<()> {
    let clock = Clock::new(diff.coverage.0, diff.coverage.1);
    writeln!(out, "### What the rules would do\n\n{}\n", summary(diff.comparison))?;
    let (changed, same): (Vec<&Compared>, Vec<&Compared>) =
        diff.comparison.definitions.iter().partition(|of| !of.changes.is_empty() || presence(of).is_some());
    if !changed.is_empty() {
        table(out, diff, &changed)?;
    }
    for of in changed.iter().filter(|of| !of.changes.is_empty()) {
        writeln!(out, "\n**{}**\n", cell(&of.name))?;
        for change in of.changes.iter().take(MOST_EVENTS) {
            let name = entity(change);
            let on = if name.is_empty() { String::new() } else { format!(" on {}", cell(&name)) };
            writeln!(out, "- {}{on}: {}", word(change.kind()), cell(&sentence(clock, change)))?;
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
    let sources: Vec<String> = diff.sources.iter().map(|name| cell(name)).collect();
    writeln!(out, "\nOld: {}. New: {}. Recordings: {}.", cell(diff.old), cell(diff.new), sources.join(", "))
}

fn table(out: &mut impl Write, diff: &Diff<'_>, rows: &[&Compared]) -> io::Result<()> {
    writeln!(out, "| definition | verdict | events | a week | firing | flaps |\n|---|---|---|---|---|---|")?;
    for of in rows {
        let name = match presence(of) {
            Some(word) => format!("{} ({word})", cell(&of.name)),
            None => cell(&of.name),
        };
        writeln!(
            out,
            "| {name} | {} | {} | {} | {} | {} |",
            both(of, |side| side.verdict.as_str().to_string()),
            both(of, |side| side.events.to_string()),
            both(of, |side| per_week_text(diff.comparison, side)),
            both(of, firing),
            both(of, |side| side.flaps.to_string()),
        )?;
    }
    Ok(())
}
