//! GitLab's code quality report: a list of findings, each with a path, a line and a fingerprint.
//!
//! A finding without a place in a file has the name of its suite as its path, since GitLab passes over one without a path.

use super::cases::{Level, Listed, findings, visible};
use super::document::{JsonNode, list, object, pretty};
use crate::gate::Suite;
use std::io::{self, Write};

/// Writes the report.
pub(super) fn write(out: &mut dyn Write, suites: &[Suite]) -> io::Result<()> {
    pretty(out, &list(findings(suites).iter().map(issue)))
}

fn issue(listed: &Listed<'_>) -> JsonNode {
    let place = listed.place();
    let severity = match listed.level {
        Level::Error => "major",
        Level::Warning => "minor",
    };
    let line = place.and_then(|place| place.position).map_or(1, |at| at.line.max(1));
    object! {
        "description": visible(&listed.sentence()),
        "check_name": listed.finding.code,
        "fingerprint": listed.fingerprint.as_str(),
        "severity": severity,
        "location": object! {
            "path": visible(place.map_or(&listed.suite.name, |place| &place.file)),
            "lines": object! { "begin": line },
        },
    }
}
