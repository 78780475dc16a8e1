//! Alert: the life of events.

pub(super) mod life;
