//! Alert: the life of events, and the transitions that outputs get.

pub(super) mod alerts;
pub(super) mod event;
