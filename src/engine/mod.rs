//! The engine: arrivals in, transitions of events out.
//!
//! One [`Engine::step`] serves every command. It never reads a clock: the grid of judged instants is computed from the
//! arrivals' own `at`. Everything it says is data ([`Event`], [`Report`]); `render` gives it a shape.

mod report;

pub use report::{
    CloseReason, Counts, Coverage, DefinitionReport, DropReason, EntityLabel, Event, EventState, InconclusiveReason,
    Nearest, Observation, Peak, Report, RuleReport, SeriesLabel, Transition, Verdict, ViolatedRule, ViolatingSeries,
};

use crate::event::EventDefinition;
use crate::model::{Batch, Nanos};

/// Choices the semantics leave open; the default of each is documented in `docs/semantics.md`.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Replaces the step of every definition's grid.
    pub step: Option<Nanos>,
    /// Which time a point has.
    pub timestamps: Timestamps,
    /// What an id without a suffix means on an entity with several series.
    pub series: SeriesMode,
    /// How the values of monotonic sums are read.
    pub counters: Counters,
    /// Fraction of a window that must be covered by points.
    pub min_coverage: f64,
    /// At most this many points are kept of a series; more are dropped as `too_dense`.
    pub max_points_per_series: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            step: None,
            timestamps: Timestamps::Event,
            series: SeriesMode::Each,
            counters: Counters::Raw,
            min_coverage: 0.9,
            max_points_per_series: 8192,
        }
    }
}

/// Which time a point has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timestamps {
    /// Its own.
    Event,
    /// The instant of its arrival.
    Arrival,
}

/// What an id without a suffix means on an entity with several series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeriesMode {
    /// Each series is judged on its own.
    Each,
    /// The series of an entity are merged into one.
    Merge,
}

/// How the values of monotonic sums are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counters {
    /// As they were sent.
    Raw,
    /// As the increase since the previous point.
    Increase,
}

/// One arrival, or a tick.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// When it arrived; `None` leaves the engine's time where it is. Never moves it backwards.
    pub at: Option<Nanos>,
    /// What arrived; `None` for a tick.
    pub batch: Option<&'a Batch>,
}

/// Judges arrivals with event definitions.
pub struct Engine {
    definitions: Vec<EventDefinition>,
}

impl Engine {
    /// An engine for these definitions (in the order outputs shall have).
    pub fn new(definitions: Vec<EventDefinition>, _options: Options) -> Self {
        Engine { definitions }
    }

    /// The definitions it judges with.
    pub fn definitions(&self) -> &[EventDefinition] {
        &self.definitions
    }

    /// Judges every instant before the input, then takes the input in.
    pub fn step(&mut self, _input: Input<'_>, _emit: &mut dyn FnMut(Transition)) {}

    /// Judges the instants up to the last `at`: the input has ended.
    pub fn finish(&mut self, _emit: &mut dyn FnMut(Transition)) {}

    /// What was judged so far: the content of `replay`'s document.
    pub fn report(&self) -> Report {
        Report::default()
    }
}
