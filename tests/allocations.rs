//! In the steady state a data point costs no allocation: at most one in a hundred points.
//!
//! A test binary of its own, because the counting allocator replaces the global one. The count is exact and the same on
//! every machine, so unlike a time it can be a test. What is counted is the whole way of a recording (reader, decoder,
//! engine): a long recording minus a shorter one with the same beginning leaves the steady state.

#[allow(dead_code, reason = "each target uses its part of the generator")]
#[path = "../benches/corpus/mod.rs"]
mod corpus;

use corpus::{Corpus, Form, Shape};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Steps of 10 s until the longest window of the shipped rules (600 s) is full and its buffers have their size.
const WARM_UP: usize = 80;
const MEASURED: usize = 40;
