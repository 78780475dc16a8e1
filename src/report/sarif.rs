//! SARIF 2.1.0, as code scanning reads it: a result per finding, at the place where it is fixed.
//!
//! Paths are relative URIs below the root of the project. The id of a rule is the finding's code, and a fingerprint keeps a
//! result recognisable while lines and values change. What is inconclusive is a warning. Passed cases are not listed.

use super::cases::{Level, Listed, findings, visible};
use super::document::{JsonNode, list, maybe, object, pretty};
use crate::gate::{FileLocation, Suite};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::io::{self, Write};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
/// Where a relative path begins, as everybody calls it.
const ROOT: &str = "%SRCROOT%";
/// What a path may hold as it is; a colon is not among it, because it would end a scheme.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Writes the log.
pub(super) fn write(out: &mut dyn Write, suites: &[Suite]) -> io::Result<()> {
    let all = findings(suites);
    let mut codes: Vec<&str> = all.iter().map(|listed| listed.finding.code).collect();
    codes.sort_unstable();
    codes.dedup();
    let rule = |id: &&str| object! { "id": *id, "shortDescription": object! { "text": meaning(id) } };
    let driver = object! {
        "name": "foreshock",
        "semanticVersion": env!("CARGO_PKG_VERSION"),
        "rules": list(codes.iter().map(rule)),
    };
    let run = object! {
        "tool": object! { "driver": driver },
        "columnKind": "unicodeCodePoints",
        "results": list(all.iter().map(|listed| result(listed, &codes))),
    };
    pretty(out, &object! { "$schema": SCHEMA, "version": "2.1.0", "runs": list([run]) })
}

fn result(listed: &Listed<'_>, codes: &[&str]) -> JsonNode {
    let code = listed.finding.code;
    let level = match listed.level {
        Level::Error => "error",
        Level::Warning => "warning",
    };
    let logical = object! {
        "name": visible(&listed.case.name),
        "fullyQualifiedName": visible(&format!("{}/{}", listed.suite.name, listed.case.name)),
    };
    let location = object! {
        "physicalLocation": maybe(listed.place().map(physical)),
        "logicalLocations": list([logical]),
    };
    object! {
        "ruleId": code,
        // The code is in the list, which was made from these findings.
        "ruleIndex": codes.binary_search(&code).unwrap_or_default(),
        "level": level,
        "message": object! { "text": without_links(&visible(&listed.text())) },
        "locations": list([location]),
        "partialFingerprints": object! { "foreshockFinding/v1": listed.fingerprint.as_str() },
    }
}

fn physical(place: &FileLocation) -> JsonNode {
    let at = place.position;
    let path = utf8_percent_encode(&place.file, PATH).to_string();
    let artifact = match path.starts_with('/') {
        true => object! { "uri": format!("file://{path}") },
        false => object! { "uri": path, "uriBaseId": ROOT },
    };
    // Code scanning wants a line; a file as a whole is shown at its first.
    let region = object! {
        "startLine": at.map_or(1, |at| at.line.max(1)),
        "startColumn": maybe(at.map(|at| at.column.max(1))),
    };
    object! { "artifactLocation": artifact, "region": region }
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
