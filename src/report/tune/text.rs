//! The text of `tune`: what is proposed, a line each; then the values that were tried, for those that should change.

use super::{Told, Tune, not_swept, other_intervals, unjudged};
use crate::engine::DropReason;
use crate::model::SECOND;
use crate::report::Style;
use crate::report::quantity::{count, percent};
use crate::report::text::Detail;
use crate::report::words::{Clock, WIDTH, clean, counted, date_time, duration, paragraph, span_ms};
use crate::tune::Outcome;
use std::io::{self, Write};

/// Rows of a table of values, unless everything is asked for.
const MOST_ROWS: usize = 9;
/// Entities that are listed, unless everything is asked for.
const MOST_ENTITIES: usize = 4;
/// Columns that names take at most before they push others aside.
const LONGEST_NAME: usize = 28;
const LONGEST_LABEL: usize = 60;

/// Writes the text.
pub fn tune(out: &mut impl Write, tune: &Tune<'_>, style: Style) -> io::Result<()> {
    let out: &mut dyn Write = out;
    head(out, tune, style)?;
    let told = Told::all(tune);
    proposals(out, tune, &told, style)?;
    for told in &told {
        let is_shown = told.answer.change().is_some() || tune.baseline.detail == Detail::Full;
        if is_shown && !told.answer.entities.is_empty() {
            writeln!(out)?;
            details(out, tune, told, style)?;
        }
    }
    rest(out, tune, style)?;
    writeln!(out)?;
    paragraph(out, "", 0, &summary(&told))
}

fn head(out: &mut dyn Write, tune: &Tune<'_>, style: Style) -> io::Result<()> {
    let report = tune.baseline.report;
    writeln!(out, "{}", style.strong(&clean(&format!("healthy: {}", tune.baseline.sources.join(", ")))))?;
    let span = match (report.coverage.from, report.coverage.to) {
        (Some(from), Some(to)) => {
            let clock = Clock::new(Some(from), Some(to));
            format!("{} to {} UTC ({})", date_time(from), clock.time(to), duration((to - from) / SECOND * SECOND))
        }
        _ => "no point with a time".to_string(),
    };
    let (entities, points) = (report.counts.entities, report.counts.points);
    writeln!(out, "{span}; {}, {}", counted(entities, "instance", "instances"), counted(points, "point", "points"))?;
    if !tune.bad.is_empty() {
        paragraph(out, "bad: ", 5, &tune.bad.join(", "))?;
    }
    let incidents = tune.passes.first().map_or(0, |pass| pass.tuned.incidents.len());
    if incidents > tune.bad.len() {
        writeln!(out, "{}", counted(incidents as u64, "incident", "incidents"))?;
    }
    Ok(())
}

fn proposals(out: &mut dyn Write, tune: &Tune<'_>, told: &[Told<'_>], style: Style) -> io::Result<()> {
    writeln!(out)?;
    writeln!(out, "{}", style.strong("PROPOSED"))?;
    let several = tune.passes.len() > 1;
    let name = |told: &Told<'_>| match several {
        true => format!("{} ({})", told.name(), span_ms(told.threshold.window_ms)),
        false => told.name(),
    };
    let width = |of: &dyn Fn(&Told<'_>) -> String| told.iter().map(|told| of(told).chars().count()).max().unwrap_or(0);
    let (names, todays, values) =
        (width(&name).min(LONGEST_NAME), width(&|told| told.today()), width(&|told| told.proposal()).max(4));
    for told in told {
        let (name, today, value) = (clean(&name(told)).into_owned(), told.today(), told.proposal());
        let painted = match (told.answer.change(), told.answer.choice.value) {
            (Some(_), _) => style.strong(&value),
            (None, Some(_)) => style.good(&value),
            (None, None) => style.warning(&value),
        };
        let pad = |text: &str, width: usize| " ".repeat(width.saturating_sub(text.chars().count()));
        let columns = format!("{today}{}  {painted}{}  ", pad(&today, todays), pad(&value, values));
        let lead = format!("  {name}{}  {columns}", pad(&name, names));
        let width = 2 + names.max(name.chars().count()) + 2 + todays + 2 + values + 2;
        let why = told.why(tune);
        let notes: Vec<String> =
            told.rests_on().into_iter().chain(told.notes(tune.baseline.detail == Detail::Full)).collect();
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

fn details(out: &mut dyn Write, tune: &Tune<'_>, told: &Told<'_>, style: Style) -> io::Result<()> {
    writeln!(out, "{}  {}", style.strong(&clean(&told.name())), clean(&told.subject()))?;
    let answer = told.answer;
    if answer.change().is_none() {
        paragraph(out, "  basis     ", 12, &told.basis())?;
    }
    let values = answer.quantiles.iter().map(|(part, value)| match *part {
        1.0 => format!("all {}", told.measure.text(*value)),
        part => format!("{} % {}", part * 100.0, told.measure.text(*value)),
    });
    let side = if answer.condition.is_upper() { "up to" } else { "down to" };
    paragraph(out, "  values    ", 12, &format!("{side}: {}", values.collect::<Vec<_>>().join(", ")))?;
    entities(out, tune, told)?;
    table(out, tune, told, style)
}

fn entities(out: &mut dyn Write, tune: &Tune<'_>, told: &Told<'_>) -> io::Result<()> {
    let all = &told.answer.entities;
    let most = if tune.baseline.detail == Detail::Full { all.len() } else { MOST_ENTITIES };
    let width = all.iter().take(most).map(|of| of.label.label.chars().count()).max().unwrap_or(0).min(LONGEST_LABEL);
    for (number, of) in all.iter().enumerate().take(most) {
        let lead = if number == 0 { "  instances " } else { "            " };
        let Some(peak) = &of.peak else { continue };
        let text = format!(
            "{:width$}  {} {}, mean {}  {}",
            clean(&of.label.label),
            told.extreme(),
            told.measure.text(peak.value),
            told.measure.text(of.mean),
            clean(&told.series_of(number)),
        );
        writeln!(out, "{lead}{}", text.trim_end())?;
    }
    if all.len() > most {
        writeln!(out, "            and {} more", count((all.len() - most) as u64))?;
    }
    Ok(())
}

fn table(out: &mut dyn Write, tune: &Tune<'_>, told: &Told<'_>, style: Style) -> io::Result<()> {
    let most = if tune.baseline.detail == Detail::Full { usize::MAX } else { MOST_ROWS };
    let has_labels = !told.answer.concerned.is_empty();
    let mut head = vec!["value", "events", "a week", "firing", "flaps", "instances", "first"];
    if has_labels {
        head = vec!["value", "missed", "false", "a week", "firing", "flaps", "latest"];
    }
    let mut rows = vec![(head.into_iter().map(str::to_string).collect::<Vec<_>>(), "")];
    rows.extend(told.rows(most).into_iter().map(|outcome| {
        let mark = if Some(outcome.threshold) == told.answer.change() {
            "proposed"
        } else if outcome.threshold == told.answer.condition.value {
            "today"
        } else {
            ""
        };
        (row(tune, told, outcome, has_labels), mark)
    }));
    let columns = rows.first().map_or(0, |(row, _)| row.len());
    let widths: Vec<usize> =
        (0..columns).map(|i| rows.iter().map(|(row, _)| row[i].chars().count()).max().unwrap_or(0)).collect();
    for (number, (row, mark)) in rows.iter().enumerate() {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:>width$}"));
        let line = format!("    {}  {mark}", cells.collect::<Vec<_>>().join("  "));
        let line = line.trim_end();
        writeln!(out, "{}", if number == 0 { style.dim(line) } else { line.to_string() })?;
    }
    Ok(())
}

fn row(tune: &Tune<'_>, told: &Told<'_>, outcome: &Outcome, has_labels: bool) -> Vec<String> {
    let week = told.per_week(outcome);
    let week = if week == 0.0 || week >= 10.0 { count(week.round() as u64) } else { format!("{week:.1}") };
    let firing = percent(told.share(outcome));
    let (value, flaps) = (told.exact(outcome.threshold), count(outcome.flaps));
    if !has_labels {
        let clock = Clock::new(tune.baseline.report.coverage.from, tune.baseline.report.coverage.to);
        let first = outcome.first.map(|at| clock.offset(at / SECOND * SECOND)).unwrap_or_default();
        return vec![value, count(outcome.events), week, firing, flaps, count(outcome.entities), first];
    }
    let (seen, all) = told.answer.seen(outcome);
    let latest = told.concerned().filter_map(|(i, _)| told.delay(outcome, i)).max();
    let latest = latest.map(|delay| duration(delay / SECOND * SECOND)).unwrap_or_default();
    vec![value, format!("{} of {all}", all - seen), count(outcome.false_events), week, firing, flaps, latest]
}

/// What was not swept, not judged, not kept.
fn rest(out: &mut dyn Write, tune: &Tune<'_>, style: Style) -> io::Result<()> {
    let mut lines: Vec<(String, String)> =
        unjudged(tune).into_iter().map(|(name, why)| (name.to_string(), why)).collect();
    if let Some(pass) = tune.passes.first() {
        for (question, why) in &pass.tuned.left {
            let Some(definition) = pass.definitions.get(question.definition) else { continue };
            let name = match definition.rules.len() {
                1 => definition.name.clone(),
                _ => format!("{} rules[{}]", definition.name, question.rule),
            };
            lines.push((name, not_swept(*why).to_string()));
        }
    }
    if !lines.is_empty() {
        writeln!(out, "\n{}", style.strong("NOT TUNED"))?;
        let width = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).min(LONGEST_NAME);
        for (name, why) in lines {
            let lead = format!("  {:width$}  ", clean(&name));
            paragraph(out, &lead, lead.chars().count(), &why)?;
        }
    }
    let most = if tune.baseline.detail == Detail::Full { usize::MAX } else { MOST_ENTITIES };
    if let Some(text) = other_intervals(tune, most) {
        writeln!(out)?;
        paragraph(out, "", 0, &text)?;
    }
    let dropped = &tune.baseline.report.counts.dropped;
    let all: u64 = dropped.iter().sum();
    if all > 0 {
        let reasons = DropReason::ALL.into_iter().zip(dropped).filter(|(_, n)| **n > 0);
        let reasons: Vec<String> = reasons.map(|(reason, n)| format!("{} {}", count(*n), reason.as_str())).collect();
        writeln!(out)?;
        let text = format!("{} dropped: {}", counted(all, "point", "points"), reasons.join(", "));
        paragraph(out, "", 0, &text)?;
    }
    for sentence in tune.baseline.damage {
        paragraph(out, "damage: ", 8, sentence)?;
    }
    Ok(())
}

fn summary(told: &[Told<'_>]) -> String {
    let changes = told.iter().filter(|told| told.answer.change().is_some()).count();
    let provisional =
        told.iter().filter(|told| told.answer.change().is_some() && told.answer.basis.is_provisional()).count();
    let keep = told.iter().filter(|told| told.answer.change().is_none() && told.answer.choice.value.is_some()).count();
    let none = told.len() - changes - keep;
    let mut text = format!("{}: {changes} to change", counted(told.len() as u64, "threshold", "thresholds"));
    if provisional > 0 {
        text += &format!(" ({provisional} provisional)");
    }
    text += &format!(", {keep} to keep, {none} without a proposal.");
    text
}
