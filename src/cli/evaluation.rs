//! The options of the evaluation: how they are typed, the engine's options they become, and the head of a recording, which notes
//! them so that a replay with something else is not taken for the same.

use super::output::Terminal;
use super::values::{duration, fraction, nanos, typed, within};
use crate::definition::EventDefinition;
use crate::engine::{Counters, Engine, Input, Inputs, Options, Retention, SeriesMode, Timestamps, Transition, drive};
use crate::gate::{self, EvaluatedRecording, TracedInputs};
use crate::inspect::{Client, Clients};
use crate::model::{MINUTE, Nanos};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

const WINDOW_SCALE: &str = "--window-scale";
const FORGET_AFTER: &str = "--forget-after";
const MAX_ENTITIES: &str = "--max-entities";
const MAX_SERIES: &str = "--max-series";
const MAX_SERIES_PER_ENTITY: &str = "--max-series-per-entity";

/// Options of every command that evaluates.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Evaluation")]
pub(super) struct EvaluationArgs {
    /// Evaluate at this interval instead of the definitions' own (`10s`, `1m`)
    #[arg(long, value_name = "DURATION", value_parser = step)]
    step: Option<Nanos>,
    /// Which time a data point has
    #[arg(long, value_name = "WHICH", default_value = "event", value_parser = words(TIMESTAMPS))]
    timestamps: Timestamps,
    /// Whether a metric id without attributes means each series, or their merge per entity
    #[arg(long, value_name = "HOW", default_value = "each", value_parser = words(SERIES))]
    series: SeriesMode,
    /// Whether cumulative counters are evaluated as sent, or by their increase
    #[arg(long, value_name = "HOW", default_value = "raw", value_parser = words(COUNTERS))]
    counters: Counters,
    /// How much of a window must have data, as a fraction
    #[arg(long, value_name = "FRACTION", default_value_t = 0.9, value_parser = fraction)]
    min_coverage: f64,
    /// Data points kept of one series
    #[arg(long, value_name = "N", default_value_t = 8192, value_parser = points)]
    max_points_per_series: usize,
}

/// The values of an option: what is typed, what it means, and the sentence of `--help`.
pub(super) type Words<T> = [(&'static str, T, &'static str)];

const TIMESTAMPS: &Words<Timestamps> = &[
    (Timestamps::Event.as_str(), Timestamps::Event, "Its timestamp"),
    (Timestamps::Arrival.as_str(), Timestamps::Arrival, "The receive time, as in Instana"),
];
const SERIES: &Words<SeriesMode> = &[
    (SeriesMode::Each.as_str(), SeriesMode::Each, "Each series on its own"),
    (SeriesMode::Merge.as_str(), SeriesMode::Merge, "One merged series per entity"),
];
const COUNTERS: &Words<Counters> = &[
    (Counters::Raw.as_str(), Counters::Raw, "As sent"),
    (Counters::Increase.as_str(), Counters::Increase, "The increase since the previous data point"),
];

/// Reads one of these words.
pub(super) fn words<T: Copy + Send + Sync>(words: &'static Words<T>) -> impl TypedValueParser<Value = T> {
    let names = words.iter().map(|(name, _, help)| PossibleValue::new(name).help(help));
    PossibleValuesParser::new(names).try_map(|typed| {
        words.iter().find(|(name, ..)| *name == typed).map(|(_, value, _)| *value).ok_or("no such value")
    })
}

/// The word for a value.
fn word<T: PartialEq>(words: &Words<T>, value: &T) -> String {
    words.iter().find(|(_, other, _)| other == value).map_or_else(String::new, |(name, ..)| name.to_string())
}

impl EvaluationArgs {
    /// The engine's options.
    pub(super) fn resolve(&self) -> Options {
        Options {
            step: self.step,
            timestamps: self.timestamps,
            series: self.series,
            counters: self.counters,
            min_coverage: self.min_coverage,
            max_points_per_series: self.max_points_per_series,
            ..Options::default()
        }
    }
}

/// Options of the commands that evaluate a run, which may be shorter than a window.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Evaluation")]
pub(super) struct ScaleArgs {
    /// Scale windows and grace periods by this fraction, but never below three export intervals
    #[arg(long, value_name = "FRACTION", default_value_t = 1.0, value_parser = fraction)]
    pub(super) window_scale: f64,
}

impl ScaleArgs {
    /// Whether windows are shorter than they are written.
    pub(super) fn is_less(&self) -> bool {
        self.window_scale < 1.0
    }

    /// The definitions as they are evaluated.
    pub(super) fn definitions(&self, definitions: &[EventDefinition], interval: Nanos) -> Vec<EventDefinition> {
        gate::scaled(definitions, self.window_scale, interval)
    }
}

/// Options of every command that evaluates what it receives, or what was recorded. What is received goes on for ever and is
/// bounded by default; what is recorded ends, and nothing of it is evicted unless it was when it was evaluated live.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Retention")]
pub(super) struct RetentionArgs {
    /// Evict a series, and then its entity, after this time without data (`24h`, or `never`)
    #[arg(long, value_name = "DURATION", value_parser = silence)]
    forget_after: Option<Silence>,
    /// Most series at a time; data points of others are dropped
    #[arg(long, value_name = "N", value_parser = most)]
    max_series: Option<u64>,
    /// Most series of an entity at a time
    #[arg(long, value_name = "N", value_parser = most)]
    max_series_per_entity: Option<u64>,
    /// Most entities at a time
    #[arg(long, value_name = "N", value_parser = most)]
    max_entities: Option<u64>,
}

/// The time without data after which something is evicted, if ever.
#[derive(Clone, Copy, Debug)]
struct Silence(Option<Nanos>);

impl RetentionArgs {
    /// For a service, which must not grow for ever.
    pub(super) fn of_service(&self) -> Retention {
        self.over(Retention {
            forget_after: Some(24 * 60 * MINUTE),
            series: 1_000_000,
            series_of_entity: 10_000,
            entities: 100_000,
            closed_events: false,
        })
    }

    /// For recordings: as the first of them that was evaluated live was, else without bounds.
    pub(super) fn of_recordings<'a>(&self, heads: impl Iterator<Item = (&'a str, &'a str)>) -> Retention {
        let all = Retention::default();
        let Some(typed) = heads.filter_map(read).find(|head| head.rules.is_some()).map(|head| head.options) else {
            return self.over(all);
        };
        let number = |name: &str| typed.get(name).and_then(|text| most(text).ok()).unwrap_or(u64::MAX);
        self.over(Retention {
            forget_after: typed.get(FORGET_AFTER).and_then(|text| silence(text).ok()).and_then(|silence| silence.0),
            series: number(MAX_SERIES),
            series_of_entity: number(MAX_SERIES_PER_ENTITY),
            entities: number(MAX_ENTITIES),
            ..all
        })
    }

    fn over(&self, by_default: Retention) -> Retention {
        Retention {
            forget_after: self.forget_after.map_or(by_default.forget_after, |silence| silence.0),
            series: self.max_series.unwrap_or(by_default.series),
            series_of_entity: self.max_series_per_entity.unwrap_or(by_default.series_of_entity),
            entities: self.max_entities.unwrap_or(by_default.entities),
            ..by_default
        }
    }
}

/// What a recording was evaluated with, to be compared later. Recordings of later versions may say more.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Head {
    /// The version that made it.
    foreshock: String,
    /// The digest of the rules; absent when nothing was evaluated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rules: Option<String>,
    /// The options of the evaluation, as they are typed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    options: BTreeMap<String, String>,
    /// In nanoseconds the export interval that no window was shorter than three of, where windows were scaled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    interval: Option<Nanos>,
}

impl Head {
    /// The head of a recording that is not evaluated.
    pub(super) fn unevaluated() -> Self {
        Head { foreshock: env!("CARGO_PKG_VERSION").to_string(), ..Head::default() }
    }

    /// The head of a recording that is evaluated with these rules and options.
    pub(super) fn new(digest: &str, options: &Options) -> Self {
        // Windows are scaled by an option of some commands alone. Closed events are reported when they close.
        let Options { step, timestamps, series, counters, min_coverage, max_points_per_series, .. } = options;
        let Retention { forget_after, series: max_series, series_of_entity, entities, closed_events: _ } =
            &options.retention;
        let number = |n: &u64| if *n == u64::MAX { "unlimited".to_string() } else { n.to_string() };
        let options = [
            ("--step", step.map_or("by definition".to_string(), typed)),
            ("--timestamps", word(TIMESTAMPS, timestamps)),
            ("--series", word(SERIES, series)),
            ("--counters", word(COUNTERS, counters)),
            ("--min-coverage", min_coverage.to_string()),
            ("--max-points-per-series", max_points_per_series.to_string()),
            (FORGET_AFTER, forget_after.map_or("never".to_string(), typed)),
            (MAX_SERIES, number(max_series)),
            (MAX_SERIES_PER_ENTITY, number(series_of_entity)),
            (MAX_ENTITIES, number(entities)),
        ];
        let options = options.map(|(name, value)| (name.to_string(), value)).into();
        Head { rules: Some(digest.to_string()), options, ..Head::unevaluated() }
    }

    /// The same with windows that were scaled for exports at this interval, if they were.
    pub(super) fn scaled(mut self, scale: &ScaleArgs, interval: Nanos) -> Self {
        if scale.is_less() {
            self.options.insert(WINDOW_SCALE.to_string(), scale.window_scale.to_string());
            self.interval = Some(interval);
        }
        self
    }

    /// Its text.
    pub(super) fn text(&self) -> String {
        // A few texts: nothing in them can fail to be JSON.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Warns when recordings were evaluated with something else; of several with the same difference the first is named.
    pub(super) fn compare<'a>(&self, heads: impl Iterator<Item = (&'a str, &'a str)>, terminal: &Terminal) {
        let mut reported: Vec<String> = Vec::new();
        for (name, text) in heads {
            let others = read((name, text)).and_then(|head| self.difference(&head));
            let Some(others) = others.filter(|others| !reported.contains(others)) else { continue };
            terminal.warn(&format!("{name} was recorded while it was evaluated with {others}: the events may differ"));
            reported.push(others);
        }
    }

    /// What a recording was evaluated with that is not the same here.
    fn difference(&self, recorded: &Head) -> Option<String> {
        let mut others = Vec::new();
        if recorded.rules.as_ref()? != self.rules.as_ref()? {
            others.push("other rules".to_string());
        }
        for (name, value) in &recorded.options {
            let now = self.options.get(name).map_or("nothing", String::as_str);
            if now != value {
                others.push(format!("{name} {value} (now {now})"));
            }
        }
        (!others.is_empty()).then(|| others.join(", "))
    }
}

/// Inputs, and what is learnt of their clients on the way.
pub(super) struct WithClients<I> {
    pub(super) inputs: I,
    pub(super) clients: Clients,
}

impl<I: Inputs> Inputs for WithClients<I> {
    fn next(&mut self) -> Option<Input<'_>> {
        let input = self.inputs.next()?;
        if let Some(export) = input.export {
            self.clients.add(export);
        }
        Some(input)
    }
}

/// An evaluation that is over.
pub(super) struct Evaluation<I> {
    pub(super) inputs: I,
    /// What came out of it. What could not be read is not known here.
    pub(super) result: EvaluatedRecording,
    pub(super) clients: Vec<Client>,
}

/// Evaluates inputs until there are no more, or `each` has had enough of the transitions. The values that decide are traced when
/// `is_traced`, to be compared with others.
pub(super) fn evaluate<I: Inputs, E>(
    (inputs, name): (I, String),
    (definitions, options): (Vec<EventDefinition>, &Options),
    is_traced: bool,
    mut each: impl FnMut(&Engine, &[Transition]) -> Result<(), E>,
) -> (Evaluation<I>, Result<(), E>) {
    let traced = TracedInputs::new(inputs, is_traced, &definitions, options);
    let mut inputs = WithClients { inputs: traced, clients: Clients::default() };
    let mut engine = Engine::new(definitions, options.clone());
    let driven = drive(&mut engine, &mut inputs, |engine, transitions| each(engine, transitions));
    let (clients, (inputs, aggregates)) = (inputs.clients.finish(), inputs.inputs.finish());
    let (definitions, report) = (engine.definitions().to_vec(), engine.report());
    let result = EvaluatedRecording { definitions, report, aggregates, damage: Vec::new(), name };
    (Evaluation { inputs, result, clients }, driven)
}

/// The export interval that the first of these recordings with scaled windows was evaluated with.
pub(super) fn interval<'a>(heads: impl Iterator<Item = (&'a str, &'a str)>) -> Option<Nanos> {
    heads.filter_map(read).find_map(|head| head.interval)
}

/// The head of a recording, unless it is none of ours.
fn read((_, text): (&str, &str)) -> Option<Head> {
    serde_json::from_str(text).ok()
}

fn step(text: &str) -> Result<Nanos, String> {
    let range = Duration::from_millis(1)..=Duration::from_secs(86_400);
    duration(text, range, "10s, 5m or 1h", "a step lies between 1ms and 1day").map(nanos)
}

fn points(text: &str) -> Result<usize, String> {
    within(text, 16..=1 << 24, "a number from 16 to 16777216")
}

fn silence(text: &str) -> Result<Silence, String> {
    if text == "never" {
        return Ok(Silence(None));
    }
    let range = Duration::from_secs(60)..=Duration::from_secs(10 * 365 * 86_400);
    let silence = duration(text, range, "24h, 30m or never", "at least 1m, at most ten years, or never")?;
    Ok(Silence(Some(nanos(silence))))
}

fn most(text: &str) -> Result<u64, String> {
    if text == "unlimited" {
        return Ok(u64::MAX);
    }
    within(text, 1.., "a number above 0, or unlimited")
}
