//! The answer of a replay as text: events as a timeline per entity, a line per definition, what is worth knowing about the
//! metrics, what was dropped and why.
//!
//! Written for the one who is woken by it: the verdict is a word at the start of a line, numbers have units, instants are
//! UTC and count from the start of the recording. Lines are at most 96 columns wide, names longer than that excepted.

mod coverage;
mod definitions;
mod events;
mod ids;
mod losses;
mod mutation;
mod run;
mod suites;
mod transition;
mod trends;

pub use coverage::coverage;
pub(super) use definitions::outcome;
pub(super) use events::{entity_name, measure as measure_of, severity, short_series, worst};
pub use ids::event_ids;
pub(super) use losses::explain;
pub use mutation::mutation;
pub use run::run;
pub use suites::suites;
pub use transition::transition;
pub(super) use transition::{over, why};

use super::Style;
use super::quantity::count;
use super::words::{Clock, clean, counted, date_time, duration, paragraph};
use crate::catalog::Release;
use crate::definition::EventDefinition;
use crate::engine::{Report, Verdict};
use crate::inspect::Client;
use std::io::{self, Write};

/// What the text is about.
#[derive(Clone, Copy, Debug)]
pub struct Replay<'a> {
    /// The definitions, in the order of the report.
    pub definitions: &'a [EventDefinition],
    /// What came out.
    pub report: &'a Report,
    /// What is judged, in a word: a recording or a run.
    pub what: &'static str,
    /// The recordings, as the caller named them.
    pub sources: &'a [String],
    /// What of the recordings could not be read, one sentence each.
    pub damage: &'a [String],
    /// The client libraries whose metrics arrived.
    pub clients: &'a [Client],
    /// How much to say.
    pub detail: Detail,
}

/// How much a text says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// What one needs.
    Brief,
    /// All violating series, all rules, all remarks.
    Full,
}

/// Writes the text of a replay.
pub fn replay(out: &mut impl Write, replay: &Replay<'_>, style: Style) -> io::Result<()> {
    let out: &mut dyn Write = out;
    all_but_the_verdict(out, replay, style)?;
    writeln!(out)?;
    paragraph(out, "", 0, &verdict(replay.report))
}

fn all_but_the_verdict(out: &mut dyn Write, replay: &Replay<'_>, style: Style) -> io::Result<()> {
    head(out, replay, style)?;
    events::write(out, replay, style)?;
    definitions::write(out, replay, style)?;
    losses::write(out, replay, style)
}

fn head(out: &mut dyn Write, replay: &Replay<'_>, style: Style) -> io::Result<()> {
    let report = replay.report;
    writeln!(out, "{}", style.strong(&clean(&replay.sources.join(", "))))?;
    let span = match (report.coverage.from, report.coverage.to) {
        (Some(from), Some(to)) => {
            let clock = Clock::new(Some(from), Some(to));
            format!("{} to {} UTC ({})", date_time(from), clock.time(to), duration(to - from))
        }
        _ => "no point with a time".to_string(),
    };
    let counts = &report.counts;
    writeln!(out, "{span}")?;
    let arrived = format!(
        "{} of {}, {}",
        counted(counts.series, "series", "series"),
        counted(counts.entities, "entity", "entities"),
        counted(counts.points, "point", "points"),
    );
    paragraph(out, "", 0, &arrived)
}

/// One sentence over all definitions.
pub fn verdict(report: &Report) -> String {
    let number = |wanted: fn(&Verdict) -> bool| report.definitions.iter().filter(|d| wanted(&d.verdict)).count() as u64;
    let opened = report.definitions.iter().map(|definition| definition.opened).sum();
    let fired = number(|verdict| matches!(verdict, Verdict::Fired));
    let quiet = number(|verdict| matches!(verdict, Verdict::Quiet));
    let inconclusive = number(|verdict| matches!(verdict, Verdict::Inconclusive(_)));
    let disabled = number(|verdict| matches!(verdict, Verdict::Disabled));
    let mut parts = vec![
        format!("{} fired ({})", count(fired), counted(opened, "event", "events")),
        format!("{} quiet", count(quiet)),
        format!("{} inconclusive", count(inconclusive)),
    ];
    if disabled > 0 {
        parts.push(format!("{} disabled", count(disabled)));
    }
    let all = counted(report.definitions.len() as u64, "definition", "definitions");
    format!("{all}: {}.", parts.join(", "))
}

/// The release of the client that sends a scope's metrics; `None` when several or none of a known form arrived.
pub(in crate::report) fn release(clients: &[Client], scope: &str) -> Option<Release> {
    let mut releases = clients.iter().filter(|client| client.scope == scope).map(|client| client.release());
    let first = releases.next()??;
    releases.all(|other| other == Some(first)).then_some(first)
}
