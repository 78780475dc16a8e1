//! The integration tests, in one binary: each module tests one room through its public face.

mod cases;
mod check;
mod generate;
mod oracle;
mod oracle_engine;
mod oracle_promises;
mod oracle_worlds;
