//! The integration tests, as one binary: one module per room, and `tidy` for the rules of the house.

mod corpus;
mod tidy;
