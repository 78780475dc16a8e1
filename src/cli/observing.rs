//! Recordings read for their observations: in one pass when they fit into memory, else in as many as it takes.

use super::error::CliError;
use super::output::Terminal;
use super::recordings::{Recordings, RecordingsArgs};
use super::results::WithClients;
use crate::definition::EventDefinition;
use crate::engine::{Engine, Observations, Options, Report, Watching, drive};
use crate::inspect::{Client, Clients};
use std::convert::Infallible;

/// Recordings that belong together, and what is known of them.
pub(super) struct Source {
    args: RecordingsArgs,
    most_bytes: u64,
    /// The observations, when one pass holds them all.
    whole: Option<Observations>,
}

/// What a first pass tells besides the observations.
pub(super) struct Told {
    pub(super) report: Report,
    pub(super) names: Vec<String>,
    pub(super) damage: Vec<String>,
    pub(super) is_damaged: bool,
    pub(super) clients: Vec<Client>,
}

impl Source {
    pub(super) fn new(args: RecordingsArgs, most_bytes: u64) -> Self {
        Source { args, most_bytes, whole: None }
    }

    /// Reads the recordings, and hands on the observations of each pass. What the last pass told comes back.
    pub(super) fn first(
        &mut self,
        definitions: &[EventDefinition],
        options: &Options,
        terminal: &Terminal,
        mut each: impl FnMut(&Report, &Observations),
    ) -> Result<Told, CliError> {
        let mut first_entity = 0;
        loop {
            let (told, observed) = self.pass(definitions, options, first_entity, terminal)?;
            each(&told.report, &observed);
            match observed.next {
                Some(next) => first_entity = self.go_on(first_entity, next)?,
                None => {
                    self.whole = (first_entity == 0).then_some(observed);
                    return Ok(told);
                }
            }
        }
    }

    /// Hands on the observations of each pass once more.
    pub(super) fn again(
        &mut self,
        definitions: &[EventDefinition],
        options: &Options,
        terminal: &Terminal,
        mut each: impl FnMut(&Observations),
    ) -> Result<(), CliError> {
        if let Some(whole) = self.whole.take() {
            each(&whole);
            return Ok(());
        }
        let mut first_entity = 0;
        loop {
            let (_, observed) = self.pass(definitions, options, first_entity, terminal)?;
            each(&observed);
            match observed.next {
                Some(next) => first_entity = self.go_on(first_entity, next)?,
                None => return Ok(()),
            }
        }
    }

    fn pass(
        &self,
        definitions: &[EventDefinition],
        options: &Options,
        first_entity: usize,
        terminal: &Terminal,
    ) -> Result<(Told, Observations), CliError> {
        let recordings = Recordings::open(&self.args, terminal)?;
        let watching = Watching { first_entity, most_bytes: self.most_bytes };
        let mut engine = Engine::watching(definitions.to_vec(), options.clone(), watching);
        let mut inputs = WithClients { inputs: recordings, clients: Clients::default() };
        let Ok(()) = drive(&mut engine, &mut inputs, |_, _| Ok::<(), Infallible>(()));
        let WithClients { inputs: recordings, clients } = inputs;
        let told = Told {
            report: engine.report(),
            names: recordings.names().to_vec(),
            damage: recordings.damage(),
            is_damaged: recordings.is_damaged(),
            clients: clients.finish(),
        };
        Ok((told, engine.observations()))
    }

    /// Where the next pass begins; an error when there can be none.
    fn go_on(&self, first_entity: usize, next: usize) -> Result<usize, CliError> {
        let what = if self.args.has_stdin() {
            "--max-memory is too small to read standard input once; raise it, or name a file"
        } else if next <= first_entity {
            "--max-memory is too small for one instance; raise it"
        } else {
            return Ok(next);
        };
        Err(CliError::Limit { what: what.to_string() })
    }
}
