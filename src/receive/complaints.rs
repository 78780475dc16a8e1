//! Lines for whoever runs the service: at most one a minute and reason, each with a remedy.
//!
//! They are needed because clients hide what they are told: the Python SDK drops a partial success without a word.

use super::counters::{Counters, Hangup};
use super::refusal::Reason;
use crate::engine::DropReason;
use crate::model::{MINUTE, Nanos};
use std::sync::{Mutex, PoisonError};

const KINDS: usize = Reason::ALL.len() + Hangup::ALL.len() + DropReason::ALL.len();

/// What can be complained of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Request(Reason),
    Connection(Hangup),
    Points(DropReason),
}

impl Kind {
    fn all() -> impl Iterator<Item = Kind> {
        let requests = Reason::ALL.into_iter().map(Kind::Request);
        let connections = Hangup::ALL.into_iter().map(Kind::Connection);
        requests.chain(connections).chain(DropReason::ALL.into_iter().map(Kind::Points))
    }

    fn place(self) -> usize {
        match self {
            Kind::Request(reason) => reason as usize,
            Kind::Connection(hangup) => Reason::ALL.len() + hangup as usize,
            Kind::Points(reason) => Reason::ALL.len() + Hangup::ALL.len() + reason as usize,
        }
    }

    fn line(self, pending: &Pending) -> String {
        let Pending { count, example, .. } = pending;
        let many = if *count == 1 { "" } else { "s" };
        match self {
            Kind::Request(reason) => {
                format!("{count} request{many} refused ({}): {example}; {}", reason.as_str(), reason.remedy())
            }
            Kind::Connection(hangup) => {
                format!("{count} connection{many} closed ({}): {example}; {}", hangup.as_str(), hangup.remedy())
            }
            Kind::Points(reason) => {
                format!("{count} data point{many} dropped ({}): {}", reason.as_str(), remedy(reason))
            }
        }
    }
}

/// What a dropped point means, and what to do about it.
fn remedy(reason: DropReason) -> &'static str {
    match reason {
        DropReason::NoRecordedValue => "they carry no value; a client says so when a series has ended",
        DropReason::NotFinite => "NaN or infinite; look at what the client measures",
        DropReason::Malformed => "attributes or buckets that cannot be read; look at what sends them",
        DropReason::Summary => "summaries are not judged; let the client send histograms",
        DropReason::NoTime => "no time; use --timestamps arrival",
        DropReason::Future => "more than five minutes ahead; set the client's clock, or use --timestamps arrival",
        DropReason::TooLate => "older than the longest window; set the client's clock, or use --timestamps arrival",
        DropReason::Duplicate => {
            "their series has a point of that time already: a client repeats exports, or several processes share a \
             resource; give each its own service.instance.id"
        }
        DropReason::TooDense => "a series has more points than are kept; raise --max-points-per-series",
        DropReason::TooManyEntities => {
            "of entities beyond --max-entities; raise it, or let --forget-after forget silent ones sooner"
        }
        DropReason::TooManySeries => {
            "of series beyond --max-series or --max-series-per-entity; look for an attribute that never repeats, or raise them"
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Pending {
    count: u64,
    /// The newest.
    example: String,
    said_at: Option<Nanos>,
}

/// See the file's head.
#[derive(Debug, Default)]
pub(super) struct Complaints(Mutex<State>);

#[derive(Debug)]
struct State {
    pending: [Pending; KINDS],
    /// Dropped points that were taken note of.
    dropped: [u64; DropReason::ALL.len()],
}

impl Default for State {
    fn default() -> Self {
        State { pending: std::array::from_fn(|_| Pending::default()), dropped: [0; DropReason::ALL.len()] }
    }
}

impl Complaints {
    /// Takes note of one.
    pub(super) fn note(&self, kind: Kind, example: impl FnOnce() -> String) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pending = &mut state.pending[kind.place()];
        pending.count += 1;
        // While a line is pending its example stays: writing one for each request would cost more than the request.
        if pending.count == 1 {
            pending.example = example();
        }
    }

    /// The lines that are due; all there are when it is the last time.
    pub(super) fn due(&self, counters: &Counters, now: Nanos, is_last: bool) -> Vec<String> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let dropped = counters.dropped();
        for reason in DropReason::ALL {
            let fresh = dropped[reason as usize] - state.dropped[reason as usize];
            state.pending[Kind::Points(reason).place()].count += fresh;
        }
        state.dropped = dropped;
        let mut lines = Vec::new();
        for kind in Kind::all() {
            let pending = &mut state.pending[kind.place()];
            // A clock that was set back does not silence anything.
            let waits = pending.said_at.is_some_and(|said| (said..said.saturating_add(MINUTE)).contains(&now));
            if pending.count > 0 && (is_last || !waits) {
                lines.push(kind.line(pending));
                *pending = Pending { said_at: Some(now), ..Pending::default() };
            }
        }
        lines
    }
}
