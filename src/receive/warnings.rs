//! Warnings for whoever runs the service: at most one a minute and reason, each with a remedy.
//!
//! They are needed because clients hide what they are sent: the Python SDK drops a partial success without a word.

use super::rejection::RejectionReason;
use super::telemetry::{CloseReason, Counters};
use crate::engine::DropReason;
use crate::model::{MINUTE, Nanos};
use crate::report;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What can be warned of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum WarningKind {
    Request(RejectionReason),
    Connection(CloseReason),
    Points(DropReason),
}

impl WarningKind {
    fn line(self, count: u64, example: &str) -> String {
        let many = if count == 1 { "" } else { "s" };
        match self {
            WarningKind::Request(reason) => {
                format!("{count} request{many} rejected ({}): {example}; {}", reason.as_str(), reason.remedy())
            }
            WarningKind::Connection(reason) => {
                let (name, remedy) = reason.name_and_remedy();
                format!("{count} connection{many} closed ({name}): {example}; {remedy}")
            }
            WarningKind::Points(reason) => {
                format!("{count} data point{many} dropped ({}): {}", reason.as_str(), report::explain_drop(reason))
            }
        }
    }
}

/// What there is to warn of.
#[derive(Debug, Default)]
pub(super) struct Warnings(Mutex<Pending>);

#[derive(Debug, Default)]
struct Pending {
    of_kind: BTreeMap<WarningKind, PendingWarning>,
    /// Dropped points that were taken note of.
    dropped: [u64; DropReason::ALL.len()],
}

#[derive(Debug, Default)]
struct PendingWarning {
    count: u64,
    /// Of the first one: writing one for each request would cost more than the request.
    example: Option<String>,
    reported_at: Option<Nanos>,
}

impl Warnings {
    /// Takes note of one.
    pub(super) fn note(&self, kind: WarningKind, example: impl FnOnce() -> String) {
        let mut pending = self.lock();
        let warning = pending.of_kind.entry(kind).or_default();
        warning.count += 1;
        warning.example.get_or_insert_with(example);
    }

    /// The lines that are due; all there are when it is the last time.
    pub(super) fn due(&self, counters: &Counters, now: Nanos, is_last: bool) -> Vec<String> {
        let mut pending = self.lock();
        let before = std::mem::replace(&mut pending.dropped, counters.dropped());
        for reason in DropReason::ALL {
            let fresh = pending.dropped[reason as usize] - before[reason as usize];
            pending.of_kind.entry(WarningKind::Points(reason)).or_default().count += fresh;
        }
        let mut lines = Vec::new();
        for (kind, warning) in &mut pending.of_kind {
            // A clock that was set back does not silence anything.
            let waits = warning.reported_at.is_some_and(|at| (at..at.saturating_add(MINUTE)).contains(&now));
            if warning.count > 0 && (is_last || !waits) {
                lines.push(kind.line(warning.count, warning.example.as_deref().unwrap_or_default()));
                *warning = PendingWarning { reported_at: Some(now), ..PendingWarning::default() };
            }
        }
        lines
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
