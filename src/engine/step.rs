//! The engine: three rooms and the order in which they work, and the one loop around it: replay and the live service differ in
//! where inputs come from and what becomes of transitions, and in nothing else.

use super::alert::alerts::Alerts;
use super::alert::event::Transition;
use super::evaluate::evaluation::Evaluate;
use super::evaluate::trace::{EvaluationTrace, Recorder, TraceLimits};
use super::ingest::export::ingest;
use super::ingest::resources::Ingest;
use super::options::{Options, Retention};
use super::report::{Counts, EvaluationReport};
use super::rules::Rules;
use super::summary;
use crate::definition::EventDefinition;
use crate::model::{Export, Nanos};

/// One export, or a tick.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// When it was received; `None` leaves the engine's time where it is. Never moves it backwards.
    pub received_at: Option<Nanos>,
    /// What was received; `None` for a tick.
    pub export: Option<&'a Export>,
}

/// Where inputs come from, in the order they were received.
pub trait Inputs {
    /// The next input; `None` when there will be no more. May wait.
    fn next(&mut self) -> Option<Input<'_>>;
}

/// Evaluates event definitions on what is received.
pub struct Engine {
    ingest: Ingest,
    evaluate: Evaluate,
    alerts: Alerts,
}

impl Engine {
    /// An engine for these definitions (in the order outputs shall have).
    pub fn new(definitions: Vec<EventDefinition>, options: Options) -> Self {
        Engine::of(definitions, &options, None)
    }

    /// An engine that records what decides each rule, to be read with [`Engine::trace`]. It evicts nothing: an entity keeps
    /// its number from the first pass to the last.
    pub fn tracing(definitions: Vec<EventDefinition>, options: Options, limits: TraceLimits) -> Self {
        let retention = Retention { forget_after: None, ..options.retention.clone() };
        Engine::of(definitions, &Options { retention, ..options }, Some(limits))
    }

    fn of(definitions: Vec<EventDefinition>, options: &Options, trace: Option<TraceLimits>) -> Self {
        let mut rules = Rules::compile(definitions, options);
        let recorder = trace.map(|limits| Recorder::new(&mut rules, limits));
        Engine {
            evaluate: Evaluate::new(&rules, options, recorder),
            alerts: Alerts::new(rules.definitions.len(), options.retention.closed_events),
            ingest: Ingest::new(rules, options),
        }
    }

    /// The definitions it evaluates.
    pub fn definitions(&self) -> &[EventDefinition] {
        &self.ingest.rules.definitions
    }

    /// What came in so far, and what was dropped.
    pub fn counts(&self) -> &Counts {
        &self.ingest.counts
    }

    /// The smallest step of a definition that is evaluated; `None` when there is no such definition.
    pub fn finest_step(&self) -> Option<Nanos> {
        self.ingest.rules.evaluated().map(|definition| definition.step).min()
    }

    /// Evaluates everything that is due before the input, then takes the input in.
    pub fn step(&mut self, input: Input<'_>, emit: &mut dyn FnMut(Transition)) {
        if let Some(received_at) = input.received_at {
            let now = self.ingest.now.map_or(received_at, |now| now.max(received_at));
            self.evaluate_until(now, emit);
            self.ingest.now = Some(now);
            self.evict();
        }
        if let Some(export) = input.export {
            ingest(&mut self.ingest, export);
            self.evaluate.receive(&mut self.ingest);
        }
    }

    /// Evaluates up to the time of the last input: there will be no more.
    pub fn finish(&mut self, emit: &mut dyn FnMut(Transition)) {
        if let Some(now) = self.ingest.now {
            self.evaluate_until(now + 1, emit);
        }
    }

    fn evaluate_until(&mut self, until: Nanos, emit: &mut dyn FnMut(Transition)) {
        loop {
            let at = self.evaluate.schedule.next().min(self.alerts.next_close);
            if at >= until {
                break;
            }
            self.evaluate.run(at, &mut self.ingest);
            self.alerts.apply(at, &mut self.evaluate, &mut self.ingest, emit);
        }
        self.evaluate.schedule.pass(until);
    }

    fn evict(&mut self) {
        let Some(gone) = self.ingest.begin_eviction(self.alerts.entities()) else { return };
        self.evaluate.prepare_eviction(&gone, &self.ingest);
        let (new, entities) = self.ingest.evict(&gone, &self.evaluate.trends.several_writers());
        self.evaluate.renumber(&new, &entities, &self.ingest.rules);
        self.alerts.renumber(&entities);
    }

    /// What was evaluated so far: the content of `replay`'s document.
    pub fn report(&self) -> EvaluationReport {
        summary::report(&self.ingest, &self.evaluate, &self.alerts)
    }

    /// What was recorded. Of an engine that does not trace: nothing.
    pub fn trace(self) -> EvaluationTrace {
        self.evaluate.recorder.map(|recorder| EvaluationTrace::new(recorder, &self.ingest)).unwrap_or_default()
    }
}

/// Steps through all inputs and evaluates what is left when they end. `emit` is called after each of them, with what it
/// brought about, if anything; it takes the transitions out. Its first error ends the loop.
pub fn drive<E>(
    engine: &mut Engine,
    inputs: &mut impl Inputs,
    mut emit: impl FnMut(&Engine, &mut Vec<Transition>) -> Result<(), E>,
) -> Result<(), E> {
    let mut transitions = Vec::new();
    while let Some(input) = inputs.next() {
        engine.step(input, &mut |transition| transitions.push(transition));
        emit(engine, &mut transitions)?;
        transitions.clear();
    }
    engine.finish(&mut |transition| transitions.push(transition));
    emit(engine, &mut transitions)
}
