//! The integration tests, as one binary: one module per room.

mod event;
mod otlp;
mod otlp_json;
mod otlp_messages;
mod recording;
