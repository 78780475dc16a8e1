//! Recordings in and out: every form gives back what was written, several files are merged, other readers skip our fields.

use bytes::Bytes;
use flate2::write::GzEncoder;
use foreshock::model::{Export, Nanos, SECOND};
use foreshock::recording::{
    Compression, Damage, FileFormat, OpenError, Reader, RecordingEntry, RecordingFormat, Source, Writer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric, number_data_point,
};
use prost::Message;
use std::io::{Cursor, Read, Write};

pub const START: Nanos = 1_795_329_898 * SECOND;

/// What a reader gave.
#[derive(Debug)]
pub struct Outcome {
    pub arrivals: Vec<(RecordingEntry, Vec<u8>)>,
    pub damages: Vec<Damage>,
    pub damage_count: u64,
    pub forms: Vec<(FileFormat, Compression)>,
    pub head: Option<String>,
}

impl Outcome {
    pub fn bodies(&self) -> Vec<&[u8]> {
        self.arrivals.iter().map(|(_, body)| body.as_slice()).collect()
    }

    pub fn instants(&self) -> Vec<Option<Nanos>> {
        self.arrivals.iter().map(|(arrival, _)| arrival.at).collect()
    }
}

pub fn source(name: &str, reader: impl Read + Send + 'static) -> Source {
    Source { name: name.to_string(), size: None, reader: Box::new(reader) }
}

/// Reads files to their end.
pub fn read_all(files: Vec<Vec<u8>>) -> Result<Outcome, OpenError> {
    let sources = files.into_iter().enumerate().map(|(i, bytes)| source(&format!("file-{i}"), Cursor::new(bytes)));
    drain(Reader::open(sources.collect())?)
}

pub fn drain(mut reader: Reader) -> Result<Outcome, OpenError> {
    let (mut export, mut arrivals) = (Export::default(), Vec::new());
    while let Some(arrival) = reader.next(&mut export) {
        arrivals.push((arrival, export.payload.to_vec()));
    }
    Ok(Outcome {
        arrivals,
        damages: reader.damages().cloned().collect(),
        damage_count: reader.damage_count(),
        forms: reader.files().map(|file| (file.format, file.compression)).collect(),
        head: reader.head().map(str::to_string),
    })
}

pub fn read(bytes: &[u8]) -> Outcome {
    read_all(vec![bytes.to_vec()]).expect("a recording")
}

/// A gauge point at each of the times.
pub fn request(times: &[Nanos]) -> ExportMetricsServiceRequest {
    let point = |&time: &Nanos| NumberDataPoint {
        time_unix_nano: time as u64,
        value: Some(number_data_point::Value::AsDouble(time as f64)),
        ..Default::default()
    };
    let gauge = Gauge { data_points: times.iter().map(point).collect() };
    let metric = Metric { name: "pool.used".to_string(), data: Some(metric::Data::Gauge(gauge)), ..Default::default() };
    let scope = ScopeMetrics { metrics: vec![metric], ..Default::default() };
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics { scope_metrics: vec![scope], ..Default::default() }],
    }
}

pub fn body(times: &[Nanos]) -> Vec<u8> {
    request(times).encode_to_vec()
}

/// `n` bodies, a second apart.
pub fn bodies(n: i64) -> Vec<(Nanos, Vec<u8>)> {
    (0..n).map(|i| (START + i * SECOND, body(&[START + i * SECOND]))).collect()
}

pub fn write(
    arrivals: &[(Nanos, Vec<u8>)],
    format: RecordingFormat,
    compression: Compression,
    frame: usize,
) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), format, compression).expect("a writer");
    for (i, (at, body)) in arrivals.iter().enumerate() {
        match body.is_empty() {
            true => writer.tick(*at).expect("a tick"),
            false => writer.append(Some(*at), body).expect("a body"),
        }
        if (i + 1) % frame == 0 {
            writer.flush().expect("a flush");
        }
    }
    writer.finish().expect("the end")
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("into memory");
    encoder.finish().expect("into memory")
}

pub fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut out).expect("gzip");
    out
}

pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(bytes, 3).expect("into memory")
}

pub fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/fixtures/recordings/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// The messages of length-prefixed content.
pub fn messages(mut content: &[u8]) -> Vec<&[u8]> {
    let mut messages = Vec::new();
    while let Some((length, rest)) = content.split_first_chunk::<4>() {
        let (message, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
        messages.push(message);
        content = rest;
    }
    messages
}

pub fn prefixed(messages: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let with_length = |m: &[u8]| [&(m.len() as u32).to_be_bytes(), m].concat();
    messages.iter().flat_map(|message| with_length(message.as_ref())).collect()
}

#[test]
fn own_recordings_give_back_what_was_written() {
    let mut arrivals = bodies(50);
    // RecordingEntry and data differ, and there are ticks in between and at the end.
    for (i, (at, body)) in arrivals.iter_mut().enumerate() {
        *at += 17;
        if i % 7 == 3 || i == 49 {
            body.clear();
        }
    }
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        for frame in [1, 8, 1000] {
            let outcome = read(&write(&arrivals, RecordingFormat::Own, compression, frame));
            let read: Vec<_> = outcome.arrivals.iter().map(|(a, body)| (a.at.unwrap(), body.clone())).collect();
            assert_eq!(read, arrivals, "{compression:?} {frame}");
            assert!(outcome.arrivals.iter().all(|(arrival, body)| arrival.is_tick == body.is_empty()));
            assert_eq!(outcome.damages, []);
            assert_eq!(outcome.forms, [(FileFormat::Own, compression)]);
        }
    }
}

#[test]
fn the_head_comes_back_and_is_no_arrival() {
    let head = r#"{"foreshock":1,"rules":"abc"}"#;
    for arrivals in [bodies(0), bodies(3)] {
        for compression in [Compression::None, Compression::Zstd] {
            let mut writer = Writer::new(Vec::new(), RecordingFormat::Own, compression).unwrap();
            writer.set_head(head.to_string()).unwrap();
            for (at, body) in &arrivals {
                writer.append(Some(*at), body).unwrap();
            }
            let outcome = read(&writer.finish().unwrap());
            assert_eq!(outcome.head.as_deref(), Some(head));
            assert_eq!(outcome.arrivals.len(), arrivals.len());
            assert_eq!(outcome.damages, []);
            assert_eq!(outcome.forms[0].0, FileFormat::Own);
        }
    }
}

#[test]
fn other_readers_skip_our_fields() {
    let mut writer = Writer::new(Vec::new(), RecordingFormat::Own, Compression::None).unwrap();
    writer.set_head("{\"foreshock\":1}".to_string()).unwrap();
    for (at, body) in bodies(5) {
        writer.append(Some(at), &body).unwrap();
    }
    writer.tick(START + 9 * SECOND).unwrap();
    let recording = writer.finish().unwrap();
    let decoded: Vec<_> =
        messages(&recording).into_iter().map(|m| ExportMetricsServiceRequest::decode(m).unwrap()).collect();
    let mut expected: Vec<_> = (0..5).map(|i| request(&[START + i * SECOND])).collect();
    expected.push(ExportMetricsServiceRequest::default());
    assert_eq!(decoded, expected);
}

#[test]
fn a_client_cannot_set_the_instant() {
    let forged =
        write(&[(START + 900 * SECOND, body(&[START]))], RecordingFormat::Own, Compression::None, 1).split_off(4);
    let outcome = read(&write(&[(START, forged.clone())], RecordingFormat::Own, Compression::Zstd, 1));
    // The reader takes the fields in front, which are all it could have meant.
    assert_eq!(outcome.arrivals.len(), 1);
    let behind = [body(&[START]), forged[..13].to_vec()].concat();
    let outcome = read(&write(&[(START, behind.clone())], RecordingFormat::Own, Compression::Zstd, 1));
    assert_eq!(outcome.instants(), [Some(START)]);
    assert_eq!(outcome.bodies(), [&behind]);
}

#[test]
fn foreign_protobuf_takes_its_instants_from_the_points() {
    let arrivals = bodies(20);
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let outcome = read(&write(&arrivals, RecordingFormat::Protobuf, compression, 3));
        assert_eq!(outcome.instants(), arrivals.iter().map(|(at, _)| Some(*at)).collect::<Vec<_>>());
        assert_eq!(outcome.bodies(), arrivals.iter().map(|(_, body)| body.as_slice()).collect::<Vec<_>>());
        assert_eq!(outcome.forms, [(FileFormat::Protobuf, compression)]);
        assert_eq!(outcome.damages, []);
    }
}

#[test]
fn compressed_frames_around_each_message() {
    let arrivals = bodies(20);
    let frames: Vec<_> = arrivals.iter().map(|(_, body)| zstd(body)).collect();
    let outcome = read(&prefixed(&frames));
    assert_eq!(outcome.bodies(), arrivals.iter().map(|(_, body)| body.as_slice()).collect::<Vec<_>>());
    assert_eq!(outcome.forms, [(FileFormat::ZstdMessages, Compression::None)]);
    assert_eq!(outcome.damages, []);
    assert_eq!(read(&gzip(&prefixed(&frames))).bodies(), outcome.bodies());
}

#[test]
fn native_zstd_may_split_messages_over_frames() {
    let arrivals = bodies(300);
    let content = write(&arrivals, RecordingFormat::Protobuf, Compression::None, 1);
    for size in [1, 37, 1000, content.len()] {
        let recording: Vec<u8> = content.chunks(size).flat_map(zstd).collect();
        let outcome = read(&recording);
        assert_eq!(outcome.arrivals.len(), arrivals.len(), "{size}");
        assert_eq!(outcome.damages, []);
    }
}

#[test]
fn one_request_is_a_recording() {
    let outcome = read(&body(&[START]));
    assert_eq!(outcome.instants(), [Some(START)]);
    assert_eq!(outcome.forms, [(FileFormat::Single, Compression::None)]);
    assert_eq!(read(&gzip(&body(&[START]))).bodies(), outcome.bodies());
    assert_eq!(read(&zstd(&body(&[START]))).bodies(), outcome.bodies());
}

#[test]
fn an_empty_file_has_no_arrivals() {
    for bytes in [vec![], gzip(&[]), zstd(&[]), b"\n\n".to_vec()] {
        let outcome = read(&bytes);
        assert_eq!(outcome.arrivals.len(), 0);
        assert_eq!(outcome.damages, []);
    }
}

#[test]
fn what_is_no_recording_is_refused_with_its_name() {
    let refused: [&[u8]; 9] = [
        b"hello, world\n",
        b"{\"name\": \"an event\", \"rules\": []}",
        b"{\"resourceSpans\": []}\n",
        b"{nothing}\n{at all}\n",
        b"[1, 2]",
        b"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00",
        b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2mp41\x00\x00\x00\x08free",
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR",
        &[0xff; 100],
    ];
    for bytes in refused {
        let error = read_all(vec![body(&[START]), bytes.to_vec()]).expect_err("no recording");
        let said = error.to_string();
        assert!(said.starts_with("file-1: not a recording ("), "{said}");
        assert!(matches!(error, OpenError::Unrecognised { .. }));
    }
}

#[test]
fn a_source_that_cannot_be_read_is_an_error() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::from(std::io::ErrorKind::IsADirectory))
        }
    }
    let error = Reader::open(vec![source("folder", Broken)]).err().expect("an error");
    assert_eq!(error.to_string(), "folder: is a directory");
}

#[test]
fn files_are_merged_by_time_and_ties_keep_their_order() {
    let every = |offset: i64, step: i64, n: i64| -> Vec<(Nanos, Vec<u8>)> {
        (0..n).map(|i| START + (offset + i * step) * SECOND).map(|at| (at, body(&[at]))).collect()
    };
    let (a, b, c) = (every(0, 3, 10), every(0, 2, 15), every(7, 1, 3));
    let files = vec![
        write(&a, RecordingFormat::Own, Compression::Zstd, 2),
        write(&b, RecordingFormat::Protobuf, Compression::Gzip, 2),
        write(&c, RecordingFormat::Own, Compression::None, 2),
    ];
    let outcome = read_all(files).unwrap();
    let mut expected: Vec<_> =
        [a, b, c].iter().enumerate().flat_map(|(i, file)| file.iter().map(move |(at, _)| (*at, i))).collect();
    expected.sort();
    let read: Vec<_> = outcome.arrivals.iter().map(|(arrival, _)| (arrival.at.unwrap(), arrival.file)).collect();
    assert_eq!(read, expected);
}

#[test]
fn time_never_goes_backwards_within_a_file() {
    let instants = [5, 3, 9, 9, 1, 10].map(|s| START + s * SECOND);
    let arrivals = instants.map(|at| (at, body(&[at])));
    let expected = [5, 5, 9, 9, 9, 10].map(|s| Some(START + s * SECOND));
    assert_eq!(read(&write(&arrivals, RecordingFormat::Own, Compression::Zstd, 2)).instants(), expected);
    assert_eq!(read(&write(&arrivals, RecordingFormat::Protobuf, Compression::None, 2)).instants(), expected);
}

#[test]
fn a_body_without_a_time_follows_the_one_before_it() {
    let first = [(START, body(&[START])), (0, body(&[0])), (START + 5 * SECOND, body(&[START + 5 * SECOND]))];
    let second = [(0, body(&[0])), (START + SECOND, body(&[START + SECOND]))];
    let files = [&first[..], &second[..]].map(|file| write(file, RecordingFormat::Protobuf, Compression::None, 1));
    let outcome = read_all(files.to_vec()).unwrap();
    let read: Vec<_> = outcome.arrivals.iter().map(|(a, _)| (a.at.map(|at| (at - START) / SECOND), a.file)).collect();
    assert_eq!(read, [(None, 1), (Some(0), 0), (None, 0), (Some(1), 1), (Some(5), 0)]);
}

#[test]
fn the_time_of_a_body_is_near_the_median_of_its_points() {
    let minutes = |minutes: &[i64]| -> Option<Nanos> {
        let times: Vec<_> = minutes.iter().map(|m| if *m < 0 { 0 } else { START + m * 60 * SECOND }).collect();
        let mut export = Export::default();
        foreshock::otlp::decode(foreshock::otlp::Encoding::Protobuf, Bytes::from(body(&times)), &mut export).unwrap();
        export.data_time(&mut Vec::new()).map(|at| (at - START) / (60 * SECOND))
    };
    assert_eq!(minutes(&[]), None);
    assert_eq!(minutes(&[-1, -1]), None);
    assert_eq!(minutes(&[-1, 3]), Some(3));
    assert_eq!(minutes(&[0, 5]), Some(5));
    assert_eq!(minutes(&[0, 6]), Some(0));
    assert_eq!(minutes(&[0, 1, 7, 90]), Some(1));
    assert_eq!(minutes(&[0, 2, 7, 90]), Some(7));
    assert_eq!(minutes(&[90, 0, 2, 6, 7]), Some(7));
    assert_eq!(minutes(&[-1, -1, -1, 90, 0]), Some(0));
}

#[test]
fn the_real_twins_are_the_same_recording() {
    let json = read(&fixture("healthy_web.jsonl.gz"));
    let binary = read(&fixture("healthy_web.binpb.gz"));
    assert_eq!(json.forms, [(FileFormat::JsonLines, Compression::Gzip)]);
    assert_eq!(binary.forms, [(FileFormat::Protobuf, Compression::Gzip)]);
    assert_eq!(binary.arrivals.len(), 168);
    assert_eq!(json.instants(), binary.instants());
    let decode = |outcome: &Outcome| -> Vec<_> {
        outcome.bodies().into_iter().map(|b| ExportMetricsServiceRequest::decode(b).unwrap()).collect()
    };
    assert_eq!(decode(&json), decode(&binary));
    assert!(json.damages.is_empty() && binary.damages.is_empty());
}

#[test]
fn every_kept_recording_is_read_to_its_end() {
    for (name, arrivals) in [
        ("cpu_burn_percent_old.jsonl.gz", 66),
        ("ctx_storm.jsonl.gz", 124),
        ("delta_web.jsonl.gz", 96),
        ("fast_leak.jsonl.gz", 170),
        ("fork_workers_old.jsonl.gz", 215),
        ("leak_restart_sameid.jsonl.gz", 205),
        ("net_loopback.jsonl.gz", 84),
        ("thread_growth.jsonl.gz", 168),
        ("two_services.jsonl.gz", 312),
    ] {
        let outcome = read(&fixture(name));
        assert_eq!((outcome.arrivals.len(), outcome.damages.len()), (arrivals, 0), "{name}");
        assert!(outcome.instants().iter().all(Option::is_some));
    }
}

#[test]
fn appended_recordings_are_one_recording() {
    let (first, second) = (bodies(4), bodies(9).split_off(4));
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let both = [&first, &second].map(|part| write(part, RecordingFormat::Own, compression, 3)).concat();
        let outcome = read(&both);
        assert_eq!(outcome.arrivals.len(), 9);
        assert_eq!(outcome.damages, []);
    }
}

#[test]
fn frames_are_closed_when_they_are_full_or_old() {
    let frames = |mut bytes: &[u8]| -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        while !bytes.is_empty() {
            let n = zstd::zstd_safe::find_frame_compressed_size(bytes).expect("a frame");
            frames.push(zstd::stream::decode_all(&bytes[..n]).expect("a frame"));
            bytes = &bytes[n..];
        }
        frames
    };
    let large = body(&vec![START; 10_000]);
    let mut writer = Writer::new(Vec::new(), RecordingFormat::Own, Compression::Zstd).unwrap();
    for _ in 0..20 {
        writer.append(Some(START), &large).unwrap();
    }
    let full = frames(&writer.finish().unwrap());
    assert!(full.len() > 2);
    assert!(full.iter().rev().skip(1).all(|frame| ((1 << 20)..(1 << 20) + large.len() + 17).contains(&frame.len())));
    assert!(full.iter().all(|frame| messages(frame).len() > 1));

    let mut writer = Writer::new(Vec::new(), RecordingFormat::Own, Compression::Zstd).unwrap();
    writer.set_longest_run(SECOND);
    for i in 0..10 {
        writer.append(Some(START + i * SECOND / 4), &body(&[START])).unwrap();
    }
    writer.tick(START + 4 * SECOND).unwrap();
    let old = frames(&writer.finish().unwrap());
    assert_eq!(old.iter().map(|frame| messages(frame).len()).collect::<Vec<_>>(), [4, 4, 2, 1]);
}

#[test]
fn readers_may_go_to_another_thread() {
    fn sendable<T: Send>() {}
    sendable::<Reader>();
    sendable::<Writer<Vec<u8>>>();
}

#[test]
fn slow_sources_and_large_bodies() {
    struct Drip(Cursor<Vec<u8>>, usize);
    impl Read for Drip {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let n = self.1.min(buffer.len());
            self.0.read(&mut buffer[..n])
        }
    }
    let large = body(&vec![START; 20_000]);
    let arrivals = [(START, body(&[START])), (START, large), (START, body(&[START]))];
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let bytes = write(&arrivals, RecordingFormat::Own, compression, 2);
        let total = bytes.len() as u64;
        for step in [1, 1000, 1 << 20] {
            let drip = Drip(Cursor::new(bytes.clone()), step);
            let mut reader =
                Reader::open(vec![Source { size: Some(total), ..source("drip", drip) }]).expect("a recording");
            assert_eq!(reader.bytes_total(), Some(total));
            let mut export = Export::default();
            for (_, body) in &arrivals {
                let next = reader.next(&mut export);
                assert!(next.is_some(), "{compression:?} {step} {:?}", reader.damages().collect::<Vec<_>>());
                assert!(export.payload == body);
            }
            assert_eq!(reader.next(&mut export), None);
            assert_eq!(reader.bytes_read(), total);
        }
    }
}
