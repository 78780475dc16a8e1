//! What `tune` proposes, a line each; then the values that were tried, for those that should change.

use crate::model::{Nanos, SECOND};
use crate::report::layout::{self, WIDTH, clean, heading, paragraph};
use crate::report::outcome::{Detail, Tune};
use crate::report::phrase::losses::dropped;
use crate::report::phrase::tune::{Proposal, left_out, other_intervals};
use crate::report::quantity::{count, counted, per_week_text, percent};
use crate::report::style::Style;
use crate::report::time::{Times, covered, duration, span_ms};
use crate::tune::{Candidate, ThresholdResult};
use std::io::{self, Write};

/// Rows of a table of values, unless everything is asked for.
const MOST_ROWS: usize = 9;
/// Entities that are listed, unless everything is asked for.
const MOST_ENTITIES: usize = 4;
/// Columns that names take at most before they push others aside.
const LONGEST_NAME: usize = 28;
const LONGEST_LABEL: usize = 60;

/// Writes the text.
pub(super) fn write(out: &mut dyn Write, tune: &Tune<'_>, style: Style) -> io::Result<()> {
    head(out, tune, style)?;
    let all = Proposal::all(tune);
    proposals(out, tune, &all, style)?;
    for proposal in &all {
        let is_shown = proposal.result.change().is_some() || tune.baseline.detail == Detail::Full;
        if is_shown && !proposal.result.entities.is_empty() {
            writeln!(out)?;
            details(out, tune, proposal, style)?;
        }
    }
    rest(out, tune, style)?;
    writeln!(out)?;
    paragraph(out, "", 0, &summary(&all))
}

fn head(out: &mut dyn Write, tune: &Tune<'_>, style: Style) -> io::Result<()> {
    let report = tune.baseline.report;
    writeln!(out, "{}", style.strong(&clean(&format!("healthy: {}", tune.baseline.sources.join(", ")))))?;
    let span = covered(report.coverage.from, report.coverage.to);
    let (entities, points) = (report.counts.entities, report.counts.points);
    writeln!(
        out,
        "{span}; {}, {}",
        counted(entities, "instance", "instances"),
        counted(points, "data point", "data points")
    )?;
    if !tune.bad.is_empty() {
        paragraph(out, "bad: ", 5, &tune.bad.join(", "))?;
    }
    let incidents = tune.passes.first().map_or(0, |pass| pass.tuned.incidents.len());
    if incidents > tune.bad.len() {
        writeln!(out, "{}", counted(incidents as u64, "incident", "incidents"))?;
    }
    Ok(())
}

fn proposals(out: &mut dyn Write, tune: &Tune<'_>, all: &[Proposal<'_>], style: Style) -> io::Result<()> {
    heading(out, "PROPOSED", style)?;
    let several = tune.passes.len() > 1;
    let name = |proposal: &Proposal<'_>| match several {
        true => format!("{} ({})", proposal.name(), span_ms(proposal.threshold.window_ms)),
        false => proposal.name(),
    };
    let width = |of: &dyn Fn(&Proposal<'_>) -> String| {
        all.iter().map(|proposal| of(proposal).chars().count()).max().unwrap_or(0)
    };
    let (names, currents, values) = (
        width(&name).min(LONGEST_NAME),
        width(&|proposal| proposal.current()),
        width(&|proposal| proposal.value()).max(4),
    );
    for proposal in all {
        let (name, current, value) = (clean(&name(proposal)).into_owned(), proposal.current(), proposal.value());
        let painted = match (proposal.result.change(), proposal.result.choice.value) {
            (Some(_), _) => style.strong(&value),
            (None, Some(_)) => style.good(&value),
            (None, None) => style.warning(&value),
        };
        let pad = |text: &str, width: usize| " ".repeat(width.saturating_sub(text.chars().count()));
        let columns = format!("{current}{}  {painted}{}  ", pad(&current, currents), pad(&value, values));
        let lead = format!("  {name}{}  {columns}", pad(&name, names));
        let width = 2 + names.max(name.chars().count()) + 2 + currents + 2 + values + 2;
        let why = proposal.why(tune);
        let notes: Vec<String> =
            proposal.based_on().into_iter().chain(proposal.notes(tune.baseline.detail == Detail::Full)).collect();
        if notes.is_empty() && width + why.chars().count() <= WIDTH {
            writeln!(out, "{lead}{}", clean(&why))?;
            continue;
        }
        writeln!(out, "{}", lead.trim_end())?;
        for line in std::iter::once(why).chain(notes) {
            paragraph(out, "      ", 6, &line)?;
        }
    }
    Ok(())
}

fn details(out: &mut dyn Write, tune: &Tune<'_>, proposal: &Proposal<'_>, style: Style) -> io::Result<()> {
    writeln!(out, "{}  {}", style.strong(&clean(&proposal.name())), clean(&proposal.subject()))?;
    let result = proposal.result;
    if result.change().is_none() {
        paragraph(out, "  basis     ", 12, &proposal.basis())?;
    }
    let values = result.quantiles.iter().map(|(part, value)| match *part {
        1.0 => format!("all {}", proposal.measure.text(*value)),
        part => format!("{}% {}", part * 100.0, proposal.measure.text(*value)),
    });
    let side = if result.condition.is_upper() { "up to" } else { "down to" };
    paragraph(out, "  values    ", 12, &format!("{side}: {}", values.collect::<Vec<_>>().join(", ")))?;
    entities(out, tune, proposal)?;
    table(out, tune, proposal, style)
}

fn entities(out: &mut dyn Write, tune: &Tune<'_>, proposal: &Proposal<'_>) -> io::Result<()> {
    let all = &proposal.result.entities;
    let most = tune.baseline.detail.limit(MOST_ENTITIES).min(all.len());
    let width = all.iter().take(most).map(|of| of.label.label.chars().count()).max().unwrap_or(0).min(LONGEST_LABEL);
    for (number, of) in all.iter().enumerate().take(most) {
        let lead = if number == 0 { "  instances " } else { "            " };
        let Some(peak) = &of.peak else { continue };
        let text = format!(
            "{:width$}  {} {}, mean {}  {}",
            clean(&of.label.label),
            proposal.extreme(),
            proposal.measure.text(peak.value),
            proposal.measure.text(of.mean),
            clean(&proposal.series_of(number)),
        );
        writeln!(out, "{lead}{}", text.trim_end())?;
    }
    if all.len() > most {
        writeln!(out, "            and {} more", count((all.len() - most) as u64))?;
    }
    Ok(())
}

fn table(out: &mut dyn Write, tune: &Tune<'_>, proposal: &Proposal<'_>, style: Style) -> io::Result<()> {
    let is_healthy = proposal.result.concerned.is_empty();
    let times = Times::new(tune.baseline.report.coverage.from, tune.baseline.report.coverage.to);
    let seconds = |span: Nanos| span / SECOND * SECOND;
    let row = |outcome: &Candidate| {
        let value = match proposal.mark(outcome) {
            "" => proposal.exact(outcome.threshold),
            mark => format!("{} ({mark})", proposal.exact(outcome.threshold)),
        };
        let (week, flaps) = (per_week_text(proposal.per_week(outcome)), count(outcome.flaps));
        let firing = percent(proposal.share(outcome));
        if is_healthy {
            let first = outcome.first.map(|at| times.offset(seconds(at))).unwrap_or_default();
            return [value, count(outcome.events), week, firing, flaps, count(outcome.entities), first];
        }
        let (seen, of) = proposal.result.seen(outcome);
        let slowest = proposal.concerned().filter_map(|(i, _)| proposal.delay(outcome, i)).max();
        let slowest = slowest.map(|delay| duration(seconds(delay))).unwrap_or_default();
        [value, format!("{} of {of}", of - seen), count(outcome.false_events), week, firing, flaps, slowest]
    };
    let head = match is_healthy {
        true => ["value", "events", "a week", "firing", "flaps", "instances", "first"],
        false => ["value", "missed", "false alerts", "a week", "firing", "flaps", "slowest detection"],
    };
    let mut rows = vec![head.map(str::to_string)];
    rows.extend(proposal.rows(tune.baseline.detail.limit(MOST_ROWS)).into_iter().map(row));
    layout::table(out, 4, &rows, style)
}

/// What was not swept, not evaluated, dropped.
fn rest(out: &mut dyn Write, tune: &Tune<'_>, style: Style) -> io::Result<()> {
    let left = left_out(tune);
    if !left.is_empty() {
        heading(out, "NOT TUNED", style)?;
        let width = left.iter().map(|of| of.name.chars().count()).max().unwrap_or(0).min(LONGEST_NAME);
        for of in left {
            let lead = format!("  {:width$}  ", clean(&of.name));
            paragraph(out, &lead, lead.chars().count(), &of.why)?;
        }
    }
    let most = tune.baseline.detail.limit(MOST_ENTITIES);
    if let Some(text) = other_intervals(tune, most) {
        writeln!(out)?;
        paragraph(out, "", 0, &text)?;
    }
    let counts = &tune.baseline.report.counts.dropped;
    let reasons: Vec<String> = dropped(counts).map(|(reason, n)| format!("{} {}", count(n), reason.as_str())).collect();
    if !reasons.is_empty() {
        writeln!(out)?;
        let text =
            format!("{} dropped: {}", counted(counts.iter().sum(), "data point", "data points"), reasons.join(", "));
        paragraph(out, "", 0, &text)?;
    }
    for sentence in tune.baseline.damage {
        paragraph(out, "damage: ", 8, sentence)?;
    }
    Ok(())
}

fn summary(all: &[Proposal<'_>]) -> String {
    let number =
        |is_wanted: fn(&ThresholdResult) -> bool| all.iter().filter(|proposal| is_wanted(proposal.result)).count();
    let changes = number(|result| result.change().is_some());
    let provisional = number(|result| result.change().is_some() && result.basis.is_provisional());
    let none = number(|result| result.choice.value.is_none());
    let keep = all.len() - changes - none;
    let low = if provisional > 0 { format!(" ({provisional} with low confidence)") } else { String::new() };
    let all = counted(all.len() as u64, "threshold", "thresholds");
    format!("{all}: {changes} to change{low}, {keep} to keep, {none} without a proposal.")
}
