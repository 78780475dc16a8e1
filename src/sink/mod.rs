//! Where transitions go: standard output, files, webhooks.
//!
//! Owns delivery: queues, threads, retries, what is lost and why. Invariant: [`Sinks::send`] never waits for a sink (unless
//! [`WhenFull::Wait`] asks it to), each sink gets transitions in their order, and none is delayed by another: a sink has
//! its own bounded queue and its own thread. Plain threads, because a handful of sinks that spend their lives waiting need
//! no runtime. Absent on purpose: the environment and standard error, which the caller hands in.
//!
//! Reading order: `spec` (what the user typed), `rendering` (what a transition looks like), `queue` (the queue and its counts), `delivery` (the thread and its
//! retries), `stream` and `webhook` (one attempt).

mod delivery;
mod queue;
mod rendering;
mod spec;
mod stream;
mod warnings;
mod webhook;

pub use queue::{Bounds, Loss, SinkCounts, WhenFull};
pub use spec::{SecretPlace, SinkError, SinkSpec, StreamFormat, Url, WebhookSpec};

use crate::definition::EventDefinition;
use crate::engine::{EventState, Transition};
use crate::report::Style;
use bytes::Bytes;
use delivery::{Delivery, Sink};
use queue::{DeliveryQueue, QueuedEvent};
use rendering::Rendering;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use warnings::{SinkLimits, SinkTrouble, SinkWarnings};

/// No event is tried again for longer.
const LONGEST_RETRY: Duration = Duration::from_secs(86_400);

/// What holds for all sinks of a command.
#[derive(Clone, Copy, Debug)]
pub struct SinkSettings {
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

/// Opened sinks. Dropped without [`Sinks::close`], what still waits is lost.
pub struct Sinks {
    definitions: Vec<EventDefinition>,
    settings: SinkSettings,
    handles: Vec<SinkHandle>,
}

/// The engine's end of one sink.
struct SinkHandle {
    queue: Arc<DeliveryQueue>,
    rendering: Rendering,
    warnings: SinkWarnings,
    /// Ends a request in flight.
    interrupter: Option<ureq::Agent>,
}

/// A view of the sinks' counts, for other threads.
#[derive(Clone)]
pub struct CountsView(Arc<[Arc<DeliveryQueue>]>);

impl CountsView {
    /// What became of the events, per sink in the order they were given.
    pub fn counts(&self) -> Vec<SinkCounts> {
        self.0.iter().map(|queue| queue.counts()).collect()
    }
}

impl Sinks {
    /// Opens files, reads secrets and starts the threads. Nothing is sent, and no connection is made.
    ///
    /// `definitions` are the engine's, in its order. `variable` reads the environment, `warn` gets what goes wrong,
    /// at most a line a minute for each sink and reason.
    pub fn open(
        specs: &[SinkSpec],
        definitions: Vec<EventDefinition>,
        settings: SinkSettings,
        variable: &dyn Fn(&str) -> Option<String>,
        warn: impl Fn(&str) + Send + 'static,
    ) -> Result<Sinks, SinkError> {
        let names = names(specs)?;
        let opened: Result<Vec<Sink>, SinkError> = specs.iter().map(|spec| Sink::open(spec, variable)).collect();
        let mut sinks = Sinks { definitions, settings, handles: Vec::new() };
        if specs.is_empty() {
            return Ok(sinks);
        }
        let no_thread = |sink: &str, error| SinkError::new(sink, format!("cannot start its thread: {error}"));
        let warnings = warnings::start(warn, settings.clock).map_err(|source| no_thread(&names[0], source))?;
        for ((spec, sink), name) in specs.iter().zip(opened?).zip(names) {
            let retry_for = spec.retry_for().unwrap_or(settings.retry_for).min(LONGEST_RETRY);
            let warnings = warnings(SinkLimits { sink: name.clone(), bounds: settings.bounds, retry_for });
            let interrupter = sink.interrupter();
            let queue =
                Arc::new(DeliveryQueue::new(name.clone(), settings.bounds, (settings.when_full, settings.clock)));
            let delivery = Delivery { queue: Arc::clone(&queue), sink, retry_for, warnings: warnings.clone() };
            let thread = thread::Builder::new().name(format!("sink {}", sinks.handles.len()));
            thread.spawn(move || delivery.run()).map_err(|source| no_thread(&name, source))?;
            sinks.handles.push(SinkHandle { queue, rendering: spec.rendering(), warnings, interrupter });
        }
        Ok(sinks)
    }

    /// Queues a transition for every sink.
    pub fn send(&mut self, transition: &Transition) {
        if self.handles.is_empty() {
            return;
        }
        let queued_at = (self.settings.clock)();
        let key = Bytes::from(key(transition));
        // Each form is rendered once, however many sinks want it.
        let mut rendered: Vec<(Rendering, Result<Bytes, String>)> = Vec::new();
        for handle in &self.handles {
            let index = rendered.iter().position(|(form, _)| *form == handle.rendering).unwrap_or_else(|| {
                let payload = handle.rendering.render(&self.definitions, transition, self.settings.style);
                rendered.push((handle.rendering, payload.map_err(|error| error.to_string())));
                rendered.len() - 1
            });
            match &rendered[index].1 {
                Ok(payload) => handle.offer(QueuedEvent { payload: payload.clone(), key: key.clone(), queued_at }),
                Err(error) => handle.queue.lose(Loss::Refused, error),
            }
        }
    }

    /// Whether there were readers and all have left: nobody reads events any more.
    pub fn have_no_reader(&self) -> bool {
        !self.handles.is_empty() && self.handles.iter().all(|handle| handle.queue.has_no_reader())
    }

    /// A view of the counts.
    pub fn counts_view(&self) -> CountsView {
        CountsView(self.handles.iter().map(|handle| Arc::clone(&handle.queue)).collect())
    }

    /// Delivers what waits, for at most this long altogether, and gives what became of the events. Without a limit it takes
    /// as long as it takes; retries end with the age of the events, but a reader of a pipe may stop for ever.
    pub fn close(self, within: Option<Duration>) -> Vec<SinkCounts> {
        let deadline = within.and_then(|within| (self.settings.clock)().checked_add(within));
        self.handles.iter().for_each(|handle| handle.queue.close());
        for handle in &self.handles {
            if !handle.queue.wait_for_end(deadline) {
                handle.end();
            }
        }
        self.counts_view().counts()
    }
}

impl Drop for Sinks {
    fn drop(&mut self) {
        self.handles.iter().for_each(SinkHandle::end);
    }
}

impl SinkHandle {
    fn offer(&self, event: QueuedEvent) {
        match self.queue.offer(event) {
            Ok(()) | Err(Loss::ReaderGone) => {}
            Err(loss) => self.warnings.report(SinkTrouble::Lost(loss), String::new()),
        }
    }

    /// Ends the sink's thread: at once when it waits or sends to a receiver, else when the system lets it go.
    fn end(&self) {
        self.queue.end(Loss::Unfinished);
        if let Some(agent) = &self.interrupter {
            agent.clone().shutdown();
        }
    }
}

/// A name for each sink. Webhooks of one host have the same, because the rest of their URLs is not shown: they are numbered.
fn names(specs: &[SinkSpec]) -> Result<Vec<String>, SinkError> {
    let mut names: Vec<String> = Vec::new();
    for (i, spec) in specs.iter().enumerate() {
        let before = &specs[..i];
        if before.iter().any(|other| spec.leads_where(other)) {
            return Err(SinkError::twice(spec));
        }
        let name = spec.to_string();
        let alike = before.iter().filter(|other| other.to_string() == name).count();
        names.push(if alike == 0 { name } else { format!("{name} ({})", alike + 1) });
    }
    Ok(names)
}

/// By this a receiver knows a transition it has seen before: a structured string, as the `Idempotency-Key` field has it.
fn key(transition: &Transition) -> String {
    let state = match transition.event.state {
        EventState::Open => "OPEN",
        EventState::Closed { .. } => "CLOSED",
    };
    format!("\"{}-{state}\"", transition.event.id)
}
