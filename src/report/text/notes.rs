//! What the catalog knows about metrics that could make a verdict wrong.

use crate::catalog::{self, Misleads, Trap};
use crate::definition::Selector;
use crate::engine::Verdict;
use crate::report::layout::{clean, paragraph};
use crate::report::outcome::Detail;
use crate::report::phrase::definition::DefinitionResult;
use crate::report::style::Style;
use std::io::{self, Write};

/// Something about a metric that the reader of a verdict should know.
pub(super) struct MetricNote {
    /// What fired comes first, then what is inconclusive.
    rank: u8,
    about: String,
    text: String,
}

/// Adds the notes on the metrics of a definition.
pub(super) fn collect(result: &DefinitionResult<'_>, notes: &mut Vec<MetricNote>) {
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

/// Writes the notes.
pub(super) fn write(out: &mut dyn Write, mut notes: Vec<MetricNote>, style: Style) -> io::Result<()> {
    if notes.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", style.strong("NOTES"))?;
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
