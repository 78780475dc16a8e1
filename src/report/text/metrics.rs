//! The metrics of a recording: one line each, with attributes and oddities below.

use crate::catalog::{self, Quantity};
use crate::inspect::{Findings, Metric};
use crate::model::{Kind, Temporality};
use crate::report::layout::{clean, paragraph};
use crate::report::outcome::Detail;
use crate::report::quantity::{Measure, count, counted};
use crate::report::style::Style;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

/// More values of an attribute than this are only counted in the brief text.
const MOST_VALUES: usize = 6;
/// Columns of the kind.
const KIND: usize = 22;

/// Writes the metrics, grouped by scope.
pub(super) fn write(out: &mut dyn Write, findings: &Findings, detail: Detail, style: Style) -> io::Result<()> {
    if findings.metrics.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    writeln!(out, "{}", style.strong("METRICS"))?;
    let width = findings.metrics.iter().map(|metric| metric.identity.name.chars().count()).max().unwrap_or(0).min(44);
    let mut scope = None;
    for metric in &findings.metrics {
        if scope != Some(&metric.identity.scope) {
            scope = Some(&metric.identity.scope);
            writeln!(out, "  {}", clean(&scope_line(findings, &metric.identity.scope)))?;
        }
        writeln!(out, "{}", clean(line(metric, width).trim_end()))?;
        for text in below(metric, detail) {
            paragraph(out, "        ", 8, &text)?;
        }
    }
    Ok(())
}

fn scope_line(findings: &Findings, scope: &str) -> String {
    if scope.is_empty() {
        return "without a scope".to_string();
    }
    let of_scope = findings.metrics.iter().filter(|metric| metric.identity.scope == scope);
    let versions: BTreeSet<&str> = of_scope.flat_map(|metric| &metric.versions).map(String::as_str).collect();
    let versions: Vec<&str> = versions.into_iter().collect();
    format!("scope {scope} {}", versions.join(", ")).trim_end().to_string()
}

fn line(metric: &Metric, width: usize) -> String {
    let units: Vec<&str> = metric.units.iter().map(String::as_str).filter(|unit| !unit.is_empty()).collect();
    let quantity = catalog::python().metric(&metric.identity.name).map(|known| known.quantity);
    let quantity = quantity.unwrap_or_else(|| units.first().map(|unit| Quantity::of_unit(unit)).unwrap_or_default());
    let measure = Measure::of(quantity);
    let range = match metric.range {
        Some((low, high)) if low == high => measure.text(low),
        Some((low, high)) => format!("{} to {}", measure.text(low), measure.text(high)),
        None => String::new(),
    };
    format!(
        "    {:<width$} {:<KIND$}{:>4} series  {range}{}",
        metric.identity.name,
        kind(metric),
        count(metric.series),
        if units.is_empty() { String::new() } else { format!("  [{}]", units.join(", ")) },
    )
}

/// `sum, monotonic`, `delta UpDownCounter`, `gauge`: what decides how a rule can evaluate it.
fn kind(metric: &Metric) -> String {
    let identity = &metric.identity;
    let temporality = if identity.temporality == Temporality::Delta { "delta " } else { "" };
    match identity.kind {
        Kind::Gauge => "gauge".to_string(),
        Kind::Sum if identity.monotonic => format!("{temporality}sum, monotonic"),
        Kind::Sum => format!("{temporality}UpDownCounter"),
        Kind::Histogram => format!("{temporality}histogram"),
        Kind::ExponentialHistogram => format!("{temporality}exp. histogram"),
        Kind::Summary => "summary, not evaluated".to_string(),
    }
}

fn below(metric: &Metric, detail: Detail) -> Vec<String> {
    let mut lines = Vec::new();
    let mut values: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for attributes in &metric.attributes {
        for (key, value) in attributes.iter() {
            values.entry(key).or_default().insert(value.to_text());
        }
    }
    if !values.is_empty() {
        let keys: Vec<String> = values.into_iter().map(|(key, values)| key_values(key, values, detail)).collect();
        lines.push(keys.join("; "));
    }
    let monotonic = if metric.identity.kind == Kind::Sum { " although monotonic" } else { "" };
    if metric.resets > 0 {
        lines.push(format!("decreased {}{monotonic} (a counter reset, or not a counter)", times(metric.resets)));
    }
    if metric.negative_deltas > 0 {
        lines.push(format!(
            "{} although monotonic",
            counted(metric.negative_deltas, "negative delta", "negative deltas")
        ));
    }
    if metric.several_writers > 0 {
        let series = counted(metric.several_writers, "series is", "series are");
        lines.push(format!("{series} written by several processes (their start times alternate)"));
    } else if metric.start_changes > 0 {
        lines.push(format!("start time changed {} (a restart)", times(metric.start_changes)));
    }
    if detail == Detail::Full
        && let Some(known) = catalog::python().metric(&metric.identity.name)
    {
        lines.extend(known.traps.iter().map(|trap| format!("- {}", trap.text)));
    }
    lines
}

fn key_values(key: &str, values: BTreeSet<String>, detail: Detail) -> String {
    let all = values.len();
    let limit = detail.limit(MOST_VALUES);
    let mut shown: Vec<String> = values.into_iter().take(limit).collect();
    if all > shown.len() {
        shown.push(format!("and {} more", all - shown.len()));
    }
    format!("{key}: {}", shown.join(", "))
}

fn times(n: u64) -> String {
    match n {
        1 => "once".to_string(),
        n => format!("{} times", count(n)),
    }
}
