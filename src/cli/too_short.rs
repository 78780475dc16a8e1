//! What a run that was too short still tells: which rules had too few points, and what they would have said of shorter windows.
//!
//! What fits is found by judging the kept bodies, not by reckoning: the grid, the coverage and the values all have a say in it.

use super::error::CliError;
use super::scale::floor_ms;
use crate::definition::{EventDefinition, RuleKind};
use crate::engine::{Engine, InconclusiveReason, Input, Inputs, Options, Report, Verdict, drive};
use crate::inspect::Inspection;
use crate::model::{Export, MS, Nanos, SECOND};
use crate::receive::{RecordingEvent, RecordingWriter};
use crate::recording::{Compression, Reader, RecordingFormat, Source, WriteError, Writer};
use crate::report::TooShort;
use bytes::Bytes;
use std::convert::Infallible;
use std::io::{self, Cursor};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes that are kept in memory, compressed. A test run of several minutes takes a few hundred kilobytes.
const MOST_KEPT: usize = 16 << 20;
/// Scales that are tried at most, each this much smaller than the one before.
const MOST_TRIES: usize = 32;
const NEXT: f64 = 0.85;

/// What has arrived, kept in memory until it is too much.
#[derive(Clone)]
pub(super) struct Memory(Arc<Mutex<Option<Writer<Vec<u8>>>>>);

impl Memory {
    pub(super) fn new() -> Result<Self, WriteError> {
        let writer = Writer::new(Vec::new(), RecordingFormat::Own, Compression::Zstd)?;
        Ok(Memory(Arc::new(Mutex::new(Some(writer)))))
    }

    /// What fills it.
    pub(super) fn writer(&self) -> RecordingWriter {
        let memory = self.clone();
        Box::new(move |event| {
            let mut writer = memory.0.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(open) = writer.as_mut() else { return Ok(()) };
            match event {
                RecordingEvent::Export { received_at, payload } => {
                    open.append(received_at, payload).map_err(io::Error::other)?;
                }
                RecordingEvent::End { received_at: Some(at) } => open.tick(at).map_err(io::Error::other)?,
                RecordingEvent::End { .. } | RecordingEvent::Flush { .. } | RecordingEvent::Sync(_) => {}
            }
            if open.get_ref().len() > MOST_KEPT {
                *writer = None;
            }
            Ok(())
        })
    }

    /// Everything that has arrived; `None` when it was too much to keep.
    pub(super) fn take(&self) -> Option<Bytes> {
        let writer = self.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        // Memory is written to: nothing can fail.
        writer.finish().ok().map(Bytes::from)
    }
}

/// The kept bodies once more.
struct Again {
    reader: Reader,
    export: Export,
}

impl Again {
    fn open(kept: &Bytes) -> Result<Self, CliError> {
        let source = Source {
            name: "what was received".into(),
            size: Some(kept.len() as u64),
            reader: Box::new(Cursor::new(kept.clone())),
        };
        Ok(Again { reader: Reader::open(vec![source])?, export: Export::default() })
    }
}

impl Inputs for Again {
    fn next(&mut self) -> Option<Input<'_>> {
        let arrival = self.reader.next(&mut self.export)?;
        Some(Input { at: arrival.at, export: (!arrival.is_tick).then_some(&self.export) })
    }
}

fn judge(kept: &Bytes, definitions: Vec<EventDefinition>, options: Options) -> Result<Report, CliError> {
    let mut engine = Engine::new(definitions, options);
    let Ok(()) = drive(&mut engine, &mut Again::open(kept)?, |_, _| Ok::<(), Infallible>(()));
    Ok(engine.report())
}

/// The longest export interval of a service that sent.
pub(super) fn longest_interval(kept: &Bytes) -> Result<Option<Nanos>, CliError> {
    let (mut again, mut inspection) = (Again::open(kept)?, Inspection::default());
    while let Some(input) = again.next() {
        if let Some(export) = input.export {
            inspection.add(export, input.at);
        }
    }
    Ok(inspection.finish().services.iter().filter_map(|service| service.interval).max())
}

/// The rules that never had enough points, and how many they had. Without the bodies the latter is what the run itself saw at
/// its instants.
pub(super) fn rules(
    definitions: &[EventDefinition],
    report: &Report,
    options: &Options,
    kept: Option<&Bytes>,
) -> Result<Vec<TooShort>, CliError> {
    let mut found = Vec::new();
    for (index, (definition, of_definition)) in definitions.iter().zip(&report.definitions).enumerate() {
        use InconclusiveReason::{Scaled, WarmingUp};
        if !matches!(of_definition.verdict, Verdict::Inconclusive(WarmingUp | Scaled)) {
            continue;
        }
        for (rule, (written, judged)) in definition.rules.iter().zip(&of_definition.rules).enumerate() {
            if judged.matched_series == 0 {
                continue;
            }
            let (window, needed, covered) = match &written.kind {
                RuleKind::Threshold(_) if judged.evaluations > 0 => continue,
                RuleKind::Threshold(threshold) => {
                    let window = threshold.window_ms.saturating_mul(MS);
                    (Some(window), needed(window, options.min_coverage, of_definition.step), judged.best_covered)
                }
                RuleKind::Trend(trend) => {
                    let lives = of_definition.lives.iter().filter(|life| life.rule == rule);
                    (None, trend.parameters.shortest_ms() * MS, lives.map(|life| life.seen).max().unwrap_or(0))
                }
                // Absence takes no points.
                RuleKind::Presence(_) => continue,
            };
            if window.is_none() && covered >= needed {
                // It is inconclusive for another reason than its length.
                continue;
            }
            let definition = definition.name.clone();
            found.push((index, TooShort { definition, rule, window, step: of_definition.step, needed, covered }));
        }
    }
    if let (Some(kept), true) = (kept, found.iter().any(|(_, short)| short.window.is_some())) {
        // A run may end between two instants of a coarse grid; every second tells what came.
        let fine = judge(kept, definitions.to_vec(), Options { step: Some(SECOND), ..options.clone() })?;
        for (index, short) in found.iter_mut().filter(|(_, short)| short.window.is_some()) {
            let judged = fine.definitions.get(*index).and_then(|definition| definition.rules.get(short.rule));
            short.covered = short.covered.max(judged.map_or(0, |judged| judged.best_covered));
        }
    }
    Ok(found.into_iter().map(|(_, short)| short).collect())
}

/// How long points must come so that a window is judged whenever they begin: what must be covered, and up to a step until there is
/// an instant at which it is looked at.
fn needed(window: Nanos, min_coverage: f64, step: Nanos) -> Nanos {
    (window as f64 * min_coverage) as Nanos + step
}

/// Shorter windows, and what they would have said.
pub(super) struct Shrunk {
    pub(super) scale: f64,
    pub(super) definitions: Vec<EventDefinition>,
    pub(super) report: Report,
}

/// The largest scale at which all of the rules are judged, and would be in another run of this length, or else as many as can
/// be; trends are left out of it. The definitions are given as they are written, with the scale at which they were too long.
/// `interval` is that of the exports.
pub(super) fn shrink(
    (definitions, scale): (&[EventDefinition], f64),
    too_short: &[TooShort],
    options: &Options,
    kept: &Bytes,
    interval: Nanos,
) -> Result<Option<Shrunk>, CliError> {
    let too_short: Vec<&TooShort> = too_short.iter().filter(|short| short.window.is_some()).collect();
    if too_short.is_empty() {
        return Ok(None);
    }
    let largest = too_short.iter().map(|short| (short.covered + interval) as f64 / short.needed.max(1) as f64);
    let mut scale = rounded_down(scale * largest.fold(1.0, f64::min));
    let floor_ms = floor_ms(interval);
    let mut best: Option<(usize, Shrunk)> = None;
    for _ in 0..MOST_TRIES {
        if scale <= 0.0 {
            break;
        }
        let shrunk: Vec<EventDefinition> = definitions.iter().map(|d| d.shrunk(scale, floor_ms)).collect();
        let report = judge(kept, shrunk.clone(), Options { scaled_windows: true, ..options.clone() })?;
        let fits = |short: &&&TooShort| fits(&shrunk, &report, short, (options.min_coverage, interval));
        let fitting = too_short.iter().filter(fits).count();
        let is_least = too_short.iter().all(|short| window_ms(&shrunk, short).is_none_or(|ms| ms <= floor_ms));
        if fitting > best.as_ref().map_or(0, |(fitting, _)| *fitting) {
            best = Some((fitting, Shrunk { scale, definitions: shrunk, report }));
        }
        if fitting == too_short.len() || is_least {
            break;
        }
        scale = rounded_down(scale * NEXT);
    }
    Ok(best.map(|(_, mut shrunk)| {
        let is_short = |name: &str| too_short.iter().any(|short| short.definition == name);
        let definitions = &shrunk.definitions;
        shrunk.report.events.retain(|event| definitions.get(event.definition).is_some_and(|d| is_short(&d.name)));
        shrunk
    }))
}

/// Whether a rule was judged, and not by the luck of when its points began.
fn fits(
    definitions: &[EventDefinition],
    report: &Report,
    short: &TooShort,
    (min_coverage, interval): (f64, Nanos),
) -> bool {
    let Some(window) = window_ms(definitions, short).map(|ms| ms.saturating_mul(MS)) else { return false };
    let found = definitions.iter().zip(&report.definitions).find(|(definition, _)| definition.name == short.definition);
    found.is_some_and(|(_, of_definition)| {
        let is_judged = of_definition.rules.get(short.rule).is_some_and(|rule| rule.evaluations > 0);
        is_judged && needed(window, min_coverage, of_definition.step) <= short.covered + interval
    })
}

fn window_ms(definitions: &[EventDefinition], short: &TooShort) -> Option<i64> {
    let definition = definitions.iter().find(|definition| definition.name == short.definition)?;
    match &definition.rules.get(short.rule)?.kind {
        RuleKind::Threshold(threshold) => Some(threshold.window_ms),
        RuleKind::Presence(_) | RuleKind::Trend(_) => None,
    }
}

/// Two significant digits, because a person types them.
fn rounded_down(scale: f64) -> f64 {
    if scale <= 0.0 || !scale.is_finite() {
        return 0.0;
    }
    let digits = 10f64.powi(1 - scale.log10().floor() as i32);
    let rounded = (scale * digits + 1e-9).floor() / digits;
    // Through text, so that what is printed is what was judged.
    format!("{rounded:.9}").parse().unwrap_or(rounded)
}

#[cfg(test)]
mod tests {
    use super::rounded_down;

    #[test]
    fn scales_are_what_a_person_types() {
        let text = |scale: f64| rounded_down(scale).to_string();
        assert_eq!(text(1.0), "1");
        assert_eq!(text(0.999), "0.99");
        assert_eq!(text(0.0567), "0.056");
        assert_eq!(text(0.05), "0.05");
        assert_eq!(text(0.3 * 0.85), "0.25");
        assert_eq!(text(-1.0), "0");
    }
}
