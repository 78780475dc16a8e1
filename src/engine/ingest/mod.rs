//! Ingest: what becomes of the points of an export, and which resources and entities there are.

pub(super) mod admission;
pub(super) mod entity;
pub(super) mod forget;
pub(super) mod intake;
mod known;
