//! Ingest: what becomes of the points of an export, and which resources and entities there are.
//!
//! `export` takes an export in; `classify` decides what a sample is by itself, `admit` what becomes of it beside others;
//! `resources` knows who sends; `evict` removes what is silent.

pub(super) mod admit;
pub(super) mod changes;
pub(super) mod classify;
pub(super) mod drop_reason;
pub(super) mod entity;
pub(super) mod evict;
pub(super) mod export;
pub(super) mod resources;
pub(super) mod subscriptions;
