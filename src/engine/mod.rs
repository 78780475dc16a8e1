//! The engine: arrivals in, transitions of events out.
//!
//! One [`Engine::step`] serves every command. It never reads a clock: the grid of judged instants is computed from the
//! arrivals' own `at`. Everything it says is data ([`Event`], [`Report`]); `render` gives it a shape. It cannot fail: what is
//! wrong with a definition or a point is counted and told in the report.
//!
//! Three rooms: `ingest` (the points of an export are checked, recognised and kept; who is who; eviction), `evaluate` (the
//! schedule, thresholds, presence and trends), `alert` (the life of events). `drive` is the loop around a step.

mod alert;
mod drive;
mod evaluate;
mod ingest;
mod report;
mod summary;

pub use alert::life::{Life, State, combine};
pub use drive::{Inputs, drive};
pub use evaluate::trace::{Observations, ObservedEntity, Said, Watching};
pub use evaluate::trend;
pub use ingest::classify::{Received, classify, count_dropped};
pub use ingest::drop_reason::DropReason;
pub use report::{
    CloseReason, Counts, Coverage, DefinitionReport, EntityLabel, Event, EventState, InconclusiveReason, Nearest,
    Observation, Peak, Report, RuleReport, SeriesLabel, Transition, Verdict, ViolatedRule, ViolatingSeries,
};

use crate::definition::EventDefinition;
use crate::model::{Export, Nanos};
use crate::series::SeriesStore;
use evaluate::judge::Judge;
use evaluate::selection::Selection;
use evaluate::trend::Trends;
use ingest::evict::{EvictionSchedule, evict};
use ingest::export::ingest;
use ingest::resources::IngestState;

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
    /// The windows of the rules were made shorter for a short run. A trend cannot be scaled: its rules are inconclusive.
    pub scaled_windows: bool,
    /// What is kept, and how long.
    pub retention: Retention,
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
            scaled_windows: false,
            retention: Retention::default(),
        }
    }
}

/// What the engine keeps, and how long. By default everything: a recording ends, a service does not.
#[derive(Clone, Debug, PartialEq)]
pub struct Retention {
    /// After how long without a point a series is forgotten, and an entity with its last series. Never before no window could
    /// hold a point, and no presence rule or open event be about it.
    pub forget_after: Option<Nanos>,
    /// Most series.
    pub series: u64,
    /// Most series of an entity.
    pub series_of_entity: u64,
    /// Most entities.
    pub entities: u64,
    /// Whether closed events stay for the report.
    pub closed_events: bool,
}

impl Default for Retention {
    fn default() -> Self {
        let unlimited = u64::MAX;
        Retention {
            forget_after: None,
            series: unlimited,
            series_of_entity: unlimited,
            entities: unlimited,
            closed_events: true,
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
    pub export: Option<&'a Export>,
}

/// Judges arrivals with event definitions.
pub struct Engine {
    definitions: Vec<EventDefinition>,
    options: Options,
    selection: Selection,
    store: SeriesStore,
    intake: IngestState,
    judge: Judge,
    trends: Trends,
    rounds: Option<EvictionSchedule>,
    /// The engine's time: the latest `at` so far.
    at: Option<Nanos>,
}

impl Engine {
    /// An engine for these definitions (in the order outputs shall have).
    pub fn new(definitions: Vec<EventDefinition>, options: Options) -> Self {
        let selection = Selection::new(&definitions, &options);
        let judge = Judge::new(&definitions, &selection, options.retention.closed_events);
        let store = SeriesStore::new(options.max_points_per_series);
        let (intake, trends) = (IngestState::default(), Trends::default());
        let rounds = EvictionSchedule::new(&definitions, &options);
        Engine { definitions, options, selection, store, intake, judge, trends, rounds, at: None }
    }

    /// The definitions it judges with.
    pub fn definitions(&self) -> &[EventDefinition] {
        &self.definitions
    }

    /// What came in so far, and what was dropped.
    pub fn counts(&self) -> &Counts {
        &self.intake.counts
    }

    /// The smallest step of a definition that is judged; `None` when there is no such definition.
    pub fn finest_step(&self) -> Option<Nanos> {
        let judged = |d: &usize| !self.selection.rules_of[*d].is_empty();
        (0..self.definitions.len()).filter(judged).map(|d| self.selection.steps[d]).min()
    }

    /// Judges every instant before the input, then takes the input in.
    pub fn step(&mut self, input: Input<'_>, emit: &mut dyn FnMut(Transition)) {
        if let Some(given) = input.at {
            let at = self.at.map_or(given, |previous| previous.max(given));
            self.judge_until(at, emit);
            self.at = Some(at);
            evict(self, at);
        }
        if let Some(export) = input.export {
            ingest(self, export);
        }
    }

    /// Judges the instants up to the last `at`: the input has ended.
    pub fn finish(&mut self, emit: &mut dyn FnMut(Transition)) {
        if let Some(at) = self.at {
            self.judge_until(at + 1, emit);
        }
    }
}
