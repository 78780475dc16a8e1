//! The document of `check`: every suite, every case, every finding, nothing left out.

use crate::gate::{Case, CaseResult, FileLocation, Finding, Suite};
use crate::report::cases::{CaseTally, cases};
use crate::report::document::{JsonNode, list, maybe, object};

pub(super) fn document(suites: &[Suite]) -> JsonNode {
    let tally = CaseTally::of(cases(suites));
    let suite = |suite: &Suite| object! { "name": suite.name.as_str(), "cases": list(suite.cases.iter().map(case)) };
    object! {
        "schemaVersion": 1,
        "passed": tally.passed,
        "failed": tally.failed,
        "inconclusive": tally.inconclusive,
        "suites": list(suites.iter().map(suite)),
    }
}

fn case(case: &Case) -> JsonNode {
    let (result, findings): (_, &[Finding]) = match &case.result {
        CaseResult::Passed => ("passed", &[]),
        CaseResult::Failed(findings) => ("failed", findings),
        CaseResult::Inconclusive(findings) => ("inconclusive", findings),
    };
    let finding = |of: &Finding| {
        object! {
            "code": of.code,
            "message": of.message.as_str(),
            "details": maybe(Some(of.details.as_str()).filter(|details| !details.is_empty())),
            "place": maybe(of.place.as_ref().map(place)),
        }
    };
    object! {
        "name": case.name.as_str(),
        "result": result,
        "place": maybe(case.place.as_ref().map(place)),
        "seconds": maybe(case.seconds),
        "findings": list(findings.iter().map(finding)),
    }
}

fn place(place: &FileLocation) -> JsonNode {
    object! {
        "file": place.file.as_str(),
        "line": maybe(place.position.map(|at| at.line)),
        "column": maybe(place.position.map(|at| at.column)),
    }
}
