//! The one binary of integration tests; each room has its own files, and `tidy` holds the rules of the house.

mod cases;
mod check;
mod check_scenarios;
mod corpus;
mod event;
mod generate;
mod oracle;
mod oracle_corners;
mod oracle_engine;
mod oracle_promises;
mod oracle_worlds;
mod otlp;
mod otlp_json;
mod otlp_messages;
mod recording;
mod tidy;
