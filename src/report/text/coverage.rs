//! What scenarios and recordings have shown of the rules, as text.

use crate::gate::{Coverage, Reached};
use crate::report::Style;
use crate::report::words::{clean, counted};
use std::io::{self, Write};

/// Metrics that are named; the others are counted.
const MOST_METRICS: usize = 12;

/// Writes how many definitions fired, those that did not, and the metrics no rule looks at.
pub fn coverage(out: &mut impl Write, coverage: &Coverage, style: Style) -> io::Result<()> {
    let all = coverage.definitions().count();
    let fired = coverage.definitions().filter(|one| one.reached == Reached::Fired).count();
    writeln!(out, "{}", style.strong("COVERAGE"))?;
    writeln!(out, "  {fired} of {} fired", counted(all as u64, "definition", "definitions"))?;
    for one in coverage.definitions().filter(|one| one.reached != Reached::Fired) {
        writeln!(out, "  {}  {} ({})", style.warning(one.reached.as_str()), clean(one.name), clean(one.file))?;
    }
    let ignored: Vec<&str> = coverage.ignored_metrics().collect();
    for metric in ignored.iter().take(MOST_METRICS) {
        writeln!(out, "  {}  {}", style.dim("no rule looks at"), clean(metric))?;
    }
    if ignored.len() > MOST_METRICS {
        writeln!(out, "  {} {} more", style.dim("no rule looks at"), ignored.len() - MOST_METRICS)?;
    }
    writeln!(out)
}
