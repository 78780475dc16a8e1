//! The kept recordings, judged with the package they were recorded for, give the documents of an independent
//! implementation; the same recording in two forms gives the same document byte for byte.

use crate::oracle::document;
use foreshock::definition::{self, EventDefinition, Settings, Source};
use foreshock::engine::{Engine, Input, Options};
use foreshock::model::Export;
use foreshock::recording::{self, Reader};
use foreshock::report::{self, Format, Outcome, Replay, ReplayOutcome, Style};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

fn fixtures(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(path)
}

fn package() -> Vec<EventDefinition> {
    let files = fs::read_dir(fixtures("packages/python/events")).expect("the package").map(|entry| {
        let path = entry.expect("an entry").path();
        Source { text: fs::read_to_string(&path).expect("a definition"), path: path.to_string_lossy().into_owned() }
    });
    definition::load(&files.collect::<Vec<_>>(), &Settings::default()).definitions
}

fn judged(recording: &Path) -> Engine {
    let file = File::open(recording).expect("a recording");
    let source = recording::Source { name: recording.display().to_string(), size: None, reader: Box::new(file) };
    let mut reader = Reader::open(vec![source]).expect("a known form");
    let mut engine = Engine::new(package(), Options::default());
    let mut export = Export::default();
    while let Some(arrival) = reader.next(&mut export) {
        engine.step(Input { received_at: arrival.at, export: (!arrival.is_tick).then_some(&export) }, &mut |_| {});
    }
    engine.finish(&mut |_| {});
    assert_eq!(reader.damages().count(), 0, "{}", recording.display());
    engine
}

#[test]
fn the_recordings_give_the_documents_of_an_independent_implementation() {
    let mut names: Vec<String> = fs::read_dir(fixtures("oracle/recordings"))
        .expect("the documents")
        .map(|entry| entry.expect("an entry").path().file_stem().expect("a name").to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert!(names.len() >= 8, "{names:?}");
    let mut wrong = Vec::new();
    for name in names {
        let text = fs::read_to_string(fixtures(&format!("oracle/recordings/{name}.json"))).expect("a document");
        let expected = document::of_json(&serde_json::from_str(&text).expect("JSON"));
        let engine = judged(&fixtures(&format!("recordings/{name}.jsonl.gz")));
        let got = document::of_report(engine.definitions(), &engine.report());
        wrong.extend(document::differences(&expected, &got).into_iter().map(|d| format!("{name}: {d}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn protobuf_and_json_of_a_recording_give_the_same_document() {
    for name in ["healthy_web", "delta_web"] {
        let document = |form: &str| {
            let engine = judged(&fixtures(&format!("recordings/{name}.{form}.gz")));
            let mut out = Vec::new();
            let report = engine.report();
            let outcome = ReplayOutcome::new(Replay::new(engine.definitions(), &report));
            report::write(Format::Json, &Outcome::Replay(&outcome), Style::plain(), &mut out).expect("memory");
            String::from_utf8(out).expect("a document is text")
        };
        assert_eq!(document("binpb"), document("jsonl"), "{name}");
    }
}
