//! What was not evaluated: dropped data points with the reason and the remedy, damage, and what is odd about the data.

use crate::engine::DropReason;
use crate::report::layout::{heading, paragraph};
use crate::report::outcome::{Detail, Replay};
use crate::report::phrase::definition::series_name;
use crate::report::phrase::losses::{dropped, explain};
use crate::report::quantity::{count, counted};
use crate::report::style::Style;
use std::io::{self, Write};

/// More names than this are only counted in the brief text.
const MOST_NAMES: usize = 3;

/// Writes the three sections, each only when there is something to say.
pub(super) fn write(out: &mut dyn Write, replay: &Replay<'_>, style: Style) -> io::Result<()> {
    let counts = &replay.report.counts;
    reasons(out, "DROPPED", (&counts.dropped, counts.points), style)?;
    oddities(out, replay, style)?;
    damage(out, replay.damage, style)
}

/// Writes why points are dropped, and what to do; `(dropped, points)` are their numbers.
pub(super) fn reasons(
    out: &mut dyn Write,
    title: &str,
    (counts, points): (&[u64; DropReason::ALL.len()], u64),
    style: Style,
) -> io::Result<()> {
    let all: u64 = counts.iter().sum();
    if all == 0 {
        return Ok(());
    }
    let title = format!("{title} {} of {}", count(all), counted(points, "data point", "data points"));
    heading(out, &title, style)?;
    let width = counts.iter().map(|n| count(*n).len()).max().unwrap_or(0);
    for (reason, n) in dropped(counts) {
        let lead = format!("  {:>width$} {:<18}", count(n), reason.as_str());
        paragraph(out, &lead, lead.len(), explain(reason))?;
    }
    Ok(())
}

/// Writes what could not be read.
pub(super) fn damage(out: &mut dyn Write, sentences: &[String], style: Style) -> io::Result<()> {
    if !sentences.is_empty() {
        writeln!(out, "\n{}", style.warning("DAMAGE"))?;
    }
    sentences.iter().try_for_each(|sentence| paragraph(out, "  - ", 4, sentence))
}

fn oddities(out: &mut dyn Write, replay: &Replay<'_>, style: Style) -> io::Result<()> {
    let report = replay.report;
    if report.several_writers.is_empty() && report.negative_deltas.is_empty() {
        return Ok(());
    }
    heading(out, "ODD DATA", style)?;
    if !report.several_writers.is_empty() {
        let names = report.several_writers.iter().map(series_name).collect();
        let text = format!(
            "Several processes write the same series (their start times alternate), so rates mix the counters of all of \
             them: {}. Give each process its own service.instance.id.",
            some_of(names, replay.detail)
        );
        paragraph(out, "  - ", 4, &text)?;
    }
    if !report.negative_deltas.is_empty() {
        let names = report.negative_deltas.iter().map(|metric| metric.name.clone()).collect();
        let text = format!(
            "Declared monotonic, but with negative deltas, which were added nevertheless: {}.",
            some_of(names, replay.detail)
        );
        paragraph(out, "  - ", 4, &text)?;
    }
    Ok(())
}

fn some_of(names: Vec<String>, detail: Detail) -> String {
    if detail == Detail::Full || names.len() <= MOST_NAMES {
        return names.join(", ");
    }
    let rest = names.len() - MOST_NAMES;
    let shown: Vec<String> = names.into_iter().take(MOST_NAMES).collect();
    format!("{} and {rest} more (-v shows them)", shown.join(", "))
}
