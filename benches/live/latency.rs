//! How soon an event leaves: from what decides an instant to the webhook's request on the wire.
//!
//! With the clock of the data an arrival decides: the first one later than the instant. Time runs from just before the client
//! sends that export until the receiver has the head of the request, so both ways over loopback are in it. With the wall clock
//! no arrival decides: what came until the instant counts, so it is decided when the instant is over, and time runs from the
//! instant. Every export, and every second, opens an event or closes it. The engine is idle: nothing else is sent.

use crate::client::{Body, Client, Patience};
use crate::process::Server;
use crate::table::{Bar, Table};
use foreshock::model::{MS, Nanos, SECOND};
use foreshock::{clock, otlp};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

/// Instants with the clock of the data.
const ARRIVALS: i64 = 500;
/// The first ones open connections and fill caches.
const WARM_UP: usize = 20;
/// Seconds with the wall clock.
const SECONDS: usize = 20;
/// How long a webhook is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
const START: Nanos = 1_700_000_000 * SECOND;

/// Runs both.
pub fn run(table: &mut Table) {
    let folder = tempfile::tempdir().expect("a folder");
    let (hooks, sink) = listen();
    println!("from what decides an instant to the webhook's request, idle engine");
    for (name, latencies) in [
        ("--clock data: an arrival", by_arrivals(folder.path(), &hooks, &sink)),
        ("wall clock: the instant", by_seconds(folder.path(), &hooks, &sink)),
    ] {
        let ms = |share: f64| latencies[((latencies.len() - 1) as f64 * share).ceil() as usize] as f64 / 1e6;
        println!(
            "  {name:<26}{:>6} events  p50 {:.2} ms  p99 {:.2} ms  max {:.2} ms",
            latencies.len(),
            ms(0.5),
            ms(0.99),
            ms(1.0)
        );
        table.bar(Bar::at_most(format!("p99 from {name} to the webhook, ms"), ms(0.99), 5.0));
    }
    println!();
}

fn by_arrivals(folder: &std::path::Path, hooks: &Receiver<Hook>, sink: &str) -> Vec<Nanos> {
    let server = Server::ours(&rule(folder, 10_000), &["--clock", "data", "--sink", sink]);
    let client = Client::connect(server.grpc);
    let mut latencies = Vec::new();
    for k in 0..=ARRIVALS {
        // It is judged by what the one before it said.
        let body = Arc::new(vec![export(START + k * 10 * SECOND + 5 * SECOND, k % 2 == 0)]);
        thread::sleep(Duration::from_millis(3 + k as u64 * 7 % 10));
        let sent_at = clock::now();
        client.send(&body, 1, Patience::Again);
        // Two exports are needed to know how far apart they lie, and the first high one after that opens an event.
        if k > 2 {
            let hook = hooks.recv_timeout(PATIENCE).expect("every export decides an instant");
            assert_eq!(hook.at, START + k * 10 * SECOND, "the instant that was decided");
            latencies.push(hook.came_at - sent_at);
        }
    }
    drop(latencies.drain(..WARM_UP));
    latencies.sort();
    latencies
}

fn by_seconds(folder: &std::path::Path, hooks: &Receiver<Hook>, sink: &str) -> Vec<Nanos> {
    let server = Server::ours(&rule(folder, 1000), &["--sink", sink]);
    let client = Client::connect(server.grpc);
    let mut latencies = Vec::new();
    while latencies.len() <= SECONDS {
        let now = clock::now();
        // A second is high or low from its first export to its last.
        client.send(&Arc::new(vec![export(now, now / SECOND % 2 == 0)]), 1, Patience::Again);
        thread::sleep(Duration::from_millis(90));
        latencies.extend(hooks.try_iter().map(|hook| hook.came_at - hook.at));
    }
    // The first one opened the connection.
    drop(latencies.drain(..1));
    latencies.sort();
    latencies
}

/// A package with one rule, whose instants are a window apart.
fn rule(folder: &std::path::Path, window_ms: u64) -> std::path::PathBuf {
    let rule = format!(
        r#"{{"name": "Load", "query": "", "entityType": "openTelemetry", "rules": [{{"ruleType": "threshold",
            "metricName": "metrics.gauges.load", "aggregation": "avg", "window": {window_ms}, "severity": 10,
            "conditionOperator": ">", "conditionValue": 0.5}}]}}"#
    );
    let path = folder.join(format!("load-{window_ms}.json"));
    std::fs::write(&path, rule).expect("a file");
    path
}

fn export(time: Nanos, is_high: bool) -> Body {
    let json = format!(
        r#"{{"resourceMetrics":[{{"resource":{{"attributes":[
            {{"key":"service.name","value":{{"stringValue":"shop"}}}},
            {{"key":"service.instance.id","value":{{"stringValue":"i-1"}}}}]}},
            "scopeMetrics":[{{"metrics":[{{"name":"load","gauge":{{"dataPoints":[
            {{"timeUnixNano":"{time}","asInt":"{}"}}]}}}}]}}]}}]}}"#,
        u8::from(is_high)
    );
    let mut body = Vec::new();
    otlp::transcribe(json.as_bytes(), &mut body).expect("OTLP/JSON");
    Body::fixed(body, 1)
}

/// A webhook's request.
struct Hook {
    /// When its head was there.
    came_at: Nanos,
    /// The instant that was judged.
    at: Nanos,
}

/// A receiver of webhooks, and the sink that leads to it.
fn listen() -> (Receiver<Hook>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let sink = format!("webhook:http://{}/", listener.local_addr().expect("it is bound"));
    let (hooks, received) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let hooks = hooks.clone();
            // A connection ends when its client is gone.
            thread::spawn(move || answer(stream?, &hooks));
        }
    });
    (received, sink)
}

fn answer(stream: TcpStream, hooks: &Sender<Hook>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head)? == 0 {
                return Ok(());
            }
        }
        let came_at = clock::now();
        let head = head.to_lowercase();
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).expect("a length");
        let mut body = vec![0; length];
        stream.read_exact(&mut body)?;
        stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
        let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        let at = body["issue"]["foreshock"]["at"].as_i64().expect("an instant") * MS;
        // When nobody waits any more the case is over.
        let _ = hooks.send(Hook { came_at, at });
    }
}
