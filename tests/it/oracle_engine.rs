//! The engine and the naive oracle say the same about random worlds.

use crate::generate::{Arrival, encode};
use crate::oracle::definition::Definition;
use crate::oracle::document::{self, Document};
use crate::oracle::judge;
use crate::oracle_worlds::{World, world};
use foreshock::definition::{self, EventDefinition};
use foreshock::engine::{Engine, EvaluationReport, Input, Options, Transition};
use foreshock::model::Export;
use foreshock::otlp::{Decoder, Encoding};
use proptest::prelude::*;

/// The engine's definitions of a world.
pub fn definitions(world: &World) -> Vec<EventDefinition> {
    world
        .definitions
        .iter()
        .flat_map(|(name, json)| {
            let (definitions, problems) = definition::parse(&format!("{name}.json"), &json.to_string());
            assert_eq!(definitions.len(), 1, "{problems:?}");
            definitions
        })
        .collect()
}

/// One input of the engine: a body, or a tick when there are no points.
pub struct Step {
    pub at: Option<i64>,
    pub body: Option<Vec<u8>>,
}

impl Step {
    pub fn of(arrival: &Arrival) -> Step {
        Step { at: arrival.at, body: Some(encode(&arrival.points)) }
    }
}

/// Runs the engine over the steps: every transition in order, and the report.
pub fn run(
    definitions: Vec<EventDefinition>,
    options: &Options,
    encoding: Encoding,
    steps: &[Step],
) -> (Vec<Transition>, EvaluationReport) {
    let mut engine = Engine::new(definitions, options.clone());
    let (mut decoder, mut export) = (Decoder::default(), Export::default());
    let mut transitions = Vec::new();
    for step in steps {
        let mut emit = |transition: Transition| transitions.push(transition);
        match &step.body {
            None => engine.step(Input { received_at: step.at, export: None }, &mut emit),
            Some(body) => {
                decoder.decode(encoding, body.clone().into(), &mut export).expect("bodies are well-formed");
                engine.step(Input { received_at: step.at, export: Some(&export) }, &mut emit);
            }
        }
    }
    engine.finish(&mut |transition| transitions.push(transition));
    let report = engine.report();
    (transitions, report)
}

pub fn oracle(world: &World) -> Document {
    let definitions: Vec<Definition> =
        world.definitions.iter().map(|(name, json)| Definition::read(name, json)).collect();
    judge(&definitions, &world.options, &world.arrivals)
}

/// What the engine says that it should not say by itself, whatever the oracle says.
fn inconsistencies(transitions: &[Transition], report: &EvaluationReport) -> Vec<String> {
    let mut out = Vec::new();
    let opened = transitions.iter().filter(|t| t.evaluation_time == t.event.start).count();
    if opened != report.events.len() {
        out.push(format!("{opened} openings were emitted, {} events reported", report.events.len()));
    }
    for event in &report.events {
        let last = transitions.iter().rfind(|t| t.event.id == event.id).map(|t| t.event.state);
        if last != Some(event.state) {
            out.push(format!("{} was last emitted as {last:?}, reported as {:?}", event.id, event.state));
        }
        if let Some(peak) = &event.peak
            && !(event.start..=event.last_violation).contains(&peak.observation.evaluation_time)
        {
            out.push(format!("{}: its peak lies outside of it: {peak:?}", event.id));
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_agrees_with_the_oracle(world in world()) {
        let definitions = definitions(&world);
        let steps: Vec<Step> = world.arrivals.iter().map(Step::of).collect();
        let (transitions, report) = run(definitions.clone(), &world.options, Encoding::Protobuf, &steps);
        let wanted = oracle(&world);
        let got = document::of_report(&definitions, &report);
        let mut wrong = document::differences(&wanted, &got);
        wrong.extend(inconsistencies(&transitions, &report));
        prop_assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
