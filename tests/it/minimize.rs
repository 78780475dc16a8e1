//! Every event of every kept recording becomes a small scenario that passes, and stays what it was.

use foreshock::definition::{self, EventDefinition, Problem, Settings};
use foreshock::engine::{Engine, EvaluationReport, Event, Input, Options};
use foreshock::gate::run_all;
use foreshock::minimize::{EventPast, Minimized, Wanted, minimize};
use foreshock::model::{Attributes, Export};
use foreshock::recording::{self, Reader};
use std::fs::File;
use std::path::{Path, PathBuf};

/// The built-in rules of one package.
fn rules(name: &str) -> Result<Vec<EventDefinition>, Vec<Problem>> {
    let inside = format!("{name}/");
    let sources: Vec<_> = definition::builtin().into_iter().filter(|source| source.path.starts_with(&inside)).collect();
    Ok(definition::load(&sources, &Settings::default()).definitions)
}

fn all_rules() -> Vec<EventDefinition> {
    definition::load(&definition::builtin(), &Settings::default()).definitions
}

fn recording(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/recordings").join(name)
}

fn each_input(path: &Path, mut take: impl FnMut(Input<'_>)) {
    let file = File::open(path).expect("a recording");
    let source = recording::Source { name: path.display().to_string(), size: None, reader: Box::new(file) };
    let mut reader = Reader::open(vec![source]).expect("a known form");
    let mut export = Export::default();
    while let Some(arrival) = reader.next(&mut export) {
        take(Input { received_at: arrival.at, export: (!arrival.is_tick).then_some(&export) });
    }
}

fn replayed(path: &Path) -> (Vec<EventDefinition>, EvaluationReport) {
    let mut engine = Engine::new(all_rules(), Options::default());
    each_input(path, |input| engine.step(input, &mut |_| {}));
    engine.finish(&mut |_| {});
    (engine.definitions().to_vec(), engine.report())
}

/// Searches as `check --minimize` does.
struct Incident {
    definitions: Vec<EventDefinition>,
    report: EvaluationReport,
    path: PathBuf,
}

impl Incident {
    fn new(path: &Path) -> Self {
        let (definitions, report) = replayed(path);
        Incident { definitions, report, path: path.to_path_buf() }
    }

    fn event(&self, definition: &str) -> &Event {
        let is_meant = |event: &&Event| self.definitions[event.definition].name == definition;
        self.report.events.iter().find(is_meant).expect("the event")
    }

    fn minimized(&self, event: &Event, key: Option<&[u8]>) -> Minimized {
        let only = event.entity.as_ref().map_or_else(Attributes::default, |entity| entity.resource.clone());
        let mut past = EventPast::new(only, event.start);
        each_input(&self.path, |input| {
            if let Some(export) = input.export {
                past.add(input.received_at, export).expect("few points");
            }
        });
        let definition = &self.definitions[event.definition];
        let options = Options::default();
        let wanted = Wanted {
            event,
            definition,
            step: self.report.definitions[event.definition].step,
            rules: definition.file.split('/').next().expect("a package"),
            source: &rules,
            options: &options,
            key,
            comment: "made by a test",
        };
        minimize(&past, wanted).unwrap_or_else(|error| panic!("{}: {error}", definition.name))
    }
}

/// Runs the scenario on its own and gives back the events of the definition.
fn events_of(text: &str, definition: &str) -> Vec<Event> {
    let (outcomes, problems) = run_all("case.test.yaml", text, &rules);
    assert!(problems.is_empty() && outcomes.len() == 1, "{problems:?}\n{text}");
    let outcome = &outcomes[0];
    assert!(outcome.failures.is_empty(), "{:?}\n{text}", outcome.failures);
    let events = outcome.report.events.iter();
    events.filter(|event| outcome.definitions[event.definition].name == definition).cloned().collect()
}

#[test]
fn every_event_of_the_recordings_becomes_a_small_scenario() {
    let mut count = 0;
    for entry in std::fs::read_dir(recording("")).expect("the recordings") {
        let path = entry.expect("an entry").path();
        if !path.to_string_lossy().ends_with(".jsonl.gz") {
            continue;
        }
        let incident = Incident::new(&path);
        for event in &incident.report.events {
            let name = &incident.definitions[event.definition].name;
            let found = incident.minimized(event, None);
            let got = events_of(&found.text, name);
            assert_eq!(got.len(), 1, "{}", found.text);
            assert_eq!(got[0].entity.as_ref().map(|e| &e.label), event.entity.as_ref().map(|e| &e.label));
            assert!(found.text.len() < 2048, "{} bytes\n{}", found.text.len(), found.text);
            assert_eq!(found.series, 1, "{}", found.text);
            count += 1;
        }
    }
    assert!(count > 25, "only {count} events were found");
}

#[test]
fn a_fast_leak_becomes_one_straight_line() {
    let incident = Incident::new(&recording("fast_leak.jsonl.gz"));
    let found = incident.minimized(incident.event("memory-leak-detection"), None);
    let expected = "\
# made by a test
scenario: memory-leak-detection fires
rules: builtin:python
until: 9m
interval: 5s
resource: {service.name: ingest, telemetry.sdk.language: python}
scope: opentelemetry.instrumentation.system_metrics
series:
  - metric: process.runtime.cpython.memory
    kind: sum
    values: 7e8+1e7x107
expect:
  - {definition: memory-leak-detection, opens: 9m, severity: 10, entity: ingest}
others: allowed
";
    assert_eq!(found.text, expected);
    assert_eq!((found.series, found.points), (1, 108));
    let docs = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/ci.md")).expect("docs/ci.md");
    let (_, scenario) = expected.split_once('\n').expect("a comment");
    assert!(docs.contains(scenario), "docs/ci.md shows something else");
}

#[test]
fn hashes_hide_every_value_that_no_rule_asks_for() {
    let incident = Incident::new(&recording("leak_restart_newid.jsonl.gz"));
    let event = incident.event("memory-leak-trend");
    let found = |key: &[u8]| incident.minimized(event, Some(key));
    let (one, again, other) = (found(b"one key"), found(b"one key"), found(b"another key"));
    assert_eq!(one.text, again.text);
    assert_ne!(one.text, other.text);
    let entity = event.entity.as_ref().expect("an entity");
    for (_, value) in entity.resource.iter() {
        assert!(!one.text.contains(&value.to_text()), "{}", one.text);
    }
    // The query asks for the language, and the metric's id for the type.
    assert_eq!(one.kept, ["telemetry.sdk.language", "type"]);
    assert!(!one.text.contains("start:"), "the date is gone: {}", one.text);
    assert_eq!(events_of(&one.text, "memory-leak-trend").len(), 1);
}
