//! What a run that is shorter than its windows could still show: which rules had too little data, and what they would have
//! given with shorter windows.
//!
//! Shorter windows are found by evaluating the inputs again, not by estimating: schedule, coverage and values all matter. Absent
//! on purpose: where the inputs are kept; the caller opens them as often as needed.

use crate::definition::EventDefinition;
use crate::engine::{Engine, EvaluationReport, InconclusiveReason, Inputs, Options, Verdict, drive};
use crate::model::{MS, Nanos, SECOND, to_ms};
use std::convert::Infallible;

/// Export intervals that a window must have at least.
const LEAST_INTERVALS: i64 = 3;
/// Scales that are tried at most, each this much smaller than the one before.
const MOST_TRIES: usize = 32;
const NEXT: f64 = 0.85;

/// A rule that never had enough data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooShort {
    /// The definition's name.
    pub definition: String,
    /// Index of the rule.
    pub rule: usize,
    /// Its window; `None` for a trend, which cannot be scaled.
    pub window: Option<Nanos>,
    /// How often it is evaluated.
    pub step: Nanos,
    /// How much data it needs to be evaluated in any case.
    pub needed: Nanos,
    /// How much it had.
    pub covered: Nanos,
}

/// Shorter windows, and what they gave.
#[derive(Clone, Debug)]
pub struct ScaledRun {
    /// The fraction of their length.
    pub scale: f64,
    pub definitions: Vec<EventDefinition>,
    pub report: EvaluationReport,
}

/// A run whose inputs can be opened again.
pub struct ShortRun<'a, I, E> {
    /// The definitions as they are written.
    pub written: &'a [EventDefinition],
    /// The fraction of their length that windows had in the run.
    pub scale: f64,
    pub options: &'a Options,
    /// Opens the inputs.
    pub open: &'a dyn Fn() -> Result<I, E>,
}

/// The definitions with windows and grace periods at a fraction of their length, but never shorter than three exports.
pub fn scaled(definitions: &[EventDefinition], scale: f64, interval: Nanos) -> Vec<EventDefinition> {
    if scale >= 1.0 {
        return definitions.to_vec();
    }
    definitions.iter().map(|definition| definition.shrunk(scale, shortest_window_ms(interval))).collect()
}

fn shortest_window_ms(interval: Nanos) -> i64 {
    to_ms(interval.saturating_mul(LEAST_INTERVALS))
}

/// The rules that never had enough data in a run, and how much they had, as far as evaluations of the run show.
pub fn too_short(definitions: &[EventDefinition], report: &EvaluationReport, options: &Options) -> Vec<TooShort> {
    use InconclusiveReason::{Scaled, WarmingUp};
    let mut found = Vec::new();
    for (definition, of_definition) in definitions.iter().zip(&report.definitions) {
        if !matches!(of_definition.verdict, Verdict::Inconclusive(WarmingUp | Scaled)) {
            continue;
        }
        for (rule, (written, result)) in definition.rules.iter().zip(&of_definition.rules).enumerate() {
            if result.matched_series == 0 {
                continue;
            }
            let (window, needed, covered) = if let Some(ms) = written.window_ms() {
                let window = ms.saturating_mul(MS);
                (Some(window), needed(window, options.min_coverage, of_definition.step), result.best_covered)
            } else if let Some(trend) = written.trend() {
                let lives = of_definition.lives.iter().filter(|life| life.rule == rule);
                let covered = lives.map(|life| life.seen).max().unwrap_or(0);
                (None, trend.parameters.shortest_ms() * MS, covered)
            } else {
                // Absence needs no data.
                continue;
            };
            let has_enough = if window.is_some() { result.evaluations > 0 } else { covered >= needed };
            if has_enough {
                // A trend is inconclusive for another reason than its length.
                continue;
            }
            let definition = definition.name.clone();
            found.push(TooShort { definition, rule, window, step: of_definition.step, needed, covered });
        }
    }
    found
}

/// How long a series must be sent so that its window is evaluated whenever it begins: what must be covered, and up to a step
/// until the next evaluation.
fn needed(window: Nanos, min_coverage: f64, step: Nanos) -> Nanos {
    (window as f64 * min_coverage) as Nanos + step
}

impl<I: Inputs, E> ShortRun<'_, I, E> {
    /// Corrects how much data rules had: a run may end between two evaluations, so every second is evaluated.
    pub fn refine(&self, definitions: &[EventDefinition], found: &mut [TooShort]) -> Result<(), E> {
        if found.iter().all(|short| short.window.is_none()) {
            return Ok(());
        }
        let options = Options { step: Some(SECOND), ..self.options.clone() };
        let fine = self.evaluate(definitions.to_vec(), options)?;
        for short in found.iter_mut().filter(|short| short.window.is_some()) {
            let of_definition = position(definitions, short).and_then(|index| fine.definitions.get(index));
            let rule = of_definition.and_then(|definition| definition.rules.get(short.rule));
            short.covered = short.covered.max(rule.map_or(0, |rule| rule.best_covered));
        }
        Ok(())
    }

    /// The largest scale at which all of the rules are evaluated, and would be in another run of this length, or else as many
    /// as can be; trends are left out. `interval` is that of the exports.
    pub fn shrink(&self, too_short: &[TooShort], interval: Nanos) -> Result<Option<ScaledRun>, E> {
        let windows: Vec<&TooShort> = too_short.iter().filter(|short| short.window.is_some()).collect();
        if windows.is_empty() {
            return Ok(None);
        }
        let largest = windows.iter().map(|short| (short.covered + interval) as f64 / short.needed.max(1) as f64);
        let mut scale = rounded_down(self.scale * largest.fold(1.0, f64::min));
        let shortest_ms = shortest_window_ms(interval);
        let mut best: Option<(usize, ScaledRun)> = None;
        for _ in 0..MOST_TRIES {
            if scale <= 0.0 {
                break;
            }
            let definitions: Vec<EventDefinition> = self.written.iter().map(|d| d.shrunk(scale, shortest_ms)).collect();
            let report =
                self.evaluate(definitions.clone(), Options { scaled_windows: true, ..self.options.clone() })?;
            let run = ScaledRun { scale, definitions, report };
            let fitting = windows.iter().filter(|short| self.fits(&run, short, interval)).count();
            let is_least = windows.iter().all(|short| window_ms(&run, short).is_none_or(|ms| ms <= shortest_ms));
            if fitting > best.as_ref().map_or(0, |(fitting, _)| *fitting) {
                best = Some((fitting, run));
            }
            if fitting == windows.len() || is_least {
                break;
            }
            scale = rounded_down(scale * NEXT);
        }
        Ok(best.map(|(_, mut run)| {
            let is_short = |name: &str| windows.iter().any(|short| short.definition == name);
            let definitions = &run.definitions;
            run.report.events.retain(|event| definitions.get(event.definition).is_some_and(|d| is_short(&d.name)));
            run
        }))
    }

    /// Whether a rule was evaluated, and would be whenever its data begins.
    fn fits(&self, run: &ScaledRun, short: &TooShort, interval: Nanos) -> bool {
        let Some(window) = window_ms(run, short).map(|ms| ms.saturating_mul(MS)) else { return false };
        let of_definition = position(&run.definitions, short).and_then(|index| run.report.definitions.get(index));
        of_definition.is_some_and(|of_definition| {
            let is_evaluated = of_definition.rules.get(short.rule).is_some_and(|rule| rule.evaluations > 0);
            let needed = needed(window, self.options.min_coverage, of_definition.step);
            is_evaluated && needed <= short.covered + interval
        })
    }

    fn evaluate(&self, definitions: Vec<EventDefinition>, options: Options) -> Result<EvaluationReport, E> {
        let mut engine = Engine::new(definitions, options);
        let Ok(()) = drive(&mut engine, &mut (self.open)()?, |_, _| Ok::<(), Infallible>(()));
        Ok(engine.report())
    }
}

fn position(definitions: &[EventDefinition], short: &TooShort) -> Option<usize> {
    definitions.iter().position(|definition| definition.name == short.definition)
}

fn window_ms(run: &ScaledRun, short: &TooShort) -> Option<i64> {
    run.definitions[position(&run.definitions, short)?].rules.get(short.rule)?.window_ms()
}

/// Two significant digits, because a person types them.
fn rounded_down(scale: f64) -> f64 {
    if scale <= 0.0 || !scale.is_finite() {
        return 0.0;
    }
    let digits = 10f64.powi(1 - scale.log10().floor() as i32);
    let rounded = (scale * digits + 1e-9).floor() / digits;
    // Through text, so that what is printed is what was evaluated.
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
