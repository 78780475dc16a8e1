//! The one binary of integration tests; each room has its own files, and `tidy` holds the rules of the house.

mod check;
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
mod otlp;
mod otlp_json;
mod otlp_messages;
mod recording;
mod recording_cut;
mod recording_damage;
mod recording_json;
mod render;
mod tidy;
