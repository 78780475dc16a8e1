//! Sweeping a threshold gives what replaying with it gives: on random worlds and on real recordings, for sampled values,
//! whatever the number of passes.

use crate::generate::encode;
use crate::oracle_engine::definitions;
use crate::oracle_worlds::{World, world};
use foreshock::definition::{self, CompareOp, EventDefinition, RuleKind, Settings, Source};
use foreshock::engine::{Engine, EvaluationTrace, EventState, Input, Options, TraceLimits, TraceSpan};
use foreshock::model::Export;
use foreshock::otlp::{Decoder, Encoding};
use foreshock::recording::{self, Reader};
use foreshock::tune::{Swept, SweptRule, Tracked};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree as _;
use std::fs::{self, File};
use std::path::Path;

/// What of an event must be the same.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    entity: String,
    start: i64,
    last_violation: i64,
    severity: i64,
    state: EventState,
}

/// Feeds an engine with the same inputs as often as it is asked.
type Feed<'a> = dyn Fn(&mut Engine) + 'a;

/// Bodies with the instants they arrive at.
fn feed_world(world: &World, engine: &mut Engine) {
    let (mut decoder, mut export) = (Decoder::default(), Export::default());
    for arrival in &world.arrivals {
        decoder.decode(Encoding::Protobuf, encode(&arrival.points).into(), &mut export).expect("well-formed");
        engine.step(Input { received_at: arrival.at, export: Some(&export) }, &mut |_| {});
    }
    engine.finish(&mut |_| {});
}

fn feed_recording(path: &Path, engine: &mut Engine) {
    let file = File::open(path).expect("a recording");
    let source = recording::Source { name: path.display().to_string(), size: None, reader: Box::new(file) };
    let mut reader = Reader::open(vec![source]).expect("a known form");
    let mut export = Export::default();
    while let Some(arrival) = reader.next(&mut export) {
        engine.step(Input { received_at: arrival.at, export: (!arrival.is_tick).then_some(&export) }, &mut |_| {});
    }
    engine.finish(&mut |_| {});
}

/// The observations of all passes. What is too much for one entity is doubled, as somebody at the command line would.
fn observe(
    definitions: &[EventDefinition],
    options: &Options,
    mut most_bytes: u64,
    feed: &Feed<'_>,
) -> Vec<EvaluationTrace> {
    let (mut passes, mut first_entity) = (Vec::new(), 0);
    loop {
        let mut engine =
            Engine::tracing(definitions.to_vec(), options.clone(), TraceLimits { first_entity, most_bytes });
        feed(&mut engine);
        let observed = engine.trace();
        match observed.next {
            Some(next) if next == first_entity => {
                most_bytes *= 2;
                continue;
            }
            Some(next) => first_entity = next,
            None => {
                passes.push(observed);
                return passes;
            }
        }
        passes.push(observed);
    }
}

/// Per threshold the events of the sweep, and how many instants violate.
fn swept(
    passes: &[EvaluationTrace],
    definition: &EventDefinition,
    target: SweptRule,
    thresholds: &[f64],
) -> Vec<(Vec<Seen>, u64)> {
    let mut all = vec![(Vec::new(), 0); thresholds.len()];
    for observed in passes {
        let Some(TraceSpan { step, .. }) = observed.spans[target.definition] else { continue };
        for (entity, of) in observed.entities.iter().enumerate() {
            Tracked { observed, definition, target, entity }.sweep(thresholds, |threshold, swept| match swept {
                Swept::Violation { from, to } => all[threshold].1 += ((to - from) / step + 1) as u64,
                Swept::Event { life, state } => all[threshold].0.push(Seen {
                    entity: of.label.label.clone() + &of.label.resource.to_suffix(),
                    start: life.start,
                    last_violation: life.last_violation,
                    severity: life.severity,
                    state,
                }),
            });
        }
    }
    all.iter_mut().for_each(|(events, _)| sort(events));
    all
}

fn sort(events: &mut [Seen]) {
    events.sort_by(|a, b| (&a.entity, a.start).cmp(&(&b.entity, b.start)));
}

/// The same from an engine whose definition has the threshold.
fn replayed(
    definitions: &[EventDefinition],
    options: &Options,
    target: SweptRule,
    threshold: f64,
    feed: &Feed<'_>,
) -> (Vec<Seen>, u64) {
    let mut definitions = definitions.to_vec();
    if let RuleKind::Threshold(rule) = &mut definitions[target.definition].rules[target.rule].kind {
        rule.condition.value = threshold;
    }
    let mut engine = Engine::new(definitions, options.clone());
    feed(&mut engine);
    let report = engine.report();
    let own = report.events.iter().filter(|event| event.definition == target.definition);
    let mut seen: Vec<Seen> = own
        .map(|event| {
            let entity = event.entity.as_ref().expect("threshold rules are about entities");
            Seen {
                entity: entity.label.clone() + &entity.resource.to_suffix(),
                start: event.start,
                last_violation: event.last_violation,
                severity: event.severity,
                state: event.state,
            }
        })
        .collect();
    sort(&mut seen);
    (seen, report.definitions[target.definition].violating)
}

/// Every threshold that can be swept.
fn swept_rules(definitions: &[EventDefinition]) -> Vec<SweptRule> {
    let mut found = Vec::new();
    for (definition, of) in definitions.iter().enumerate().filter(|(_, of)| of.is_evaluated()) {
        for (rule, of) in of.rules.iter().enumerate() {
            let RuleKind::Threshold(threshold) = &of.kind else { continue };
            if !matches!(threshold.condition.operator, CompareOp::Equal | CompareOp::NotEqual) {
                found.push(SweptRule { definition, rule });
            }
        }
    }
    found
}

/// Sampled thresholds, in the order of the operator: values that came out, values between two of them, and the written one.
fn thresholds(passes: &[EvaluationTrace], of: &EventDefinition, target: SweptRule, picks: &[(Index, u8)]) -> Vec<f64> {
    let RuleKind::Threshold(rule) = &of.rules[target.rule].kind else { unreachable!("a threshold rule") };
    let mut values = vec![rule.condition.value];
    for observed in passes {
        for entity in 0..observed.entities.len() {
            let track = observed.track(entity, target.definition, target.rule);
            values.extend(track.iter().map(|said| said.value));
        }
    }
    values.retain(|value| value.is_finite());
    values.sort_by(f64::total_cmp);
    let picked = picks.iter().map(|(index, how)| {
        let at = index.index(values.len());
        match how % 3 {
            0 => values[at],
            1 => (values[at] + values[(at + 1) % values.len()]) / 2.0,
            _ => values[at] * 1.5 + 0.1,
        }
    });
    let mut thresholds: Vec<f64> = picked.chain([rule.condition.value]).collect();
    thresholds.sort_by(f64::total_cmp);
    if matches!(rule.condition.operator, CompareOp::Less | CompareOp::LessOrEqual) {
        thresholds.reverse();
    }
    thresholds
}

/// Compares the sweep with a replay for each sampled threshold; how many events were compared.
fn compare(
    definitions: &[EventDefinition],
    options: &Options,
    most_bytes: u64,
    picks: &[(Index, u8)],
    feed: &Feed<'_>,
) -> usize {
    let passes = observe(definitions, options, most_bytes, feed);
    let mut compared = 0;
    for target in swept_rules(definitions) {
        let definition = &definitions[target.definition];
        let thresholds = thresholds(&passes, definition, target, picks);
        let swept = swept(&passes, definition, target, &thresholds);
        for (threshold, got) in thresholds.iter().zip(swept) {
            let wanted = replayed(definitions, options, target, *threshold, feed);
            assert_eq!(got, wanted, "{} {target:?} at {threshold:?}, {} passes", definition.name, passes.len());
            compared += wanted.0.len();
        }
    }
    compared
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sweeping_a_world_is_replaying_it(
        world in world(),
        picks in prop::collection::vec((any::<Index>(), any::<u8>()), 4),
        small in prop::bool::weighted(0.3),
    ) {
        let definitions = definitions(&world);
        let most_bytes = if small { 4 << 10 } else { 1 << 30 };
        compare(&definitions, &world.options, most_bytes, &picks, &|engine| feed_world(&world, engine));
    }
}

fn package() -> Vec<EventDefinition> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/packages/python/events");
    let files = fs::read_dir(folder).expect("the package").map(|entry| {
        let path = entry.expect("an entry").path();
        Source { text: fs::read_to_string(&path).expect("a definition"), path: path.to_string_lossy().into_owned() }
    });
    definition::load(&files.collect::<Vec<_>>(), &Settings::default()).definitions
}

#[test]
fn little_memory_means_several_passes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/recordings/two_services.jsonl.gz");
    let passes = |most_bytes| {
        let feed = |engine: &mut Engine| feed_recording(&path, engine);
        observe(&package(), &Options::default(), most_bytes, &feed)
    };
    let entities = |passes: &[EvaluationTrace]| -> Vec<String> {
        passes.iter().flat_map(|pass| &pass.entities).map(|entity| entity.label.label.clone()).collect()
    };
    let (one, several) = (passes(1 << 30), passes(4 << 10));
    assert_eq!(one.len(), 1);
    assert!(several.len() > 1, "all of it fits");
    assert_eq!(entities(&one), entities(&several));
}

#[test]
fn sweeping_a_recording_is_replaying_it() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let picks = prop::collection::vec((any::<Index>(), any::<u8>()), 3);
    let mut compared = 0;
    for name in ["two_services", "leak_restart_sameid", "fork_workers_old"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/recordings/{name}.jsonl.gz"));
        let picks = picks.new_tree(&mut runner).expect("picks").current();
        compared += compare(&package(), &Options::default(), 1 << 30, &picks, &|engine| feed_recording(&path, engine));
    }
    assert!(compared > 30, "only {compared} events were compared");
}
