//! The text of `diff`.

use super::{Diff, both, entity, firing, per_week_text, presence, sentence, summary, word};
use crate::report::Style;
use crate::report::words::{Clock, clean, paragraph};
use crate::tune::ChangeKind;
use std::io::{self, Write};

/// Writes the text.
pub fn diff(out: &mut impl Write, diff: &Diff<'_>, style: Style) -> io::Result<()> {
    let out: &mut dyn Write = out;
    let clock = Clock::new(diff.coverage.0, diff.coverage.1);
    writeln!(out, "{}", style.strong(&clean(&diff.sources.join(", "))))?;
    writeln!(out, "old {}\nnew {}\n", clean(diff.old), clean(diff.new))?;
    table(out, diff, style)?;
    for of in diff.comparison.definitions.iter().filter(|of| !of.changes.is_empty()) {
        writeln!(out, "\n{}", style.strong(&clean(&of.name)))?;
        let mut last = None;
        for change in &of.changes {
            if last != Some(&change.entity) {
                let name = entity(change);
                writeln!(out, "  {}", if name.is_empty() { "no instance" } else { &name })?;
                last = Some(&change.entity);
            }
            let word = format!("{:<9}", word(change.kind()));
            let painted = match change.kind() {
                ChangeKind::Appears => style.critical(&word),
                ChangeKind::Vanishes => style.good(&word),
                ChangeKind::Moves | ChangeKind::Severity => style.warning(&word),
            };
            paragraph(out, &format!("    {painted} "), 14, &sentence(clock, change))?;
        }
    }
    for sentence in diff.damage {
        paragraph(out, "damage: ", 8, sentence)?;
    }
    writeln!(out, "\n{}", summary(diff.comparison))
}

fn table(out: &mut dyn Write, diff: &Diff<'_>, style: Style) -> io::Result<()> {
    let head = ["", "verdict", "events", "a week", "firing", "flaps"].map(str::to_string).to_vec();
    let mut rows = vec![head];
    for of in &diff.comparison.definitions {
        let name = match presence(of) {
            Some(word) => format!("{} ({word})", clean(&of.name)),
            None => clean(&of.name).into_owned(),
        };
        rows.push(vec![
            name,
            both(of, |side| side.verdict.as_str().to_string()),
            both(of, |side| side.events.to_string()),
            both(of, |side| per_week_text(diff.comparison, side)),
            both(of, firing),
            both(of, |side| side.flaps.to_string()),
        ]);
    }
    let columns = rows.first().map_or(0, Vec::len);
    let widths: Vec<usize> =
        (0..columns).map(|i| rows.iter().map(|row| row[i].chars().count()).max().unwrap_or(0)).collect();
    for (number, row) in rows.iter().enumerate() {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        let line = format!("  {}", cells.collect::<Vec<_>>().join("  "));
        let line = line.trim_end();
        writeln!(out, "{}", if number == 0 { style.dim(line) } else { line.to_string() })?;
    }
    Ok(())
}
