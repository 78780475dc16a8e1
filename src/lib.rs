//! Foreshock shows what alert rules will do before they are deployed.
//!
//! This page is the map. One point's way, and the order to read in:
//! `recording` or `receive` (bytes and the instant they arrived) → `otlp` (bytes to [`model::Batch`]) → `engine` (which asks `series` to
//! keep points and `event` what the rules say) → `render` (what a person or a program reads) → `cli`.
//!
//! | floor | room | owns |
//! |---|---|---|
//! | 0 | [`model`] | instants, attributes, metric kinds, the batch of one export |
//! | 1 | [`otlp`] | bytes to batch; the only place that knows the wire |
//! | 1 | [`event`] | event definitions: JSON to typed rules, problems with positions |
//! | 1 | [`series`] | points kept, aggregates over a window |
//! | 1 | [`catalog`] | what is known of the clients' metrics |
//! | 2 | [`engine`] | the grid, matching, events opened and closed |
//! | 3 | [`check`] | scenarios: a small text that says what goes in and what must come out |
//! | 3 | [`tune`] | what every threshold would have done, and which to propose |
//! | 3 | [`inspect`] | what is in a recording, without any rule |
//! | 4 | [`render`] | every output shape |
//! | 5 | [`recording`] | recordings: our own form and the Collector's |
//! | 5 | [`sink`] | where transitions go: standard output, files, webhooks |
//! | 5 | [`receive`] | sockets, limits, the inbox, the clock |
//! | 6 | [`cli`] | one file per subcommand |
//!
//! Imports go down only; rooms on one floor do not see each other. Above `recording` nothing knows a clock, a file, a
//! socket, the environment, a thread or stdout. `tests/it/tidy.rs` holds these rules.

pub mod catalog;
pub mod check;
pub mod cli;
pub mod engine;
pub mod event;
pub mod inspect;
pub mod model;
pub mod otlp;
pub mod receive;
pub mod recording;
pub mod render;
pub mod series;
pub mod sink;
pub mod tune;
