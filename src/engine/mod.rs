//! The engine: exports in, transitions of events out.
//!
//! One [`Engine::step`] serves every command. It never reads a clock: the times of evaluation are computed from when the
//! exports were received. What it puts out is data ([`Event`], [`EvaluationReport`]). It cannot fail: what is wrong with a
//! definition or a point is counted and reported.
//!
//! Three rooms, each with its own state: `ingest` (points are checked, recognised and kept; who is who; eviction), `evaluate`
//! (the schedule, thresholds, presence and trends) and `alert` (the life of events). Imports go one way: `alert` reads the
//! findings of `evaluate`, which reads what `ingest` keeps. `rules` are the definitions compiled for all three; `ingest` holds
//! them, because all who read it need them. `step` is the order in which the rooms work, and the loop around it.

mod alert;
mod evaluate;
mod ingest;
mod options;
mod report;
mod rules;
mod step;
mod summary;
mod verdict;

pub use alert::event::{
    CloseReason, Event, EventLife, EventState, Observation, Peak, Transition, ViolatedRule, ViolatingSeries,
};
pub use evaluate::state::{ConditionState, combine};
pub use evaluate::trace::{EvaluationTrace, TraceLimits, TracePoint, TraceSpan, TracedEntity};
pub use evaluate::trend;
pub use ingest::classify::{Received, classify, count_dropped};
pub use ingest::drop_reason::DropReason;
pub use ingest::entity::{EntityLabel, SeriesLabel};
pub use options::{Counters, Options, Retention, SeriesMode, Timestamps};
pub use report::{Counts, Coverage, DefinitionReport, EvaluationReport, Nearest, RuleReport};
pub use step::{Engine, Input, Inputs, drive};
pub use verdict::{InconclusiveReason, Verdict};
