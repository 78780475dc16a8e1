//! From traces to what each threshold did, in three steps: learn the values, choose candidates, sweep them.
//!
//! Every step adds up entity by entity, so the traces may come in one pass or in several, in any grouping: one when they fit
//! into memory, else as many as it takes. Absent on purpose: opening recordings; the caller does it, once for each pass.

use super::choose;
use super::label::{Incident, Unusable, service_of};
use super::result::{Tuned, threshold_result};
use super::study::{Candidate, RuleStudy, StudiedEntity};
use super::sweep::swept_rules;
use crate::definition::EventDefinition;
use crate::engine::{Engine, EvaluationReport, EvaluationTrace, Inputs, Options, TraceLimits, TraceSpan, drive};
use crate::model::Nanos;
use std::collections::BTreeSet;
use std::convert::Infallible;

/// The source whose events count as false where no incident explains them.
pub const BASELINE: usize = 0;

/// All swept rules of a set of definitions.
#[derive(Debug)]
pub struct Tuning {
    definitions: Vec<EventDefinition>,
    incidents: Vec<Incident>,
    /// Events a week that are accepted on the baseline.
    budget: f64,
    studies: Vec<RuleStudy>,
    sources: Vec<SourceFacts>,
}

/// What is known of one source.
#[derive(Clone, Debug, Default)]
struct SourceFacts {
    span: Option<(Nanos, Nanos)>,
    services: BTreeSet<String>,
}

impl Tuning {
    /// Studies every threshold that can be swept. `sources` is how many there will be; the first is the baseline.
    pub fn new(definitions: &[EventDefinition], sources: usize, incidents: Vec<Incident>, budget: f64) -> Self {
        let rules = swept_rules(definitions).0.into_iter();
        let studies = rules.filter_map(|target| RuleStudy::new(target, definitions, incidents.len())).collect();
        let sources = vec![SourceFacts::default(); sources];
        Tuning { definitions: definitions.to_vec(), incidents, budget, studies, sources }
    }

    /// The same incidents, of which more is known: of a source before the first step.
    pub fn relabel(&mut self, incidents: Vec<Incident>) {
        self.incidents = incidents;
    }

    /// The first step: the values.
    pub fn learn(&mut self, source: usize, observed: &EvaluationTrace) {
        let facts = &mut self.sources[source];
        for TraceSpan { first, last, .. } in observed.spans.iter().flatten() {
            let (from, to) = facts.span.unwrap_or((*first, *last));
            facts.span = Some((from.min(*first), to.max(*last)));
        }
        facts.services.extend(observed.entities.iter().filter_map(|entity| service_of(&entity.label)));
        self.each_entity(source, observed, |study, of| {
            if let Some(TraceSpan { step, .. }) = of.observed.spans[study.target.definition] {
                study.step = step;
                study.learn(of);
            }
        });
    }

    /// Why an incident cannot be used, if one cannot; after the first step.
    pub fn check(&self) -> Result<(), (&Incident, Unusable)> {
        let names: BTreeSet<&str> = self.definitions.iter().map(|definition| definition.name.as_str()).collect();
        for incident in &self.incidents {
            let SourceFacts { span, services } = &self.sources[incident.source];
            incident.check(&names, *span, services).map_err(|why| (incident, why))?;
        }
        Ok(())
    }

    /// The second step: which values to try.
    pub fn choose(&mut self) {
        for study in &mut self.studies {
            let thresholds = choose::candidates(study, &self.incidents, self.budget).into_iter();
            study.candidates = thresholds.map(|threshold| Candidate::new(threshold, self.incidents.len())).collect();
        }
    }

    /// The third step: what they would have done.
    pub fn sweep(&mut self, source: usize, observed: &EvaluationTrace) {
        self.each_entity(source, observed, RuleStudy::sweep);
    }

    fn each_entity(
        &mut self,
        source: usize,
        observed: &EvaluationTrace,
        mut each: impl FnMut(&mut RuleStudy, &StudiedEntity<'_>),
    ) {
        for study in &mut self.studies {
            for (entity, of) in observed.entities.iter().enumerate() {
                let is_on = |incident: &Incident| incident.source == source && incident.is_on(&of.label);
                let own = self.incidents.iter().enumerate().filter(|(_, incident)| is_on(incident));
                let (incidents, is_baseline) = (own.collect(), source == BASELINE);
                each(study, &StudiedEntity { observed, entity, incidents, is_baseline });
            }
        }
    }

    /// What a source covers; after the first step.
    pub fn span(&self, source: usize) -> Option<(Nanos, Nanos)> {
        self.sources.get(source)?.span
    }

    /// The results; after the last step.
    pub fn finish(self) -> Tuned {
        let Tuning { definitions, incidents, budget, studies, .. } = self;
        let chosen = choose::choose_all(&studies, &incidents, budget);
        let results =
            studies.into_iter().zip(chosen).map(|(study, chosen)| threshold_result(study, chosen, &incidents));
        Tuned { results: results.collect(), left: swept_rules(&definitions).1, incidents, budget }
    }
}

/// Recordings that belong together.
#[derive(Debug)]
pub struct TracedSource {
    most_bytes: u64,
    /// The trace, when one pass holds all of it.
    whole: Option<EvaluationTrace>,
}

/// Why the passes ended early.
#[derive(Debug)]
pub enum PassError<E> {
    /// The inputs cannot be opened.
    Open(E),
    /// Not even one entity fits into memory.
    TooLittleMemory,
    /// More than one pass is needed, and the inputs can be read only once.
    ReadOnce,
}

impl TracedSource {
    /// A source whose traces may take so much memory.
    pub fn new(most_bytes: u64) -> Self {
        TracedSource { most_bytes, whole: None }
    }

    /// Reads the inputs and hands on the trace of each pass. Returns the report and the inputs of the last pass.
    pub fn passes<I: Inputs, E>(
        &mut self,
        (definitions, options): (&[EventDefinition], &Options),
        open: impl Fn() -> Result<I, E>,
        is_read_once: bool,
        mut each: impl FnMut(&EvaluationReport, &EvaluationTrace),
    ) -> Result<(EvaluationReport, I), PassError<E>> {
        let mut first_entity = 0;
        loop {
            let mut inputs = open().map_err(PassError::Open)?;
            let watching = TraceLimits { first_entity, most_bytes: self.most_bytes };
            let mut engine = Engine::tracing(definitions.to_vec(), options.clone(), watching);
            let Ok(()) = drive(&mut engine, &mut inputs, |_, _| Ok::<(), Infallible>(()));
            let report = engine.report();
            let observed = engine.trace();
            each(&report, &observed);
            match observed.next {
                None => {
                    self.whole = (first_entity == 0).then_some(observed);
                    return Ok((report, inputs));
                }
                Some(_) if is_read_once => return Err(PassError::ReadOnce),
                Some(next) if next <= first_entity => return Err(PassError::TooLittleMemory),
                Some(next) => first_entity = next,
            }
        }
    }

    /// Hands on the trace of each pass once more; it is read again only where memory did not hold all of it.
    pub fn again<I: Inputs, E>(
        &mut self,
        evaluated: (&[EventDefinition], &Options),
        open: impl Fn() -> Result<I, E>,
        is_read_once: bool,
        mut each: impl FnMut(&EvaluationTrace),
    ) -> Result<(), PassError<E>> {
        if let Some(whole) = self.whole.take() {
            each(&whole);
            return Ok(());
        }
        self.passes(evaluated, open, is_read_once, |_, observed| each(observed)).map(drop)
    }
}
