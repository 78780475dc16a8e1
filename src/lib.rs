//! Foreshock shows what alert rules will do before they are deployed.
//!
//! This page is the map. A data point's way, and the order to read in:
//! `recording` or `receive` (a payload and its receive time) → `otlp` (payload to [`model::Export`]) → `engine` (`ingest` checks samples and
//! keeps them in `series`, `evaluate` computes what the rules of `definition` say, `alert` opens and closes events) → `report` (what a person or
//! a program reads) → `cli`.
//!
//! | floor | room | owns |
//! |---|---|---|
//! | 0 | [`model`] | timestamps, attributes, metric kinds, the data points of one export |
//! | 1 | [`otlp`] | bytes to an export; the only place that knows the wire |
//! | 1 | [`definition`] | event definitions: JSON to typed rules, problems with positions |
//! | 1 | [`series`] | points kept, aggregates over a window |
//! | 1 | [`catalog`] | what is known of the clients' metrics |
//! | 2 | [`engine`] | the schedule of evaluations, matching, events opened and closed |
//! | 3 | [`scenario`] | the scenario language |
//! | 4 | [`gate`] | what has to hold: expectations, golden events, baselines, coverage |
//! | 4 | [`tune`] | what every threshold would have done, and which to propose |
//! | 4 | [`inspect`] | what is in a recording, without any rule |
//! | 5 | [`minimize`] | the smallest scenario that still gives an event |
//! | 6 | [`report`] | every output format |
//! | 7 | [`recording`] | recordings: our own form and the Collector's |
//! | 8 | [`receive`] | sockets, limits, the queue |
//! | 8 | [`sink`] | where transitions go: standard output, files, webhooks |
//! | 9 | [`cli`] | one file per subcommand |
//!
//! [`clock`] is the one place that reads the time.
//!
//! Imports go down only; rooms on one floor do not see each other. The rooms up to `report` know no clock, file, socket,
//! environment, thread or stdout. `tests/it/tidy.rs` and `tests/it/circles.rs` hold these rules; CONTRIBUTING.md tells what to touch to add
//! something.

pub mod catalog;
pub mod cli;
pub mod clock;
pub mod definition;
pub mod engine;
pub mod gate;
pub mod inspect;
pub mod minimize;
pub mod model;
pub mod otlp;
pub mod receive;
pub mod recording;
pub mod report;
pub mod scenario;
pub mod series;
pub mod sink;
pub mod tune;
