//! The document of `check`: every suite, every case, every finding, nothing left out.

use crate::gate::{Case, CaseResult, FileLocation, Finding, Suite};
use crate::report::cases::{CaseTally, cases};
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CheckDocument<'a> {
    schema_version: u32,
    passed: u64,
    failed: u64,
    inconclusive: u64,
    suites: Vec<SuiteJson<'a>>,
}

#[derive(Serialize)]
struct SuiteJson<'a> {
    name: &'a str,
    cases: Vec<CaseJson<'a>>,
}

#[derive(Serialize)]
struct CaseJson<'a> {
    name: &'a str,
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<PlaceJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
    findings: Vec<FindingJson<'a>>,
}

#[derive(Serialize)]
struct FindingJson<'a> {
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    details: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<PlaceJson<'a>>,
}

#[derive(Serialize)]
struct PlaceJson<'a> {
    file: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<u32>,
}

impl<'a> CheckDocument<'a> {
    pub fn new(suites: &'a [Suite]) -> Self {
        let tally = CaseTally::of(cases(suites));
        CheckDocument {
            schema_version: 1,
            passed: tally.passed,
            failed: tally.failed,
            inconclusive: tally.inconclusive,
            suites: suites.iter().map(suite).collect(),
        }
    }
}

fn suite(suite: &Suite) -> SuiteJson<'_> {
    SuiteJson { name: &suite.name, cases: suite.cases.iter().map(case).collect() }
}

fn case(case: &Case) -> CaseJson<'_> {
    let (result, findings): (_, &[Finding]) = match &case.result {
        CaseResult::Passed => ("passed", &[]),
        CaseResult::Failed(findings) => ("failed", findings),
        CaseResult::Inconclusive(findings) => ("inconclusive", findings),
    };
    CaseJson {
        name: &case.name,
        result,
        place: case.place.as_ref().map(place_json),
        seconds: case.seconds,
        findings: findings.iter().map(finding).collect(),
    }
}

fn finding(finding: &Finding) -> FindingJson<'_> {
    FindingJson {
        code: finding.code,
        message: &finding.message,
        details: &finding.details,
        place: finding.place.as_ref().map(place_json),
    }
}

fn place_json(place: &FileLocation) -> PlaceJson<'_> {
    let at = place.position;
    PlaceJson { file: &place.file, line: at.map(|at| at.line), column: at.map(|at| at.column) }
}
