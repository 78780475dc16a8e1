//! Every output format: text, JSON, JSON lines, Markdown, JUnit, SARIF, GitHub annotations, GitLab code quality.
//!
//! [`write()`] turns an [`Outcome`] into bytes; `format.rs` is the one table of formats, and of which command offers which.
//! A format has a file or a folder of its own; sentences that several formats share are in `phrase`. Nothing is decided
//! here: a verdict, an order or a number comes from below. Absent on purpose: stdout, colour detection and the clock (the
//! caller says whether to colour, and times are the recording's own).

mod cases;
mod document;
mod format;
mod github;
mod gitlab;
mod json;
mod junit;
mod layout;
mod markdown;
mod outcome;
mod phrase;
mod quantity;
mod replay_cases;
mod sarif;
mod style;
mod text;
mod time;

pub use format::{Format, write};
pub use json::event as event_json;
pub use markdown::suites as markdown_of_suites;
pub use outcome::{
    CheckOutcome, CommandRun, Detail, Diff, Inspected, Outcome, OutcomeKind, Pass, Preview, Replay, ReplayOutcome, Tune,
};
pub use phrase::definition::summary;
pub use phrase::losses::explain as explain_drop;
pub use replay_cases::{Verdicts, suite};
pub use style::Style;
pub use text::{coverage_and_mutants, event_ids, problems};
