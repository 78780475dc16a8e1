//! Where transitions go: standard output, files, webhooks.
//!
//! Owns delivery: queues, threads, retries, what is lost and why. Invariant: [`Sinks::send`] never waits for a sink (unless
//! [`WhenFull::Wait`] asks it to), each sink gets transitions in their order, and none is delayed by another: a sink has
//! its own bounded queue and its own thread. Plain threads, because a handful of sinks that spend their lives waiting need
//! no runtime. Absent on purpose: the environment and standard error, which the caller hands in.
//!
//! Reading order: `spec` (what the user asks for), `lane` (the queue and its counts), `delivery` (the thread and its
//! retries), `stream` and `webhook` (one attempt).

mod delivery;
mod error;
mod lane;
mod notice;
mod secret;
mod spec;
mod stream;
mod webhook;

pub use error::{SecretFlaw, SinkError};
pub use lane::{Bounds, Loss, SinkCounts, WhenFull};
pub use spec::{SecretPlace, SinkSpec, SpecError, SpecFlaw, StreamFormat, Url, WebhookSpec};

use crate::definition::EventDefinition;
use crate::engine::{EventState, Transition};
use crate::report::{self, Format, Outcome, Style};
use bytes::Bytes;
use delivery::{Delivery, Sink};
use lane::{Item, Lane};
use notice::{Notices, Subject, Trouble};
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use stream::Stream;
use webhook::Webhook;

/// No event is tried again for longer.
const LONGEST_RETRY: Duration = Duration::from_secs(86_400);

/// What holds for all sinks of a command.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How much may wait for each.
    pub bounds: Bounds,
    /// What happens when more comes.
    pub when_full: WhenFull,
    /// How long an event is tried again, for sinks that do not say so themselves; at most a day.
    pub retry_for: Duration,
    /// How text on standard output is painted; files are not.
    pub style: Style,
    /// The clock by which events age and attempts are made again. Events themselves carry the engine's time.
    pub clock: fn() -> Instant,
}

/// What a transition looks like on its way. Each is rendered once, however many sinks want it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Text,
    PaintedText,
    JsonLine,
    /// The body of a webhook.
    Issue,
}

impl Shape {
    const ALL: [Shape; 4] = [Shape::Text, Shape::PaintedText, Shape::JsonLine, Shape::Issue];

    fn of(spec: &SinkSpec) -> Self {
        match spec {
            SinkSpec::Stdout { format: StreamFormat::Text } => Shape::PaintedText,
            SinkSpec::File { format: StreamFormat::Text, .. } => Shape::Text,
            SinkSpec::Stdout { format: StreamFormat::JsonLines }
            | SinkSpec::File { format: StreamFormat::JsonLines, .. } => Shape::JsonLine,
            SinkSpec::Webhook(_) => Shape::Issue,
        }
    }
}

/// Opened sinks. Dropped without [`Sinks::close`], what still waits is lost.
pub struct Sinks {
    definitions: Vec<EventDefinition>,
    settings: Settings,
    ways: Vec<Way>,
}

/// The engine's end of one sink.
struct Way {
    lane: Arc<Lane>,
    shape: Shape,
    notices: Notices,
    /// Ends a request in flight.
    interrupter: Option<ureq::Agent>,
}

/// A view of the sinks' counts, for other threads.
#[derive(Clone)]
pub struct Watch(Arc<[Arc<Lane>]>);

impl Watch {
    /// What became of the events, per sink in the order they were given.
    pub fn counts(&self) -> Vec<SinkCounts> {
        self.0.iter().map(|lane| lane.counts()).collect()
    }
}

impl Sinks {
    /// Opens files, reads secrets and starts the threads. Nothing is sent, and no receiver is spoken to.
    ///
    /// `definitions` are the engine's, in its order. `variable` reads the environment, `say` tells whoever watches what goes
    /// wrong, at most a line a minute for each sink and reason.
    pub fn open(
        specs: &[SinkSpec],
        definitions: Vec<EventDefinition>,
        settings: Settings,
        variable: &dyn Fn(&str) -> Option<String>,
        say: impl Fn(&str) + Send + 'static,
    ) -> Result<Sinks, SinkError> {
        let names = names(specs)?;
        let opened: Result<Vec<Sink>, SinkError> = specs.iter().map(|spec| open(spec, variable)).collect();
        let mut sinks = Sinks { definitions, settings, ways: Vec::new() };
        if specs.is_empty() {
            return Ok(sinks);
        }
        let no_thread = |sink: &str, source| SinkError::Thread { sink: sink.to_string(), source };
        let notices = notice::start(say, settings.clock).map_err(|source| no_thread(&names[0], source))?;
        for ((spec, sink), name) in specs.iter().zip(opened?).zip(names) {
            let retry_for = match spec {
                SinkSpec::Webhook(webhook) => webhook.retry_for.unwrap_or(settings.retry_for),
                SinkSpec::Stdout { .. } | SinkSpec::File { .. } => settings.retry_for,
            };
            let retry_for = retry_for.min(LONGEST_RETRY);
            let notices = notices(Subject { sink: name.clone(), bounds: settings.bounds, retry_for });
            let interrupter = match &sink {
                Sink::Webhook(webhook) => Some(webhook.interrupter()),
                Sink::Stream(_) => None,
            };
            let lane = Arc::new(Lane::new(name, settings.bounds, (settings.when_full, settings.clock)));
            let delivery = Delivery { lane: Arc::clone(&lane), sink, retry_for, notices: notices.clone() };
            let thread = thread::Builder::new().name(format!("sink {}", sinks.ways.len()));
            thread.spawn(move || delivery.run()).map_err(|source| no_thread(lane.name(), source))?;
            sinks.ways.push(Way { lane, shape: Shape::of(spec), notices, interrupter });
        }
        Ok(sinks)
    }

    /// Queues a transition for every sink.
    pub fn send(&mut self, transition: &Transition) {
        if self.ways.is_empty() {
            return;
        }
        let queued_at = (self.settings.clock)();
        let key = Bytes::from(key(transition));
        for shape in Shape::ALL {
            let mut ways = self.ways.iter().filter(|way| way.shape == shape).peekable();
            if ways.peek().is_none() {
                continue;
            }
            match self.rendered(shape, transition) {
                Ok(body) => {
                    ways.for_each(|way| way.offer(Item { body: body.clone(), key: key.clone(), queued_at }));
                }
                Err(error) => ways.for_each(|way| way.lane.lose(Loss::Refused, &error.to_string())),
            }
        }
    }

    fn rendered(&self, shape: Shape, transition: &Transition) -> io::Result<Bytes> {
        let mut out = Vec::new();
        let outcome = Outcome::Transition(&self.definitions, transition);
        match shape {
            Shape::Text => report::write(Format::Text, &outcome, Style::plain(), &mut out)?,
            Shape::PaintedText => report::write(Format::Text, &outcome, self.settings.style, &mut out)?,
            Shape::JsonLine => report::write(Format::Jsonl, &outcome, Style::plain(), &mut out)?,
            Shape::Issue => {
                out.extend_from_slice(b"{\"issue\":");
                report::event_json(&mut out, &self.definitions, &transition.event)?;
                out.push(b'}');
            }
        }
        Ok(Bytes::from(out))
    }

    /// Whether there were readers and all have left: nobody hears of an event any more.
    pub fn are_deserted(&self) -> bool {
        !self.ways.is_empty() && self.ways.iter().all(|way| way.lane.is_deserted())
    }

    /// A view of the counts.
    pub fn watch(&self) -> Watch {
        Watch(self.ways.iter().map(|way| Arc::clone(&way.lane)).collect())
    }

    /// Delivers what waits, for at most this long altogether, and says what became of the events. Without a limit it takes
    /// as long as it takes; retries end with the age of the events, but a reader of a pipe may stop for ever.
    pub fn close(self, within: Option<Duration>) -> Vec<SinkCounts> {
        let deadline = within.and_then(|within| (self.settings.clock)().checked_add(within));
        self.ways.iter().for_each(|way| way.lane.close());
        for way in &self.ways {
            if !way.lane.wait_for_end(deadline) {
                way.end();
            }
        }
        self.watch().counts()
    }
}

impl Drop for Sinks {
    fn drop(&mut self) {
        self.ways.iter().for_each(Way::end);
    }
}

impl Way {
    fn offer(&self, item: Item) {
        match self.lane.offer(item) {
            Ok(()) | Err(Loss::ReaderGone) => {}
            Err(loss) => self.notices.tell(Trouble::Lost(loss), String::new()),
        }
    }

    /// Ends the sink's thread: at once when it waits or speaks to a receiver, else when the system lets it go.
    fn end(&self) {
        self.lane.end(Loss::Unfinished);
        if let Some(agent) = &self.interrupter {
            agent.clone().shutdown();
        }
    }
}

fn open(spec: &SinkSpec, variable: &dyn Fn(&str) -> Option<String>) -> Result<Sink, SinkError> {
    let failed = |source| SinkError::Open { sink: spec.to_string(), source };
    match spec {
        SinkSpec::Stdout { .. } => Stream::stdout().map(Sink::Stream).map_err(failed),
        SinkSpec::File { path, .. } => Stream::file(path).map(Sink::Stream).map_err(failed),
        SinkSpec::Webhook(webhook) => Ok(Sink::Webhook(Webhook::new(webhook, secret::headers(webhook, variable)?))),
    }
}

/// A name for each sink. Webhooks of one host have the same, because the rest of their URLs is not shown: they are numbered.
fn names(specs: &[SinkSpec]) -> Result<Vec<String>, SinkError> {
    let mut names: Vec<String> = Vec::new();
    for (i, spec) in specs.iter().enumerate() {
        let is_same = |other: &SinkSpec| match (spec, other) {
            (SinkSpec::Stdout { .. }, SinkSpec::Stdout { .. }) => true,
            (SinkSpec::File { path, .. }, SinkSpec::File { path: other, .. }) => path == other,
            (SinkSpec::Webhook(webhook), SinkSpec::Webhook(other)) => webhook.url == other.url,
            _ => false,
        };
        let before = &specs[..i];
        if before.iter().any(is_same) {
            return Err(SinkError::Twice { sink: spec.to_string() });
        }
        let name = spec.to_string();
        let alike = before.iter().filter(|other| other.to_string() == name).count();
        names.push(if alike == 0 { name } else { format!("{name} ({})", alike + 1) });
    }
    Ok(names)
}

/// What tells a receiver that it has seen a transition before: a structured string, as the `Idempotency-Key` field has it.
fn key(transition: &Transition) -> String {
    let state = match transition.event.state {
        EventState::Open => "OPEN",
        EventState::Closed { .. } => "CLOSED",
    };
    format!("\"{}-{state}\"", transition.event.id)
}
