//! The Markdown of `tune`, for a pull request: a table of what is proposed, and why.

use super::escape::{escape, html};
use crate::report::layout::clean;
use crate::report::outcome::{Detail, Tune};
use crate::report::phrase::tune::{Proposal, left_out, other_intervals};
use crate::report::quantity::{counted, percent};
use crate::report::time::span_ms;
use std::io::{self, Write};

/// Rows of a table of values.
const MOST_ROWS: usize = 9;

/// Writes the Markdown.
pub(super) fn write(out: &mut dyn Write, tune: &Tune<'_>) -> io::Result<()> {
    let proposals = Proposal::all(tune);
    writeln!(out, "### Thresholds\n")?;
    writeln!(out, "Healthy recordings: {}", code_list(tune.baseline.sources))?;
    if !tune.bad.is_empty() {
        writeln!(out, "\nBad recordings: {}", code_list(tune.bad))?;
    }
    writeln!(out, "\n| definition | window | current | proposed | basis | why |\n|---|---|---|---|---|---|")?;
    for proposal in &proposals {
        let mut why = proposal.why(tune);
        for note in proposal.notes(tune.baseline.detail == Detail::Full) {
            why += &format!("; {note}");
        }
        writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} |",
            escape(&proposal.name()),
            span_ms(proposal.threshold.window_ms),
            escape(&proposal.current()),
            strong(proposal),
            escape(&basis(proposal)),
            escape(&why)
        )?;
    }
    for proposal in
        proposals.iter().filter(|proposal| proposal.result.change().is_some() || tune.baseline.detail == Detail::Full)
    {
        values(out, proposal)?;
    }
    rest(out, tune)
}

fn basis(proposal: &Proposal<'_>) -> String {
    let word = if proposal.result.change().is_some() && proposal.result.basis.is_provisional() {
        " (low confidence)"
    } else {
        ""
    };
    format!("{}{word}", proposal.basis())
}

fn strong(proposal: &Proposal<'_>) -> String {
    let text = escape(&proposal.value());
    if proposal.result.change().is_some() { format!("**{text}**") } else { text }
}

fn values(out: &mut dyn Write, proposal: &Proposal<'_>) -> io::Result<()> {
    if proposal.result.entities.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n<details><summary>{}: {}</summary>\n", html(&proposal.name()), html(&proposal.subject()))?;
    writeln!(out, "| value | events | false alerts | a week | firing | missed | |\n|---|---|---|---|---|---|---|")?;
    for outcome in proposal.rows(MOST_ROWS) {
        let (seen, all) = proposal.result.seen(outcome);
        let mark = proposal.mark(outcome);
        let firing = percent(proposal.share(outcome));
        let missed = if all == 0 { String::new() } else { format!("{} of {all}", all - seen) };
        let (value, week) = (proposal.exact(outcome.threshold), proposal.per_week(outcome));
        let (events, bad) = (outcome.events, outcome.false_events);
        writeln!(out, "| {value} | {events} | {bad} | {week:.1} | {firing} | {missed} | {mark} |")?;
    }
    writeln!(out, "\n</details>")
}

fn rest(out: &mut dyn Write, tune: &Tune<'_>) -> io::Result<()> {
    let left = left_out(tune);
    if let Some(text) = other_intervals(tune, MOST_ROWS) {
        writeln!(out, "\n{}", escape(&text))?;
    }
    if !left.is_empty() {
        writeln!(out, "\nNot tuned ({}):\n", counted(left.len() as u64, "rule", "rules"))?;
        for of in left {
            writeln!(out, "- {}", escape(&format!("{}: {}", of.name, of.why)))?;
        }
    }
    Ok(())
}

fn code_list(names: &[String]) -> String {
    names.iter().map(|name| format!("`{}`", clean(name).replace('`', "'"))).collect::<Vec<_>>().join(", ")
}
