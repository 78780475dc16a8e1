//! The outcome of a gate for a person: what is not as it should be, where, and a line that sums up.

use super::Detail;
use crate::gate::{CaseResult, Finding, Place, Suite};
use crate::report::Style;
use crate::report::words::clean;
use std::io::{self, Write};

/// Writes the suites. What passed is listed only when everything is asked for.
pub fn suites(out: &mut impl Write, suites: &[Suite], detail: Detail, style: Style) -> io::Result<()> {
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
    writeln!(out, "{}", summary(suites))
}

/// `line 12: the sentence`, and the details below it.
fn write_finding(out: &mut impl Write, finding: &Finding, suite: &Suite, style: Style) -> io::Result<()> {
    let place = finding.place.as_ref().map(|place| format!("{}: ", place_in(place, suite))).unwrap_or_default();
    writeln!(out, "    {}{}", style.dim(&clean(&place)), clean(&finding.message))?;
    for line in finding.details.lines() {
        writeln!(out, "      {}", clean(line))?;
    }
    Ok(())
}

fn place_in(place: &Place, suite: &Suite) -> String {
    match place.position {
        Some(position) if place.file == suite.name => format!("line {}", position.line),
        Some(position) => format!("{}:{}:{}", place.file, position.line, position.column),
        None => place.file.clone(),
    }
}

/// `12 cases: 10 passed, 1 failed, 1 inconclusive.`
fn summary(suites: &[Suite]) -> String {
    let (mut passed, mut failed, mut inconclusive) = (0usize, 0usize, 0usize);
    for case in suites.iter().flat_map(|suite| &suite.cases) {
        match case.result {
            CaseResult::Passed => passed += 1,
            CaseResult::Failed(_) => failed += 1,
            CaseResult::Inconclusive(_) => inconclusive += 1,
        }
    }
    let all = passed + failed + inconclusive;
    let noun = if all == 1 { "case" } else { "cases" };
    format!("{all} {noun}: {passed} passed, {failed} failed, {inconclusive} inconclusive.")
}
