//! JUnit XML in the form that Jenkins reads: `testsuites` / `testsuite` / `testcase`, and of a case at most one `failure` or
//! `skipped`.
//!
//! Only elements and attributes of the schema of Jenkins' xUnit plugin are written, which is why no library for JUnit is used:
//! the one at hand writes an attribute that the schema does not know, and drops characters. What is inconclusive is
//! `skipped`, since it is neither passed nor failed; the exit code says that it is no pass.

use super::cases::{CaseTally, cases, place_text, visible, visible_line};
use super::quantity::counted;
use crate::gate::{Case, CaseResult, Finding, Suite};
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};
use std::io::{self, Write};

/// Writes the report.
pub(super) fn write(out: &mut dyn Write, suites: &[Suite]) -> io::Result<()> {
    let mut writer = Writer::new_with_indent(out, b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let mut root = BytesStart::new("testsuites");
    root.push_attribute(("name", "foreshock"));
    let all = CaseTally::of(cases(suites));
    counts(&mut root, all);
    time(&mut root, cases(suites));
    writer.write_event(Event::Start(root))?;
    for suite in suites {
        write_suite(&mut writer, suite)?;
    }
    writer.write_event(Event::End(BytesEnd::new("testsuites")))?;
    writer.get_mut().write_all(b"\n")
}

fn counts(element: &mut BytesStart<'_>, tally: CaseTally) {
    let tests = tally.passed + tally.failed + tally.inconclusive;
    element.push_attribute(("tests", tests.to_string().as_str()));
    element.push_attribute(("failures", tally.failed.to_string().as_str()));
    element.push_attribute(("errors", "0"));
}

/// The sum of the times that were measured, when there is one.
fn time<'a>(element: &mut BytesStart<'_>, cases: impl Iterator<Item = &'a Case>) {
    let measured: Vec<f64> = cases.filter_map(|case| case.seconds).collect();
    if !measured.is_empty() {
        element.push_attribute(("time", format!("{:.3}", measured.iter().sum::<f64>()).as_str()));
    }
}

fn write_suite(writer: &mut Writer<impl Write>, suite: &Suite) -> io::Result<()> {
    let mut element = BytesStart::new("testsuite");
    element.push_attribute(("name", visible_line(&suite.name).as_ref()));
    let tally = CaseTally::of(&suite.cases);
    counts(&mut element, tally);
    element.push_attribute(("skipped", tally.inconclusive.to_string().as_str()));
    time(&mut element, suite.cases.iter());
    writer.write_event(Event::Start(element))?;
    for case in &suite.cases {
        write_case(writer, case, &class_name(&suite.name))?;
    }
    writer.write_event(Event::End(BytesEnd::new("testsuite")))
}

fn write_case(writer: &mut Writer<impl Write>, case: &Case, class_name: &str) -> io::Result<()> {
    let mut element = BytesStart::new("testcase");
    element.push_attribute(("classname", class_name));
    element.push_attribute(("name", visible_line(&case.name).as_ref()));
    time(&mut element, std::iter::once(case));
    let (name, findings) = match &case.result {
        CaseResult::Passed => return writer.write_event(Event::Empty(element)),
        CaseResult::Failed(findings) => ("failure", findings),
        CaseResult::Inconclusive(findings) => ("skipped", findings),
    };
    writer.write_event(Event::Start(element))?;
    let mut why = BytesStart::new(name);
    let first = findings.first();
    why.push_attribute(("message", visible_line(&message(findings)).as_ref()));
    why.push_attribute(("type", first.map_or("", |finding| finding.code)));
    writer.write_event(Event::Start(why))?;
    writer.write_event(Event::Text(BytesText::new(&visible(&body(case, findings)))))?;
    writer.write_event(Event::End(BytesEnd::new(name)))?;
    writer.write_event(Event::End(BytesEnd::new("testcase")))
}

/// The first finding, and how many there are behind it.
fn message(findings: &[Finding]) -> String {
    match findings {
        [] => String::new(),
        [only] => only.message.clone(),
        [first, rest @ ..] => format!("{} (and {})", first.message, counted(rest.len() as u64, "more", "more")),
    }
}

/// All findings with their places and details.
fn body(case: &Case, findings: &[Finding]) -> String {
    let mut parts = Vec::new();
    for finding in findings {
        let mut lines = vec![finding.message.clone()];
        lines.extend(finding.place.as_ref().or(case.place.as_ref()).map(|place| format!("at {}", place_text(place))));
        lines.extend((!finding.details.is_empty()).then(|| finding.details.clone()));
        parts.push(lines.join("\n"));
    }
    parts.join("\n\n")
}

/// Jenkins takes a class name apart at its dots to make a tree: folders become packages, and a file's own dots do not.
fn class_name(suite: &str) -> String {
    let name = visible_line(suite);
    let parts = name.split(['/', '\\']).filter(|part| !part.is_empty() && *part != "." && *part != "..");
    parts.map(|part| part.replace('.', "_")).collect::<Vec<_>>().join(".")
}
