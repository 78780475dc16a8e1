//! The one binary of integration tests; each room has its own files.
//! The integration tests, as one binary: one module per room.

mod event;
mod otlp;
mod otlp_json;
mod otlp_messages;
//! The integration tests, in one binary: each module tests one room through its public face.

mod check;
//! The integration tests, as one binary: one module per room, and `tidy` for the rules of the house.

mod corpus;
mod tidy;
