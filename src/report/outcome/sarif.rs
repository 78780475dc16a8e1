//! SARIF 2.1.0, as code scanning reads it: a result per finding, at the place where it is mended.
//!
//! Paths are relative URIs below the root of the project. The id of a rule is the finding's code, and a fingerprint keeps a
//! result recognisable while lines and values change. What could not be judged is a warning. Passed cases are not listed.

use super::{Level, Listed, findings, visible};
use crate::gate::{Place, Suite};
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
struct Log<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    tool: Tool<'a>,
    column_kind: &'static str,
    results: Vec<ResultJson<'a>>,
}

#[derive(Serialize)]
struct Tool<'a> {
    driver: Driver<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver<'a> {
    name: &'static str,
    semantic_version: &'static str,
    rules: Vec<RuleJson<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RuleJson<'a> {
    id: &'a str,
    short_description: Text,
}

#[derive(Serialize)]
struct Text {
    text: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResultJson<'a> {
    rule_id: &'a str,
    rule_index: usize,
    level: &'static str,
    message: Text,
    locations: Vec<Location>,
    partial_fingerprints: BTreeMap<&'static str, &'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    #[serde(skip_serializing_if = "Option::is_none")]
    physical_location: Option<PhysicalLocation>,
    logical_locations: [LogicalLocation; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: ArtifactLocation,
    region: Region,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactLocation {
    uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    uri_base_id: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_column: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogicalLocation {
    name: String,
    fully_qualified_name: String,
}

/// Writes the log.
pub fn sarif(out: &mut impl Write, suites: &[Suite]) -> io::Result<()> {
    let all = findings(suites);
    let mut codes: Vec<&str> = all.iter().map(|listed| listed.finding.code).collect();
    codes.sort_unstable();
    codes.dedup();
    let rule = |id: &&'static str| RuleJson { id, short_description: Text { text: meaning(id) } };
    let rules = codes.iter().map(rule).collect();
    let log = Log {
        schema: SCHEMA,
        version: "2.1.0",
        runs: [Run {
            tool: Tool { driver: Driver { name: "foreshock", semantic_version: env!("CARGO_PKG_VERSION"), rules } },
            column_kind: "unicodeCodePoints",
            results: all.iter().map(|listed| result(listed, &codes)).collect(),
        }],
    };
    serde_json::to_writer_pretty(&mut *out, &log)?;
    out.write_all(b"\n")
}

fn result<'a>(listed: &'a Listed<'a>, codes: &[&str]) -> ResultJson<'a> {
    let code = listed.finding.code;
    let details = &listed.finding.details;
    let text = if details.is_empty() { listed.sentence() } else { format!("{}\n{details}", listed.sentence()) };
    ResultJson {
        rule_id: code,
        // The code is in the list, which was made from these findings.
        rule_index: codes.binary_search(&code).unwrap_or_default(),
        level: match listed.level {
            Level::Error => "error",
            Level::Warning => "warning",
        },
        message: Text { text: without_links(&visible(&text)) },
        locations: vec![Location {
            physical_location: listed.place().map(physical),
            logical_locations: [LogicalLocation {
                name: visible(&listed.case.name).into_owned(),
                fully_qualified_name: visible(&format!("{}/{}", listed.suite.name, listed.case.name)).into_owned(),
            }],
        }],
        partial_fingerprints: BTreeMap::from([("foreshockFinding/v1", listed.fingerprint.as_str())]),
    }
}

fn physical(place: &Place) -> PhysicalLocation {
    let at = place.position;
    let path = utf8_percent_encode(&place.file, PATH).to_string();
    let artifact_location = match path.starts_with('/') {
        true => ArtifactLocation { uri: format!("file://{path}"), uri_base_id: None },
        false => ArtifactLocation { uri: path, uri_base_id: Some(ROOT) },
    };
    // Code scanning wants a line; a file as a whole is shown at its first.
    let region = Region { start_line: at.map_or(1, |at| at.line.max(1)), start_column: at.map(|at| at.column.max(1)) };
    PhysicalLocation { artifact_location, region }
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
        "no-series" => "A definition was not judged: no series matches it",
        "no-entity" => "A definition was not judged: no entity matches its query",
        "warming-up" => "A definition was not judged: no window was covered well enough",
        "no-value" => "A definition was not judged: its aggregate has no value",
        "problem" => "A definition was not judged: it has a problem",
        "gap" => "A trend was not judged: there are holes between the points",
        "several-writers" => "A trend was not judged: several processes write the series",
        "scaled" => "A trend was not judged: windows were scaled",
        "disabled" => "A definition is switched off",
        "no-points" => "No point arrived",
        "damaged-recording" => "A recording is damaged",
        "empty-recording" => "A recording holds no point",
        "missing-event" => "An expected event did not open",
        "unexpected-event" => "An event opened that nothing expects",
        "different-event" => "An event is not as expected",
        "different-verdict" => "The verdict over a definition is not as expected",
        "different-drops" => "Points were dropped otherwise than expected",
        "expects-nothing" => "A scenario expects nothing of nothing",
        "new-event" => "An event that the baseline does not have",
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
