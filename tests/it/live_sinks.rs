//! Sinks of the live service: what arrives equals what a replay prints, nobody who is slow delays the engine, and what is not
//! delivered at the end is said.

use crate::cli_support::{Folder, gauge, hump, rule};
use crate::live_support::{Grpc, Server, bodies, fixture};
use crate::sink_support::{OK, Receiver, Reply, dead_port};
use std::fs;
use std::io::Read;
use std::time::{Duration, Instant};

const RECORDING: &str = "leak_restart_sameid.jsonl.gz";

fn export_all(server: &Server, bodies: &[Vec<u8>]) {
    let mut client = Grpc::connect(server.grpc, None);
    bodies.iter().for_each(|body| drop(client.export(body).expect("accepted")));
}

#[test]
fn every_sink_of_the_live_service_gets_the_lines_of_a_replay() {
    let folder = Folder::new();
    let recording = fixture(RECORDING);
    let replayed = |more: &str| folder.run(&format!("replay {more} {}", recording.display()));
    let lines = replayed("--format jsonl").stdout;
    let receiver = Receiver::start(|_| OK);
    let sinks = format!("--sink stdout:jsonl --sink file,format=text:events.txt --sink {}", receiver.spec());
    let server = Server::start(&folder, &format!("serve --clock data {sinks}"));
    export_all(&server, &bodies(&recording));
    let webhook = format!("foreshock_sink_sent_total{{sink=\"webhook:{}/…\"}}", receiver.url.trim_end_matches("/hook"));
    let sent_while_it_runs = server.metric(&webhook);
    let ended = server.stop();
    assert_eq!((ended.code, ended.stdout.as_str()), (0, lines.as_str()), "{}", ended.stderr);
    let bodies: Vec<String> = receiver.requests.try_iter().map(|request| request.body + "\n").collect();
    let issues: Vec<String> = lines.lines().map(|line| format!("{{\"issue\":{line}}}\n")).collect();
    assert_eq!(bodies, issues);
    assert!(sent_while_it_runs <= issues.len() as f64, "{sent_while_it_runs}");
    replayed("--sink file,format=text:replayed.txt");
    let text = |name: &str| fs::read_to_string(folder.path(name)).expect("the file");
    assert_eq!(text("events.txt"), text("replayed.txt"));
    assert_eq!(text("events.txt").lines().count(), lines.lines().count());
}

/// Four hundred services, and one body with all of them for each instant: bodies of protobuf are joined by writing one behind
/// the other.
fn crowd(folder: &Folder) -> Vec<Vec<u8>> {
    let services: Vec<String> = (0..400).map(|i| gauge(&format!("shop-{i}"), "cpu", &hump())).collect();
    let by_time = (0..hump().len()).flat_map(|n| services.iter().filter_map(move |lines| lines.lines().nth(n)));
    folder
        .write("many.jsonl", by_time.map(|line| format!("{line}\n")).collect::<String>())
        .write("rules/busy.json", rule("Busy shop", "metrics.gauges.app/cpu", 10, 0.8));
    bodies(&folder.path("many.jsonl")).chunks(400).map(<[Vec<u8>]>::concat).collect()
}

#[test]
fn standard_output_that_nobody_reads_delays_nothing_and_loses_nothing() {
    let folder = Folder::new();
    let bodies = crowd(&folder);
    let expected = folder.run("replay many.jsonl --rules rules --format jsonl -q").stdout;
    assert!(expected.len() > 200_000, "more than a pipe holds: {}", expected.len());
    let (server, mut stdout) = Server::start_unread(&folder, "serve --clock data --rules rules --format jsonl");
    export_all(&server, &bodies);
    server.wait_for("foreshock_points_total", 12_000.0);
    server.wait_for("foreshock_events_total{state=\"closed\"}", 400.0);
    assert!(server.metric("foreshock_sink_queued{sink=\"stdout\"}") > 0.0, "it waits");
    server.signal(rustix::process::Signal::TERM);
    let mut text = String::new();
    stdout.read_to_string(&mut text).expect("UTF-8");
    assert!(text == expected, "{} of {} lines", text.lines().count(), expected.lines().count());
    assert_eq!(server.end().code, 0);
}

#[test]
fn a_receiver_that_never_answers_is_waited_for_as_long_as_the_shutdown_may_take() {
    let folder = Folder::new();
    let bodies = crowd(&folder);
    let hanging = Receiver::start(|_| Reply::Hang);
    let sinks = format!("--sink {} --sink webhook:http://{}/ --sink file:all.jsonl", hanging.spec(), dead_port());
    let server = Server::start(&folder, &format!("serve --clock data --rules rules --shutdown-timeout 1s {sinks}"));
    export_all(&server, &bodies);
    server.wait_for("foreshock_sink_sent_total{sink=\"file:all.jsonl\"}", 800.0);
    let since = Instant::now();
    let ended = server.stop();
    assert_eq!(ended.code, 2, "{}", ended.stderr);
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    assert_eq!(ended.stderr.matches("800 of 800 events not delivered (800 still waiting at the end)").count(), 2);
    assert_eq!(fs::read_to_string(folder.path("all.jsonl")).expect("the file").lines().count(), 800);
    assert!(!ended.stderr.contains("may not have been evaluated"), "{}", ended.stderr);
}

#[test]
fn a_reader_that_leaves_ends_a_service_that_tells_nobody_else() {
    let folder = Folder::new();
    let bodies = crowd(&folder);
    let (server, stdout) = Server::start_unread(&folder, "serve --clock data --rules rules");
    drop(stdout);
    let mut client = Grpc::connect(server.grpc, None);
    // It ends while it is sent to: from then on nobody answers.
    let _ = bodies.iter().try_for_each(|body| client.export(body).map(drop));
    assert_eq!(server.end().code, 0);
}

#[test]
fn mistakes_are_said_before_a_port_is_open() {
    let folder = Folder::new();
    let says = |arguments: &str, words: &str| {
        let ended = folder.run(&format!("serve --grpc 127.0.0.1:0 --http 127.0.0.1:0 {arguments}"));
        assert_eq!(ended.code, 2, "{arguments}: {}", ended.stderr);
        assert!(ended.stderr.contains(words), "{arguments}: {}", ended.stderr);
        assert!(!ended.stderr.contains("OTLP/gRPC on"), "{}", ended.stderr);
    };
    says("--format jsonl --sink file:events.jsonl", "cannot be used with");
    says("--record live.foreshock --sink file:live.foreshock", "the recording is written there");
    says("--sink mail:ops@example.com", "`webhook:URL`");
}
