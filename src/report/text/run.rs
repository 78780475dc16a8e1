//! The answer of a run as text: the answer of a replay, and between its lines and its verdict what a run has of its own: rules it
//! was too short for, what shorter windows would have said, and which values another export interval would change.

use super::{Replay, all_but_the_verdict, definitions, events, verdict};
use crate::model::{MINUTE, Nanos, to_ms};
use crate::report::words::{clean, duration, paragraph, span_ms};
use crate::report::{Run, Style, WouldHaveBeen};
use std::io::{self, Write};

/// What clients take when nobody says anything else.
const DEFAULT_INTERVAL: Nanos = MINUTE;

/// Writes the text of a run.
pub fn run(out: &mut impl Write, replay: &Replay<'_>, run: &Run<'_>, style: Style) -> io::Result<()> {
    let out: &mut dyn Write = out;
    all_but_the_verdict(out, replay, style)?;
    if let Some(silence) = run.silence {
        writeln!(out)?;
        writeln!(out, "{}", style.strong("NOTHING ARRIVED"))?;
        for line in silence.lines() {
            writeln!(out, "  {}", clean(line))?;
        }
    }
    if !run.depend_on_interval.is_empty() && run.interval != DEFAULT_INTERVAL {
        writeln!(out)?;
        writeln!(out, "{}", style.strong("DEPENDS ON THE EXPORT INTERVAL"))?;
        let interval = (duration(run.interval), duration(DEFAULT_INTERVAL));
        let text = format!(
            "{}: what was judged here every {} has other values at the clients' default of {}; its verdict is not that of \
             production",
            run.depend_on_interval.join(", "),
            interval.0,
            interval.1
        );
        paragraph(out, "  ", 2, &text)?;
    }
    too_short(out, run, style)?;
    if let Some(would) = &run.would_have_been {
        would_have_been(out, replay, run, would, style)?;
    }
    writeln!(out)?;
    paragraph(out, "", 0, &verdict(replay.report))
}

fn too_short(out: &mut dyn Write, run: &Run<'_>, style: Style) -> io::Result<()> {
    if run.too_short.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    writeln!(out, "{}", style.strong("TOO SHORT"))?;
    let width = run.too_short.iter().map(|short| short.definition.chars().count()).max().unwrap_or(0);
    for short in run.too_short {
        let several = run.too_short.iter().filter(|other| other.definition == short.definition).count() > 1;
        let rule = if several { format!("rule {}: ", short.rule) } else { String::new() };
        let lead = format!("  {:width$}  ", clean(&short.definition));
        let (needed, covered) = (duration(short.needed), duration(short.covered));
        let text = match short.window {
            Some(window) => {
                let (window, step) = (span_ms(to_ms(window)), duration(short.step));
                format!("{rule}needs {needed} of points, {covered} came (window of {window}, judged every {step})")
            }
            None => format!("{rule}needs {needed} of a process, {covered} came (a trend: shorter windows cannot tell)"),
        };
        paragraph(out, &lead, width + 4, &text)?;
    }
    if run.would_have_been.is_none() && run.too_short.iter().any(|short| short.window.is_some()) {
        paragraph(
            out,
            "  ",
            2,
            "No shorter windows fit either: let the command run longer, or export more often (--interval)",
        )?;
    }
    Ok(())
}

fn would_have_been(
    out: &mut dyn Write,
    replay: &Replay<'_>,
    run: &Run<'_>,
    would: &WouldHaveBeen<'_>,
    style: Style,
) -> io::Result<()> {
    let WouldHaveBeen { window_scale, definitions, report, command } = *would;
    let shrunk = Replay { definitions, report, ..*replay };
    let title = format!("WOULD HAVE BEEN, with windows and grace periods at {window_scale} of their length");
    writeln!(out)?;
    writeln!(out, "{}", style.strong(&title))?;
    events::write(out, &shrunk, style)?;
    writeln!(out)?;
    let was_too_short =
        |name: &str| run.too_short.iter().any(|short| short.definition == name && short.window.is_some());
    definitions::table(out, &shrunk, was_too_short, style)?;
    writeln!(out)?;
    writeln!(out, "  To judge a run like this:")?;
    writeln!(out, "    {}", clean(command))
}
