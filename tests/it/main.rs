//! The integration tests, in one binary: each module tests one room through its public face.

mod check;
