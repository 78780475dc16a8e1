//! `--baseline`: another recording of the same application, evaluated with the same rules, and what is worse now.

use super::error::CliError;
use super::exit::ExitStatus;
use super::output::Terminal;
use super::recordings::Recordings;
use super::watching::Observed;
use crate::definition::EventDefinition;
use crate::engine::{Engine, Options, Report, drive};
use crate::gate::{self, Aggregates, Case, CaseResult, Finding, Place, Side, Suite};
use std::convert::Infallible;
use std::path::{Path, PathBuf};

/// Options of every command that can compare with another recording.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Baseline")]
pub(super) struct BaselineArgs {
    /// Fail when there are new events, longer violations or worse aggregates than in this recording; repeatable
    #[arg(long, value_name = "RECORDING")]
    baseline: Vec<PathBuf>,
    /// How much worse an aggregate (its 95th percentile) or the time in violation may be
    #[arg(long, value_name = "PERCENT", default_value = "10%", value_parser = percent, requires = "baseline")]
    max_regression: f64,
}

/// What became of recordings.
pub(super) struct Judged {
    pub(super) definitions: Vec<EventDefinition>,
    pub(super) report: Report,
    /// The values that decided, when they were wanted.
    pub(super) aggregates: Aggregates,
    /// What is wrong with them, when that matters.
    pub(super) damage: Vec<String>,
    /// Their names.
    pub(super) name: String,
}

/// Evaluates recordings, with the values that decide when they are wanted.
pub(super) fn judge(
    files: &[PathBuf],
    definitions: &[EventDefinition],
    options: &Options,
    with_aggregates: bool,
) -> Result<Judged, CliError> {
    let mut observed = Observed::new(Recordings::of(files)?, with_aggregates, definitions, options);
    let mut engine = Engine::new(definitions.to_vec(), options.clone());
    let Ok(()) = drive(&mut engine, &mut observed, |_, _| Ok::<(), Infallible>(()));
    let (recordings, aggregates) = observed.finish();
    let damage = if recordings.is_damaged() { recordings.damage() } else { Vec::new() };
    let (report, name) = (engine.report(), recordings.names().join(", "));
    Ok(Judged { definitions: engine.definitions().to_vec(), report, aggregates, damage, name })
}

impl Judged {
    fn side(&self) -> Side<'_> {
        Side { report: &self.report, aggregates: &self.aggregates }
    }

    /// Why a comparison would show nothing.
    pub(super) fn shows_nothing(&self) -> Option<Case> {
        let why = if self.report.counts.points == 0 {
            vec![("empty-recording", format!("{} contains no data points: nothing was evaluated", self.name))]
        } else {
            self.damage.iter().map(|sentence| ("damaged-recording", sentence.clone())).collect()
        };
        let place = Some(Place { file: self.name.clone(), position: None });
        let finding = |(code, message)| Finding { code, message, details: String::new(), place: place.clone() };
        let found: Vec<Finding> = why.into_iter().map(finding).collect();
        let is_some = !found.is_empty();
        let result = CaseResult::Inconclusive(found);
        is_some.then(|| Case { name: self.name.clone(), place: place.clone(), seconds: None, result })
    }
}

impl BaselineArgs {
    /// Whether there is something to compare with.
    pub(super) fn is_given(&self) -> bool {
        !self.baseline.is_empty()
    }

    /// The recordings.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> + Clone {
        self.baseline.iter().map(PathBuf::as_path)
    }

    /// Evaluates the baseline, if there is one.
    pub(super) fn judge(&self, definitions: &[EventDefinition], options: &Options) -> Result<Option<Judged>, CliError> {
        if self.is_given() { judge(&self.baseline, definitions, options, true).map(Some) } else { Ok(None) }
    }

    /// What has become worse since the baseline: a case for every definition.
    pub(super) fn compare(&self, old: &Judged, new: &Judged, terminal: &Terminal) -> Suite {
        let name = format!("{} vs baseline {}", new.name, old.name);
        let mut cases: Vec<Case> = [old, new].into_iter().filter_map(Judged::shows_nothing).collect();
        let has_points = |judged: &Judged| judged.report.counts.points > 0;
        if has_points(old) && has_points(new) {
            if old.aggregates.left_out || new.aggregates.left_out {
                terminal.warn("there are so many entities that the values of the last ones are not compared");
            }
            cases.extend(gate::compare(&new.definitions, old.side(), new.side(), self.max_regression));
        }
        Suite { name, cases }
    }
}

/// What a comparison makes of a status that was reached without it: a failure wins, and what cannot be compared is no pass.
pub(super) fn status(suite: Option<&Suite>, without: (ExitStatus, &'static str)) -> (ExitStatus, &'static str) {
    let has = |wanted: fn(&CaseResult) -> bool| suite.iter().flat_map(|s| &s.cases).any(|case| wanted(&case.result));
    match without.0 {
        ExitStatus::Passed | ExitStatus::Inconclusive if has(|result| matches!(result, CaseResult::Failed(_))) => {
            (ExitStatus::Failed, "worse than the baseline")
        }
        ExitStatus::Passed if has(|result| matches!(result, CaseResult::Inconclusive(_))) => {
            (ExitStatus::Inconclusive, "it cannot be compared with the baseline")
        }
        _ => without,
    }
}

/// `10%`, or a fraction.
pub(super) fn percent(text: &str) -> Result<f64, String> {
    let value = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().map(|percent| percent / 100.0),
        None => text.parse::<f64>().map(|share| if share > 1.0 { f64::NAN } else { share }),
    };
    value.ok().filter(|share| *share >= 0.0).ok_or_else(|| "write 10% or 0.1".to_string())
}
