//! Live gives what replay gives: whatever the transport, the encoding and the compression, with one sender or many.

use crate::cli_support::{Folder, rule};
use crate::live_support::{Grpc, Http, PATIENCE, Server, bodies, fixture, json, protobuf};
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use std::fs;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tonic::codec::CompressionEncoding;

const RECORDING: &str = "leak_restart_sameid.jsonl.gz";

fn log_of(folder: &Folder, files: &str) -> String {
    let ended = folder.run(&format!("replay --format jsonl {files}"));
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(!ended.stderr.contains("warning"), "{}", ended.stderr);
    ended.stdout
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).expect("memory");
    encoder.finish().expect("memory")
}

fn deflate(body: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).expect("memory");
    encoder.finish().expect("memory")
}

fn zstd(body: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(body, 1).expect("memory")
}

#[test]
fn every_transport_encoding_and_compression_gives_the_events_of_a_replay() {
    let folder = Folder::new();
    let recording = fixture(RECORDING);
    let expected = log_of(&folder, &recording.to_string_lossy());
    assert!(expected.lines().count() >= 2, "{expected}");
    let bodies = bodies(&recording);

    for compression in [None, Some(CompressionEncoding::Gzip), Some(CompressionEncoding::Zstd)] {
        let server = Server::start(&folder, "serve --clock data --format jsonl");
        let mut client = Grpc::connect(server.grpc, compression);
        for body in &bodies {
            assert_eq!(client.export(body).expect("accepted"), b"");
        }
        let ended = server.stop();
        assert_eq!((ended.code, ended.stdout.as_str()), (0, expected.as_str()), "gRPC, {compression:?}");
    }

    type Pack = fn(&[u8]) -> Vec<u8>;
    let compressions: [(&str, Pack); 4] =
        [("", |body| body.to_vec()), ("gzip", gzip), ("zstd", zstd), ("deflate", deflate)];
    let encodings: [(&str, Pack); 2] = [("application/x-protobuf", |body| body.to_vec()), ("application/json", json)];
    for (content_type, encode) in encodings {
        for (name, compress) in compressions {
            let server = Server::start(&folder, "serve --clock data --format jsonl");
            let mut client = Http::connect(server.http);
            let coding = if name.is_empty() { String::new() } else { format!("\ncontent-encoding: {name}") };
            for body in &bodies {
                let answer = client.post(&format!("content-type: {content_type}{coding}"), &compress(&encode(body)));
                assert_eq!(answer.status, 200, "{}", answer.text());
                assert!(answer.head.contains(&format!("content-type: {content_type}\r\n")), "{}", answer.head);
                assert_eq!(answer.text(), if content_type == "application/json" { "{}" } else { "" });
            }
            let ended = server.stop();
            assert_eq!((ended.code, ended.stdout.as_str()), (0, expected.as_str()), "HTTP, {content_type}, {name}");
        }
    }
}

#[test]
fn a_leak_is_raised_live_as_in_a_replay() {
    let folder = Folder::new();
    let recording = fixture("fast_leak.jsonl.gz");
    let expected = log_of(&folder, &format!("--rules builtin:local {}", recording.display()));
    assert!(expected.contains("\"OPEN\"") && expected.contains("memory-leak-trend"), "{expected}");
    let server = Server::start(&folder, "serve --clock data --rules builtin:local --format jsonl");
    let mut client = Grpc::connect(server.grpc, None);
    for body in bodies(&recording) {
        client.export(&body).expect("accepted");
    }
    let ended = server.stop();
    assert_eq!((ended.code, ended.stdout.as_str()), (0, expected.as_str()));
}

fn now_ns() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos()
}

/// A body of a gauge in scope `app` at this moment.
fn now_body(service: &str, value: f64) -> Vec<u8> {
    let point = format!(r#"{{"timeUnixNano":"{}","asDouble":{value}}}"#, now_ns());
    protobuf(&crate::cli_support::line(service, "load", &format!(r#""gauge":{{"dataPoints":[{point}]}}"#)))
}

/// A rule with windows so short that events open and close while a test runs.
fn quick_rule(folder: &Folder) {
    let rule = rule("Load", "metrics.gauges.app/load", 10, 0.5);
    let rule = rule
        .replace("\"window\": 60000", "\"window\": 400")
        .replace("\"expirationTime\": 60000", "\"expirationTime\": 0");
    folder.write("rules/events/load.json", rule);
}

#[test]
fn with_the_wall_clock_and_eight_senders_a_replay_of_the_recording_gives_the_same_events() {
    let folder = Folder::new();
    quick_rule(&folder);
    let judging = "--rules rules --step 100ms --format jsonl";
    let server = Server::start(&folder, &format!("serve {judging} --record live.foreshock"));
    let until = Instant::now() + Duration::from_millis(2500);
    std::thread::scope(|scope| {
        for sender in 0..8 {
            let server = &server;
            scope.spawn(move || {
                let (mut grpc, mut http) = (Grpc::connect(server.grpc, None), Http::connect(server.http));
                let mut n = 0;
                while Instant::now() < until {
                    let high = (n / 15 + sender) % 2 == 0;
                    let body = now_body(&format!("s{sender}"), if high { 1.0 } else { 0.1 });
                    match sender % 3 {
                        0 => drop(grpc.export(&body).expect("accepted")),
                        1 => assert_eq!(http.post("content-type: application/x-protobuf", &body).status, 200),
                        _ => assert_eq!(http.post("content-type: application/json", &json(&body)).status, 200),
                    }
                    n += 1;
                    std::thread::sleep(Duration::from_millis(20));
                }
            });
        }
    });
    let ended = server.stop();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let replayed = folder.run(&format!("replay {judging} live.foreshock"));
    assert_eq!(replayed.stdout, ended.stdout);
    assert!(!replayed.stderr.contains("warning"), "{}", replayed.stderr);
    let states = |state: &str| ended.stdout.lines().filter(|line| line.contains(state)).count();
    assert!(states("\"OPEN\"") >= 4 && states("\"CLOSED\"") >= 1, "{}", ended.stdout);

    // Other rules or options are said to be others.
    let other = folder.run("replay --rules rules --step 200ms live.foreshock");
    assert!(other.stderr.contains("--step 100ms (now 200ms)"), "{}", other.stderr);
    let other = folder.run(&format!("replay {judging} --set load.conditionValue=0.4 live.foreshock"));
    assert!(other.stderr.contains("evaluated with other rules"), "{}", other.stderr);
}

#[test]
fn a_transition_is_printed_when_its_instant_is_over() {
    let folder = Folder::new();
    quick_rule(&folder);
    let server = Server::start(&folder, "serve --rules rules --step 100ms");
    let mut client = Grpc::connect(server.grpc, None);
    let since = Instant::now();
    while server.metric("foreshock_events_total{state=\"opened\"}") < 1.0 {
        client.export(&now_body("shop", 1.0)).expect("accepted");
        assert!(since.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(30));
    }
    // Nothing arrives any more: time alone closes the event.
    server.wait_for("foreshock_events_total{state=\"closed\"}", 1.0);
    assert_eq!(server.metric("foreshock_events_open"), 0.0);
    let ended = server.stop();
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{}", ended.stdout);
    assert!(lines[0].contains("  opened  CRITICAL  Load  load  shop (i-1)  1 (threshold 0.5, "), "{}", lines[0]);
    assert!(lines[1].contains("  closed  CRITICAL  Load  load  shop (i-1)  "), "{}", lines[1]);
}

#[test]
fn nothing_acknowledged_is_lost_when_every_body_is_brought_to_the_disk() {
    let folder = Folder::new();
    let server = Server::start(&folder, "record -o live.foreshock --record-sync each");
    let (grpc, acknowledged) = (server.grpc, AtomicUsize::new(0));
    let sent: Vec<Vec<u8>> = std::thread::scope(|scope| {
        let sender = |name: usize| {
            let acknowledged = &acknowledged;
            scope.spawn(move || {
                let mut client = Grpc::connect(grpc, None);
                let mut mine = Vec::new();
                loop {
                    let body = now_body(&format!("s{name}"), mine.len() as f64);
                    if client.export(&body).is_err() {
                        return mine;
                    }
                    mine.push(body);
                    acknowledged.fetch_add(1, Ordering::Relaxed);
                }
            })
        };
        let senders: Vec<_> = (0..4).map(sender).collect();
        let since = Instant::now();
        while acknowledged.load(Ordering::Relaxed) < 60 {
            assert!(since.elapsed() < PATIENCE);
            std::thread::sleep(Duration::from_millis(1));
        }
        // In the middle of it.
        server.kill();
        senders.into_iter().flat_map(|sender| sender.join().expect("a sender")).collect()
    });
    assert!(sent.len() >= 60);
    let kept = bodies(&folder.path("live.foreshock"));
    let lost = sent.iter().filter(|body| !kept.contains(body)).count();
    assert_eq!(lost, 0, "of {} acknowledged, {} kept", sent.len(), kept.len());

    // The next run does not touch what is there.
    let server = Server::start(&folder, "record -o live.foreshock --record-sync each");
    Grpc::connect(server.grpc, None).export(&sent[0]).expect("accepted");
    server.kill();
    assert!(bodies(&folder.path("live.foreshock")) == sent[..1]);
    let old = files(&folder).into_iter().find(|name| name.starts_with("live-")).expect("the first recording");
    assert!(bodies(&folder.path(&old)) == kept);
}

#[test]
fn by_default_what_is_older_than_a_second_survives_a_crash() {
    let folder = Folder::new();
    let server = Server::start(&folder, "record -o live.foreshock");
    let mut client = Grpc::connect(server.grpc, None);
    let sent = now_body("shop", 1.0);
    client.export(&sent).expect("accepted");
    std::thread::sleep(Duration::from_millis(1100));
    server.kill();
    assert_eq!(bodies(&folder.path("live.foreshock")), [sent]);
}

fn files(folder: &Folder) -> Vec<String> {
    let entries = fs::read_dir(folder.path("")).expect("the folder");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_recording_is_cut_into_files_that_are_recordings_themselves() {
    let folder = Folder::new();
    let recording = fixture(RECORDING);
    let expected = log_of(&folder, &recording.to_string_lossy());
    let all = bodies(&recording);
    let options = "--clock data --format jsonl --record live.foreshock --record-max-size 20kB --record-sync each";
    let server = Server::start(&folder, &format!("serve {options}"));
    let mut client = Grpc::connect(server.grpc, None);
    for body in &all {
        client.export(body).expect("accepted");
    }
    let ended = server.stop();
    assert_eq!(ended.stdout, expected);
    let names = files(&folder);
    assert!(names.len() > 2, "{names:?}");
    // In the order of their names they are in the order of time, the open file last.
    assert_eq!(names.last().map(String::as_str), Some("live.foreshock"));
    let kept: Vec<Vec<u8>> = names.iter().flat_map(|name| bodies(&folder.path(name))).collect();
    assert!(kept == all, "{names:?}");
    assert_eq!(log_of(&folder, &names.join(" ")), expected);
    let other = folder.run(&format!("replay --step 30s {}", names.join(" ")));
    assert_eq!(other.stderr.matches("--step by definition (now 30s)").count(), 1, "{}", other.stderr);
}

#[test]
fn a_recording_that_cannot_be_written_ends_the_service_and_no_acknowledgement_is_given() {
    if !std::path::Path::new("/dev/full").exists() {
        return;
    }
    let folder = Folder::new();
    let server = Server::start(&folder, "serve --record /dev/full --record-sync each");
    let refused = Grpc::connect(server.grpc, None).export(&now_body("shop", 1.0)).expect_err("not acknowledged");
    assert_eq!(refused.code(), tonic::Code::Unavailable, "{refused}");
    let ended = server.end();
    assert_eq!(ended.code, 2, "{}", ended.stderr);
    assert!(ended.stderr.contains("the recording cannot be written: /dev/full"), "{}", ended.stderr);
}
