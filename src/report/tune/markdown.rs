//! The Markdown of `tune`, for a pull request: a table of what is proposed, and why.

use super::{Told, Tune, not_swept, other_intervals, unjudged};
use crate::report::text::Detail;
use crate::report::words::{clean, counted};
use std::io::{self, Write};

/// Rows of a table of values.
const MOST_ROWS: usize = 9;

/// Writes the Markdown.
pub fn tune(out: &mut impl Write, tune: &Tune<'_>) -> io::Result<()> {
    let told = Told::all(tune);
    writeln!(out, "### Thresholds\n")?;
    writeln!(out, "Healthy recordings: {}", code_list(tune.baseline.sources))?;
    if !tune.bad.is_empty() {
        writeln!(out, "\nBad recordings: {}", code_list(tune.bad))?;
    }
    writeln!(out, "\n| definition | window | today | proposed | basis | why |\n|---|---|---|---|---|---|")?;
    for told in &told {
        let mut why = told.why(tune);
        for note in told.notes(tune.baseline.detail == Detail::Full) {
            why += &format!("; {note}");
        }
        writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} |",
            cell(&told.name()),
            super::span_ms(told.threshold.window_ms),
            cell(&told.today()),
            strong(told),
            cell(&basis(told)),
            cell(&why)
        )?;
    }
    for told in told.iter().filter(|told| told.answer.change().is_some() || tune.baseline.detail == Detail::Full) {
        values(out, told)?;
    }
    rest(out, tune)
}

fn basis(told: &Told<'_>) -> String {
    let word = if told.answer.change().is_some() && told.answer.basis.is_provisional() { " (provisional)" } else { "" };
    format!("{}{word}", told.basis())
}

fn strong(told: &Told<'_>) -> String {
    let text = cell(&told.proposal());
    if told.answer.change().is_some() { format!("**{text}**") } else { text }
}

fn values(out: &mut impl Write, told: &Told<'_>) -> io::Result<()> {
    if told.answer.entities.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n<details><summary>{}: {}</summary>\n", html(&told.name()), html(&told.subject()))?;
    writeln!(out, "| value | events | false | a week | firing | missed | |\n|---|---|---|---|---|---|---|")?;
    for outcome in told.rows(MOST_ROWS) {
        let (seen, all) = told.answer.seen(outcome);
        let mark = if Some(outcome.threshold) == told.answer.change() {
            "proposed"
        } else if outcome.threshold == told.answer.condition.value {
            "today"
        } else {
            ""
        };
        let firing = super::percent(told.share(outcome));
        let missed = if all == 0 { String::new() } else { format!("{} of {all}", all - seen) };
        let (value, week) = (told.exact(outcome.threshold), told.per_week(outcome));
        let (events, bad) = (outcome.events, outcome.false_events);
        writeln!(out, "| {value} | {events} | {bad} | {week:.1} | {firing} | {missed} | {mark} |")?;
    }
    writeln!(out, "\n</details>")
}

fn rest(out: &mut impl Write, tune: &Tune<'_>) -> io::Result<()> {
    let mut lines: Vec<String> = unjudged(tune).into_iter().map(|(name, why)| format!("{name}: {why}")).collect();
    if let Some(pass) = tune.passes.first() {
        let left = pass.tuned.left.iter().filter_map(|(question, why)| {
            let definition = pass.definitions.get(question.definition)?;
            Some(format!("{} rules[{}]: {}", definition.name, question.rule, not_swept(*why)))
        });
        lines.extend(left);
    }
    if let Some(text) = other_intervals(tune, MOST_ROWS) {
        writeln!(out, "\n{}", cell(&text))?;
    }
    if !lines.is_empty() {
        writeln!(out, "\nNot tuned ({}):\n", counted(lines.len() as u64, "rule", "rules"))?;
        for line in lines {
            writeln!(out, "- {}", cell(&line))?;
        }
    }
    Ok(())
}

fn code_list(names: &[String]) -> String {
    names.iter().map(|name| format!("`{}`", clean(name).replace('`', "'"))).collect::<Vec<_>>().join(", ")
}

/// A text inside a table: nothing in it may end the cell or begin markup.
pub(in crate::report) fn cell(text: &str) -> String {
    let mut out = String::new();
    for c in clean(text).chars() {
        if matches!(c, '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn html(text: &str) -> String {
    clean(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
