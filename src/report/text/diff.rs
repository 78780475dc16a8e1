//! The text of `diff`.

use crate::report::layout::{self, clean, paragraph};
use crate::report::outcome::Diff;
use crate::report::phrase::diff::{HEAD, cells, label, sentence, summary};
use crate::report::style::Style;
use crate::report::time::Times;
use crate::tune::ChangeKind;
use std::io::{self, Write};

/// Writes the text.
pub(super) fn write(out: &mut dyn Write, diff: &Diff<'_>, style: Style) -> io::Result<()> {
    let times = Times::new(diff.coverage.0, diff.coverage.1);
    writeln!(out, "{}", style.strong(&clean(&diff.sources.join(", "))))?;
    writeln!(out, "old {}\nnew {}\n", clean(diff.old), clean(diff.new))?;
    let mut rows = vec![HEAD.map(str::to_string)];
    rows.extend(
        diff.comparison.definitions.iter().map(|of| cells(diff.comparison, of).map(|cell| clean(&cell).into())),
    );
    layout::table(out, 2, &rows, style)?;
    for of in diff.comparison.definitions.iter().filter(|of| !of.changes.is_empty()) {
        writeln!(out, "\n{}", style.strong(&clean(&of.name)))?;
        let mut last = None;
        for change in &of.changes {
            if last != Some(&change.entity) {
                let name = clean(&change.entity);
                writeln!(out, "  {}", if name.is_empty() { "no instance" } else { &name })?;
                last = Some(&change.entity);
            }
            let word = format!("{:<9}", label(change.kind()));
            let painted = match change.kind() {
                ChangeKind::Appears => style.critical(&word),
                ChangeKind::Vanishes => style.good(&word),
                ChangeKind::Moves | ChangeKind::Severity => style.warning(&word),
            };
            paragraph(out, &format!("    {painted} "), 14, &sentence(times, change))?;
        }
    }
    for sentence in diff.damage {
        paragraph(out, "damage: ", 8, sentence)?;
    }
    writeln!(out, "\nEvents: {}.", summary(diff.comparison))
}
