//! The one binary of integration tests; each room has its own files.

mod event;
mod event_any_text;
mod event_metric_id;
mod event_override;
mod event_problem;
mod event_query;
