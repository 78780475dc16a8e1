//! A replay or a run: events as a timeline per entity, a line per definition, notes on the metrics, what was dropped and why,
//! what a run was too short for.

use super::{cases, definitions, events, losses, run};
use crate::report::layout::{clean, paragraph};
use crate::report::outcome::{Replay, ReplayOutcome};
use crate::report::phrase::definition::summary;
use crate::report::quantity::counted;
use crate::report::style::Style;
use crate::report::time::covered;
use std::io::{self, Write};

/// Writes the text, with the comparison with a baseline at its end.
pub(super) fn write(out: &mut dyn Write, outcome: &ReplayOutcome<'_>, style: Style) -> io::Result<()> {
    let replay = &outcome.replay;
    head(out, replay, style)?;
    events::write(out, replay, style)?;
    definitions::write(out, replay, style)?;
    losses::write(out, replay, style)?;
    if let Some(run) = outcome.run {
        run::write(out, replay, run, style)?;
    }
    writeln!(out)?;
    paragraph(out, "", 0, &summary(replay.report))?;
    match outcome.regressions {
        Some(suite) => {
            writeln!(out)?;
            cases::suites(out, std::slice::from_ref(suite), replay.detail, style)
        }
        None => Ok(()),
    }
}

fn head(out: &mut dyn Write, replay: &Replay<'_>, style: Style) -> io::Result<()> {
    let report = replay.report;
    writeln!(out, "{}", style.strong(&clean(&replay.sources.join(", "))))?;
    writeln!(out, "{}", covered(report.coverage.from, report.coverage.to))?;
    let received = format!(
        "{} of {}, {}",
        counted(report.counts.series, "series", "series"),
        counted(report.counts.entities, "entity", "entities"),
        counted(report.counts.points, "data point", "data points"),
    );
    paragraph(out, "", 0, &received)
}
