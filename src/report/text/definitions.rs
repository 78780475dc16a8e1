//! One line per definition: fired, quiet or inconclusive, why, and how near it came; in full also the counts of each rule. Below
//! them what the catalog knows about metrics that could make a verdict wrong.

use crate::catalog::{self, Misleads, Trap};
use crate::definition::{Selector, Trend};
use crate::engine::{RuleReport, Verdict};
use crate::report::layout::{clean, heading, paragraph};
use crate::report::outcome::{Detail, Replay};
use crate::report::phrase::definition::DefinitionResult;
use crate::report::phrase::{self, trend};
use crate::report::quantity::{count, counted};
use crate::report::style::Style;
use crate::report::time::duration;
use std::io::{self, Write};

/// Columns of the verdict.
const VERDICT: usize = 16;
/// The longest name that still has its own column.
const LONGEST_NAME: usize = 28;

/// Something about a metric that the reader of a verdict should know.
pub(super) struct MetricNote {
    /// What fired comes first, then what is inconclusive.
    rank: u8,
    about: String,
    text: String,
}

/// Writes the table of definitions and the notes below it.
pub(super) fn write(out: &mut dyn Write, replay: &Replay<'_>, style: Style) -> io::Result<()> {
    heading(out, "DEFINITIONS", style)?;
    let notes = table(out, replay, |_| true, style)?;
    write_notes(out, notes, style)
}

/// Writes a line for each definition whose name is wanted. Returns the notes on their metrics.
pub(super) fn table(
    out: &mut dyn Write,
    replay: &Replay<'_>,
    is_wanted: impl Fn(&str) -> bool,
    style: Style,
) -> io::Result<Vec<MetricNote>> {
    let longest = replay.definitions.iter().map(|definition| definition.name.chars().count()).max().unwrap_or(0);
    let name_width = longest.min(LONGEST_NAME);
    let indent = VERDICT + name_width + 2;
    let mut notes = Vec::new();
    for result in DefinitionResult::all(replay).filter(|result| is_wanted(&result.definition.name)) {
        let word = format!("{:<width$}", result.report.verdict.as_str(), width = VERDICT - 2);
        let word = match result.report.verdict {
            Verdict::Fired => style.critical(&word),
            Verdict::Quiet => style.good(&word),
            Verdict::Inconclusive(_) => style.warning(&word),
            Verdict::Disabled => style.dim(&word),
        };
        let mut lead = format!("  {word}{:name_width$}  ", clean(&result.definition.name));
        if result.definition.name.chars().count() > name_width {
            writeln!(out, "{}", lead.trim_end())?;
            lead = " ".repeat(indent);
        }
        paragraph(out, &lead, indent, &result.outcome())?;
        if replay.detail == Detail::Full {
            rules(out, &result)?;
        }
        collect_notes(&result, &mut notes);
    }
    Ok(notes)
}

/// The counts behind a verdict, one line per rule.
fn rules(out: &mut dyn Write, result: &DefinitionResult<'_>) -> io::Result<()> {
    let indent = VERDICT + 2;
    let pad = " ".repeat(indent);
    for (index, (rule, report)) in result.definition.rules.iter().zip(&result.report.rules).enumerate() {
        let Some(what) = phrase::rule::text(rule) else { continue };
        paragraph(out, &pad, indent, &format!("rule {index}: {what}; {}", counts(report, result)))?;
        if let Some(trend) = rule.trend() {
            lives(out, indent, index, trend, result)?;
        }
    }
    Ok(())
}

fn counts(report: &RuleReport, result: &DefinitionResult<'_>) -> String {
    format!(
        "{}, evaluated {} times every {}, warming up {} times",
        counted(report.matched_series, "series", "series"),
        count(report.evaluations),
        duration(result.report.step),
        count(report.warming_up),
    )
}

/// Every process that a trend rule followed.
fn lives(
    out: &mut dyn Write,
    indent: usize,
    index: usize,
    rule: &Trend,
    result: &DefinitionResult<'_>,
) -> io::Result<()> {
    let lead = format!("{:indent$}- ", "");
    for life in result.report.lives.iter().filter(|life| life.rule == index) {
        let (entity, since) = (&life.series.entity.label, result.times.time(life.start));
        let text = format!("{entity} since {since}: {}", trend::life(life, &rule.parameters, result.replay.detail));
        paragraph(out, &lead, indent + 2, &text)?;
    }
    match result.report.lives_left_out {
        0 => Ok(()),
        more => paragraph(out, &lead, indent + 2, &format!("and {} more", count(more))),
    }
}

/// Adds the notes on the metrics of a definition.
fn collect_notes(result: &DefinitionResult<'_>, notes: &mut Vec<MetricNote>) {
    for rule in &result.definition.rules {
        let Some(threshold) = rule.threshold() else { continue };
        let Selector::Id(id) = &threshold.selector else { continue };
        let Some(metric) = catalog::python().metric_of_path(id.path()) else { continue };
        let aggregation = threshold.aggregation.name();
        for trap in &metric.traps {
            let is_of_aggregation = trap.aggregation.as_deref().is_none_or(|wanted| wanted == aggregation);
            if is_of_aggregation && applies(trap, result) && notes.iter().all(|note| note.text != trap.text) {
                let about = format!("{} ({})", result.definition.name, metric.name);
                notes.push(MetricNote { rank: rank(result.report.verdict), about, text: trap.text.clone() });
            }
        }
    }
}

/// Whether the trap can mislead the reader of this verdict, with the client and the series that there are.
fn applies(trap: &Trap, result: &DefinitionResult<'_>) -> bool {
    let misleads = match (trap.misleads, result.report.verdict) {
        (Misleads::Both, Verdict::Fired | Verdict::Quiet) => true,
        (Misleads::Fired, verdict) => verdict == Verdict::Fired,
        (Misleads::Quiet, verdict) => verdict == Verdict::Quiet,
        (Misleads::Inconclusive, verdict) => matches!(verdict, Verdict::Inconclusive(_)),
        (Misleads::Both, Verdict::Inconclusive(_) | Verdict::Disabled) => false,
    };
    let replay = result.replay;
    let has_metric = |name: &str| replay.report.metrics.iter().any(|(metric, _)| metric.name == name);
    let mut violating = result.events().flat_map(|event| &event.rules).flat_map(|rule| &rule.series);
    // A client that is not known may have the trap.
    let mut clients = replay.clients.iter().filter(|client| client.scope == catalog::python().scope).peekable();
    misleads
        && (clients.peek().is_none() || clients.any(|client| trap.concerns(client.release())))
        && trap.beside.as_deref().is_none_or(has_metric)
        && (!trap.verbose || replay.detail == Detail::Full)
        && (trap.attributes.is_empty() || violating.any(|series| trap.concerns_series(&series.attributes)))
}

fn rank(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Fired => 0,
        Verdict::Inconclusive(_) => 1,
        Verdict::Quiet => 2,
        Verdict::Disabled => 3,
    }
}

fn write_notes(out: &mut dyn Write, mut notes: Vec<MetricNote>, style: Style) -> io::Result<()> {
    if notes.is_empty() {
        return Ok(());
    }
    heading(out, "NOTES", style)?;
    notes.sort_by_key(|note| note.rank);
    let mut last = String::new();
    for note in notes {
        if note.about != last {
            writeln!(out, "  {}", clean(&note.about))?;
            last.clone_from(&note.about);
        }
        paragraph(out, "    - ", 6, &note.text)?;
    }
    Ok(())
}
