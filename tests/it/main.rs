//! The one binary of integration tests; each room has its own files.

mod event;
mod otlp;
mod otlp_messages;
