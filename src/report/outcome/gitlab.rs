//! GitLab's code quality report: a list of findings, each with a path, a line and a fingerprint.
//!
//! A finding without a place in a file has the name of its suite as its path, since GitLab passes over one without a path.

use super::{Level, Listed, findings, visible};
use crate::gate::Suite;
use serde::Serialize;
use std::io::{self, Write};

#[derive(Serialize)]
struct Issue<'a> {
    description: String,
    check_name: &'a str,
    fingerprint: &'a str,
    severity: &'static str,
    location: Location,
}

#[derive(Serialize)]
struct Location {
    path: String,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u32,
}

/// Writes the report.
pub fn gitlab(out: &mut impl Write, suites: &[Suite]) -> io::Result<()> {
    let all = findings(suites);
    let issues: Vec<Issue<'_>> = all.iter().map(issue).collect();
    serde_json::to_writer_pretty(&mut *out, &issues)?;
    out.write_all(b"\n")
}

fn issue<'a>(listed: &'a Listed<'a>) -> Issue<'a> {
    let place = listed.place();
    Issue {
        description: visible(&listed.sentence()).into_owned(),
        check_name: listed.finding.code,
        fingerprint: &listed.fingerprint,
        severity: match listed.level {
            Level::Error => "major",
            Level::Warning => "minor",
        },
        location: Location {
            path: visible(place.map_or(&listed.suite.name, |place| &place.file)).into_owned(),
            lines: Lines { begin: place.and_then(|place| place.position).map_or(1, |at| at.line.max(1)) },
        },
    }
}
