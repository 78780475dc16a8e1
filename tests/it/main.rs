//! The one binary of integration tests; each room has its own files, and `tidy` holds the rules of the house.

mod check;
mod corpus;
mod event;
mod otlp;
mod otlp_json;
mod otlp_messages;
mod recording;
mod tidy;
