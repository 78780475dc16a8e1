//! `--sink`: where transitions go besides the output, for every command that evaluates.
//!
//! The environment is read here, and only the variables that a sink names. A text that cannot be read is never repeated
//! as a whole, because it may hold what others must not see; so it is parsed here and not by the parser of arguments.

use super::output::{Terminal, is_stream};
use super::values::within;
use crate::clock;
use crate::definition::EventDefinition;
use crate::receive::{ExposedMetric, Labels};
use crate::sink::{Bounds, Loss, SinkCounts, SinkSettings, SinkSpec, Sinks, WhenFull};
use anyhow::{Error, Result, bail};
use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

/// Bytes that may wait for one sink.
const QUEUE_BYTES: usize = 64 << 20;

/// Options of every command that sends transitions on.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Sinks")]
pub(super) struct SinkArgs {
    /// Send every event there when it opens and when it closes: stdout[:text|:jsonl], file:PATH or webhook:URL;
    /// repeatable (docs/sinks.md has the options of each)
    #[arg(long = "sink", value_name = "SPEC")]
    sinks: Vec<String>,
    /// Most events that wait for one sink
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = events)]
    sink_queue: usize,
}

impl SinkArgs {
    /// Reads the texts. Nothing is opened.
    pub(super) fn parse(&self) -> Result<Vec<SinkSpec>> {
        self.sinks.iter().map(|text| text.parse().map_err(Error::msg)).collect()
    }

    /// Reads the texts, and refuses a sink that leads to where the output goes.
    pub(super) fn parse_beside(&self, output: Option<&Path>) -> Result<Vec<SinkSpec>> {
        let specs = self.parse()?;
        let output = output.filter(|path| !is_stream(path));
        let mixes = specs.iter().find(|spec| spec.mixes_with(output));
        if let Some(spec) = mixes {
            bail!("--sink {spec}: the output goes there already; with -o it goes to a file of its own");
        }
        Ok(specs)
    }

    /// Opens the sinks, before anything is evaluated. `definitions` are the engine's.
    pub(super) fn open(
        &self,
        specs: &[SinkSpec],
        definitions: &[EventDefinition],
        when_full: WhenFull,
        retry_for: Duration,
        terminal: &Terminal,
    ) -> Result<Sinks> {
        let settings = SinkSettings {
            bounds: Bounds { events: self.sink_queue, bytes: QUEUE_BYTES },
            when_full,
            retry_for,
            style: terminal.style_of(None),
            clock: clock::monotonic,
        };
        let terminal = *terminal;
        let warn = move |text: &str| terminal.warn(text);
        Sinks::open(specs, definitions.to_vec(), settings, &variable, warn).map_err(Error::msg)
    }
}

/// Refuses a sink that writes into the recording that is made.
pub(super) fn keep_apart_from(specs: &[SinkSpec], recording: &Path) -> Result<()> {
    let there = recording.canonicalize().ok();
    let is_same = |path: &Path| path == recording || (there.is_some() && path.canonicalize().ok() == there);
    match files(specs).find(|path| is_same(path)) {
        Some(path) => bail!("--sink file:{}: the recording is written there", path.display()),
        None => Ok(()),
    }
}

/// Delivers what waits, within this time when there is a limit; says what did not get to where it should go.
pub(super) fn close(sinks: Sinks, within: Option<Duration>, terminal: &Terminal) -> bool {
    let losses: Vec<String> = sinks.close(within).iter().filter_map(SinkCounts::losses).collect();
    losses.iter().for_each(|loss| terminal.warn(&format!("sink {loss}")));
    losses.is_empty()
}

/// What became of the events, as metrics.
pub(super) fn metrics(counts: &[SinkCounts]) -> Vec<ExposedMetric> {
    let of = |value: fn(&SinkCounts) -> u64| counts.iter().map(|sink| (label(sink), value(sink) as f64)).collect();
    let lost = counts.iter().flat_map(|sink| {
        Loss::ALL.map(|loss| {
            let mut labels = label(sink);
            labels.push(("reason", Cow::Borrowed(loss.as_str())));
            (labels, sink.lost[loss as usize] as f64)
        })
    });
    let metric = |name, help, is_counter, values| ExposedMetric { name, help, is_counter, values };
    vec![
        metric("sink_sent", "Events that were delivered", true, of(|sink| sink.sent)),
        metric("sink_lost", "Events that were not delivered", true, lost.collect()),
        metric("sink_failures", "Attempts to deliver that failed", true, of(|sink| sink.failed)),
        metric("sink_retries", "Attempts that were made again", true, of(|sink| sink.retried)),
        metric("sink_queued", "Events that wait", false, of(|sink| sink.queued as u64)),
        metric("sink_queued_bytes", "Bytes that wait", false, of(|sink| sink.queued_bytes as u64)),
    ]
}

fn label(sink: &SinkCounts) -> Labels {
    vec![("sink", Cow::Owned(sink.sink.clone()))]
}

/// The files that sinks write.
pub(super) fn files(specs: &[SinkSpec]) -> impl Iterator<Item = &Path> {
    specs.iter().filter_map(SinkSpec::path)
}

#[allow(clippy::disallowed_methods, reason = "an option names the variable; which ones there are is not known before")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn events(text: &str) -> Result<usize, String> {
    within(text, 1..=1 << 24, "a number from 1 to 16777216")
}
