//! What was not judged: dropped points with the reason and the remedy, damage, and what is odd about the data.

use super::definitions::series_name;
use super::{Detail, Replay};
use crate::engine::DropReason;
use crate::report::Style;
use crate::report::quantity::count;
use crate::report::words::{counted, paragraph};
use std::io::{self, Write};

/// More names than this are only counted in the brief text.
const MOST_NAMES: usize = 3;

/// Writes the three sections, each only when there is something to say.
pub(super) fn write(out: &mut dyn Write, replay: &Replay<'_>, style: Style) -> io::Result<()> {
    dropped(out, replay, style)?;
    oddities(out, replay, style)?;
    if !replay.damage.is_empty() {
        writeln!(out)?;
        writeln!(out, "{}", style.warning("DAMAGE"))?;
        for sentence in replay.damage {
            paragraph(out, "  - ", 4, sentence)?;
        }
    }
    Ok(())
}

fn dropped(out: &mut dyn Write, replay: &Replay<'_>, style: Style) -> io::Result<()> {
    let counts = &replay.report.counts;
    let all: u64 = counts.dropped.iter().sum();
    if all == 0 {
        return Ok(());
    }
    writeln!(out)?;
    let heading = format!("DROPPED {} of {}", count(all), counted(counts.points, "point", "points"));
    writeln!(out, "{}", style.strong(&heading))?;
    let width = counts.dropped.iter().map(|n| count(*n).len()).max().unwrap_or(0);
    for (reason, n) in DropReason::ALL.into_iter().zip(counts.dropped) {
        if n > 0 {
            let lead = format!("  {:>width$} {:<18}", count(n), reason.as_str());
            paragraph(out, &lead, lead.len(), explain(reason))?;
        }
    }
    Ok(())
}

/// What a reason means and what to do about it.
pub(in crate::report) fn explain(reason: DropReason) -> &'static str {
    match reason {
        DropReason::NoRecordedValue => {
            "the client said that there is no value, or sent none; nothing to do unless you expect one"
        }
        DropReason::NotFinite => "NaN or infinite; look for a division by zero where the metric is recorded",
        DropReason::Malformed => {
            "bucket counts that do not fit the bounds, or attributes that cannot be read; a defect of the client"
        }
        DropReason::Summary => "summaries hold quantiles computed by the client; record a histogram instead",
        DropReason::NoTime => "no time; `--timestamps arrival` gives points the time of their arrival",
        DropReason::Future => {
            "more than 5 minutes later than their arrival; set the clock of the sender, or use `--timestamps arrival`"
        }
        DropReason::TooLate => {
            "older than the longest window that could use them; for back-filled data sort the recording by time or use \
             `--timestamps arrival`"
        }
        DropReason::Duplicate => {
            "the series had a point of that time; harmless when an exporter retried, otherwise two processes send the \
             same series: give each its own service.instance.id"
        }
        DropReason::TooDense => {
            "more points in a window than are kept of a series; raise `--max-points-per-series` or export less often"
        }
        DropReason::TooManyEntities => "of entities beyond `--max-entities`; raise it",
        DropReason::TooManySeries => {
            "of series beyond `--max-series` or `--max-series-per-entity`; look for an attribute whose values never \
             repeat, or raise them"
        }
    }
}

fn oddities(out: &mut dyn Write, replay: &Replay<'_>, style: Style) -> io::Result<()> {
    let report = replay.report;
    if report.several_writers.is_empty() && report.negative_deltas.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    writeln!(out, "{}", style.strong("ODD DATA"))?;
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
            "Declared monotonic, but with negative deltas, which were added as they came: {}.",
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
