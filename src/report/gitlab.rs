//! GitLab's code quality report: a list of findings, each with a path, a line and a fingerprint.
//!
//! A finding without a place in a file has the name of its suite as its path, since GitLab passes over one without a path.

use super::cases::{Level, Listed, findings, visible};
use super::json::pretty;
use crate::gate::Suite;
use serde::Serialize;
use std::io::{self, Write};

#[derive(Serialize)]
struct GitlabIssue<'a> {
    description: String,
    check_name: &'a str,
    fingerprint: &'a str,
    severity: &'static str,
    location: GitlabLocation,
}

#[derive(Serialize)]
struct GitlabLocation {
    path: String,
    lines: GitlabLines,
}

#[derive(Serialize)]
struct GitlabLines {
    begin: u32,
}

/// Writes the report.
pub(super) fn write(out: &mut dyn Write, suites: &[Suite]) -> io::Result<()> {
    let all = findings(suites);
    let issues: Vec<GitlabIssue<'_>> = all.iter().map(issue).collect();
    pretty(out, &issues)
}

fn issue<'a>(listed: &'a Listed<'a>) -> GitlabIssue<'a> {
    let place = listed.place();
    GitlabIssue {
        description: visible(&listed.sentence()).into_owned(),
        check_name: listed.finding.code,
        fingerprint: &listed.fingerprint,
        severity: match listed.level {
            Level::Error => "major",
            Level::Warning => "minor",
        },
        location: GitlabLocation {
            path: visible(place.map_or(&listed.suite.name, |place| &place.file)).into_owned(),
            lines: GitlabLines { begin: place.and_then(|place| place.position).map_or(1, |at| at.line.max(1)) },
        },
    }
}
