//! What the tests of sinks share: transitions made by hand, a receiver of webhooks on a real socket, and settings that
//! make a test short.

use super::cli_support::{START_S, rule};
use foreshock::definition::{self, EventDefinition};
use foreshock::engine::{CloseReason, Event, EventState, Transition};
use foreshock::report::Style;
use foreshock::sink::{Bounds, SinkCounts, SinkError, SinkSettings, SinkSpec, Sinks, WhenFull};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver as Channel, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const SECOND: i64 = 1_000_000_000;

pub fn definitions() -> Vec<EventDefinition> {
    let source = definition::Source { path: "busy.json".into(), text: rule("Busy", "metrics.gauges.cpu", 10, 0.8) };
    let loaded = definition::load(&[source], &definition::Settings::default());
    assert!(loaded.problems.iter().all(|problem| problem.severity != definition::Severity::Error));
    loaded.definitions
}

/// The `n`th event opens, about no entity.
pub fn opened(n: usize) -> Transition {
    let at = (START_S as i64 + n as i64) * SECOND;
    let event = Event {
        id: format!("event-{n}"),
        definition: 0,
        entity: None,
        state: EventState::Open,
        start: at,
        last_violation: at,
        severity: 10,
        rules: Vec::new(),
        peak: None,
    };
    Transition { evaluation_time: at, event }
}

/// The `n`th event closes, ten seconds after it opened.
pub fn closed(n: usize) -> Transition {
    let mut transition = opened(n);
    let at = transition.evaluation_time + 10 * SECOND;
    transition.evaluation_time = at;
    transition.event.state = EventState::Closed { end: at, closed_at: at, reason: CloseReason::Recovered };
    transition
}

pub fn settings() -> SinkSettings {
    SinkSettings {
        bounds: Bounds { events: 1000, bytes: 1 << 20 },
        when_full: WhenFull::Drop,
        retry_for: Duration::from_secs(20),
        style: Style::plain(),
        clock: foreshock::clock::monotonic,
    }
}

/// What was said on standard error.
#[derive(Clone, Default)]
pub struct Said(Arc<Mutex<Vec<String>>>);

impl Said {
    /// What was said, once that is this many lines: the thread that speaks may be a moment behind the one that counts.
    pub fn lines(&self, at_least: usize) -> Vec<String> {
        let begin = Instant::now();
        loop {
            let lines = self.0.lock().expect("no panic").clone();
            if lines.len() >= at_least || begin.elapsed() > Duration::from_secs(5) {
                return lines;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

pub fn try_open(specs: &[&str], settings: SinkSettings) -> Result<(Sinks, Said), SinkError> {
    let specs: Vec<SinkSpec> = specs.iter().map(|spec| spec.parse().expect("a sink")).collect();
    let said = Said::default();
    let lines = Arc::clone(&said.0);
    let say = move |line: &str| lines.lock().expect("no panic").push(line.to_string());
    let sinks = Sinks::open(&specs, definitions(), settings, &|_| None, say)?;
    Ok((sinks, said))
}

pub fn open(specs: &[&str], settings: SinkSettings) -> (Sinks, Said) {
    try_open(specs, settings).unwrap_or_else(|error| panic!("{error}"))
}

/// Waits until `wanted` holds of the counts.
pub fn wait_for(sinks: &Sinks, wanted: impl Fn(&[SinkCounts]) -> bool) -> Vec<SinkCounts> {
    let begin = Instant::now();
    loop {
        let counts = sinks.counts_view().counts();
        if wanted(&counts) {
            return counts;
        }
        assert!(begin.elapsed() < Duration::from_secs(10), "{counts:?}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// A request as it came over the wire.
#[derive(Debug)]
pub struct Request {
    pub at: Instant,
    /// The connection it came on, counted from 0.
    pub connection: usize,
    pub line: String,
    headers: Vec<(String, String)>,
    pub body: String,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        let same = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        same.map(|(_, value)| value.as_str())
    }

    pub fn issue(&self) -> serde_json::Value {
        let body: serde_json::Value = serde_json::from_str(&self.body).expect("JSON");
        body["issue"].clone()
    }
}

/// What a receiver does with a request.
pub enum Reply {
    /// Answers with a status and further headers, each ended by a line's end.
    Status(u16, &'static str),
    /// Answers 200, and closes the connection without having said that it will.
    ThenClose,
    /// Closes the connection without an answer.
    Close,
    /// Never answers.
    Hang,
    /// Answers 200 after a while.
    Slow(Duration),
}

pub const OK: Reply = Reply::Status(200, "");

/// A receiver of webhooks.
pub struct Receiver {
    pub url: String,
    pub requests: Channel<Request>,
}

impl Receiver {
    /// Answers the `n`th request as `script` says.
    pub fn start(script: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
        let (sender, requests) = channel();
        let script = Arc::new(script);
        let number = Arc::new(AtomicUsize::new(0));
        thread::spawn(move || {
            for (connection, stream) in listener.incoming().enumerate() {
                let (stream, script) = (stream.expect("a connection"), Arc::clone(&script));
                let (sender, number) = (sender.clone(), Arc::clone(&number));
                thread::spawn(move || converse(stream, connection, &*script, &number, &sender));
            }
        });
        Receiver { url, requests }
    }

    pub fn next(&self) -> Request {
        self.requests.recv_timeout(Duration::from_secs(10)).expect("a request")
    }

    pub fn spec(&self) -> String {
        format!("webhook:{}", self.url)
    }

    pub fn spec_with(&self, options: &str) -> String {
        format!("webhook,{options}:{}", self.url)
    }
}

/// A place where nobody listens.
pub fn dead_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").to_string()
}

fn converse(
    stream: TcpStream,
    connection: usize,
    script: &(impl Fn(usize) -> Reply + ?Sized),
    number: &AtomicUsize,
    requests: &Sender<Request>,
) {
    let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
    while let Some(request) = read(&mut reader, connection) {
        let reply = script(number.fetch_add(1, Ordering::SeqCst));
        if requests.send(request).is_err() {
            return;
        }
        let answered = match reply {
            Reply::Status(status, headers) => answer(&stream, status, headers),
            Reply::ThenClose => return drop(answer(&stream, 200, "")),
            Reply::Close => return,
            Reply::Hang => return thread::sleep(Duration::from_secs(60)),
            Reply::Slow(span) => {
                thread::sleep(span);
                answer(&stream, 200, "")
            }
        };
        if answered.is_err() {
            return;
        }
    }
}

fn answer(mut stream: &TcpStream, status: u16, headers: &str) -> std::io::Result<()> {
    stream.write_all(format!("HTTP/1.1 {status} -\r\n{headers}Content-Length: 4\r\n\r\nread").as_bytes())
}

/// Reads one request; `None` when the other side is gone.
pub fn read(reader: &mut impl BufRead, connection: usize) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
    let at = Instant::now();
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok().filter(|n| *n > 0)?;
        match header.trim_end().split_once(':') {
            Some((name, value)) => headers.push((name.to_string(), value.trim().to_string())),
            None => break,
        }
    }
    let mut request = Request { at, connection, line: line.trim_end().to_string(), headers, body: String::new() };
    let length = request.header("content-length").expect("a length").parse().expect("a number");
    reader.take(length).read_to_string(&mut request.body).ok()?;
    Some(request)
}
