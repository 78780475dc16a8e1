//! Scenarios: a small text that says what goes in and what must come out.
//!
//! ```yaml
//! scenario: memory grows past the limit
//! rules: builtin:python
//! resource: {service.name: shop, service.instance.id: i-1, telemetry.sdk.language: python}
//! scope: opentelemetry.instrumentation.system_metrics
//! series:
//!   - metric: process.runtime.cpython.memory
//!     kind: sum
//!     attributes: {type: rss}
//!     values: 5e8x29 2e9x60
//! expect:
//!   - {definition: high-memory-usage, opens: 6m50s, severity: 10, entity: shop (i-1)}
//! ```
//!
//! The language of users' `*.test.yaml` files and of our own tests. Owns the language ([`parse`]), the way of its points
//! through decoder and engine ([`run`]) and the comparison. Everything is a function of the text: files are the caller's.

mod compare;
mod encode;
mod reader;
mod run;
mod scenario;
mod tree;
mod values;

pub use compare::Failure;
pub use run::{Outcome, RuleSource, run, run_all};
pub use scenario::{Scenario, parse};
