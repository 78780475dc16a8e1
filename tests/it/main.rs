//! The one binary of integration tests; each room has its own files, and `tidy` holds the rules of the house.
#![allow(clippy::disallowed_methods, reason = "tests measure time and touch files")]

mod cases;
mod check;
mod check_scenarios;
mod cli;
mod cli_convert;
mod cli_support;
mod corpus;
mod event;
mod event_any_text;
mod event_metric_id;
mod event_override;
mod event_problem;
mod event_query;
mod generate;
mod oracle;
mod oracle_corners;
mod oracle_engine;
mod oracle_promises;
mod oracle_worlds;
mod otlp;
mod otlp_json;
mod otlp_messages;
mod otlp_shape;
mod recorded;
mod recording;
mod recording_cut;
mod recording_damage;
mod recording_json;
mod render;
mod sink;
mod sink_cli;
mod sink_support;
mod sink_webhook;
mod tidy;
