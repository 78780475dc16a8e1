//! A replay or a run: events as a timeline per entity, a line per definition, notes on the metrics, what was dropped and why,
//! and of a run the rules it was too short for, what shorter windows give, and which values another export interval would change.

use super::{cases, definitions, events, losses};
use crate::model::{MINUTE, Nanos, to_ms};
use crate::report::layout::{clean, heading, paragraph};
use crate::report::outcome::{CommandRun, Preview, Replay, ReplayOutcome};
use crate::report::phrase::definition::summary;
use crate::report::quantity::counted;
use crate::report::style::Style;
use crate::report::time::{covered, duration, span_ms};
use std::io::{self, Write};

/// The export interval of clients that are not configured otherwise.
const DEFAULT_INTERVAL: Nanos = MINUTE;

/// Writes the text, with the comparison with a baseline at its end.
pub(super) fn write(out: &mut dyn Write, outcome: &ReplayOutcome<'_>, style: Style) -> io::Result<()> {
    let replay = &outcome.replay;
    head(out, replay, style)?;
    events::write(out, replay, style)?;
    definitions::write(out, replay, style)?;
    losses::write(out, replay, style)?;
    if let Some(run) = outcome.run {
        run_sections(out, replay, run, style)?;
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

/// Writes the sections that only a run has.
fn run_sections(out: &mut dyn Write, replay: &Replay<'_>, run: &CommandRun<'_>, style: Style) -> io::Result<()> {
    if let Some(silence) = run.silence {
        heading(out, "NO METRICS RECEIVED", style)?;
        for line in silence.lines() {
            writeln!(out, "  {}", clean(line))?;
        }
    }
    if !run.depend_on_interval.is_empty() && run.interval != DEFAULT_INTERVAL {
        heading(out, "DEPENDS ON THE EXPORT INTERVAL", style)?;
        let text = format!(
            "{}: its values at an export interval of {} differ from those at the clients' default of {}, and so may the \
             verdict in production",
            run.depend_on_interval.join(", "),
            duration(run.interval),
            duration(DEFAULT_INTERVAL),
        );
        paragraph(out, "  ", 2, &text)?;
    }
    too_short(out, run, style)?;
    match &run.preview {
        Some(shorter) => preview(out, replay, run, shorter, style),
        None => Ok(()),
    }
}

fn too_short(out: &mut dyn Write, run: &CommandRun<'_>, style: Style) -> io::Result<()> {
    if run.too_short.is_empty() {
        return Ok(());
    }
    heading(out, "NOT ENOUGH DATA", style)?;
    let width = run.too_short.iter().map(|short| short.definition.chars().count()).max().unwrap_or(0);
    for short in run.too_short {
        let several = run.too_short.iter().filter(|other| other.definition == short.definition).count() > 1;
        let rule = if several { format!("rule {}: ", short.rule) } else { String::new() };
        let lead = format!("  {:width$}  ", clean(&short.definition));
        let (needed, covered) = (duration(short.needed), duration(short.covered));
        let text = match short.window {
            Some(window) => {
                let (window, step) = (span_ms(to_ms(window)), duration(short.step));
                format!("{rule}needs {needed} of data, got {covered} (window of {window}, evaluated every {step})")
            }
            None => format!(
                "{rule}needs {needed} of data from process start, got {covered} (a trend: shorter windows do not help)"
            ),
        };
        paragraph(out, &lead, width + 4, &text)?;
    }
    if run.preview.is_none() && run.too_short.iter().any(|short| short.window.is_some()) {
        paragraph(
            out,
            "  ",
            2,
            "No shorter windows fit either: let the command run longer, or export more often (--interval)",
        )?;
    }
    Ok(())
}

fn preview(
    out: &mut dyn Write,
    replay: &Replay<'_>,
    run: &CommandRun<'_>,
    shorter: &Preview<'_>,
    style: Style,
) -> io::Result<()> {
    let shrunk = Replay { definitions: shorter.definitions, report: shorter.report, ..*replay };
    let title = format!("PREVIEW (windows x {})", shorter.window_scale);
    writeln!(out, "\n{}", style.strong(&title))?;
    events::write(out, &shrunk, style)?;
    writeln!(out)?;
    let was_too_short =
        |name: &str| run.too_short.iter().any(|short| short.definition == name && short.window.is_some());
    definitions::table(out, &shrunk, was_too_short, style)?;
    writeln!(out, "\n  To evaluate a run like this:")?;
    writeln!(out, "    {}", clean(shorter.command))
}
