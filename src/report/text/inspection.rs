//! What is in recordings. What is as expected (no gap, no reset) is left out, and long lists are shortened.

use super::{losses, metrics};
use crate::inspect::{Gap, Instance, Service};
use crate::model::Nanos;
use crate::report::layout::{clean, paragraph};
use crate::report::outcome::{Detail, Inspected};
use crate::report::quantity::{count, counted};
use crate::report::style::Style;
use crate::report::time::{Times, covered, duration};
use std::io::{self, Write};

/// More gaps or instances than this are only counted in the brief text.
const MOST: usize = 5;

/// Writes the text.
pub(super) fn write(out: &mut dyn Write, inspected: &Inspected<'_>, style: Style) -> io::Result<()> {
    let findings = inspected.findings;
    let times = head(out, inspected, style)?;
    if !findings.services.is_empty() {
        writeln!(out)?;
        writeln!(out, "{}", style.strong("SERVICES"))?;
    }
    for service in &findings.services {
        Services { out: &mut *out, times, detail: inspected.detail, style }.service(service)?;
    }
    metrics::write(out, findings, inspected.detail, style)?;
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

fn what_is_wrong(out: &mut dyn Write, inspected: &Inspected<'_>, style: Style) -> io::Result<()> {
    let findings = inspected.findings;
    losses::reasons(out, "WOULD BE DROPPED:", (&findings.dropped, findings.points), style)?;
    if findings.out_of_order > 0 {
        writeln!(out)?;
        let text = format!(
            "{} older than an earlier one of the same series; a rule whose window has passed drops them as too_late.",
            if findings.out_of_order == 1 {
                "1 data point is".to_string()
            } else {
                format!("{} data points are", count(findings.out_of_order))
            }
        );
        paragraph(out, "", 0, &text)?;
    }
    losses::damage(out, inspected.damage, style)
}
