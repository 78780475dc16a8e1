//! Who is who: names, identities, resources and series, each with a number in the order in which it was first seen.
//!
//! Absent on purpose: the points of series, and the wire (identities are handed in when bytes are new).

pub(super) mod location;
pub(super) mod names;
pub(super) mod renumbering;
pub(super) mod series_index;
