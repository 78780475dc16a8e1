//! One line per definition: fired, quiet or inconclusive, why, and how near it came; in full also the counts of each rule.

use super::notes::{self, MetricNote};
use crate::definition::Trend;
use crate::engine::{RuleReport, Verdict};
use crate::report::layout::{clean, paragraph};
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

/// Writes the table of definitions and the notes below it.
pub(super) fn write(out: &mut dyn Write, replay: &Replay<'_>, style: Style) -> io::Result<()> {
    writeln!(out, "\n{}", style.strong("DEFINITIONS"))?;
    let notes = table(out, replay, |_| true, style)?;
    notes::write(out, notes, style)
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
        notes::collect(&result, &mut notes);
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
