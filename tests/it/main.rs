//! The integration tests, as one binary.

mod otlp;
mod otlp_json;
mod otlp_messages;
mod recording;
mod recording_cut;
mod recording_damage;
mod recording_json;
