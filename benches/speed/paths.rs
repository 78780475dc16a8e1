//! The ways through the same bytes: only walked, only decoded by the official types, partly judged, replayed whole.

use crate::corpus::{Corpus, Form, Shape};
use crate::shipped;
use bytes::Bytes;
use foreshock::engine::{self, DropReason, Engine, Options, drive};
use foreshock::model::{Export, Nanos, SECOND};
use foreshock::otlp::{self, Decoder, Encoding};
use foreshock::recording::{Compression, Reader, RecordingFormat, Replayed, Source, Writer};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use prost::Message as _;
use std::hint::black_box;
use std::io::Cursor;

/// Generated requests, as slices of one buffer.
pub struct Requests {
    /// Arrival and bytes, in order.
    pub list: Vec<(u64, Bytes)>,
    /// Points in all of them.
    pub points: u64,
}

impl Requests {
    /// The next steps of a corpus as protobuf.
    pub fn generate(corpus: &mut Corpus, steps: u64) -> Self {
        Self::in_form(corpus, steps, Form::Protobuf)
    }

    fn in_form(corpus: &mut Corpus, steps: u64, form: Form) -> Self {
        let (mut bytes, mut ends, mut points) = (Vec::new(), Vec::new(), 0);
        for _ in 0..steps {
            corpus.step(form, |request| {
                bytes.extend_from_slice(request.body);
                ends.push((request.at, bytes.len()));
                points += request.points as u64;
            });
        }
        let (bytes, mut start) = (Bytes::from(bytes), 0);
        let mut list = Vec::with_capacity(ends.len());
        for (at, end) in ends {
            list.push((at, bytes.slice(start..end)));
            start = end;
        }
        Requests { list, points }
    }
}

/// One corpus, as requests and as a recording.
pub struct Input {
    form: Form,
    requests: Requests,
    /// Its recording: plain own form, or JSON lines.
    pub recording: Bytes,
    /// Points in it.
    pub points: u64,
    /// Series in it.
    pub series: usize,
}

impl Input {
    /// Generates a corpus and records it.
    pub fn generate(shape: Shape, steps: u64, form: Form) -> Self {
        let mut corpus = Corpus::new(shape);
        let requests = Requests::in_form(&mut corpus, steps, form);
        let points = requests.points;
        let mut input = Input { form, requests, recording: Bytes::new(), points, series: corpus.series() };
        input.recording = match form {
            Form::Protobuf => record(&input, Compression::None),
            Form::Json => lines(&input.requests),
        };
        input
    }
}

fn lines(requests: &Requests) -> Bytes {
    let mut out = Vec::new();
    for (_, body) in &requests.list {
        out.extend_from_slice(body);
        out.push(b'\n');
    }
    Bytes::from(out)
}

/// Every body decoded, nothing else.
pub fn walk(input: &Input) -> u64 {
    let (mut export, mut points) = (Export::default(), 0);
    for (_, body) in &input.requests.list {
        otlp::decode(Encoding::Protobuf, body.clone(), &mut export).expect("generated bodies are valid");
        points += black_box(&export).points.len() as u64;
    }
    assert_eq!(points, input.points, "the decoder missed points");
    points
}

/// Every body decoded into the official types and dropped.
pub fn prost(input: &Input) -> u64 {
    for (_, body) in &input.requests.list {
        black_box(ExportMetricsServiceRequest::decode(body.clone()).expect("generated bodies are valid"));
    }
    input.points
}

/// Every line decoded into the official types and dropped.
pub fn serde(input: &Input) -> u64 {
    assert!(input.form == Form::Json, "lines of JSON");
    for (_, body) in &input.requests.list {
        let request: ExportMetricsServiceRequest = serde_json::from_slice(body).expect("generated lines are valid");
        black_box(request);
    }
    input.points
}

/// Everything but judging: the first instant of the grid lies behind the end of the data.
pub fn insert(input: &Input) -> u64 {
    let mut judge = Judge::with(Options { step: Some(100_000_000 * SECOND), ..Options::default() });
    judge.feed(&input.requests)
}

/// Decoding and the whole engine, without a recording around the bodies.
pub fn judge(input: &Input) -> u64 {
    let mut judge = Judge::new();
    let points = judge.feed(&input.requests);
    judge.finish(points);
    points
}

/// An engine with the shipped rules.
pub struct Judge {
    engine: Engine,
    export: Export,
    decoder: Decoder,
    transitions: u64,
}

impl Judge {
    /// With the default options.
    pub fn new() -> Self {
        Self::with(Options::default())
    }

    fn with(options: Options) -> Self {
        Judge {
            engine: Engine::new(shipped::definitions(), options),
            export: Export::default(),
            decoder: Decoder::default(),
            transitions: 0,
        }
    }

    /// Decodes the bodies and hands them to the engine.
    pub fn feed(&mut self, requests: &Requests) -> u64 {
        for (at, body) in &requests.list {
            self.decoder
                .decode(Encoding::Protobuf, body.clone(), &mut self.export)
                .expect("generated bodies are valid");
            self.step(Some(*at as i64), true);
        }
        requests.points
    }

    fn step(&mut self, at: Option<Nanos>, has_export: bool) {
        let input = engine::Input { received_at: at, export: has_export.then_some(&self.export) };
        self.engine.step(input, &mut |_| self.transitions += 1);
    }

    /// Judges the end of the input; the report must show that the work was real.
    fn finish(mut self, points: u64) {
        self.engine.finish(&mut |_| self.transitions += 1);
        let report = black_box(self.engine.report());
        assert_eq!(report.counts.points, points, "every point was seen");
        assert_eq!(report.counts.dropped, [0; DropReason::ALL.len()], "no point was dropped");
        assert!(report.definitions.iter().all(|d| d.evaluations > 0), "every shipped rule is judged");
        assert!(self.transitions > 0, "some processes of the corpus are busy");
    }
}

/// The requests of an input as a recording of our own form.
pub fn record(input: &Input, compression: Compression) -> Bytes {
    let mut writer = Writer::new(Vec::new(), RecordingFormat::Own, compression).expect("the compression is supported");
    for (at, body) in &input.requests.list {
        writer.append(Some(*at as i64), body).expect("generated bodies are small");
    }
    Bytes::from(writer.finish().expect("writing to memory cannot fail"))
}

/// A recording from its first byte to the report.
pub fn replay(recording: &Bytes, points: u64) -> u64 {
    let bytes = Box::new(Cursor::new(recording.clone()));
    let source = Source { name: "generated".into(), size: Some(recording.len() as u64), reader: bytes };
    let mut inputs = Replayed::new(Reader::open(vec![source]).expect("a recording"));
    let mut judge = Judge::new();
    let all = drive(&mut judge.engine, &mut inputs, |_, transitions| {
        judge.transitions += transitions.len() as u64;
        Ok::<(), ()>(())
    });
    assert_eq!((all, inputs.reader().damage_count()), (Ok(()), 0), "the recording is whole");
    judge.finish(points);
    points
}
