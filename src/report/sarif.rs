//! SARIF 2.1.0, as code scanning reads it: a result per finding, at the place where it is fixed.
//!
//! Paths are relative URIs below the root of the project. The id of a rule is the finding's code, and a fingerprint keeps a
//! result recognisable while lines and values change. What is inconclusive is a warning. Passed cases are not listed.

use super::cases::{Level, Listed, findings, visible};
use super::json::pretty;
use crate::gate::{FileLocation, Suite};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
/// Where a relative path begins, as everybody calls it.
const ROOT: &str = "%SRCROOT%";
/// What a path may hold as it is; a colon is not among it, because it would end a scheme.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

#[derive(Serialize)]
struct SarifLog<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [SarifRun<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifRun<'a> {
    tool: SarifTool<'a>,
    column_kind: &'static str,
    results: Vec<SarifResult<'a>>,
}

#[derive(Serialize)]
struct SarifTool<'a> {
    driver: SarifDriver<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifDriver<'a> {
    name: &'static str,
    semantic_version: &'static str,
    rules: Vec<SarifRule<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifRule<'a> {
    id: &'a str,
    short_description: SarifMessage,
}

#[derive(Serialize)]
struct SarifMessage {
    text: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifResult<'a> {
    rule_id: &'a str,
    rule_index: usize,
    level: &'static str,
    message: SarifMessage,
    locations: Vec<SarifLocation>,
    partial_fingerprints: BTreeMap<&'static str, &'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifLocation {
    #[serde(skip_serializing_if = "Option::is_none")]
    physical_location: Option<SarifPhysicalLocation>,
    logical_locations: [SarifLogicalLocation; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifPhysicalLocation {
    artifact_location: SarifArtifactLocation,
    region: SarifRegion,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifArtifactLocation {
    uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    uri_base_id: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifRegion {
    start_line: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_column: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifLogicalLocation {
    name: String,
    fully_qualified_name: String,
}

/// Writes the log.
pub(super) fn write(out: &mut dyn Write, suites: &[Suite]) -> io::Result<()> {
    let all = findings(suites);
    let mut codes: Vec<&str> = all.iter().map(|listed| listed.finding.code).collect();
    codes.sort_unstable();
    codes.dedup();
    let rule = |id: &&'static str| SarifRule { id, short_description: SarifMessage { text: meaning(id) } };
    let rules = codes.iter().map(rule).collect();
    let log = SarifLog {
        schema: SCHEMA,
        version: "2.1.0",
        runs: [SarifRun {
            tool: SarifTool {
                driver: SarifDriver { name: "foreshock", semantic_version: env!("CARGO_PKG_VERSION"), rules },
            },
            column_kind: "unicodeCodePoints",
            results: all.iter().map(|listed| result(listed, &codes)).collect(),
        }],
    };
    pretty(out, &log)
}

fn result<'a>(listed: &'a Listed<'a>, codes: &[&str]) -> SarifResult<'a> {
    let code = listed.finding.code;
    SarifResult {
        rule_id: code,
        // The code is in the list, which was made from these findings.
        rule_index: codes.binary_search(&code).unwrap_or_default(),
        level: match listed.level {
            Level::Error => "error",
            Level::Warning => "warning",
        },
        message: SarifMessage { text: without_links(&visible(&listed.text())) },
        locations: vec![SarifLocation {
            physical_location: listed.place().map(physical),
            logical_locations: [SarifLogicalLocation {
                name: visible(&listed.case.name).into_owned(),
                fully_qualified_name: visible(&format!("{}/{}", listed.suite.name, listed.case.name)).into_owned(),
            }],
        }],
        partial_fingerprints: BTreeMap::from([("foreshockFinding/v1", listed.fingerprint.as_str())]),
    }
}

fn physical(place: &FileLocation) -> SarifPhysicalLocation {
    let at = place.position;
    let path = utf8_percent_encode(&place.file, PATH).to_string();
    let artifact_location = match path.starts_with('/') {
        true => SarifArtifactLocation { uri: format!("file://{path}"), uri_base_id: None },
        false => SarifArtifactLocation { uri: path, uri_base_id: Some(ROOT) },
    };
    // Code scanning wants a line; a file as a whole is shown at its first.
    let region =
        SarifRegion { start_line: at.map_or(1, |at| at.line.max(1)), start_column: at.map(|at| at.column.max(1)) };
    SarifPhysicalLocation { artifact_location, region }
}

/// In a message `[text](target)` is a link. Brackets that could be one are escaped; single ones stay readable.
fn without_links(text: &str) -> String {
    if !text.contains("](") {
        return text.to_string();
    }
    text.replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]")
}

/// What a rule is about; the code in other words when there is no more to say.
fn meaning(code: &str) -> String {
    let known = match code {
        "event" => "An event at or above the severity that fails the gate",
        "no-series" => "A definition is inconclusive: no series matches it",
        "no-entity" => "A definition is inconclusive: no entity matches its query",
        "warming-up" => "A definition is inconclusive: no window had enough data",
        "no-value" => "A definition is inconclusive: its aggregate has no value",
        "problem" => "A definition is inconclusive: it has a problem",
        "gap" => "A trend is inconclusive: there are gaps in the data",
        "several-writers" => "A trend is inconclusive: several processes write the series",
        "scaled" => "A trend is inconclusive: windows were scaled",
        "disabled" => "A definition is disabled",
        "no-points" => "No metrics received",
        "damaged-recording" => "A recording is damaged",
        "empty-recording" => "A recording contains no data points",
        "missing-event" => "An expected event did not open",
        "unexpected-event" => "An event opened that nothing expects",
        "different-event" => "An event is not as expected",
        "different-verdict" => "The verdict over a definition is not as expected",
        "different-drops" => "Other data points were dropped than expected",
        "expects-nothing" => "A scenario asserts nothing",
        "new-event" => "An event that is not in the baseline",
        "longer-violation" => "A definition was violated for longer than in the baseline",
        "worse-aggregate" => "A value is worse than in the baseline",
        "never-fired" => "A definition never fired in any scenario",
        "unnoticed-change" => "A change of a definition that no scenario notices",
        _ => {
            let words = code.replace('-', " ");
            let mut letters = words.chars();
            return letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default();
        }
    };
    known.to_string()
}
