//! Warnings for whoever runs the service: at most one a minute and reason, each with a remedy.
//!
//! They are needed because clients hide what they are sent: the Python SDK drops a partial success without a word.

use super::rejection::RejectionReason;
use super::telemetry::{CloseReason, Counters};
use crate::engine::DropReason;
use crate::model::{MINUTE, Nanos};
use std::sync::{Mutex, PoisonError};

const KINDS: usize = RejectionReason::ALL.len() + CloseReason::ALL.len() + DropReason::ALL.len();

/// What can be warned of.
#[derive(Clone, Copy, Debug)]
pub(super) enum WarningKind {
    Request(RejectionReason),
    Connection(CloseReason),
    Points(DropReason),
}

impl WarningKind {
    fn all() -> impl Iterator<Item = WarningKind> {
        let requests = RejectionReason::ALL.into_iter().map(WarningKind::Request);
        let connections = CloseReason::ALL.into_iter().map(WarningKind::Connection);
        requests.chain(connections).chain(DropReason::ALL.into_iter().map(WarningKind::Points))
    }

    fn index(self) -> usize {
        match self {
            WarningKind::Request(reason) => reason as usize,
            WarningKind::Connection(reason) => RejectionReason::ALL.len() + reason as usize,
            WarningKind::Points(reason) => RejectionReason::ALL.len() + CloseReason::ALL.len() + reason as usize,
        }
    }

    fn line(self, pending: &PendingWarning) -> String {
        let PendingWarning { count, example, .. } = pending;
        let many = if *count == 1 { "" } else { "s" };
        match self {
            WarningKind::Request(reason) => {
                format!("{count} request{many} rejected ({}): {example}; {}", reason.as_str(), reason.remedy())
            }
            WarningKind::Connection(reason) => {
                format!("{count} connection{many} closed ({}): {example}; {}", reason.as_str(), reason.remedy())
            }
            WarningKind::Points(reason) => {
                format!("{count} data point{many} dropped ({}): {}", reason.as_str(), drop_remedy(reason))
            }
        }
    }
}

/// What a dropped point means, and what to do about it.
fn drop_remedy(reason: DropReason) -> &'static str {
    match reason {
        DropReason::NoRecordedValue => "they carry no value; a client says so when a series has ended",
        DropReason::NotFinite => "NaN or infinite; look at what the client measures",
        DropReason::Malformed => "attributes or buckets that cannot be read; look at what sends them",
        DropReason::Summary => "summaries are not evaluated; let the client send histograms",
        DropReason::NoTime => "no time; use --timestamps arrival",
        DropReason::Future => "more than five minutes ahead; set the client's clock, or use --timestamps arrival",
        DropReason::TooLate => "older than the longest window; set the client's clock, or use --timestamps arrival",
        DropReason::Duplicate => {
            "their series has a point of that time already: a client repeats exports, or several processes share a \
             resource; give each its own service.instance.id"
        }
        DropReason::TooDense => "a series has more points than are kept; raise --max-points-per-series",
        DropReason::TooManyEntities => {
            "of entities beyond --max-entities; raise it, or let --forget-after evict silent ones sooner"
        }
        DropReason::TooManySeries => {
            "of series beyond --max-series or --max-series-per-entity; look for an attribute that never repeats, or raise them"
        }
    }
}

#[derive(Clone, Debug, Default)]
struct PendingWarning {
    count: u64,
    /// The newest.
    example: String,
    reported_at: Option<Nanos>,
}

/// What there is to warn of.
#[derive(Debug)]
pub(super) struct Warnings(Mutex<Pending>);

#[derive(Debug)]
struct Pending {
    of_kind: [PendingWarning; KINDS],
    /// Dropped points that were taken note of.
    dropped: [u64; DropReason::ALL.len()],
}

impl Warnings {
    pub(super) fn new() -> Self {
        let of_kind = std::array::from_fn(|_| PendingWarning::default());
        Warnings(Mutex::new(Pending { of_kind, dropped: [0; DropReason::ALL.len()] }))
    }

    /// Takes note of one.
    pub(super) fn note(&self, kind: WarningKind, example: impl FnOnce() -> String) {
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pending = &mut pending.of_kind[kind.index()];
        pending.count += 1;
        // While a line is pending its example stays: writing one for each request would cost more than the request.
        if pending.count == 1 {
            pending.example = example();
        }
    }

    /// The lines that are due; all there are when it is the last time.
    pub(super) fn due(&self, counters: &Counters, now: Nanos, is_last: bool) -> Vec<String> {
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let dropped = counters.dropped();
        for reason in DropReason::ALL {
            let fresh = dropped[reason as usize] - pending.dropped[reason as usize];
            pending.of_kind[WarningKind::Points(reason).index()].count += fresh;
        }
        pending.dropped = dropped;
        let mut lines = Vec::new();
        for kind in WarningKind::all() {
            let pending = &mut pending.of_kind[kind.index()];
            // A clock that was set back does not silence anything.
            let waits = pending.reported_at.is_some_and(|at| (at..at.saturating_add(MINUTE)).contains(&now));
            if pending.count > 0 && (is_last || !waits) {
                lines.push(kind.line(pending));
                *pending = PendingWarning { reported_at: Some(now), ..PendingWarning::default() };
            }
        }
        lines
    }
}
