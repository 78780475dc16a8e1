//! What was dropped: how much, why, and what to do about it.

use crate::engine::DropReason;

/// The reasons for which data points were dropped, with their numbers.
pub(in crate::report) fn dropped(counts: &[u64; DropReason::ALL.len()]) -> impl Iterator<Item = (DropReason, u64)> {
    DropReason::ALL.into_iter().zip(*counts).filter(|(_, n)| *n > 0)
}

/// The same as an object of a document.
pub(in crate::report) fn dropped_by_name(counts: &[u64; DropReason::ALL.len()]) -> serde_json::Value {
    dropped(counts).map(|(reason, n)| (reason.as_str(), n)).collect()
}

/// What a reason means and what to do about it.
pub fn explain(reason: DropReason) -> &'static str {
    match reason {
        DropReason::NoRecordedValue => {
            "the client flagged them as having no value, or sent none; nothing to do unless you expect one"
        }
        DropReason::NotFinite => "NaN or infinite; look for a division by zero where the metric is recorded",
        DropReason::Malformed => {
            "bucket counts that do not fit the bounds, or attributes that cannot be read; a defect of the client"
        }
        DropReason::Summary => "summaries hold quantiles computed by the client; record a histogram instead",
        DropReason::NoTime => "no timestamp; `--timestamps arrival` uses the receive time",
        DropReason::Future => {
            "timestamp more than 5 minutes after the receive time; set the clock of the sender, or use `--timestamps arrival`"
        }
        DropReason::TooLate => {
            "older than the longest window that could use them; for back-filled data sort the recording by time or use \
             `--timestamps arrival`"
        }
        DropReason::Duplicate => {
            "the series has a data point with that timestamp; harmless when an exporter retried, otherwise two \
             processes send the same series: give each its own service.instance.id"
        }
        DropReason::TooDense => {
            "more data points in a window than are kept of a series; raise `--max-points-per-series` or export less often"
        }
        DropReason::TooManyEntities => {
            "of entities beyond `--max-entities`; raise it, or let `--forget-after` evict silent ones sooner"
        }
        DropReason::TooManySeries => {
            "of series beyond `--max-series` or `--max-series-per-entity`; look for an attribute whose values never \
             repeat, or raise them"
        }
    }
}
