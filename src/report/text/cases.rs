//! The cases of a gate: what is not as it should be, where, and a line that sums up; what scenarios reach of the rules, and
//! which changes of the rules none of them notices.

use crate::gate::{CaseResult, FileLocation, Finding, Reached, RuleCoverage, Suite, Tested, score};
use crate::report::cases::{CaseTally, cases, place_text};
use crate::report::layout::clean;
use crate::report::outcome::{CheckOutcome, Detail};
use crate::report::quantity::counted;
use crate::report::style::Style;
use std::io::{self, Write};

/// Metrics that are named; the others are counted.
const MOST_METRICS: usize = 12;

/// Writes the text.
pub(super) fn write(out: &mut dyn Write, check: &CheckOutcome<'_>, style: Style) -> io::Result<()> {
    coverage_and_mutants(out, check, style)?;
    suites(out, check.suites, check.detail, style)
}

/// Writes what the cases do not show; nothing unless it is wanted.
pub fn coverage_and_mutants(out: &mut dyn Write, check: &CheckOutcome<'_>, style: Style) -> io::Result<()> {
    if let Some(reached) = check.coverage {
        coverage(out, reached, style)?;
    }
    check.mutants.map_or(Ok(()), |mutants| mutation(out, mutants, check.detail, style))
}

/// Writes suites. What passed is listed in full detail only.
pub(super) fn suites(out: &mut dyn Write, suites: &[Suite], detail: Detail, style: Style) -> io::Result<()> {
    for suite in suites {
        let shown = suite.cases.iter().filter(|case| detail == Detail::Full || case.result != CaseResult::Passed);
        let mut headed = false;
        for case in shown {
            if !headed {
                writeln!(out, "{}", style.strong(&clean(&suite.name)))?;
                headed = true;
            }
            let (word, found) = match &case.result {
                CaseResult::Passed => (style.good("passed"), &[][..]),
                CaseResult::Failed(found) => (style.critical("FAILED"), &found[..]),
                CaseResult::Inconclusive(found) => (style.warning("inconclusive"), &found[..]),
            };
            writeln!(out, "  {word}  {}", clean(&case.name))?;
            for finding in found {
                write_finding(out, finding, suite, style)?;
            }
        }
        if headed {
            writeln!(out)?;
        }
    }
    writeln!(out, "{}.", CaseTally::of(cases(suites)).sentence())
}

/// `line 12: the sentence`, and the details below it.
fn write_finding(out: &mut dyn Write, finding: &Finding, suite: &Suite, style: Style) -> io::Result<()> {
    let place = finding.place.as_ref().map(|place| format!("{}: ", place_in(place, suite))).unwrap_or_default();
    writeln!(out, "    {}{}", style.dim(&clean(&place)), clean(&finding.message))?;
    for line in finding.details.lines() {
        writeln!(out, "      {}", clean(line))?;
    }
    Ok(())
}

fn place_in(place: &FileLocation, suite: &Suite) -> String {
    match place.position {
        Some(position) if place.file == suite.name => format!("line {}", position.line),
        _ => place_text(place),
    }
}

/// Writes how many definitions fired, those that did not, and the metrics no rule looks at.
fn coverage(out: &mut dyn Write, coverage: &RuleCoverage, style: Style) -> io::Result<()> {
    let all = coverage.definitions().count();
    let fired = coverage.definitions().filter(|one| one.reached == Reached::Fired).count();
    writeln!(out, "{}", style.strong("COVERAGE"))?;
    writeln!(out, "  {fired} of {} fired", counted(all as u64, "definition", "definitions"))?;
    for one in coverage.definitions().filter(|one| one.reached != Reached::Fired) {
        writeln!(out, "  {}  {} ({})", style.warning(one.reached.as_str()), clean(one.name), clean(one.file))?;
    }
    let ignored: Vec<&str> = coverage.ignored_metrics().collect();
    for metric in ignored.iter().take(MOST_METRICS) {
        writeln!(out, "  {}  {}", style.dim("not used by any rule"), clean(metric))?;
    }
    if ignored.len() > MOST_METRICS {
        writeln!(out, "  {} {} more", style.dim("not used by any rule"), ignored.len() - MOST_METRICS)?;
    }
    writeln!(out)
}

/// Writes how many mutants were noticed, and which were not; with all detail also by whom.
fn mutation(out: &mut dyn Write, tested: &[Tested], detail: Detail, style: Style) -> io::Result<()> {
    let noticed = tested.iter().filter(|one| one.noticed_by.is_some()).count();
    writeln!(out, "{}", style.strong("MUTATION"))?;
    let all = counted(tested.len() as u64, "change", "changes");
    let score = score(tested).map(|score| format!(" ({:.1}%)", score * 100.0)).unwrap_or_default();
    writeln!(out, "  {noticed} of {all} noticed{score}")?;
    for one in tested {
        match &one.noticed_by {
            None => writeln!(out, "  {}  {}", style.warning("unnoticed"), clean(&one.sentence()))?,
            Some(scenario) if detail == Detail::Full => {
                let mutant = &one.mutant;
                let what = format!("{}: {} {}", mutant.definition.name, mutant.path, mutant.change);
                writeln!(out, "  {}  {}, by: {}", style.good("noticed"), clean(&what), clean(scenario))?;
            }
            Some(_) => {}
        }
    }
    writeln!(out)
}
