//! What is in recordings: services and their instances, then metrics, one line each with attributes and oddities below. What
//! is as expected (no gap, no reset) is left out, and long lists are shortened.

use super::losses;
use crate::catalog::{self, Quantity};
use crate::inspect::{Findings, Gap, Instance, Metric, Service};
use crate::model::{Kind, Nanos, Temporality};
use crate::report::layout::{clean, heading, paragraph};
use crate::report::outcome::{Detail, Inspected};
use crate::report::quantity::{Measure, count, counted};
use crate::report::style::Style;
use crate::report::time::{Times, covered, duration};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

/// More gaps or instances than this are only counted in the brief text.
const MOST: usize = 5;
/// More values of an attribute than this are only counted in the brief text.
const MOST_VALUES: usize = 6;
/// Columns of the kind.
const KIND: usize = 22;

/// Writes the text.
pub(super) fn write(out: &mut dyn Write, inspected: &Inspected<'_>, style: Style) -> io::Result<()> {
    let findings = inspected.findings;
    let times = head(out, inspected, style)?;
    if !findings.services.is_empty() {
        heading(out, "SERVICES", style)?;
    }
    for service in &findings.services {
        Services { out: &mut *out, times, detail: inspected.detail, style }.service(service)?;
    }
    metrics(out, findings, inspected.detail, style)?;
    what_is_wrong(out, inspected, style)
}

fn head(out: &mut dyn Write, inspected: &Inspected<'_>, style: Style) -> io::Result<Times> {
    for (name, form) in inspected.sources.iter().zip(inspected.forms) {
        writeln!(out, "{} ({form})", style.strong(&clean(name)))?;
    }
    let findings = inspected.findings;
    let instances = || findings.services.iter().flat_map(|service| &service.instances);
    let from = instances().filter_map(|instance| instance.from).min();
    let to = instances().filter_map(|instance| instance.to).max();
    writeln!(out, "{}", covered(from, to))?;
    let text = format!(
        "{}, {} of {}, {}",
        counted(findings.bodies, "export request", "export requests"),
        counted(findings.series, "series", "series"),
        counted(instances().count() as u64, "resource", "resources"),
        counted(findings.points, "data point", "data points"),
    );
    paragraph(out, "", 0, &text)?;
    Ok(Times::new(from, to))
}

/// Writes services.
struct Services<'a> {
    out: &'a mut dyn Write,
    times: Times,
    detail: Detail,
    style: Style,
}

impl Services<'_> {
    fn service(&mut self, service: &Service) -> io::Result<()> {
        let name = match (&service.namespace, &service.name) {
            (Some(namespace), Some(name)) => format!("{namespace}/{name}"),
            (None, Some(name)) => name.clone(),
            (_, None) => "without service.name".to_string(),
        };
        let mut parts = vec![counted(service.instances.len() as u64, "instance", "instances")];
        if let Some(interval) = service.interval {
            parts.push(format!("exports every {}", rounded(interval)));
        }
        if !service.sdks.is_empty() {
            parts.push(service.sdks.join(", "));
        }
        let lead = format!("  {}  ", self.style.strong(&clean(&name)));
        paragraph(self.out, &lead, name.chars().count() + 4, &parts.join(", "))?;
        let limit = self.detail.limit(MOST);
        for instance in service.instances.iter().take(limit) {
            self.instance(instance, service.interval)?;
        }
        if let Some(rest) = service.instances.len().checked_sub(limit).filter(|rest| *rest > 0) {
            writeln!(self.out, "    and {} (-v shows them)", counted(rest as u64, "more instance", "more instances"))?;
        }
        Ok(())
    }

    fn instance(&mut self, instance: &Instance, usual: Option<Nanos>) -> io::Result<()> {
        let id = match instance.resource.get("service.instance.id") {
            Some(id) => id.to_text(),
            None => "(no service.instance.id)".to_string(),
        };
        let span = match (instance.from, instance.to) {
            (Some(from), Some(to)) => format!("{} to {}", self.times.time(from), self.times.time(to)),
            _ => "no valid data points".to_string(),
        };
        let mut parts =
            vec![span, counted(instance.exports, "export", "exports"), counted(instance.series, "series", "series")];
        if self.detail == Detail::Full {
            parts.push(counted(instance.points, "data point", "data points"));
        }
        if let Some(interval) = instance.interval.filter(|interval| usual.map(rounded) != Some(rounded(*interval))) {
            parts.push(format!("every {}", rounded(interval)));
        }
        let text = format!("{id}: {}", parts.join(", "));
        paragraph(self.out, "    ", 4, &text)?;
        if instance.several_writers {
            let text = "several processes export as this one resource: its interval and gaps are a mixture; give each its \
                        own service.instance.id";
            paragraph(self.out, "      ", 6, text)?;
        } else {
            self.gaps(&instance.gaps)?;
        }
        if self.detail == Detail::Full {
            paragraph(self.out, "      ", 6, &instance.resource.to_suffix())?;
        }
        Ok(())
    }

    fn gaps(&mut self, gaps: &[Gap]) -> io::Result<()> {
        let limit = self.detail.limit(MOST);
        let mut longest: Vec<&Gap> = gaps.iter().collect();
        longest.sort_by_key(|gap| (gap.from - gap.to, gap.from));
        longest.truncate(limit);
        longest.sort_by_key(|gap| gap.from);
        for gap in &longest {
            let length = duration(gap.to - gap.from);
            writeln!(
                self.out,
                "      no export from {} to {} ({length})",
                self.times.time(gap.from),
                self.times.time(gap.to)
            )?;
        }
        if gaps.len() > longest.len() {
            let rest = (gaps.len() - longest.len()) as u64;
            writeln!(self.out, "      and {} (-v shows them)", counted(rest, "shorter gap", "shorter gaps"))?;
        }
        Ok(())
    }
}

/// An interval without the drift of the exporter: to a tenth of a second below ten seconds, to a second above.
fn rounded(interval: Nanos) -> String {
    let unit = if interval < 10_000_000_000 { 100_000_000 } else { 1_000_000_000 };
    if interval < unit { duration(interval) } else { duration((interval + unit / 2) / unit * unit) }
}

/// Writes the metrics, grouped by scope.
fn metrics(out: &mut dyn Write, findings: &Findings, detail: Detail, style: Style) -> io::Result<()> {
    if findings.metrics.is_empty() {
        return Ok(());
    }
    heading(out, "METRICS", style)?;
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

fn what_is_wrong(out: &mut dyn Write, inspected: &Inspected<'_>, style: Style) -> io::Result<()> {
    let findings = inspected.findings;
    losses::reasons(out, "WOULD BE DROPPED:", (&findings.dropped, findings.points), style)?;
    if findings.out_of_order > 0 {
        writeln!(out)?;
        let points = counted(findings.out_of_order, "data point is", "data points are");
        let text = format!(
            "{points} older than an earlier one of the same series; a rule whose window has passed drops them as too_late."
        );
        paragraph(out, "", 0, &text)?;
    }
    losses::damage(out, inspected.damage, style)
}
