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
use quick_xml::events::{BytesDecl, BytesStart, BytesText, Event};
use std::io::{self, Write};

/// Writes the report.
pub(super) fn write(out: &mut dyn Write, suites: &[Suite]) -> io::Result<()> {
    let mut writer = Writer::new_with_indent(out, b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let all: Vec<&Case> = cases(suites).collect();
    let mut root = element("testsuites", &[("name", "foreshock")]);
    counts(&mut root, &all);
    time(&mut root, &all);
    writer.write_event(Event::Start(root.borrow()))?;
    suites.iter().try_for_each(|suite| write_suite(&mut writer, suite))?;
    writer.write_event(Event::End(root.to_end()))?;
    writer.get_mut().write_all(b"\n")
}

fn element<'a>(name: &'a str, attributes: &[(&str, &str)]) -> BytesStart<'a> {
    BytesStart::new(name).with_attributes(attributes.iter().copied())
}

fn counts(element: &mut BytesStart<'_>, cases: &[&Case]) -> CaseTally {
    let tally = CaseTally::of(cases.iter().copied());
    element.push_attribute(("tests", cases.len().to_string().as_str()));
    element.push_attribute(("failures", tally.failed.to_string().as_str()));
    element.push_attribute(("errors", "0"));
    tally
}

/// The sum of the times that were measured, when there is one.
fn time(element: &mut BytesStart<'_>, cases: &[&Case]) {
    let measured: Vec<f64> = cases.iter().filter_map(|case| case.seconds).collect();
    if !measured.is_empty() {
        element.push_attribute(("time", format!("{:.3}", measured.iter().sum::<f64>()).as_str()));
    }
}

fn write_suite(writer: &mut Writer<impl Write>, suite: &Suite) -> io::Result<()> {
    let all: Vec<&Case> = suite.cases.iter().collect();
    let mut start = element("testsuite", &[("name", &visible_line(&suite.name))]);
    let tally = counts(&mut start, &all);
    start.push_attribute(("skipped", tally.inconclusive.to_string().as_str()));
    time(&mut start, &all);
    writer.write_event(Event::Start(start.borrow()))?;
    let class_name = class_name(&suite.name);
    all.into_iter().try_for_each(|case| write_case(writer, case, &class_name))?;
    writer.write_event(Event::End(start.to_end()))
}

fn write_case(writer: &mut Writer<impl Write>, case: &Case, class_name: &str) -> io::Result<()> {
    let mut start = element("testcase", &[("classname", class_name), ("name", &visible_line(&case.name))]);
    time(&mut start, &[case]);
    let (name, findings) = match &case.result {
        CaseResult::Passed => return writer.write_event(Event::Empty(start)),
        CaseResult::Failed(findings) => ("failure", findings),
        CaseResult::Inconclusive(findings) => ("skipped", findings),
    };
    let code = findings.first().map_or("", |finding| finding.code);
    let why = element(name, &[("message", &visible_line(&message(findings))), ("type", code)]);
    writer.write_event(Event::Start(start.borrow()))?;
    writer.write_event(Event::Start(why.borrow()))?;
    writer.write_event(Event::Text(BytesText::new(&visible(&body(case, findings)))))?;
    writer.write_event(Event::End(why.to_end()))?;
    writer.write_event(Event::End(start.to_end()))
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
